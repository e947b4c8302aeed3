"""Sends answers to refused callers inside, in the name of the server they dialled.

Knows raw sockets, UDP and TCP headers, and the marks that let our own packets past
our own rules (adr/0007). Whether somebody may be answered, `refusals.py` has said;
here is made sure that an answer leaves by the interface that the request came in on,
or stays on this machine, whatever the request's source address is.
"""

import os
import socket
from struct import pack
from typing import Final

from ringfence.errors import KernelError
from ringfence.facts.network import format_address
from ringfence.netfilter.crafting import (
    ACK,
    FIN,
    PSH,
    RST,
    carries,
    datagram,
    segment_bytes,
    stamps_for,
    tcp_header,
)
from ringfence.netfilter.marks import ANSWER, RESET
from ringfence.netfilter.nft import Plan
from ringfence.packet import Datagram, Instant, Segment
from ringfence.refusals import Refused
from ringfence.sip.answer import Source, refusal
from ringfence.state import BoundedTable

RATE: Final = 50.0
"""Answers a second: a thousand phones that all dial wrongly need fewer, and a loop of
two machines that answer each other gets no further."""

BURST: Final = 100.0
"""Answers at once."""

MAX_CLOSED: Final = 256
"""Connections remembered that we have closed; each closing took an answer."""

CLOSED_AGE: Final = 60.0
"""Seconds in which somebody may still send on a closed connection."""

_IP_TRANSPARENT, _IPV6_TRANSPARENT = 19, 75
_IP_PKTINFO, _IPV6_PKTINFO = 8, 50
_IP_MTU_DISCOVER, _IP_PMTUDISC_DONT = 10, 0
_SO_MARK, _SO_BINDTOIFINDEX = 36, 62

_NOWHERE: Final = {socket.AF_INET: "192.0.0.8", socket.AF_INET6: "100::"}
"""Dummy and discard addresses (RFC 7600, RFC 6666). A raw socket bound to one gets no
packet: without that the kernel would copy each that comes in to us."""

_LOOPBACK: Final = 1
"""Index of the interface `lo` in every network namespace (LOOPBACK_IFINDEX)."""


