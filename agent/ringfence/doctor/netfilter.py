"""The readings of netfilter: what is in the kernel, and what it could take.

Asks the programs and /proc, and never the kernel for a change: what it could take is
asked with `nft -c`, and without a hook (a hook that is set and taken back makes the
kernel drop what waits in any queue).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ringfence.doctor.readings import QueueLine
from ringfence.doctor.ruleset import (
    Ruleset,
    elements,
    parse_ruleset,
    port_sets,
)
from ringfence.doctor.saved import SavedRule, parse_rules, parse_saved
from ringfence.errors import KernelError
from ringfence.netfilter import netlink, nft
from ringfence.netfilter.programs import call, find, program

FEATURES: Final = {
    "a table of family inet": "",
    "sets with intervals": "set s { type ipv4_addr; flags interval; }",
    "sets with timeouts": "set s { type ipv4_addr; flags timeout,dynamic; size 16; }",
    "named counters": "counter c { }",
    "connection tracking in rules": "chain c { ct state untracked accept\n }",
    "notrack": "chain c { notrack\n }",
    "the packet mark": "chain c { meta mark set meta mark & 0xf0ffffff | 0x1000000\n }",
    "verdict maps": "chain c { meta mark vmap { 0x1 : drop }\n }",
    "rate limits": "chain c { limit rate 1/second accept\n }",
    "limits by source": (
        "set s { type ipv4_addr; flags timeout,dynamic; size 16; timeout 60s; }\n"
        "  chain c { update @s { ip saddr limit rate over 5/second } drop\n }"
    ),
}
"""What our ruleset needs of nf_tables, each as text that only a kernel with it takes."""

_NAME: Final = "ringfence_question"
_PERMISSION: Final = (
    "Operation not permitted",
    "you must be root",
    "Permission denied",
)
_HANGS: Final = "did not answer within"
_GET_STATS: Final = (1 << 8) | 5  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET_STATS
_MOST_SETS: Final = 32
"""Sets of ports that are read; others are taken to hold anything."""


def _nft(*words: str, text: str = "") -> tuple[int, str, str]:
    return call([program("nft", "nftables"), *words], text)


def _said(status: int, output: str, complaint: str) -> str:
    """Return what a program printed; raises `KernelError` for anything else."""
    if status == 0:
        return output
    if any(word in complaint for word in _PERMISSION):
        raise KernelError("only root may ask the kernel that")
    raise KernelError(complaint)


def nft_version() -> str:
    """Return nft's version, as in `1.0.6`."""
    words = _said(*_nft("--version")).split()
    return words[1].removeprefix("v") if len(words) > 1 else "unknown"


def _forbidden(complaint: str) -> bool:
    return any(word in complaint for word in _PERMISSION)


def queue_statement(queue: int) -> bool:
    """Tell whether the kernel takes nft's queue statement."""
    return _asked(nft.render_question(queue)) is None


def _asked(text: str) -> str | None:
    status, _, complaint = _nft("-c", "-f", "-", text=text)
    if status == 0:
        return None
    if _forbidden(complaint):
        raise KernelError("only root may ask the kernel that")
    if _HANGS in complaint:
        raise KernelError(complaint)  # it would do so with every other question
    return complaint


def lacking_features() -> Mapping[str, str]:
    """Return the kernel's complaint by feature, for those it lacks."""
    texts = {
        name: f"table inet {_NAME}_{number} {{\n  {text}\n}}\n"
        for number, (name, text) in enumerate(FEATURES.items())
    }
    if _asked("".join(texts.values())) is None:
        return {}
    found = {name: _asked(text) for name, text in texts.items()}
    return {name: said for name, said in found.items() if said is not None}


def xtables() -> bool:
    """Tell whether the programs of xtables are there, for both families."""
    return all(
        find(f"{name}-nft-restore") or find(f"{name}-restore")
        for name in ("iptables", "ip6tables")
    )


def ruleset() -> Ruleset:
    """Read everything nft shows, but of named sets only those of ports.

    The home networks alone are 2 MB of text.
    """
    status, output, complaint = _nft("-j", "-t", "list", "ruleset")
    if status != 0 and "JSON" in complaint:
        raise KernelError("this nft was built without JSON")
    text = _said(status, output, complaint)
    wanted = sorted(
        one for one in port_sets(parse_ruleset(text)) if one[1] != nft.TABLE
    )
    sets = {}
    for name in wanted[:_MOST_SETS]:
        status, output, _ = _nft("-j", "list", "set", *name)
        if status == 0:
            sets[name] = elements(output)
    return parse_ruleset(text, sets)


