"""What the checks judge: facts of this machine as plain values.

Shapes only. A reading that could not be had is an `Unread` with the reason, never a
guess; `gather.py` fills them, tests build them.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ringfence.config import Config, parse_config
from ringfence.doctor.ruleset import Ruleset
from ringfence.doctor.saved import SavedRule
from ringfence.netfilter.nft import TABLE


class Unread(NamedTuple):
    """A reading that could not be had."""

    why: str


NOT_ASKED: Final = Unread("it was not asked")


class Machine(NamedTuple):
    """What decides which commands a person has to type."""

    system: str = "other"
    """`openwrt`, `debian` (and what is made of it) or `other`."""
    packages: str = ""
    """`opkg`, `apk`, `apt` or ""."""
    firewall: str = ""
    """`fw4`, `ufw`, `firewalld` or ""."""
    root: bool = True
    python: tuple[int, int] = (3, 11)
    agent: str = ""
    """Version of this program."""


class Configured(NamedTuple):
    """The configuration, or every default where it has errors."""

    path: str | None
    """None: there is no file, and every default holds."""
    config: Config = parse_config("", "built-in defaults")
    problems: tuple[str, ...] = ()
    mode: int = 0o644
    """Permission bits of the file."""
    others: bool = False
    """Somebody but root owns it."""


class QueueLine(NamedTuple):
    """One line of the kernel's list of bound queues."""

    number: int
    pid: int | None = None
    """The process that has it; None where that is not to be found."""
    name: str = ""


class Disk(NamedTuple):
    """The file system that bundles are installed on."""

    folder: str
    free: int
    """Bytes that root may write."""
    read_only: bool
    largest: int
    """Bytes of the largest bundle that is there; 0 for none."""


class Memory(NamedTuple):
    """Bytes."""

    available: int
    total: int
    agent: int | None = None
    """Resident bytes of the running agent, but for files that are mapped; None for
    no agent."""


class Keys(NamedTuple):
    """The trusted keys."""

    folder: str
    known: int = 0
    problem: str | None = None
    open_to_others: tuple[str, ...] = ()
    """Paths that somebody but root may write."""


class Bundle(NamedTuple):
    """One bundle of the store that is sound."""

    where: str
    """`factory`, `a` or `b`."""
    version: str
    created: int
    expires: int
    """Seconds since 1970."""


class Stored(NamedTuple):
    """What lies in the store."""

    bundles: tuple[Bundle, ...] = ()
    used: str | None = None
    """Where the bundle lies that an agent would start on; None for the embedded rules."""
    trial: str | None = None
    """The slot on trial, with the starts that it still has."""
    problems: tuple[str, ...] = ()


class Clock(NamedTuple):
    """Seconds since 1970."""

    now: float
    floor: int
    """A time that has passed for certain: that of the program's own files."""
    synced: bool | None = None
    """Whether NTP has set it; None where nobody says."""


class Probe(NamedTuple):
    """What became of the test messages, each by its way: output, input, forward."""

    proven: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
    """They arrived although the agent was to stop them."""
    unjudged: tuple[str, ...] = ()
    """Of these, the agent saw none."""
    lost: Mapping[str, str] = {}
    """Neither seen nor arrived, and why that may be."""


class Telling(NamedTuple):
    """The program that notices go to."""

    path: str
    problem: str = ""
    """Why it cannot be run."""
    open_to_others: tuple[str, ...] = ()
    """Itself and folders above it that somebody but root may change."""


class Posting(NamedTuple):
    """What notices are posted by."""

    program: str | None
    """Its path; None where there is none."""
    missing: str = ""
    """The file of certificates, if it cannot be read."""


class Notify(NamedTuple):
    """Whom notices go to; None for a way that is not configured."""

    command: Telling | None = None
    webhook: Posting | None = None


class Readings(NamedTuple):
    """Everything that is known; a check takes what it needs."""

    machine: Machine = Machine()
    configured: Configured = Configured(None)
    agent: Mapping[str, Any] | Unread | None = None
    """Its answer to `status`; None when none runs."""
    nft: str | Unread = NOT_ASKED
    """Its version."""
    queue_statement: bool | Unread = NOT_ASKED
    """The kernel takes nft's queue statement."""
    xtables: bool | Unread = NOT_ASKED
    """The kernel may take xtables' target, and its program is there."""
    features: Mapping[str, str] | Unread = NOT_ASKED
    """By feature of nf_tables, the kernel's complaint; without those it has."""
    conntrack: bool = True
    ctnetlink: bool = True
    ruleset: Ruleset | Unread = NOT_ASKED
    saved: tuple[SavedRule, ...] | Unread = ()
    ip_rules: tuple[tuple[int, int, str], ...] | Unread = ()
    """(mask, value, rule) of routing rules that ask for a mark."""
    hardware_offload: tuple[str, ...] = ()
    """Names of flowtables with the hardware flag."""
    uci_offload: bool = False
    """OpenWrt's firewall is told to offload flows."""
    uci_openings: tuple[str, ...] = ()
    """OpenWrt: uci sections of the firewall that open a SIP port to the WAN."""
    queues: tuple[QueueLine, ...] | Unread = ()
    modules: frozenset[str] | Unread = frozenset()
    helper_sysctl: int | None = None
    """net.netfilter.nf_conntrack_helper; None on kernels without (6.0 and later)."""
    clock: Clock | Unread = NOT_ASKED
    memory: Memory | Unread = NOT_ASKED
    disk: Disk | Unread = NOT_ASKED
    keys: Keys | Unread = NOT_ASKED
    stored: Stored | Unread = NOT_ASKED
    default_routes: tuple[str, ...] = ()
    """Interfaces with a default route."""
    interfaces: frozenset[str] | Unread = frozenset()
    udp_ports: frozenset[int] | Unread = frozenset()
    """Ports that programs on this machine have bound, but for loopback addresses."""
    tcp_ports: frozenset[int] | Unread = frozenset()
    notify: Notify | Unread = NOT_ASKED
    probe: Probe | Unread = NOT_ASKED

    @property
    def config(self) -> Config:
        """The configuration in force, or the defaults."""
        return self.configured.config

    @property
    def counters(self) -> Mapping[str, int] | Unread | None:
        """What our table counts, in packets; None without it."""
        rules = self.ruleset
        return rules if isinstance(rules, Unread) else rules.counted("inet", TABLE)

    @property
    def native_queue(self) -> bool:
        """Packets are queued by nft's own statement, as far as anybody knows."""
        if isinstance(self.agent, Mapping):
            return self.agent.get("statement") != "xtables NFQUEUE"
        return self.queue_statement is not False
