"""Takes the readings: /proc, /sys, the programs of netfilter, the agent, the store.

The only part of `doctor` that asks anybody, but for the live probe. Whatever goes
wrong on the way to a reading becomes `Unread` with the reason; nothing is waited for
longer than a program's or the socket's own patience.
"""

import os
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import ringfence
from ringfence import __version__
from ringfence.config import DEFAULT_PATH, Config, parse_config, read_config
from ringfence.controlsocket import ask
from ringfence.doctor import netfilter
from ringfence.doctor.notifying import notify
from ringfence.doctor.readings import (
    Bundle,
    Clock,
    Configured,
    Disk,
    Keys,
    Machine,
    Memory,
    Readings,
    Stored,
    Unread,
)
from ringfence.errors import ConfigError, RingfenceError
from ringfence.netfilter import notices
from ringfence.netfilter.programs import call, find

T = TypeVar("T")

_LISTENING: Final = {"udp": "07", "tcp": "0A"}
"""State of a bound socket in /proc/net, by transport: TCP_CLOSE, TCP_LISTEN."""
_LOOPBACK: Final = (
    *("0100007F", "00000000000000000000000001000000"),
    *("7F000001", "00000000000000000000000000000001"),
)
"""127.0.0.1 and ::1, as little and as big endian machines write them."""
_UNSAID: Final = {"redirect": "DNAT", "rule": "DROP"}
"""What a section of OpenWrt's firewall does that has no target."""
_SYNCED: Final = "/run/systemd/timesync/synchronized"
_ROOT: Final = 0


class Root(NamedTuple):
    """Where /proc, /sys and /etc are; tests give them others."""

    proc: Path = Path("/proc")
    etc: Path = Path("/etc")


def attempt(read: Callable[[], T]) -> T | Unread:
    """Take one reading, whatever goes wrong with it."""
    try:
        return read()
    except RingfenceError as error:
        return Unread(" ".join(str(error).split()))
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        return Unread(f"{name}{error.strerror or error}")
    except Exception as error:  # a reading of ours that meets what nobody thought of
        return Unread(f"{type(error).__name__}: {error}")


def gather(config_path: Path | None, root: Root = Root()) -> Readings:  # noqa: B008
    """Take every reading but the live probe."""
    configured = read_configured(config_path)
    config = configured.config
    agent = attempt(lambda: _status(config.control_socket))
    pid = agent.get("pid") if isinstance(agent, dict) else None
    return Readings(
        machine=machine(root),
        configured=configured,
        agent=agent,
        nft=attempt(netfilter.nft_version),
        queue_statement=attempt(lambda: netfilter.queue_statement(config.kernel_queue)),
        xtables=attempt(netfilter.xtables),
        features=attempt(netfilter.lacking_features),
        ctnetlink=attempt(netfilter.ctnetlink) is not False,
        conntrack=(root.proc / "sys/net/netfilter/nf_conntrack_max").exists(),
        ruleset=attempt(netfilter.ruleset),
        saved=attempt(netfilter.saved),
        ip_rules=attempt(netfilter.ip_rules),
        hardware_offload=_or(attempt(netfilter.hardware_offload), ()),
        uci_offload=_or(attempt(_uci_offload), False),
        uci_openings=_or(attempt(lambda: _uci_openings(config.network_sip_ports)), ()),
        queues=attempt(lambda: netfilter.queues(root.proc)),
        modules=attempt(lambda: netfilter.modules(root.proc)),
        helper_sysctl=_or(attempt(lambda: _helper_sysctl(root.proc)), None),
        clock=attempt(lambda: clock(config)),
        memory=attempt(lambda: memory(root.proc, pid)),
        disk=attempt(lambda: disk(config)),
        keys=attempt(lambda: keys(config)),
        stored=attempt(lambda: stored(config)),
        default_routes=tuple(notices.default_route_interfaces(root.proc / "net")),
        interfaces=attempt(lambda: _interfaces(root.proc)),
        udp_ports=attempt(lambda: bound_ports(root.proc, "udp")),
        tcp_ports=attempt(lambda: bound_ports(root.proc, "tcp")),
        notify=attempt(lambda: notify(config)),
    )


def _status(path: str) -> dict[str, object] | None:
    agent = ask(path, {"ask": "status"})
    if agent is not None and "pid" not in agent:
        raise RingfenceError(f"{path}: not a status: {agent.get('error')}")
    return agent


