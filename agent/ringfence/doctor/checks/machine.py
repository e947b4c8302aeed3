"""Checks of the machine: clock, memory, disk."""

from collections.abc import Iterator
from typing import Final

from ringfence.bundle.choice import SLOTS
from ringfence.bundle.store import HEADROOM
from ringfence.doctor.finding import FINE, NOTE, PROBLEM, UNKNOWN, WARNING, Finding
from ringfence.doctor.readings import Memory, Readings, Unread

MOST_AGENT: Final = 70 << 20
"""Bytes that the agent takes when all of its tables are full (ARCHITECTURE)."""

SPARE: Final = 8 << 20
"""Bytes that should be left besides, for nft with the home networks."""

USUAL_BUNDLE: Final = 800 << 10
"""Bytes of a bundle with the tables of today; the largest that is there counts more."""


def clock(readings: Readings) -> Iterator[Finding]:
    """Ask whether the clock can be right."""
    found = readings.clock
    if isinstance(found, Unread):
        yield Finding("clock", UNKNOWN, f"the clock's date is not known: {found.why}")
        return
    floor = found.floor
    stored = readings.stored
    if not isinstance(stored, Unread):
        floor = max([floor, *(bundle.created for bundle in stored.bundles)])
    if found.now < floor:
        days = (floor - found.now) / 86_400
        yield Finding(
            "clock",
            PROBLEM,
            f"the clock is not set: it is {days:.1f} days behind the program's or the "
            "bundle's own date",
            "Log lines carry a wrong time, and expired bundles count as new.",
            _set_clock(readings),
        )
    elif found.synced is False:
        yield Finding(
            "clock",
            NOTE,
            "NTP has not set the clock",
            "Log lines may carry a wrong time.",
            _set_clock(readings),
        )
    else:
        yield Finding("clock", FINE, "the clock can be right")


def _set_clock(readings: Readings) -> tuple[str, ...]:
    if readings.machine.system == "openwrt":
        return (
            "uci set system.ntp.enabled=1; uci commit system",
            "/etc/init.d/sysntpd restart",
        )
    return ("timedatectl set-ntp true", "timedatectl status")


def _mb(size: float) -> str:
    return f"{size / (1 << 20):.1f} MB"


def memory(readings: Readings) -> Iterator[Finding]:
    """Ask whether the agent may grow to its limits."""
    found = readings.memory
    if isinstance(found, Unread):
        yield Finding("memory", UNKNOWN, f"free memory is not known: {found.why}")
        return
    need = _growth(found)
    what = f"{_mb(found.available)} of {_mb(found.total)} can be had"
    if found.available < need:
        grow = "grow by" if found.agent is not None else "need"
        yield Finding(
            "memory",
            WARNING,
            f"{what}; under attack the agent may {grow} {_mb(need)}",
            "When memory runs out, the kernel ends programs, this one or another.",
            (
                "free; ps w",
                "# stop what is not needed, or add zram (OpenWrt: zram-swap)",
            ),
        )
    else:
        yield Finding("memory", FINE, f"{what}, the agent may take {_mb(need)} more")


def _growth(found: Memory) -> int:
    return max(MOST_AGENT - (found.agent or 0), 0) + SPARE


def disk(readings: Readings) -> Iterator[Finding]:
    """Ask whether a bundle can be installed."""
    found = readings.disk
    if isinstance(found, Unread):
        yield Finding("disk", UNKNOWN, f"the store's disk is not known: {found.why}")
        return
    # A slot is written beside the old one, and the other slot may be empty yet.
    need = len(SLOTS) * max(found.largest, USUAL_BUNDLE) + HEADROOM
    if found.read_only:
        yield Finding(
            "disk",
            WARNING,
            f"{found.folder} is on a read-only file system",
            "No bundle can be installed: the rules stay as old as they are.",
            (
                "mount | grep -w ro",
                "# set bundle.store to a folder that can be written",
            ),
        )
    elif found.free < need:
        yield Finding(
            "disk",
            WARNING,
            f"{found.folder}: {_mb(found.free)} free, a bundle's installation may take "
            f"{_mb(need)}",
            "An update fails for lack of room; the rules stay as old as they are.",
            ("df -h", f"ls -l {found.folder}"),
        )
    else:
        yield Finding("disk", FINE, f"{found.folder}: {_mb(found.free)} free")
