"""What this machine's kernel receives, against what `Decoder` sees: a program.

Run in a network namespace of its own (`unshare --net`). It sends hostile packets over
that namespace's loopback, in bounded number, and prints one JSON object: how many
datagrams the kernel delivered to a socket, and those that `Decoder` did not see or
saw differently. The other way round is no fault: we may see more than the receiver.
"""

import json
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from struct import pack, unpack

sys.path.insert(0, str(Path(__file__).parents[1]))

import wire
from ringfence.decode import Decoder
from ringfence.errors import Malformed
from ringfence.packet import Instant, Packet

SEQUENCES = 1_500
"""Fragment sequences in each IP version."""

HEADERS = 15_000
"""Single packets with something odd in their headers."""

BODY = b"0123456789abcdefghij"
SYSCTLS = {
    # Source addresses of our own over loopback; no limit that leftovers would meet.
    "net/ipv4/conf/all/route_localnet": 1,
    "net/ipv4/ipfrag_high_thresh": 1 << 28,
    "net/ipv6/ip6frag_high_thresh": 1 << 28,
    "net/ipv4/ipfrag_max_dist": 0,
}
UDP_NO_CHECK6_RX = 102
"""linux/udp.h: take datagrams without a checksum, as IPv4 does anyway."""


class Receiver:
    """The kernel's side: loopback in, a socket out."""

    def __init__(self) -> None:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)  # noqa: S607
        for name, value in SYSCTLS.items():
            Path("/proc/sys", name).write_text(str(value))
        self._sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self._sender.bind(("lo", 0))
        v4 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        v4.bind(("127.0.0.1", wire.DPORT))
        v6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        v6.setsockopt(socket.IPPROTO_UDP, UDP_NO_CHECK6_RX, 1)
        v6.bind(("::1", wire.DPORT))
        self._sockets = (v4, v6)
        for made in self._sockets:
            made.setblocking(False)
        wire.SRC = wire.DST = bytes((127, 0, 0, 1))
        wire.SRC6 = wire.DST6 = bytes(15) + b"\x01"
        self._decoder = Decoder()
        self.delivered = 0
        self.missed: list[list[str | None]] = []

    def send(self, packet: bytes) -> None:
        """Give a packet to the kernel and to the decoder; compare."""
        frame = wire.ethernet(packet, wire.IPV4 if packet[0] >> 4 == 4 else wire.IPV6)
        self._sender.send(frame)
        try:
            got = self._decoder.decode(Packet(frame, 1, len(frame)), Instant(0.0, 0.0))
        except Malformed:
            got = None
        seen = None if got is None else got.payload
        for made in self._sockets:
            try:
                payload = made.recv(65_536)
            except BlockingIOError:
                continue
            self.delivered += 1
            if payload != seen:
                shown = None if seen is None else seen.hex()
                self.missed.append([packet.hex(), payload.hex(), shown])