def hardware_offload() -> tuple[str, ...]:
    """Name the flowtables that hand flows to hardware; nft's JSON does not say."""
    found, name = [], ""
    for line in _said(*_nft("list", "flowtables")).splitlines():
        words = line.split()
        if words[:1] == ["flowtable"]:
            name = words[1]
        elif words[:1] == ["flags"] and "offload" in line:
            found.append(name)
    return tuple(found)


def saved() -> tuple[SavedRule, ...]:
    """Read the rules of xtables, whichever of its programs are there.

    Nothing is asked where none was ever used: asking would load modules.
    """
    rules: list[SavedRule] = []
    for family in ("iptables", "ip6tables"):
        legacy = f"/proc/net/{family.removesuffix('tables')}_tables_names"
        for kind in ("nft", "legacy"):
            path = find(f"{family}-{kind}-save")
            if kind == "legacy" and not _has_text(legacy):
                continue
            path = path or find(f"{family}-save")
            if path is None:
                continue
            found = parse_saved(family, _said(*call([path])))
            rules += [rule for rule in found if rule not in rules]
    return tuple(rules)


def _has_text(path: str) -> bool:
    try:
        with open(path, encoding="ascii") as file:
            return bool(file.read().strip())
    except OSError:
        return False


def ip_rules() -> tuple[tuple[int, int, str], ...]:
    """Read the routing rules that ask for a mark."""
    ip = program("ip", "iproute2")
    found = parse_rules(_said(*call([ip, "rule"])))
    six = call([ip, "-6", "rule"])
    found += [one for one in parse_rules(six[1]) if one not in found]
    return tuple(found)


def queues(proc: Path) -> tuple[QueueLine, ...]:
    """Read which queues are bound, and by whom."""
    path = proc / "net/netfilter/nfnetlink_queue"
    lines = []
    for line in path.read_text(encoding="ascii").splitlines():
        fields = line.split()
        number, port = int(fields[0]), int(fields[1])
        pid = _owner(proc, port)
        lines.append(QueueLine(number, pid, "" if pid is None else _name(proc, pid)))
    return tuple(lines)


def _owner(proc: Path, port: int) -> int | None:
    """Find the process whose netlink socket has a port.

    The port is the process id only for the first socket of a process.
    """
    inode = ""
    with open(proc / "net/netlink", encoding="ascii") as sockets:
        for line in sockets:
            # sk protocol port groups rmem wmem dump locks drops inode
            fields = line.split()
            if fields[1:3] == [str(netlink.NETLINK_NETFILTER), str(port)]:
                inode = f"socket:[{fields[9]}]"
    if not inode:
        return None
    processes = [name for name in os.listdir(proc) if name.isdigit()]
    return next((int(pid) for pid in processes if _has(proc / pid / "fd", inode)), None)


def _has(folder: Path, inode: str) -> bool:
    try:
        return any(os.readlink(folder / name) == inode for name in os.listdir(folder))
    except OSError:
        return False  # it has ended, or is not ours to look at


def _name(proc: Path, pid: int) -> str:
    try:
        return (proc / str(pid) / "comm").read_text(errors="replace").strip()
    except OSError:
        return ""


def modules(proc: Path) -> frozenset[str]:
    """Name the loaded modules, built-in ones as far as they show."""
    found = set()
    listed = proc / "modules"
    if listed.exists():
        text = listed.read_text(encoding="ascii", errors="replace")
        found = {line.split()[0] for line in text.splitlines() if line.strip()}
    return frozenset(found | set(os.listdir("/sys/module")))


def ctnetlink() -> bool:
    """Tell whether the kernel can be asked for connections (nf_conntrack_netlink)."""
    with netlink.open_netfilter() as asking:
        asking.settimeout(1)
        asking.send(netlink.netfilter_message(_GET_STATS))
        answer = next(netlink.messages(asking.recv(netlink.LARGEST)))
    error = netlink.error_in(answer.body) if answer.kind == netlink.ERROR else None
    if isinstance(error, PermissionError):
        raise KernelError("only root may ask the kernel that")
    return error is None
