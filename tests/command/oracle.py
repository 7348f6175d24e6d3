# SPDX-License-Identifier: BSD-3-Clause
"""What `verbcast inspect` must say of datagrams: a slow receiver, written from the protocol alone."""
import struct
import zlib

NULL, CNT, LENGTH, OFFSET, PAYLOAD, DESCRIPTOR, CONTROL = range(7)
NAME, DESCRIPTION, SHAPE, FORMAT, ID, DTYPE = range(0x10, 0x16)
DEFAULTS = {"max_heaps": 4, "substreams": 1, "out_of_order": False, "stop": True, "unsized": True, "compat": 0,
            "heap_bytes_max": 1 << 30}


class Refused(Exception):
    """A packet that is none."""


class Packet:
    """The packet at the front of `data`."""

    def __init__(self, data):
        if len(data) < 8 or data[0] != 0x53 or data[1] != 4:
            raise Refused
        width, address_width, _, count = struct.unpack(">BBHH", data[2:8])
        if 0 in (width, address_width) or width + address_width != 8 or len(data) < 8 + 8 * count:
            raise Refused
        self.bits = 8 * address_width
        raw = struct.unpack(f">{count}Q", data[8:8 + 8 * count])
        # (raw, immediate, id, value)
        self.pointers = [(each, bool(each >> 63), (each & (1 << 63) - 1) >> self.bits, each & (1 << self.bits) - 1)
                         for each in raw]
        special = {item: value for _, immediate, item, value in self.pointers if immediate}
        if not {CNT, OFFSET, PAYLOAD} <= special.keys():
            raise Refused
        self.cnt, self.offset, size = special[CNT], special[OFFSET], special[PAYLOAD]
        self.length = special.get(LENGTH)
        self.bytes = 8 + 8 * count + size
        self.payload = data[8 + 8 * count:self.bytes]
        if self.bytes > len(data) or self.length is not None and self.offset + size > self.length:
            raise Refused
        self.end = self.offset + size
        self.addresses = [value for _, immediate, _, value in self.pointers if not immediate]
        self.items = [each for each in self.pointers if each[2] == NULL or each[2] > PAYLOAD]
        self.whole = size == self.length
        self.stops = any(immediate and (item, value) == (CONTROL, 2) for _, immediate, item, value in self.pointers)


