# SPDX-License-Identifier: BSD-3-Clause
"""SPEAD-64-48 packets and captures, written from the protocol alone: the other end of verbcast's tests."""
import socket
import struct

ADDRESS_BITS = 48
MASK = (1 << 64) - 1


def immediate(item, value, bits=ADDRESS_BITS):
    return 1 << 63 | item << bits | value


def addressed(item, address, bits=ADDRESS_BITS):
    return item << bits | address


def packet(cnt, heap_length, offset, payload, items=(), bits=ADDRESS_BITS):
    pointers = [immediate(1, cnt, bits)]
    if heap_length is not None:
        pointers.append(immediate(2, heap_length, bits))
    pointers += [immediate(3, offset, bits), immediate(4, len(payload), bits), *items]
    header = struct.pack(">BBBBHH", 0x53, 4, 8 - bits // 8, bits // 8, 0, len(pointers))
    return header + b"".join(struct.pack(">Q", each) for each in pointers) + payload


def turned(datagram):
    """The same packet with its pointers in reverse order."""
    count = struct.unpack(">H", datagram[6:8])[0]
    pointers = struct.unpack(f">{count}Q", datagram[8:8 + 8 * count])
    return datagram[:8] + struct.pack(f">{count}Q", *pointers[::-1]) + datagram[8 + 8 * count:]


def heap(cnt, data, items=None, size=1408):
    """The packets of a heap, the items in the first."""
    items = [addressed(0x1000, 0)] if items is None else items
    return [packet(cnt, len(data), at, data[at:at + size], items if at == 0 else ())
            for at in range(0, len(data), size)]


def descriptor(item, name, numpy_header):
    """The bytes of a DESCRIPTOR item."""
    return packet(1, len(name + numpy_header), 0, name + numpy_header,
                  [immediate(0x14, item), addressed(0x10, 0), addressed(0x15, len(name))])


def stop(cnt):
    return packet(cnt, 1, 0, b"\0", [immediate(6, 2), addressed(0, 0)])


def decode(datagram):
    """A packet as a dictionary, its items as (immediate, id, value)."""
    magic, version, width, address_width, _, count = struct.unpack(">BBBBHH", datagram[:8])
    assert (magic, version, width + address_width) == (0x53, 4, 8), datagram[:8]
    bits = 8 * address_width
    pointers = struct.unpack(f">{count}Q", datagram[8:8 + 8 * count])
    items = [(bool(each >> 63), (each & ~(1 << 63)) >> bits, each & ((1 << bits) - 1)) for each in pointers]
    special = {item: value for is_immediate, item, value in items if is_immediate and 1 <= item <= 4}
    payload = datagram[8 + 8 * count:]
    assert len(payload) == special[4], (len(payload), special)
    return {"cnt": special[1], "heap_length": special[2], "offset": special[3], "payload": payload, "bits": bits,
            "items": [each for each in items if each[1] == 0 or each[1] > 4]}


class HeapCollector:
    """Puts packets together as a plain receiver would."""

    def __init__(self):
        self.heaps = {}
        self.stopped = False

    def add(self, datagram):
        one = decode(datagram)
        into = self.heaps.setdefault(one["cnt"], {"payload": bytearray(one["heap_length"]), "received": 0, "items": []})
        into["payload"][one["offset"]:one["offset"] + len(one["payload"])] = one["payload"]
        into["received"] += len(one["payload"])
        into["items"] += one["items"]
        self.stopped |= (True, 6, 2) in one["items"]

    def item(self, cnt, wanted):
        """The bytes of an addressed item, which ends where the next one begins."""
        heap_ = self.heaps[cnt]
        starts = sorted({address for is_immediate, _, address in heap_["items"] if not is_immediate})
        at = next(address for is_immediate, item, address in heap_["items"] if not is_immediate and item == wanted)
        later = [start for start in starts if start > at]
        return bytes(heap_["payload"][at:later[0] if later else len(heap_["payload"])])


def verify_pattern(cnt, size):
    """The data that `send --verify` writes into a heap."""
    x = cnt
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9 & MASK
    x = (x ^ x >> 27) * 0x94d049bb133111eb & MASK
    x ^= x >> 31
    words = (size + 7) // 8
    step = 0x9e3779b97f4a7c15
    return b"".join(struct.pack("<Q", x + (w + 1) * step & MASK) for w in range(words))[:size]


def ethernet(datagram, port=7148, group="239.2.1.150"):
    """A frame with the datagram, checksums left zero but for IPv4's."""
    udp = struct.pack(">HHHH", 40000, port, 8 + len(datagram), 0) + datagram
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, socket.inet_aton("10.0.0.1"),
                         socket.inet_aton(group))
    total = sum(struct.unpack(">10H", header))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    header = header[:10] + struct.pack(">H", ~total & 0xffff) + header[12:]
    return bytes.fromhex("01005e020196") + bytes.fromhex("020000000001") + b"\x08\x00" + header + udp


def write_capture(path, datagrams, snap=1 << 18):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, snap, 1))
        for index, datagram in enumerate(datagrams):
            frame = ethernet(datagram)
            kept = frame[:snap]
            file.write(struct.pack("<IIII", 1_700_000_000, index % 1_000_000, len(kept), len(frame)) + kept)
    return path


def sender(interface="127.0.0.1"):
    """A UDP socket whose multicast goes out on lo."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
    return made


def receiver(group):
    """A UDP socket that has joined a group on lo, and the port it has."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    made.bind((group, 0))
    made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton("127.0.0.1"))
    made.settimeout(30)
    return made, made.getsockname()[1]


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        return made.getsockname()[1]
