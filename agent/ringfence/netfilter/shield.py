"""The parts of the ruleset that need no agent: bans, the home networks, the limit.

Pure text, put together by `nft.py`. What these chains drop never reaches user space,
whether the agent runs or not; `origins.py` says who is spared.
"""

from collections.abc import Collection, Iterable
from typing import Final

from ringfence.netfilter.origins import Networks, Range

MAX_BANS: Final = 65_536
"""Addresses in each ban set, about 100 bytes each in the kernel; when it is full a
packet is dropped but its source not banned."""

MAX_SOURCES: Final = 65_536
"""Sources in each rate set; when it is full a new source is not limited."""

RATE_MEMORY: Final = 60
"""Seconds that the kernel remembers a source's rate after its last packet; longer
than the burst takes to fill again with the default rate."""

PREFIX6: Final = "ffff:ffff:ffff:ffff::"
"""An IPv6 source is its /64: anybody has a whole one (RFC 6177)."""

_BANNED: Final = f"flags timeout,dynamic; size {MAX_BANS};"
_RATE: Final = f"flags timeout,dynamic; size {MAX_SOURCES}; timeout {RATE_MEMORY}s;"

SETS: Final = {
    "sip_ports": "type inet_service;",
    "tls_ports": "type inet_service;",
    "wan": "type ifname;",
    "exempt4": "type ipv4_addr; flags interval;",
    "exempt6": "type ipv6_addr; flags interval;",
    "home4": "type ipv4_addr; flags interval;",
    "home6": "type ipv6_addr; flags interval;",
    "rate4": f"type ipv4_addr; {_RATE}",
    "rate6": f"type ipv6_addr; {_RATE}",
    "banned4": f"type ipv4_addr; {_BANNED}",
    "banned6": f"type ipv6_addr; {_BANNED}",
}
"""Every set and what it is. A set that is there already must be declared alike."""

REFILLED: Final = tuple(name for name in SETS if not name.startswith("banned"))
"""What a reload makes anew; bans stay."""

HOME_SETS: Final = ("home4", "home6")

KEPT_SETS: Final = ("banned4", "banned6", "exempt4", "exempt6")
KEPT_CHAINS: Final = ("banned", "shield")
KEPT_COUNTER: Final = "banned"
"""What `run --keep-bans` leaves behind."""


def elements(
    *,
    sip_ports: Collection[int],
    tls_ports: Collection[int],
    wan: tuple[str, ...],
    networks: Networks,
) -> Iterable[str]:
    """Yield the sets that a reload makes anew, with what the configuration fills in."""
    filled = {
        "sip_ports": ", ".join(str(port) for port in sorted(sip_ports)),
        "tls_ports": ", ".join(str(port) for port in sorted(tls_ports)),
        "wan": interfaces(wan),
        "exempt4": _ipv4(networks.exempt.ipv4),
        "exempt6": _ipv6(networks.exempt.ipv6),
        "home4": _ipv4(networks.not_foreign.ipv4),
        "home6": _ipv6(networks.not_foreign.ipv6),
    }
    for name in REFILLED:
        text = filled.get(name)
        inside = f" elements = {{ {text} }};" if text else ""
        yield f"  set {name} {{ {SETS[name]}{inside} }}"


def interfaces(names: tuple[str, ...]) -> str:
    """Write interface names as elements; nft has no way to write a quotation mark."""
    return ", ".join(f'"{name}"' for name in names if '"' not in name)


def _ipv4(ranges: tuple[Range, ...]) -> str:
    def text(value: int) -> str:
        return f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"

    return ", ".join(f"{text(first)}-{text(last)}" for first, last in ranges)


def _ipv6(ranges: tuple[Range, ...]) -> str:
    def text(value: int) -> str:
        return value.to_bytes(16).hex(":", 2)

    return ", ".join(f"{text(first)}-{text(last)}" for first, last in ranges)


def ban_check() -> list[str]:
    """Drop what a banned source sends: one lookup for everybody else."""
    return [
        "  chain banned {",
        "    ip saddr @exempt4 return",
        "    ip6 saddr @exempt6 return",
        "    counter name banned drop",
        "  }",
        "  chain shield {",
        "    ip saddr @banned4 goto banned",
        f"    ip6 saddr & {PREFIX6} @banned6 goto banned",
        "  }",
    ]


def ban(side: str, seconds: int, end: str) -> list[str]:
    """Put one address of the packet into a ban set, then go on to `end`.

    `add` leaves a ban that is there as it is: what was queued before the ban must
    not shorten a longer one.
    """
    return [
        f"    ip {side} @exempt4 {end}",
        f"    ip6 {side} @exempt6 {end}",
        "    counter name bans",
        f"    add @banned4 {{ ip {side} timeout {seconds}s }}",
        f"    add @banned6 {{ ip6 {side} & {PREFIX6} timeout {seconds}s }}",
        # A rule of its own: the ones above end early when their set is full.
        f"    {end}",
    ]


def limit(rate: int, burst: int) -> list[str]:
    """Ask, unless the source sends more than anybody honest."""
    lines = ["  chain by_source {"]
    if rate:
        over = f"limit rate over {rate}/second burst {burst} packets"
        flooded = "counter name flooded drop"
        lines += [
            "    iifname != @wan goto ask",
            "    ip saddr @exempt4 goto ask",
            "    ip6 saddr @exempt6 goto ask",
            f"    update @rate4 {{ ip saddr {over} }} {flooded}",
            f"    update @rate6 {{ ip6 saddr & {PREFIX6} {over} }} {flooded}",
        ]
    return [*lines, "    goto ask", "  }"]


def foreign() -> list[str]:
    """Drop what comes from abroad; one REGISTER a second is shown to the agent."""
    return [
        "  chain foreign_tls {",
        "    counter name foreign_tls drop",
        "  }",
        "  chain tls {",
        "    iifname @wan ip saddr != @home4 goto foreign_tls",
        "    iifname @wan ip6 saddr != @home6 goto foreign_tls",
        "  }",
        "  chain foreign_register {",
        "    limit rate 1/second burst 1 packets goto sample",
        "    counter name foreign drop",
        "  }",
        "  chain register {",
        "    iifname @wan ip saddr != @home4 goto foreign_register",
        "    iifname @wan ip6 saddr != @home6 goto foreign_register",
        "    goto by_source",
        "  }",
    ]
