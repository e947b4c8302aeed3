"""TCP segments and IP fragments made by hand, and a receiver that writes down bytes.

The sender can do what no kernel does; the receiver is a kernel's own TCP, so that
what it reads is what a PBX would have read. IPv4 only.
"""

import contextlib
import selectors
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Final, Self

from lab.addresses import SIP_PORT
from lab.namespaces import LabError, Namespace

SYN: Final = 0x02
RST: Final = 0x04
PSH_ACK: Final = 0x18
URG: Final = 0x20
_WINDOW: Final = 65_535
_MOD: Final = 1 << 32

_NO_RESETS: Final = """
table ip handmade {
    chain output {
        type filter hook output priority 0
        ip id != 4711 tcp flags & rst == rst drop
    }
}
"""
"""The kernel knows nothing of these connections and would end each at once."""

_IDENT: Final = 4711


class Hand:
    """Sends packets from one address, as a context manager."""

    def __init__(self, namespace: Namespace, src: str, dst: str) -> None:
        self.namespace, self.src, self.dst = namespace, src, dst
        with namespace.entered():
            self._out = socket.socket(
                socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW
            )
            self._answers = socket.socket(
                socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP
            )
        self._answers.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
        self._answers.bind((src, 0))
        self._answers.settimeout(2)
        namespace.run("nft", "-f", "-", stdin=_NO_RESETS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._out.close()
        self._answers.close()
        self.namespace.run("nft", "delete table ip handmade")

    def packet(
        self, body: bytes, protocol: int, *, flags: int = 0, ident: int = _IDENT
    ) -> None:
        """Send what follows an IPv4 header; `flags` is its flags and offset field."""
        header = struct.pack(
            ">BBHHHBBH4s4s",
            *(0x45, 0, 20 + len(body), ident, flags, 64, protocol, 0),
            socket.inet_aton(self.src),
            socket.inet_aton(self.dst),
        )
        self._out.sendto(header + body, (self.dst, 0))

    def segment(
        self,
        sport: int,
        seq: int,
        ack: int,
        flags: int,
        payload: bytes = b"",
        *,
        urgent: int = 0,
        arrives: bool = True,
    ) -> None:
        """Send a TCP segment; without `arrives` its checksum is wrong."""
        ports = (sport, SIP_PORT, seq % _MOD, ack % _MOD)
        head = struct.pack(">HHIIBBHHH", *ports, 5 << 4, flags, _WINDOW, 0, urgent)
        pseudo = socket.inet_aton(self.src) + socket.inet_aton(self.dst)
        pseudo += struct.pack(">BBH", 0, 6, len(head) + len(payload))
        checksum = _checksum(pseudo + head + payload) ^ (0 if arrives else 0x5555)
        head = head[:16] + struct.pack(">H", checksum) + head[18:]
        self.packet(head + payload, 6)

    def connect(self, *sports: int) -> "list[Connection]":
        """Open connections, one from each port."""
        for sport in sports:
            self.segment(sport, _isn(sport), 0, SYN)
        numbers: dict[int, int] = {}
        end = time.monotonic() + 5
        while len(numbers) < len(sports):
            if time.monotonic() > end:
                raise LabError(f"{len(numbers)} of {len(sports)} connections answered")
            data = self._answers.recv(65_535)
            tcp = data[(data[0] & 15) * 4 :]
            _, sport, seq, _ = struct.unpack_from(">HHII", tcp)
            if tcp[13] & SYN and sport in sports:
                numbers[sport] = seq
        made = [Connection(self, sport, numbers[sport] + 1) for sport in sports]
        for connection in made:
            connection.send(b"", 0)
        return made


class Connection:
    """A connection whose segments are made by hand; offsets count from its start."""

    def __init__(self, hand: Hand, sport: int, ack: int) -> None:
        self.hand, self.sport, self._ack = hand, sport, ack

    def send(
        self,
        payload: bytes,
        offset: int,
        flags: int = PSH_ACK,
        *,
        urgent: int = 0,
        arrives: bool = True,
    ) -> None:
        """Send bytes at an offset from the first one after the SYN."""
        self.hand.segment(
            self.sport,
            _isn(self.sport) + 1 + offset,
            0 if flags & SYN else self._ack,
            flags,
            payload,
            urgent=urgent,
            arrives=arrives,
        )


class Bytes:
    """Listens on one TCP address, and keeps what each peer's port has sent."""

    def __init__(self, namespace: Namespace, address: str) -> None:
        self._listener = namespace.bound(
            socket.AF_INET, socket.SOCK_STREAM, address, SIP_PORT
        )
        self._listener.listen(1000)
        self.read: dict[int, bytearray] = {}
        self._peers: dict[int, socket.socket] = {}
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._ended = True
        self._thread.join()

    def of(self, sport: int) -> bytes:
        """Return what came from a port so far."""
        return bytes(self.read.get(sport, b""))

    def say(self, sport: int, text: bytes) -> None:
        """Send something back."""
        self._peers[sport].sendall(text)

    def _run(self) -> None:
        with contextlib.ExitStack() as closing:
            closing.enter_context(self._listener)
            ready = closing.enter_context(selectors.DefaultSelector())
            ready.register(self._listener, selectors.EVENT_READ, 0)
            while not self._ended:
                for key, _ in ready.select(0.05):
                    if key.data == 0:
                        made, peer = self._listener.accept()
                        closing.enter_context(made)
                        # A port that is used again belongs to a new connection.
                        self.read[peer[1]] = bytearray()
                        self._peers[peer[1]] = made
                        ready.register(made, selectors.EVENT_READ, peer[1])
                        continue
                    peer_socket = key.fileobj
                    assert isinstance(peer_socket, socket.socket)
                    came = b""
                    with contextlib.suppress(ConnectionError):
                        came = peer_socket.recv(65_536)
                    if came:
                        self.read[key.data] += came
                    else:
                        ready.unregister(peer_socket)


def fragments(body: bytes, *edges: int) -> Iterator[tuple[int, bytes]]:
    """Cut a datagram at multiples of 8; yield flags and offset field, and bytes."""
    for start, end in zip((0, *edges), (*edges, len(body)), strict=True):
        more = 0x2000 if end < len(body) else 0
        yield more | start // 8, body[start:end]


def _isn(sport: int) -> int:
    """Another one for each port, one of them just before the numbers wrap round."""
    return (sport * 7919 * 65_536 - 200) % _MOD


def _checksum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    words: tuple[int, ...] = struct.unpack(f">{len(data) // 2}H", data)
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