class Answering:
    """Two raw sockets a family, and what has become of the answers."""

    def __init__(self) -> None:
        """Open the sockets; raises `KernelError` when that is not allowed."""
        self.answered = 0
        """Refused requests that were answered."""
        self.failed = 0
        """Answers that the kernel did not take."""
        self.held = 0
        """Requests not answered: too many at once, or nothing sound to be said."""
        self._key = os.urandom(32)
        self._tokens = BURST
        self._filled = 0.0
        self._closed: BoundedTable[tuple[bytes, bytes, int, int], bool] = BoundedTable(
            MAX_CLOSED, CLOSED_AGE
        )
        self._marks = (0, 0)
        self._sockets: dict[tuple[int, int], socket.socket] = {}
        for family in _NOWHERE:
            for protocol in (socket.IPPROTO_UDP, socket.IPPROTO_TCP):
                try:
                    made = _raw(family, protocol)
                except PermissionError:
                    self.close()
                    raise KernelError(
                        "answers need the capability CAP_NET_RAW; give it to the "
                        "service, or set policy.reject_status = 0"
                    ) from None
                except OSError as error:
                    if family == socket.AF_INET6:
                        continue  # a kernel without IPv6 has nobody to answer there
                    self.close()
                    raise KernelError(f"no raw socket: {error}") from None
                self._sockets[4 if family == socket.AF_INET else 16, protocol] = made

    def speak(self, plan: Plan) -> None:
        """Mark packets as the ruleset of that plan expects it."""
        self._marks = plan.bits(ANSWER), plan.bits(RESET)

    def close(self) -> None:
        """Close the sockets."""
        for made in self._sockets.values():
            made.close()
        self._sockets.clear()

    def admits(self, now: Instant) -> bool:
        """Tell whether one more answer may be sent now; count it as held if not."""
        elapsed = now.mono - self._filled
        if elapsed > 0:
            self._tokens = min(BURST, self._tokens + elapsed * RATE)
            self._filled = now.mono
        if self._tokens < 1:
            self.held += 1
            return False
        self._tokens -= 1
        return True

    def refuse(
        self,
        refused: Refused,
        data: bytes,
        indev: int,
        status: int,
        now: Instant,
        *,
        next_back: int | None,
    ) -> None:
        """Answer one request, and over TCP end its connection at both ends.

        `data` is the packet, from its IP header on, that came in on `indev` (0: this
        machine's own). `next_back` says where the server's bytes would go on.
        """
        if not self.admits(now):
            return
        packet, message = refused.facts.packet, refused.facts.message
        if not carries(data, packet):
            self.held += 1  # in a tunnel: its ends are nobody we could send to
            return
        source = Source(format_address(packet.src), packet.sport)
        response = refusal(message, source, status, key=self._key, why=_why(refused))
        if response is None:
            self.held += 1
            return
        if isinstance(packet, Datagram):
            answer = datagram(packet, response.port, response.text)
            sent = self._send(packet.dst, packet.src, answer, indev, socket.IPPROTO_UDP)
        else:
            if next_back is None:
                self.held += 1
                return
            sent = self._close(packet, response.text, data, indev, next_back)
            if sent:
                self._closed.put(packet[:4], True, now.mono)
        self.answered += sent
        self.failed += not sent

    def reset(self, data: bytes, indev: int, now: Instant) -> None:
        """Tell the sender of a segment that the connection we closed is gone.

        What he sent, the ACK of the refusal above all, goes no further; without a
        reset he would repeat it for minutes (RFC 9293 section 3.10.7.1).
        """
        found = tcp_header(data)
        if found is None or not found.flags & ACK:
            return
        if self._closed.get(found.ends, now.mono) and self.admits(now):
            src, dst, sport, dport = found.ends
            text = segment_bytes((dst, src, dport, sport), found.ack, 0, RST)
            self._send(dst, src, text, indev, socket.IPPROTO_TCP)

    def _close(
        self, segment: Segment, text: bytes, data: bytes, indev: int, seq: int
    ) -> bool:
        """Send answer and end of stream to the client, a reset to the server."""
        src, dst, sport, dport = segment[:4]
        end = segment.seq + len(segment.payload) + (segment.flags & FIN)
        answer = segment_bytes(
            (dst, src, dport, sport),
            seq,
            end,
            FIN | PSH | ACK,
            text,
            stamps=stamps_for(data),
        )
        if not self._send(dst, src, answer, indev, socket.IPPROTO_TCP):
            return False
        end_there = segment_bytes((src, dst, sport, dport), segment.seq, 0, RST)
        self._send(src, dst, end_there, -1, socket.IPPROTO_TCP)
        return True

    def _send(
        self, src: bytes, dst: bytes, text: bytes, indev: int, protocol: int
    ) -> bool:
        """Send transport header and payload; False if the kernel would not.

        `indev` says where `dst` has to be: behind that interface, or (0) on this
        machine; -1: wherever the routes say, for a reset.
        """
        made = self._sockets.get((len(src), protocol))
        literal = format_address(dst)
        if made is None:
            return False
        bound = max(indev, 0)
        if len(src) == 4:
            if indev == 0:
                bound = _LOOPBACK  # which takes it to be ours, or loses it
            to: tuple[str, int] | tuple[str, int, int, int] = (literal, 0)
            info = (socket.IPPROTO_IP, _IP_PKTINFO, pack("=i4s4s", 0, src, bytes(4)))
        else:
            if indev == 0 and not _is_ours(literal):
                return False
            link = bound if dst[:2] == b"\xfe\x80" else 0
            to = (literal, 0, 0, link)
            info = (socket.IPPROTO_IPV6, _IPV6_PKTINFO, pack("=16si", src, link))
        try:
            made.setsockopt(socket.SOL_SOCKET, _SO_MARK, self._marks[indev < 0])
            made.setsockopt(socket.SOL_SOCKET, _SO_BINDTOIFINDEX, bound)
            made.sendmsg([text], [info], socket.MSG_DONTWAIT, to)
        except OSError:
            return False
        return True


def _raw(family: int, protocol: int) -> socket.socket:
    """Open a socket that may send with any source address, and receives nothing."""
    made = socket.socket(family, socket.SOCK_RAW, protocol)
    try:
        if family == socket.AF_INET:
            made.setsockopt(socket.IPPROTO_IP, _IP_TRANSPARENT, 1)
            made.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DONT)
        else:
            made.setsockopt(socket.IPPROTO_IPV6, _IPV6_TRANSPARENT, 1)
        made.bind((_NOWHERE[socket.AddressFamily(family)], 0))
    except OSError:
        made.close()
        raise
    return made


def _is_ours(literal: str) -> bool:
    """Tell whether this machine has an IPv6 address.

    Only then is it itself what the kernel would call it from (RFC 6724 section 5,
    rule 1). A socket bound to the loopback interface finds no route to it.
    """
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((literal, 9))
        except OSError:
            return False
        return bool(probe.getsockname()[0] == literal)


def _why(refused: Refused) -> str:
    """Name the rule; the number dialled is nobody's business on the way back."""
    return f"refused by {refused.ruling.rule or refused.ruling.source}"