def fragment_sequence(rng: random.Random) -> list[wire.Piece]:
    """A datagram's fragments in some order with strange ones between, or only those."""
    size = rng.choice((24, 40, 61, 64))
    body = wire.udp(rng.randbytes(size - 8))
    pieces: list[wire.Piece] = []
    if rng.random() < 0.5:
        sizes: list[int] = []
        while (left := size - sum(sizes)) > 8 and rng.random() < 0.85:
            sizes.append(min(rng.choice((8, 16, 24)), (left - 1) & ~7))
        pieces = wire.split(body, sizes)
        rng.shuffle(pieces)
    for _ in range(rng.choice((0, 1, 1, 2, 4)) if pieces else rng.choice((2, 4, 6))):
        offset = 8 * rng.randrange(size // 8 + 1)
        length = rng.choice((0, 3, 5, 8, 8, 8, 12, 16, 16, 24, 32))
        data = (body + bytes(64))[offset : offset + length]
        if rng.random() < 0.2:
            data = bytes(byte ^ 0xFF for byte in data)
        piece = wire.Piece(offset, rng.random() < 0.75, data)
        pieces.insert(rng.randrange(len(pieces) + 1), piece)
    return pieces


def templates(rng: random.Random) -> list[bytes]:
    """Good and nearly good packets of both versions, some with many headers."""
    datagram = wire.udp(BODY)
    packets = [
        wire.ipv4(datagram),
        wire.ipv4(datagram) + b"padding",
        wire.ipv4(datagram + b"behind the datagram"),
        wire.ipv4(datagram, options=b"\x01" * 8),
        wire.ipv4(datagram, options=b"\x94\x04\0\0"),
        wire.ipv4(wire.udp(BODY, length=12)),
        wire.ipv4(wire.udp(BODY, length=0)),
        wire.ipv6(datagram),
        wire.ipv6(datagram) + b"padding",
        wire.ipv6(wire.udp(BODY, length=12)),
        wire.ipv6(wire.udp(BODY, length=0)),
        wire.ipv6(datagram, length=0),
    ]
    for count in (1, 17, 100):
        headers = wire.extension(60) * (count - 1) + wire.extension(17)
        packets.append(wire.ipv6(headers + datagram, 60))
    packets += [chained(rng, datagram) for _ in range(30)]
    return packets


def chained(rng: random.Random, datagram: bytes) -> bytes:
    """An IPv6 packet with some extension headers in any order."""
    kinds = [rng.choice((60, 60, 44, 43, 51, 0)) for _ in range(rng.randrange(1, 7))]
    if rng.random() < 0.5:
        kinds[0] = 0
    body = b""
    for kind, following in zip(kinds, [*kinds[1:], 17], strict=True):
        if kind == 44:
            body += bytes((following, 0, 0, 0, 0, 0, 0, 9))
        elif kind == 51:
            body += wire.authentication(following)
        elif kind == 43:
            body += bytes((following, 0, rng.choice((0, 2, 3, 4)), 0, 0, 0, 0, 0))
        else:
            body += wire.extension(following, rng.randrange(2))
    return wire.ipv6(body + datagram, kinds[0])


def oddities(rng: random.Random) -> Iterator[bytes]:
    """Templates with a few bytes changed, cut off or added."""
    packets = templates(rng)
    for _ in range(HEADERS):
        packet = bytearray(rng.choice(packets))
        for _ in range(rng.choice((0, 1, 1, 2, 3))):
            values = (0, 1, 2, 4, 8, 17, 44, 60, 255, rng.randrange(256))
            packet[rng.randrange(len(packet))] = rng.choice(values)
        if rng.random() < 0.1:
            del packet[rng.randrange(20, len(packet)) :]
        if rng.random() < 0.1:
            packet += bytes(rng.randrange(30))
        if packet[0] >> 4 == 4:
            seal(packet)
        yield bytes(packet)


def seal(packet: bytearray) -> None:
    """Set the IPv4 header checksum, or the kernel looks no further."""
    size = (packet[0] & 15) << 2
    if 20 <= size <= len(packet):
        packet[10:12] = bytes(2)
        total = sum(unpack(f">{size // 2}H", packet[:size]))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        packet[10:12] = pack(">H", ~total & 0xFFFF)


def main(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    receiver = Receiver()
    for ident in range(1, SEQUENCES + 1):
        for offset, more, data in fragment_sequence(rng):
            piece = wire.Piece(offset, more, data)
            packet = bytearray(wire.fragment4(piece, ident=ident))
            seal(packet)
            receiver.send(bytes(packet))
        for offset, more, data in fragment_sequence(rng):
            receiver.send(wire.fragment6(data, offset, more, ident=ident))
    fragmented = receiver.delivered
    for packet6 in oddities(rng):
        receiver.send(packet6)
    result = {
        "fragmented": fragmented,
        "single": receiver.delivered - fragmented,
        "missed": receiver.missed[:5],
    }
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]))
