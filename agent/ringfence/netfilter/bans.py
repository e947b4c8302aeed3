"""The ban sets and counters of the running kernel, read and written through nft.

For the command line and for the agent's own figures, never for a packet: bans that
rules decide travel in the mark. The table is made by the agent and may outlive it.
"""

import json
import subprocess
from typing import Any, Final, NamedTuple

from ringfence.errors import KernelError
from ringfence.facts.network import format_address, parse_address
from ringfence.netfilter.nft import TABLE
from ringfence.netfilter.programs import TIMEOUT, call, program

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
    where = f"element inet {TABLE} {_SETS[len(address)]}"
    literal = format_address(network(address))
    entry = f"{{ {literal} timeout {seconds}s }}"
    # Added first so that there is something to delete; an `add` alone would leave
    # the length of an old ban.
    text = f"add {where} {entry}\ndelete {where} {{ {literal} }}\nadd {where} {entry}\n"
    status, _, complaint = call([_nft(), "-f", "-"], text)
    if status != 0:
        raise _refused(complaint)


def unban(address: bytes) -> bool:
    """Lift a ban; False when there was none. Raises `KernelError` without a set."""
    literal = format_address(network(address))
    known = {entry.address.partition("/")[0] for entry in bans()}
    if literal not in known:
        return False
    where = f"element inet {TABLE} {_SETS[len(address)]}"
    status, _, complaint = call([_nft(), f"delete {where} {{ {literal} }}"])
    if status != 0 and literal in {entry.address.partition("/")[0] for entry in bans()}:
        raise _refused(complaint)
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


class Counting:
    """A look at the counters that is under way; readable when it has been done.

    nft loads the ban sets for it too: with 65,000 bans it takes a second, for which
    no packet should wait.
    """

    def __init__(self) -> None:
        """Start nft; raises `KernelError` when it cannot be."""
        arguments = [_nft(), "-j", "list", "counters", "table", "inet", TABLE]
        try:
            self._nft = subprocess.Popen(  # noqa: S603 - fixed program, no shell
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        except OSError as error:
            raise _refused(f"{arguments[0]}: {error.strerror}") from None
        assert self._nft.stdout is not None  # noqa: S101 - it is a pipe
        self._output = self._nft.stdout

    def fileno(self) -> int:
        """Return the descriptor to poll; nft writes once, at its end."""
        return self._output.fileno()

    def finish(self) -> dict[str, int] | None:
        """Return packets by counter name; None when our table is not in the kernel.

        Waits for the end. Raises `KernelError` when nft says anything else but that.
        """
        try:
            output, complaint = self._nft.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            self._nft.kill()
            output, complaint = self._nft.communicate()
        if self._nft.returncode != 0:
            if "No such file" in complaint:
                return None
            raise _refused(complaint.strip().partition("\n")[0])
        try:
            items = [item.get("counter") for item in json.loads(output)["nftables"]]
        except ValueError:
            raise _refused("it does not write JSON") from None
        return {item["name"]: item["packets"] for item in items if item}


def counters() -> dict[str, int] | None:
    """Return packets by counter name, as `Counting.finish` does."""
    return Counting().finish()


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


def _refused(complaint: str) -> KernelError:
    if "No such file" in complaint:
        return KernelError(
            "there is no ban set in the kernel; start the agent (`ringfence run`)"
        )
    if "not permitted" in complaint:
        return KernelError("this needs the capability CAP_NET_ADMIN; run it as root")
    return KernelError(f"nft did not take it: {complaint}")