def _or(reading: T | Unread, default: T) -> T:
    return default if isinstance(reading, Unread) else reading


def machine(root: Root) -> Machine:
    """Tell what kind of system this is."""
    system = "other"
    if (root.etc / "openwrt_release").exists():
        system = "openwrt"
    elif (root.etc / "debian_version").exists():
        system = "debian"
    packages = {"openwrt": ("apk", "opkg"), "debian": ("apt-get",)}.get(system, ())
    found = next((name for name in packages if find(name)), packages[-1:])
    ufw = ("ufw",) if _ufw_is_on(root.etc / "ufw" / "ufw.conf") else ()
    firewalls = ("fw4", *ufw, "firewall-cmd")
    firewall = next((name for name in firewalls if find(name)), "")
    return Machine(
        system,
        (found if isinstance(found, str) else "".join(found)).removesuffix("-get"),
        "firewalld" if firewall == "firewall-cmd" else firewall,
        os.geteuid() == _ROOT,
        sys.version_info[:2],
        __version__,
    )


def _ufw_is_on(path: Path) -> bool:
    """Tell whether ufw does anything: many have it installed and switched off."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    return "ENABLED=yes" in (line.strip() for line in lines)


def read_configured(path: Path | None) -> Configured:
    """Read the configuration; with errors, every default and the errors."""
    where = path or DEFAULT_PATH
    name: str | None
    try:
        found = os.stat(where)
        name, mode, others = str(where), stat.S_IMODE(found.st_mode), found.st_uid != 0
    except OSError:
        name, mode, others = (None if path is None else str(path)), 0o644, False
    try:
        return Configured(name, read_config(path), (), mode, others)
    except ConfigError as error:
        defaults = parse_config("", "built-in defaults")
        return Configured(name, defaults, tuple(error.problems), mode, others)


def clock(config: Config) -> Clock:
    """Compare the clock with the date of the program's own files and bundles."""
    dates = [Path(ringfence.__file__).stat().st_mtime]
    dates += [path.stat().st_mtime for path in _bundle_files(config)]
    # Written by a clock that ran ahead, a file proves nothing.
    now = time.time()  # noqa: TID251 - the clock itself is what is looked at
    floor = int(dates[0] if dates[0] > now else max(x for x in dates if x <= now))
    return Clock(now, floor, _synced())


def _synced() -> bool | None:
    """Tell whether NTP has set the clock, where systemd can be asked."""
    if os.path.exists(_SYNCED):
        return True
    timedatectl = find("timedatectl")
    if timedatectl is None:
        return None
    status, output, _ = call([timedatectl, "show", "-p", "NTPSynchronized", "--value"])
    return {"yes": True, "no": False}.get(output.strip()) if status == 0 else None


def memory(proc: Path, pid: object) -> Memory:
    """Read how much memory is left, and how much the agent has."""
    sizes = _sizes(proc / "meminfo")
    ours = attempt(lambda: _sizes(proc / "self" / "status").get("RssAnon", 0))
    own = None
    if isinstance(pid, int):
        found = attempt(lambda: _sizes(proc / str(pid) / "status"))
        own = None if isinstance(found, Unread) else found.get("RssAnon")
    # What this command takes is free again when it ends.
    available = sizes["MemAvailable"] + _or(ours, 0)
    return Memory(available, sizes["MemTotal"], own)


def _sizes(path: Path) -> dict[str, int]:
    sizes = {}
    for line in path.read_text(encoding="ascii", errors="replace").splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if len(words) == 2 and words[1] == "kB" and words[0].isdigit():
            sizes[name] = int(words[0]) << 10
    return sizes


def _bundle_files(config: Config) -> list[Path]:
    store = Path(config.bundle_store)
    files = (Path(config.bundle_factory), store / "a.tar", store / "b.tar")
    return [path for path in files if path.is_file()]


def disk(config: Config) -> Disk:
    """Look at the file system of the store, or of where it would be made."""
    folder = Path(config.bundle_store)
    there = next(one for one in (folder, *folder.parents) if one.is_dir())
    found = os.statvfs(there)
    return Disk(
        str(folder),
        found.f_bavail * found.f_frsize,
        bool(found.f_flag & os.ST_RDONLY),
        max((path.stat().st_size for path in _bundle_files(config)), default=0),
    )


