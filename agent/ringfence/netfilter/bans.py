"""The ban sets of the running kernel, and its counters.

For the command line and for the agent's own figures, never for a packet: bans that
rules decide travel in the mark. The table is made by the agent and may outlive it.
"""

import errno
import json
from typing import Any, Final, NamedTuple

from ringfence.errors import KernelError
from ringfence.facts.network import format_address, parse_address
from ringfence.netfilter import asking, intervals
from ringfence.netfilter.nft import TABLE
from ringfence.netfilter.programs import call, program

MIN_BAN: Final = 1
MAX_BAN: Final = 365 * 86_400
"""Seconds that a ban by hand may last."""

_SETS: Final = {4: "banned4", 16: "banned6"}


class Ban(NamedTuple):
    """One entry of a ban set."""

    address: str
    """An IPv4 address, or an IPv6 network of 64 bits."""
    length_s: int
    left_s: int


def network(address: bytes) -> bytes:
    """Return what a ban of an address covers: itself, or the first of its /64."""
    return address if len(address) == 4 else address[:8] + bytes(8)


def network_text(address: bytes) -> str:
    """Write what a ban of an address covers."""
    text = format_address(network(address))
    return text if len(address) == 4 else f"{text}/64"


def ban(address: bytes, seconds: int) -> None:
    """Ban an address from now on for so many seconds, banned already or not.

    Raises `KernelError` when there is no ban set.
    """
    assert MIN_BAN <= seconds <= MAX_BAN  # noqa: S101 - the command line has checked
    name, key = _SETS[len(address)], network(address)
    entry = intervals.element(key, seconds)
    # Added first so that there is something to delete; an `add` alone would leave
    # the length of an old ban.
    try:
        intervals.perform(
            intervals.change(intervals.NEW_ELEMENTS, TABLE, name, entry, 1),
            _deleted(name, key, 2),
            intervals.change(intervals.NEW_ELEMENTS, TABLE, name, entry, 3),
        )
    except OSError as error:
        raise _failed(error) from error


def _deleted(name: str, key: bytes, sequence: int) -> bytes:
    return intervals.change(
        intervals.DELETED_ELEMENTS, TABLE, name, intervals.element(key), sequence
    )


def unban(address: bytes) -> bool:
    """Lift a ban; False when there was none. Raises `KernelError` without a set."""
    literal = format_address(network(address))
    known = {entry.address.partition("/")[0] for entry in bans()}
    if literal not in known:
        return False
    try:
        intervals.perform(_deleted(_SETS[len(address)], network(address), 1))
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise _failed(error) from error
    return True  # deleted, or run out in between


def bans() -> list[Ban]:
    """List the bans in force, the longest left first; `KernelError` without a set."""
    found: list[Ban] = []
    for name in _SETS.values():
        status, output, complaint = call(
            [_nft(), "-j", "list", "set", "inet", TABLE, name]
        )
        if status != 0:
            raise _refused(complaint)
        for item in json.loads(output)["nftables"]:
            found += [_ban(entry) for entry in item.get("set", {}).get("elem", [])]
    return sorted(found, key=lambda entry: (-entry.left_s, entry.address))


def counters() -> dict[str, int] | None:
    """Return packets by counter name; None when our table is not in the kernel.

    Takes less than a millisecond, however much is in the sets. Raises `KernelError`.
    """
    try:
        return asking.counters() or None
    except OSError as error:
        raise _failed(error) from error


def unanswered(counted: dict[str, int]) -> int:
    """Tell how many packets asked for a verdict and were lost without one.

    What waits in the queue at this moment is among them.
    """
    asked = counted.get("asked", 0) + counted.get("sampled", 0)
    ends = ("passed", "rejected", "dropped", "unheard", "unsampled")
    return max(0, asked - sum(counted.get(end, 0) for end in ends))


def lost(counted: dict[str, int], agent: dict[str, Any] | None) -> dict[str, Any]:
    """Tell packets that met no agent from those that met a full queue.

    `agent` is what the running one counted, None for none. Both end in the same chain
    with the same mark; what was there before it listened had no listener.
    """
    unheard = counted.get("unheard", 0)
    if agent is None:
        none, full = unheard + unanswered(counted), 0
    else:
        none = agent["unheard_before"] + agent["lost_before"]
        full = max(0, unheard - agent["unheard_before"]) + agent["kernel_queue"]["full"]
    return {"no_listener": none, "queue_full": full, "kernel": counted}


def _ban(entry: dict[str, Any]) -> Ban:
    elem = entry["elem"]
    address = parse_address(elem["val"])
    assert address is not None  # noqa: S101 - nft writes addresses
    return Ban(network_text(address), elem["timeout"], elem["expires"])


def _nft() -> str:
    return program("nft", "nftables")


def _failed(error: OSError) -> KernelError:
    """Say what the kernel said, as if nft had."""
    if error.errno in (errno.EPERM, errno.EACCES):
        return _refused("Operation not permitted")
    if error.errno == errno.ENOENT:
        return _refused("No such file or directory")
    return KernelError(f"the kernel did not take it: {error.strerror or error}")


def _refused(complaint: str) -> KernelError:
    if "No such file" in complaint:
        return KernelError(
            "there is no ban set in the kernel; start the agent (`ringfence run`)"
        )
    if "not permitted" in complaint:
        return KernelError("this needs the capability CAP_NET_ADMIN; run it as root")
    return KernelError(f"nft did not take it: {complaint}")
