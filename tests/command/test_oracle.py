# SPDX-License-Identifier: BSD-3-Clause
"""verbcast inspect on random traffic in captures of every kind, beside a receiver written from the protocol alone."""
import random
import struct

import capture
import oracle
import spead
from harness import CommandTest, objects, run

ROUNDS = 120


def chance(dice, part):
    return dice.random() < part


class Traffic:
    """Datagrams of heaps such as senders make, then treated as networks and bad senders do."""

    def __init__(self, dice):
        self.dice = dice
        self.bits = dice.choice([8, 16, 24, 32, 40, 40, 48, 48, 48, 56])
        self.limit = (1 << self.bits) - 1
        self.cnt = dice.choice([1, 1, self.limit - 3])

    def datagrams(self):
        heaps = [self.heap() for _ in range(self.dice.randint(1, 14))]
        if chance(self.dice, 0.3):
            heaps.insert(self.dice.randint(0, len(heaps)), [spead.packet(self.next_cnt(), 1, 0, b"\0", self.stop(), self.bits)])
        made = self.interleaved(heaps)
        for _ in range(self.dice.choice([0, 0, 1, 3, 8])):
            self.spoil(made)
        return made

    def next_cnt(self):
        self.cnt = (self.cnt + self.dice.choice([0, 1, 1, 1, 1, 2, 5])) & self.limit
        return self.cnt

    def stop(self):
        return [spead.immediate(6, 2, self.bits), spead.addressed(0, 0, self.bits)]

    def heap(self):
        data = self.payload()
        size = self.dice.choice([8, 16, 24, 64, 200])
        length = len(data) if chance(self.dice, 0.85) else None
        items, repeat, cnt = self.items(data), chance(self.dice, 0.3), self.next_cnt()
        return [spead.packet(cnt, length, at, data[at:at + size], items if at == 0 or repeat else (), self.bits)
                for at in range(0, len(data), size)]

    def payload(self):
        self.described = b""
        if self.bits >= 24 and chance(self.dice, 0.4):
            self.described = b"".join(self.descriptor() for _ in range(self.dice.randint(1, 3)))
        return self.described + self.dice.randbytes(self.dice.randint(1, 200 if self.bits == 8 else 500))

    def items(self, data):
        last = min(self.limit, len(data) + 1)
        start = len(self.described)
        ids = [0, 5, 6, 0x20, 0x21, 0x22, 0x7e]
        some = [spead.addressed(5, 0, self.bits)] if start else []
        some += [spead.addressed(0x30, start, self.bits)] if chance(self.dice, 0.9) else []
        for _ in range(self.dice.choice([0, 1, 2, 4, 30])):
            item = self.dice.choice(ids)
            if chance(self.dice, 0.5):
                value = self.dice.choice([0, 1, 2 if chance(self.dice, 0.1) else 3, self.dice.randint(0, self.limit)])
                some.append(spead.immediate(item, value, self.bits))
            else:
                some.append(spead.addressed(item, self.dice.randint(start, last), self.bits))
        self.dice.shuffle(some)
        return some

    def descriptor(self):
        """The bytes of one, in one or two packets; now and then without an id, or cut off."""
        dice, bits = self.dice, self.dice.choice([40, 48])
        fields = [(0x10, b"name"), (0x11, b"what it is"), (0x13, self.records(8 - bits // 8)), (0x12, self.records(bits // 8)),
                  (0x15, b"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}")]
        fields = dice.sample(fields, dice.randint(0, 5))
        at, items = 0, [spead.immediate(0x14, dice.randint(0, 3) and 0x30, bits)] if chance(dice, 0.9) else []
        for item, data in fields:
            items.append(spead.addressed(item, at, bits))
            at += len(data)
        data = b"".join(field for _, field in fields) or b"\0"
        cut = dice.choice([len(data), len(data) // 2 + 1])
        made = spead.packet(1, len(data), 0, data[:cut], items, bits)
        if cut < len(data):
            made += spead.packet(1, len(data), cut, data[cut:], (), bits)
        return made[:-3] if chance(dice, 0.1) else made

    def records(self, number_bytes):
        kinds = b"uifbc" if number_bytes < 5 else b"\0\1\2\3"
        return b"".join(bytes([self.dice.choice(kinds)]) + self.dice.randbytes(number_bytes)
                        for _ in range(self.dice.randint(0, 3))) + self.dice.randbytes(self.dice.randint(0, 1))

    def interleaved(self, heaps):
        width, made = self.dice.choice([1, 2, 5]), []
        while heaps:
            turn = self.dice.randrange(min(width, len(heaps)))
            made.append(heaps[turn].pop(0))
            if not heaps[turn]:
                del heaps[turn]
        return made

    def spoil(self, made):
        dice, at = self.dice, self.dice.randrange(len(made))
        other = dice.randrange(len(made))
        kind = dice.randrange(8)
        if kind == 0 and len(made) > 1:
            del made[at]
        elif kind == 1:
            made.insert(other, made[at])
        elif kind == 2:
            made[at], made[other] = made[other], made[at]
        elif kind == 3:
            made[at] = made[at][:dice.randint(0, len(made[at]))]
        elif kind == 4:
            made[at] += dice.randbytes(dice.choice([1, 8]))
        elif kind == 5 and made[at]:
            changed = bytearray(made[at])
            changed[dice.randrange(min(80, len(changed)))] ^= 1 << dice.randrange(8)
            made[at] = bytes(changed)
        elif kind == 6 and len(made[at]) >= 16:
            made[at] = self.turned(made[at])
        else:
            made.insert(at, dice.choice([b"", b"no SPEAD", dice.randbytes(60)]))

    def turned(self, datagram):
        """The same pointers in another order."""
        count = min(struct.unpack(">H", datagram[6:8])[0], (len(datagram) - 8) // 8)
        pointers = [datagram[at:at + 8] for at in range(8, 8 + 8 * count, 8)]
        self.dice.shuffle(pointers)
        return datagram[:8] + b"".join(pointers) + datagram[8 + 8 * count:]


EXTENSIONS = [[], [(0, bytes(8))], [(60, bytes([0, 1]) + bytes(14)), (43, bytes(8))], [(44, bytes(8))],
              [(51, bytes([0, 4]) + bytes(22))]]
TAGS = [[], [(0x8100, 5)], [(0x88a8, 5), (0x8100, 6)], [(0x8100, 0xe000)], [(0x9100, 1), (0x8100, 2)]]


class Wrapping:
    """Frames of one link layer around datagrams, with others between them that carry none."""

    def __init__(self, dice):
        self.dice = dice
        self.link = dice.choice(list(capture.LINKTYPES))
        self.snap = dice.choice([1 << 18] * 5 + [200])

    def frames(self, datagrams):
        """The frames, and the datagrams that the snap length leaves whole."""
        made, whole = [], []
        for each in datagrams:
            if chance(self.dice, 0.1):
                made.append(self.foreign())
            made.append(self.wrapped(capture.udp(each)))
            whole += [each] if len(made[-1]) <= self.snap else []
        return made, whole

    def wrapped(self, inner, **how):
        v6 = self.link == "ipv6" or self.link != "ipv4" and chance(self.dice, 0.3)
        if v6:
            packet = capture.ipv6(inner, self.dice.choice(EXTENSIONS), **how)
        else:
            packet = capture.ipv4(inner, self.dice.choice([b"", bytes(8), bytes(40)]), **how)
        return capture.frame(packet, self.link, self.dice.choice(TAGS))

    def foreign(self):
        spead_in = capture.udp(spead.packet(3, 8, 0, b"12345678"))
        no_length = struct.pack(">HHHH", 1, 7148, 7, 0) + spead_in[8:]
        return self.dice.choice([
            lambda: self.wrapped(spead_in, protocol=6),
            lambda: self.wrapped(no_length),
            lambda: capture.frame(capture.ipv4(spead_in, fragment=0x2000), self.link),
            lambda: capture.frame(capture.ipv6(spead_in, [(44, bytes([0, 0, 0, 1, 0, 0, 0, 1]))]), self.link),
            lambda: capture.frame(capture.ipv4(spead_in)[:24], self.link),
            lambda: b"\0" * 7,
        ])()


FLAGS = {"max_heaps": ["--max-heaps"], "substreams": ["--substreams"], "compat": ["--compat"],
         "heap_bytes_max": ["--heap-bytes-max"]}
SWITCHES = {"out_of_order": (True, "--out-of-order"), "stop": (False, "--no-stop-item"), "unsized": (False, "--no-unsized")}


def random_options(dice):
    chosen = {"max_heaps": dice.choice([1, 2, 4, 4, 9]), "substreams": dice.choice([1, 1, 2, 3, 16]),
              "compat": dice.choice([0, 0, 0, 1, 2, 7]), "heap_bytes_max": dice.choice([1 << 30, 1 << 30, 300]),
              "out_of_order": chance(dice, 0.5), "stop": chance(dice, 0.7), "unsized": chance(dice, 0.8)}
    flags = [text for name, flag in FLAGS.items() for text in (*flag, chosen[name])]
    return chosen, flags + [flag for name, (value, flag) in SWITCHES.items() if chosen[name] == value]


class Oracle(CommandTest):
    def test_the_oracle_gives_what_the_protocol_says_of_a_few_packets(self):
        """So that it cannot be wrong in the way that verbcast is without being seen."""
        first, second = spead.heap(7, bytes(2000), [spead.addressed(0x1000, 0), spead.immediate(0x1600, 5)])
        heaps, stats, stopped = oracle.inspect([first, second, first, spead.stop(8), first])
        self.assertEqual([(heap["cnt"], heap["status"], len(heap["items"])) for heap in heaps],
                         [(7, "complete", 2), (7, "incomplete", 1)])
        self.assertEqual(stats, {"heaps": 2, "packets": 4, "incomplete_heaps_evicted": 0, "incomplete_heaps_flushed": 1,
                                 "single_packet_heaps": 1})
        self.assertTrue(stopped)

    def test_random_traffic_gives_the_heaps_and_counters_of_the_oracle(self):
        for seed in range(ROUNDS):
            dice = random.Random(seed)
            wrapping = Wrapping(dice)
            frames, datagrams = wrapping.frames(Traffic(dice).datagrams())
            options, flags = random_options(dice)
            kind = dice.choice(capture.FILES)
            file = capture.write(self.folder / "made", frames, wrapping.link, kind, wrapping.snap)
            with self.subTest(seed=seed, link=wrapping.link, file=kind, options=options):
                result = run("inspect", file, "--json", "--stats", *flags)
                self.assertEqual((result.returncode, result.stderr), (0, b""))
                *heaps, last = objects(result.stdout)
                expected, counters, stopped = oracle.inspect(datagrams, **options)
                self.assertEqual(heaps, expected)
                self.assertEqual({name: last["stats"][name] for name in counters}, counters)
                self.assert_balanced(last["stats"]["account"])
                received = last["stats"]["account"]["received"]
                self.assertLessEqual(received, len(frames))
                self.assertTrue(stopped or received == len(frames))
