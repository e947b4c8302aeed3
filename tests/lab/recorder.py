"""Writes down every IP packet that one interface sends or receives.

This is the lab's independent witness: it sits at the far ends of the wires, outside
the router, and takes nothing from the agent. A packet socket sees what arrives
before any rule of that namespace, and what leaves after all of them.
"""

import ipaddress
import socket
import struct
import threading
import time
from typing import Final, NamedTuple

_ETH_P_ALL: Final = 0x0003
_PACKET_OUTGOING: Final = 4
_PACKET_STATISTICS: Final = 6
_SOL_PACKET: Final = 263
_RECEIVE_BUFFER: Final = 64 << 20
"""Room for a burst while this thread waits for its turn; the test's own stream."""
MOST_PACKETS: Final = 200_000
"""More than any test sends; past this a run has gone wrong."""


class Seen(NamedTuple):
    """One packet on the wire; ports are 0 and payload is raw for later fragments."""

    sent: bool
    """True when this end sent it, False when it arrived here."""
    src: str
    dst: str
    protocol: int
    sport: int
    dport: int
    payload: bytes
    fragment: bool


def parse(data: bytes, sent: bool) -> Seen | None:
    """Read IPv4 or IPv6 (no extension header but the fragment one); None if other."""
    if len(data) >= 20 and data[0] >> 4 == 4:
        src, dst = data[12:16], data[16:20]
        end = int.from_bytes(data[2:4])
        flags = int.from_bytes(data[6:8])
        offset, fragment = flags & 0x1FFF, bool(flags & 0x3FFF)
        protocol, body = data[9], data[(data[0] & 15) * 4 : end]
    elif len(data) >= 40 and data[0] >> 4 == 6:
        src, dst = data[8:24], data[24:40]
        protocol, body = data[6], data[40 : 40 + int.from_bytes(data[4:6])]
        offset, fragment = 0, False
        if protocol == 44 and len(body) >= 8:
            protocol, fragment = body[0], True
            offset = int.from_bytes(body[2:4]) >> 3
            body = body[8:]
    else:
        return None
    sport = dport = 0
    if not offset and protocol in (6, 17) and len(body) >= 8:
        sport, dport = struct.unpack_from(">HH", body)
        body = body[8:] if protocol == 17 else body[(body[12] >> 4) * 4 :]
    return Seen(
        sent,
        str(ipaddress.ip_address(src)),
        str(ipaddress.ip_address(dst)),
        protocol,
        sport,
        dport,
        body,
        fragment,
    )


class Recorder:
    """Records from its making (in the namespace of the calling thread) to `close`."""

    def __init__(self, interface: str) -> None:
        self._socket = socket.socket(
            socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL)
        )
        # SO_RCVBUFFORCE (33): past net.core.rmem_max, as root may.
        self._socket.setsockopt(socket.SOL_SOCKET, 33, _RECEIVE_BUFFER)
        self._socket.bind((interface, _ETH_P_ALL))
        self._socket.settimeout(0.05)
        self._packets: list[tuple[bool, bytes]] = []
        self._parsed: list[Seen | None] = []
        self._arrival = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._record, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop recording."""
        self._closed = True
        self._thread.join()
        self._socket.close()

    def packets(self) -> list[Seen]:
        """Everything so far, oldest first; fails if the kernel had to skip any."""
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        lost = struct.unpack("II", statistics)[1]
        if lost:
            raise AssertionError(f"the recorder missed {lost} packets")
        with self._arrival:
            fresh = self._packets[len(self._parsed) :]
        self._parsed += [parse(data, sent) for sent, data in fresh]
        return [seen for seen in self._parsed if seen is not None]

    def position(self) -> int:
        """How many packets there are by now, for `since`."""
        return len(self.packets())

    def find(
        self,
        *,
        sent: bool,
        src: str = "",
        dst: str = "",
        start: bytes = b"",
        has: bytes = b"",
        since: int = 0,
    ) -> list[Seen]:
        """Return the packets that fit everything given, from `position` `since` on.

        `start` is how the SIP message begins (`b"REGISTER "`, `b"SIP/2.0 200"`),
        `has` any part of it. TCP segments without payload fit only an empty `start`.
        """
        return [
            seen
            for seen in self.packets()[since:]
            if seen.sent == sent
            and (not src or seen.src == src)
            and (not dst or seen.dst == dst)
            and seen.payload.startswith(start)
            and has in seen.payload
        ]

    def wait(
        self,
        count: int = 1,
        *,
        timeout: float = 5,
        sent: bool,
        src: str = "",
        dst: str = "",
        start: bytes = b"",
        has: bytes = b"",
        since: int = 0,
    ) -> list[Seen]:
        """Wait until at least `count` packets fit; return those there at the end."""
        end = time.monotonic() + timeout
        while True:
            with self._arrival:
                known = len(self._packets)
            found = self.find(
                sent=sent, src=src, dst=dst, start=start, has=has, since=since
            )
            left = end - time.monotonic()
            if len(found) >= count or left <= 0:
                return found
            with self._arrival:
                if len(self._packets) == known:
                    self._arrival.wait(left)

    def _record(self) -> None:
        while not self._closed and len(self._packets) < MOST_PACKETS:
            try:
                data, origin = self._socket.recvfrom(65_535)
            except TimeoutError:
                continue
            with self._arrival:
                self._packets.append((origin[2] == _PACKET_OUTGOING, data))
                self._arrival.notify_all()
