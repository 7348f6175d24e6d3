# SPDX-License-Identifier: BSD-3-Clause
"""Captures of every kind that verbcast reads: files, link layers and IP headers."""
import struct

SOURCE4, GROUP4 = bytes([10, 0, 0, 1]), bytes([239, 2, 1, 150])
SOURCE6, GROUP6 = b"\xfe\x80" + bytes(13) + b"\x01", b"\xff\x05" + bytes(13) + b"\x96"
LINKTYPES = {"ethernet": 1, "raw": 101, "ipv4": 228, "ipv6": 229, "sll": 113, "sll2": 276}
FILES = [(kind, order, resolution) for kind in ("pcap", "pcapng") for order in "<>" for resolution in (6, 9)]


def udp(data, port=7148):
    return struct.pack(">HHHH", 40000, port, 8 + len(data), 0) + data


def ipv4(inner, options=b"", protocol=17, fragment=0):
    header = struct.pack(">BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, 20 + len(options) + len(inner), 0, fragment, 64,
                         protocol, 0, SOURCE4, GROUP4)
    return header + options + inner


def ipv6(inner, extensions=(), protocol=17):
    """`extensions` are (number, bytes that begin with a place for the next number)."""
    numbers = [number for number, _ in extensions] + [protocol]
    chain = b"".join(bytes([following]) + body[1:] for (_, body), following in zip(extensions, numbers[1:]))
    return struct.pack(">IHBB16s16s", 6 << 28, len(chain + inner), numbers[0], 64, SOURCE6, GROUP6) + chain + inner


def frame(packet, link="ethernet", tags=(), ethertype=None):
    """The frame around an IP packet; `tags` are (ethertype, VLAN id), the outermost first."""
    types = [tag for tag, _ in tags] + [ethertype or (0x86dd if packet[0] >> 4 == 6 else 0x0800)]
    rest = b"".join(struct.pack(">HH", number, following) for (_, number), following in zip(tags, types[1:])) + packet
    if link == "ethernet":
        return (bytes.fromhex("01005e020196020000000001") + struct.pack(">H", types[0]) + rest).ljust(60, b"\0")
    if link == "sll":
        return struct.pack(">HHH8sH", 2, 1, 6, bytes(8), types[0]) + rest
    if link == "sll2":
        return struct.pack(">HHIHBB8s", types[0], 0, 2, 1, 2, 6, bytes(8)) + rest
    return packet


def write(path, frames, link="ethernet", file=("pcap", "<", 6), snap=1 << 18):
    """Frames a microsecond apart; longer ones are cut at the snap length."""
    kind, order, resolution = file
    made = [(1_700_000_000 * 10**resolution + at * 10**(resolution - 6), each[:snap], len(each))
            for at, each in enumerate(frames)]
    body = pcapng if kind == "pcapng" else pcap
    path.write_bytes(body(made, LINKTYPES[link], order, resolution, snap))
    return path


def pcap(frames, linktype, order, resolution, snap):
    magic = 0xa1b2c3d4 if resolution == 6 else 0xa1b23c4d
    records = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap, linktype)]
    for time, kept, wire_bytes in frames:
        records.append(struct.pack(order + "IIII", *divmod(time, 10**resolution), len(kept), wire_bytes) + kept)
    return b"".join(records)


def pcapng(frames, linktype, order, resolution, snap):
    def padded(data):
        return data + bytes(-len(data) % 4)

    def block(kind, body):
        size = struct.pack(order + "I", 12 + len(body))
        return struct.pack(order + "I", kind) + size + body + size

    option = struct.pack(order + "HHB3xHH", 9, 1, resolution, 0, 0)  # if_tsresol, and the end of options
    blocks = [block(0x0a0d0d0a, struct.pack(order + "IHHq", 0x1a2b3c4d, 1, 0, -1)),
              block(1, struct.pack(order + "HHI", linktype, 0, snap) + option)]
    for time, kept, wire_bytes in frames:
        head = struct.pack(order + "IIIII", 0, time >> 32, time & 0xffffffff, len(kept), wire_bytes)
        blocks += [block(6, head + padded(kept)), block(0x0bad, padded(b"a comment of another tool"))]
    return b"".join(blocks)