def keys(config: Config) -> Keys:
    """Read the trusted keys, and who may write them."""
    from ringfence.bundle.opening import read_keys

    folder = Path(config.bundle_keys)
    if not folder.exists():
        return Keys(str(folder))
    paths = [folder, *folder.glob("*"), *folder.glob("*/*")]
    free = tuple(str(path) for path in paths if _open_to_others(path))
    try:
        found = read_keys(folder)
    except RingfenceError as error:
        return Keys(str(folder), 0, str(error), free)
    return Keys(str(folder), sum(map(len, found.values())), None, free)


def _open_to_others(path: Path) -> bool:
    found = path.stat()
    return bool(found.st_mode & 0o022) or found.st_uid != _ROOT


def stored(config: Config) -> Stored:
    """Look at the bundles, as an agent does that starts."""
    from ringfence.bundle import choice
    from ringfence.stock import find_store

    store = find_store(config)
    if store is None:
        return Stored()
    state, candidates, problems = store.look()
    archived = None if choice.best(state, candidates) is None else store.peek()
    used = choice.best(state, candidates)
    bundles: tuple[Bundle, ...] = ()
    if archived is not None and used is not None:
        said = archived.bundle.manifest
        version = f"{said.epoch}.{said.version}"
        bundles = (Bundle(used.where, version, said.created, said.expires),)
    trial = state.trial
    return Stored(
        bundles,
        None if used is None else used.where,
        None if trial is None else f"{trial.slot}, {trial.left} starts left",
        tuple(problems),
    )


def bound_ports(proc: Path, transport: str) -> frozenset[int]:
    """List the ports that can be reached from other machines."""
    ports = set()
    for name in (transport, f"{transport}6"):
        path = proc / "net" / name
        if name.endswith("6") and not path.exists():
            continue
        for line in path.read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            address, _, port = fields[1].partition(":")
            if fields[3] == _LISTENING[transport] and address not in _LOOPBACK:
                ports.add(int(port, 16))
    return frozenset(ports)


def _interfaces(proc: Path) -> frozenset[str]:
    text = (proc / "net/dev").read_text(encoding="utf-8", errors="replace")
    lines = text.split("\n")[2:]
    return frozenset(line.partition(":")[0].strip() for line in lines if line)


def _helper_sysctl(proc: Path) -> int | None:
    path = proc / "sys/net/netfilter/nf_conntrack_helper"
    return int(path.read_text(encoding="ascii")) if path.exists() else None


def _uci(*words: str) -> str:
    uci = find("uci")
    return "" if uci is None else call([uci, "-q", *words])[1]


def _uci_offload() -> bool:
    return _uci("get", "firewall.@defaults[0].flow_offloading").strip() == "1"


def _uci_openings(ports: frozenset[int]) -> tuple[str, ...]:
    return openings(_uci("show", "firewall"), ports)


def openings(text: str, ports: frozenset[int]) -> tuple[str, ...]:
    """List the sections of OpenWrt's firewall that open one of those ports to the WAN.

    Not those for some addresses of it alone: by these the provider calls in. `text` is what `uci show firewall` prints: `firewall.@redirect[0].src='wan'`.
    """
    sections: dict[str, dict[str, Any]] = {}
    for line in text.splitlines():
        path, _, value = line.partition("=")
        parts = path.rsplit(".", 1) if path.count(".") > 1 else [path, "type"]
        sections.setdefault(parts[0], {})[parts[1]] = value.strip("'")
    return tuple(
        name
        for name, said in sections.items()
        if said.get("type") in ("redirect", "rule")
        and str(said.get("src", "")).startswith("wan")
        and said.get("enabled") != "0"
        and not (said.get("src_ip") or said.get("ipset"))
        and said.get("target", _UNSAID[said["type"]]).upper() in ("DNAT", "ACCEPT")
        and _names(said.get("src_dport") or said.get("dest_port") or "", ports)
    )


def _names(text: str, ports: frozenset[int]) -> bool:
    for word in text.replace("'", " ").split():
        low, _, high = word.replace(":", "-").partition("-")
        if low.isdigit() and any(int(low) <= x <= int(high or low) for x in ports):
            return True
    return False
