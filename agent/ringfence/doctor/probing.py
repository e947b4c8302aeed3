"""The live probe: INVITEs through our own rules, which the agent knows by their tokens.

Each way through the ruleset gets a message of its own: what this machine sends, what
comes in to it, what it forwards. They travel by an interface that exists for a second
and leads nowhere (`tunnel.py`), between addresses that nobody has (RFC 5737), so that
one that is not stopped comes back to us and to nobody else. Where there is no such
device, only the first way is tried, with a packet that gets as far as the first hop.
"""

import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from struct import pack
from typing import Final, NamedTuple

from ringfence.controlsocket import ask
from ringfence.doctor.readings import Probe, Unread
from ringfence.doctor.tunnel import DEVICE, Tunnel
from ringfence.errors import RingfenceError

PATIENCE: Final = 1.5
"""Seconds that a test message has; shorter than a token counts."""
_LOOK: Final = 0.05
WAYS: Final = ("output", "input", "forward")

_NETMASK: Final = "255.255.255.248"
_OURS, _CALLER, _CALLED = "192.0.2.249", "192.0.2.250", "192.0.2.251"
_UDP: Final = 17
_FIRST_HOP: Final = 1
_FORWARDING: Final = "/proc/sys/net/ipv4/ip_forward"

_AHEAD: Final = (
    "a rule of the firewall that works ahead of ours stopped it, as it does with "
    "whatever comes by an interface that it does not know"
)
_UNSEEN: Final = (
    "the agent never saw it; whether a rule ahead of ours stopped it, or none, cannot be "
    f"told without {DEVICE} (OpenWrt: kmod-tun)"
)
_ROUTED: Final = "this machine forwards nothing (net.ipv4.ip_forward is 0)"
_UNWATCHED: Final = (
    f"there is no {DEVICE} here (OpenWrt: kmod-tun), without which only what this "
    "machine sends can be tried"
)


class _Sent(NamedTuple):
    """A message on its way, and how to see that it arrived."""

    token: str
    arrived: Callable[[], bool]


def probe(socket_path: str, port: int) -> Probe | Unread:
    """Send test messages to a SIP port; needs a running agent and root."""
    tokens = {way: os.urandom(16).hex() for way in WAYS}
    question: dict[str, object] = {"ask": "probe", "tokens": list(tokens.values())}
    try:
        answer = ask(socket_path, question)
    except RingfenceError as error:
        return Unread(str(error))
    if answer is None:
        return Unread("no agent runs")
    if "error" in answer:
        return Unread(f"the agent knows no test messages: {answer['error']}")
    try:
        tunnel = Tunnel(_OURS, _NETMASK)
    except OSError as error:
        return _first_hop(socket_path, tokens, port, error)
    with tunnel:
        return _all_ways(socket_path, tunnel, tokens, port)


def _all_ways(
    path: str, tunnel: Tunnel, tokens: Mapping[str, str], port: int
) -> Probe | Unread:
    out: list[bytes] = []
    lost: dict[str, str] = {}
    sent: dict[str, _Sent] = {}

    def left(token: str) -> bool:
        # An ICMP error quotes the packet that it is about.
        out.extend(packet for packet in tunnel.gone_out() if packet[9:10] == b"\x11")
        return any(token.encode() in packet for packet in out)

    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.setblocking(False)
        receiver.bind((_OURS, 0))
        inner = receiver.getsockname()[1]

        def came(token: str) -> bool:
            with suppress(BlockingIOError):
                return token.encode() in receiver.recv(4096)
            return False

        token = tokens["output"]
        try:
            name = tunnel.name.encode()
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
            sender.sendto(_invite(token, _OURS, _CALLED), (_CALLED, port))
            sent["output"] = _Sent(token, lambda: left(tokens["output"]))
        except OSError as error:
            lost["output"] = f"it could not be sent ({error.strerror})"
        token = tokens["input"]
        # To a port of our own: no PBX here hears of it. From a SIP port: it is looked
        # at for that.
        text = _invite(token, _CALLER, _OURS)
        tunnel.inject(_packet(_CALLER, _OURS, port, inner, text))
        sent["input"] = _Sent(token, lambda: came(tokens["input"]))
        if _forwards():
            token = tokens["forward"]
            text = _invite(token, _CALLER, _CALLED)
            tunnel.inject(_packet(_CALLER, _CALLED, inner, port, text))
            sent["forward"] = _Sent(token, lambda: left(tokens["forward"]))
        else:
            lost["forward"] = _ROUTED
        return _outcome(path, sent, lost)


