"""A capture without end through the engine, as `ringfence replay` reads a file.

For a process of its own, which judges as many messages as it is told and says what
they took. Each exchange comes from an address that never came before and speaks for
an account that never did, or from a thousand of them over and over. This module
imports next to nothing, so that memory is the engine's.
"""

import itertools
import json
import os
import socket
import struct
import sys
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

from ringfence.bundle import tables
from ringfence.config import assemble
from ringfence.config.read import parse_config
from ringfence.engine import Engine
from ringfence.facts.country import CountryTable
from ringfence.packet import LINKTYPE_RAW, Instant
from ringfence.pcap import open_capture

from bench import traffic

BLOCK: Final = 1_000
"""Messages timed together; the median of the blocks is told."""

FEW: Final = 1_000
"""Sources, and accounts, of the steady kind."""

SECONDS: Final = {"distinct": 0.001, "steady": 0.02}
"""Between two messages, by kind. A thousand phones that send faster would be banned."""

_SERVER6: Final = "2001:db8::1"


class Peer(NamedTuple):
    """One source and the account it speaks for."""

    address: str
    account: str


def peers(table: CountryTable) -> Iterator[Peer]:
    """Yield sources at home that never repeat, every fourth in a /64 of its own."""
    home4, home6 = table.home_ranges({traffic.HOME})
    spread4 = (
        socket.inet_ntoa((first + step).to_bytes(4))
        for step in itertools.count()
        for first, last in home4
        if first + step <= last
    )
    spread6 = (
        socket.inet_ntop(socket.AF_INET6, (first + (step << 64) + 1).to_bytes(16))
        for step in itertools.count()
        for first, last in home6
        if first + (step + 1 << 64) <= last + 1
    )
    for number in itertools.count():
        address = next(spread4 if number % 4 else spread6)
        yield Peer(address, f"user{number}")


def exchange(number: int, peer: Peer) -> list[traffic.Leg]:
    """Return one exchange between a peer and the PBX; all kinds come in turn."""

    def ask(method: str, password: bool = False) -> traffic.Leg:
        return _leg(number, peer, f"{method} sip:pbx SIP/2.0", method, password)

    def tell(status: str, method: str) -> traffic.Leg:
        leg = _leg(number, peer, f"SIP/2.0 {status}", method)
        return leg._replace(reply=True)

    kinds = (
        [ask("REGISTER"), tell("401 Unauthorized", "REGISTER")],
        [ask("REGISTER", True), tell("200 OK", "REGISTER")],
        [ask("REGISTER", True), tell("401 Unauthorized", "REGISTER")],
        [ask("REGISTER", True)],
        [ask("REGISTER"), tell("403 Forbidden", "REGISTER")],
        [ask("INVITE"), tell("180 Ringing", "INVITE"), tell("200 OK", "INVITE")],
        [ask("INVITE", True), tell("407 Proxy Authentication", "INVITE")],
        [ask("INVITE"), tell("404 Not Found", "INVITE")],
        [ask("OPTIONS"), tell("404 Not Found", "OPTIONS")],
    )
    return kinds[number % len(kinds)]


def _leg(
    number: int, peer: Peer, start: str, method: str, password: bool = False
) -> traffic.Leg:
    source, user = peer
    host = f"[{source}]" if ":" in source else source
    if method == "INVITE":
        start = start.replace("sip:pbx", f"sip:0312{number % 1_000_000:06}@pbx")
    credentials = (
        f'Authorization: Digest username="{user}", realm="pbx", '
        f'nonce="{number:032x}", uri="sip:pbx", response="{number * 7:032x}"\r\n'
    )
    text = (
        f"{start}\r\n"
        f"Via: SIP/2.0/UDP {host}:5060;branch=z9hG4bK{number:08x};rport\r\n"
        "Max-Forwards: 70\r\n"
        f"From: <sip:{user}@pbx>;tag={number:08x}a\r\n"
        f"To: <sip:{user}@pbx>\r\n"
        f"Call-ID: {number:016x}@phone\r\n"
        f"CSeq: {1 + number % 99} {method}\r\n"
        f"Contact: <sip:{user}@{host}:5060>\r\n"
        "User-Agent: Bench phone 1.0\r\n"
        f"{credentials if password else ''}"
        "Content-Length: 0\r\n\r\n"
    )
    return traffic.Leg(source, text.encode())


def packet(leg: traffic.Leg) -> bytes:
    """Put UDP and IP headers in front, IPv6 ones where the source has such an address.

    The UDP check sum of IPv6 is left out: nobody on the way looks at it.
    """
    if ":" not in leg.source:
        return traffic.ipv4(leg)
    ends = [socket.inet_pton(socket.AF_INET6, end) for end in (leg.source, _SERVER6)]
    source, target = reversed(ends) if leg.reply else ends
    size = 8 + len(leg.payload)
    head = struct.pack(">IHBB", 6 << 28, size, 17, 64) + source + target
    ports = struct.pack(">HHHH", traffic.PORT, traffic.PORT, size, 0)
    return head + ports + leg.payload


def packets(table: CountryTable, few: int | None = None) -> Iterator[bytes]:
    """Yield packets without end; from `few` peers, or each exchange from a new one."""
    every: Iterator[Peer] = peers(table)
    if few is not None:
        every = itertools.cycle(list(itertools.islice(every, few)))
    for number, peer in enumerate(every):
        for leg in exchange(number, peer):
            yield packet(leg)


def _write(descriptor: int, kind: str) -> None:
    """Write a capture without end, until nobody reads it any more."""
    table = tables.open_country_table(tables.find_rules_dir())
    with open(descriptor, "wb") as pipe:
        pipe.write(
            struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, LINKTYPE_RAW)
        )
        few = FEW if kind == "steady" else None
        for number, data in enumerate(packets(table, few)):
            seconds, rest = divmod(number * SECONDS[kind], 1)
            stamp = int(seconds) + 1_767_225_600, int(rest * 1e6)
            pipe.write(struct.pack("<IIII", *stamp, len(data), len(data)) + data)


def main() -> None:
    """Judge as many messages as each line of standard input says."""
    kind = sys.argv[1]
    source, sink = os.pipe()
    if os.fork() == 0:
        os.close(source)
        try:
            _write(sink, kind)
        except BrokenPipeError:
            os._exit(0)
        os._exit(1)
    os.close(sink)
    engine = Engine(assemble(parse_config("", "defaults")))
    frames = iter(open_capture(f"/dev/fd/{source}"))
    _, start, _ = next(frames)
    for line in sys.stdin:
        blocks = []
        for _ in range(int(line) // BLOCK):
            begin = time.process_time_ns()
            for _, wall, data in itertools.islice(frames, BLOCK):
                engine.inspect(data, Instant(wall - start, wall))
            blocks.append((time.process_time_ns() - begin) / BLOCK / 1e3)
        sizes = engine.memory.sizes().values()
        answer = {
            "us": sorted(blocks)[len(blocks) // 2],
            "rss_mb": _resident(),
            "entries": sum(held for held, _ in sizes),
            "room": sum(most for _, most in sizes),
            "messages": engine.counters.messages,
        }
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _resident() -> float:
    """Return this process's resident memory in MB (10^6 bytes)."""
    with open("/proc/self/statm", encoding="ascii") as file:
        pages = int(file.read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