class Heap:
    def __init__(self, first):
        self.cnt, self.bits = first.cnt, first.bits
        self.length, self.claimed, self.pointers, self.bytes, self.parts = None, 0, [], {}, []

    def takes(self, packet, options):
        if packet.length is None and not options["unsized"]:
            return False
        if packet.length is not None:
            if self.length not in (None, packet.length) or packet.length < self.claimed:
                return False
        if packet.bits != self.bits:
            return False
        if max([packet.length or 0, packet.end, *packet.addresses]) > options["heap_bytes_max"]:
            return False
        if not options["out_of_order"]:
            return packet.offset == len(self.bytes)
        inside = any(first <= packet.offset < end for first, end in self.parts)
        return not inside and not any(packet.offset < first < packet.end for first, _ in self.parts)

    def add(self, packet):
        if packet.length is not None:
            self.length = packet.length
        self.claimed = max([self.claimed, packet.end, *packet.addresses])
        self.pointers += [each for each in dict.fromkeys(packet.items) if each not in self.pointers]
        self.bytes.update(zip(range(packet.offset, packet.end), packet.payload))
        self.parts.append((packet.offset, packet.end))

    def status(self):
        if len(self.bytes) == self.length and self.claimed <= self.length:
            return "complete"
        return "contiguous" if len(self.bytes) == max(self.length or 0, self.claimed) else "incomplete"

    def ranges(self):
        merged = []
        for at in sorted(self.bytes):
            if merged and merged[-1][1] == at:
                merged[-1][1] += 1
            else:
                merged.append([at, at + 1])
        return merged

    def items(self):
        """(id, immediate value or None, bytes)"""
        found = []
        addressed = sorted((each for each in self.pointers if not each[1]), key=lambda each: each[3])
        if self.status() != "incomplete":
            ends = [each[3] for each in addressed[1:]] + [max(self.bytes, default=-1) + 1]
            for (_, _, item, first), end in zip(addressed, ends):
                if item != NULL and end > first:
                    found.append((item, None, bytes(self.bytes[at] for at in range(first, end))))
        for _, _, item, value in sorted((each for each in self.pointers if each[1]), key=lambda each: each[3]):
            if item != NULL:
                found.append((item, value, value.to_bytes(self.bits // 8, "big")))
        return found


class Receiver:
    def __init__(self, **options):
        self.options = {**DEFAULTS, **options}
        self.windows = {}
        self.heaps = []
        self.stopped = False
        self.stats = dict.fromkeys(("heaps", "packets", "incomplete_heaps_evicted", "incomplete_heaps_flushed",
                                    "single_packet_heaps"), 0)

    def datagram(self, data):
        if self.stopped or not data:
            return
        try:
            packet = Packet(data)
        except Refused:
            return
        if packet.bytes == len(data):
            self.packet(packet)

    def packet(self, packet):
        self.stats["packets"] += 1
        window = self.windows.setdefault(packet.cnt % self.options["substreams"], [None] * self.options["max_heaps"])
        known = [heap for heap in window if heap and heap.cnt == packet.cnt and not packet.whole]
        heap = known[-1] if known else Heap(packet)
        if not heap.takes(packet, self.options):
            return
        if not known:
            self.deliver(window.pop(0), "incomplete_heaps_evicted")
            window.append(heap)
        heap.add(packet)
        self.stats["single_packet_heaps"] += packet.whole
        stops = packet.stops and self.options["stop"]
        if heap.status() == "complete":
            window[window.index(heap)] = None
            if not stops:
                self.deliver(heap)
        if stops:
            self.stopped = True
            self.flush()

    def flush(self):
        for substream in sorted(self.windows):
            for heap in self.windows.pop(substream):
                self.deliver(heap, "incomplete_heaps_flushed")

    def deliver(self, heap, counter="heaps"):
        if heap is None:
            return
        self.heaps.append(heap)
        self.stats["heaps"] += 1
        if counter != "heaps":
            self.stats[counter] += 1


def records(data, number_bytes):
    step = 1 + number_bytes
    return [(data[at], int.from_bytes(data[at + 1:at + step], "big")) for at in range(0, len(data) - step + 1, step)]


def description(heap, compat):
    """The descriptor that a heap is; None when it has no id."""
    made = {"id": 0, "name": "", "description": "", "format": [], "shape": [], "numpy_header": ""}
    address_bytes = heap.bits // 8
    for item, immediate, data in heap.items():
        if item == ID and immediate is not None:
            made["id"] = immediate
        elif item in (NAME, DESCRIPTION, DTYPE):
            made[{NAME: "name", DESCRIPTION: "description", DTYPE: "numpy_header"}[item]] = data.decode(errors="replace")
        elif item == FORMAT:
            made["format"] = [[bytes([kind]).decode(errors="replace"), bits]
                              for kind, bits in records(data, 3 if compat & 1 else 8 - address_bytes)]
        elif item == SHAPE:
            made["shape"] = [-1 if flags & (2 if compat & 2 else 1) else size
                             for flags, size in records(data, 7 if compat & 1 else address_bytes)]
    return made if made["id"] else None


def descriptors(data, compat):
    receiver = Receiver(max_heaps=1, stop=False, heap_bytes_max=len(data))
    while data:
        try:
            packet = Packet(data)
        except Refused:
            break
        receiver.packet(packet)
        data = data[packet.bytes:]
    receiver.flush()
    found = [description(heap, compat) for heap in receiver.heaps if heap.status() != "incomplete"]
    return [each for each in found if each]


def heap_object(heap, compat):
    """A heap in the shape of `verbcast inspect --json`."""
    made = {"cnt": heap.cnt, "status": heap.status(), "addr_bits": heap.bits, "items": []}
    described = []
    for item, immediate, data in heap.items():
        if immediate is not None:
            made["items"].append({"id": item, "imm": immediate, "length": len(data)})
        else:
            made["items"].append({"id": item, "crc32": f"{zlib.crc32(data):08x}", "length": len(data)})
            described += descriptors(data, compat) if item == DESCRIPTOR else []
        if item == CONTROL and (immediate is not None or len(data) <= 8):
            control = {0: "start", 2: "stop"}.get(int.from_bytes(data, "big"))
            made.update({control: True} if control else {})
    if described:
        made["descriptors"] = described
    if made["status"] == "incomplete":
        made.update(heap_length=-1 if heap.length is None else heap.length, received=len(heap.bytes), ranges=heap.ranges())
    return made


def inspect(datagrams, **options):
    """The heaps as objects, the counters, and whether it stopped, of these datagrams."""
    receiver = Receiver(**options)
    for each in datagrams:
        receiver.datagram(each)
    if not receiver.stopped:
        receiver.flush()
    return [heap_object(heap, receiver.options["compat"]) for heap in receiver.heaps], receiver.stats, receiver.stopped