def _first_hop(
    path: str, tokens: Mapping[str, str], port: int, error: OSError
) -> Probe | Unread:
    """Send one that the first router on its way would have to throw away."""
    token = tokens["output"]
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, _FIRST_HOP)
            sender.sendto(_invite(token, _OURS, _CALLED), (_CALLED, port))
    except OSError as unsent:
        return Unread(
            f"no test message could be sent: {DEVICE}: {error.strerror}; by the default "
            f"route: {unsent.strerror}"
        )
    lost = {"input": _UNWATCHED, "forward": _UNWATCHED}
    sent = {"output": _Sent(token, lambda: False)}
    return _outcome(path, sent, lost, unseen=_UNSEEN)


def _outcome(
    path: str,
    sent: Mapping[str, _Sent],
    lost: Mapping[str, str],
    *,
    unseen: str = _AHEAD,
) -> Probe | Unread:
    """Wait for what becomes of the messages."""
    until = time.monotonic() + PATIENCE
    question: dict[str, object] = {
        "ask": "probed",
        "tokens": [message.token for message in sent.values()],
    }
    passed: set[str] = set()
    seen: set[str] = set()
    while True:
        passed |= {way for way, message in sent.items() if message.arrived()}
        try:
            answer = ask(path, question)
        except RingfenceError as error:
            return Unread(str(error))
        known = (answer or {}).get("seen")
        if isinstance(known, dict):
            seen = {way for way, message in sent.items() if message.token in known}
        if time.monotonic() >= until or seen | passed == set(sent):
            break
        time.sleep(_LOOK)
    time.sleep(_LOOK)  # what was seen and let go all the same
    passed |= {way for way, message in sent.items() if message.arrived()}
    nowhere = {way: unseen for way in sent if way not in seen | passed}
    return Probe(
        tuple(way for way in WAYS if way in seen - passed),
        tuple(way for way in WAYS if way in passed),
        tuple(way for way in WAYS if way in passed - seen),
        {**lost, **nowhere},
    )


def _forwards() -> bool:
    try:
        with open(_FORWARDING, encoding="ascii") as file:
            return file.read().strip() == "1"
    except OSError:
        return False


def _invite(token: str, src: str, dst: str) -> bytes:
    """Write a small sound INVITE (RFC 3261 section 8.1.1) that carries a token."""
    lines = (
        f"INVITE sip:probe@{dst} SIP/2.0",
        f"Via: SIP/2.0/UDP {src};branch=z9hG4bK{token}",
        "Max-Forwards: 0",
        f"From: <sip:doctor@{src}>;tag={token[:8]}",
        f"To: <sip:probe@{dst}>",
        f"Call-ID: {token}",
        "CSeq: 1 INVITE",
        f"Contact: <sip:doctor@{src}>",
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()


def _packet(src: str, dst: str, sport: int, dport: int, payload: bytes) -> bytes:
    """Write an IPv4 packet; its datagram has no checksum, which RFC 768 allows.

    Its TTL lets it be forwarded once.
    """
    ends = socket.inet_aton(src) + socket.inet_aton(dst)
    size = 28 + len(payload)
    start = pack(">BBHHHBBH", 0x45, 0, size, 0, 0, _FIRST_HOP + 1, _UDP, 0)
    words = memoryview(start + ends).cast("B")
    total = sum(words[at] << 8 | words[at + 1] for at in range(0, 20, 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    start = start[:10] + (total ^ 0xFFFF).to_bytes(2)
    return start + ends + pack(">HHHH", sport, dport, size - 20, 0) + payload
