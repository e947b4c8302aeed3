"""Checks of what the kernel and its programs can do."""

from collections.abc import Iterator

from ringfence.doctor.checks.agent import running
from ringfence.doctor.finding import FINE, NOTE, PROBLEM, UNKNOWN, WARNING, Finding
from ringfence.doctor.readings import Readings, Unread
from ringfence.doctor.remedies import install


def nft(readings: Readings) -> Iterator[Finding]:
    """Ask for the program nft."""
    found = readings.nft
    if isinstance(found, Unread):
        missing = "not in PATH" in found.why
        yield Finding(
            "nft",
            PROBLEM if missing else UNKNOWN,
            f"nft's version is not known: {found.why}",
            "Without nft no rule gets into the kernel." if missing else "",
            install(readings.machine, "nft") if missing else (),
        )
    else:
        yield Finding("nft", FINE, f"nft {found}")


def kernel(readings: Readings) -> Iterator[Finding]:
    """Name every feature of nf_tables that the ruleset needs and this kernel lacks."""
    lacks = readings.features
    if isinstance(lacks, Unread):
        yield Finding(
            "kernel", UNKNOWN, f"what the kernel can do is not known: {lacks.why}"
        )
    elif lacks:
        yield Finding(
            "kernel",
            PROBLEM,
            "the kernel lacks of nf_tables:\n"
            + "\n".join(f"{name} ({said})" for name, said in lacks.items()),
            "The ruleset needs all of it; the agent does not start.",
            install(readings.machine, "features"),
        )
    else:
        yield Finding("kernel", FINE, "nf_tables has all that the ruleset needs")


def queueing(readings: Readings) -> Iterator[Finding]:
    """Ask how packets may get to the agent: by nft's statement, or by xtables."""
    native = readings.queue_statement
    if isinstance(native, Unread):
        yield Finding(
            "queue-statement",
            UNKNOWN,
            f"whether the kernel queues packets is not known: {native.why}",
        )
    elif native:
        yield Finding("queue-statement", FINE, "the kernel takes nft's queue statement")
    elif running(readings) is not None:
        yield Finding(
            "queue-statement",
            NOTE,
            "the kernel lacks nft's queue statement; xtables' NFQUEUE does it",
            "Works as well; programs that empty iptables' table `security` break it.",
            install(readings.machine, "queue"),
        )
    elif readings.xtables is True:
        yield Finding(
            "queue-statement",
            NOTE,
            "the kernel lacks nft's queue statement; the agent will try iptables' "
            "NFQUEUE",
            "Whether the kernel has that, only a start of the agent shows.",
            install(readings.machine, "queue"),
        )
    else:
        yield Finding(
            "queue-statement",
            PROBLEM,
            "the kernel lacks nft's queue statement, and iptables is not installed",
            "No packet can get to the agent.",
            install(readings.machine, "queue") or install(readings.machine, "xtables"),
        )


def conntrack(readings: Readings) -> Iterator[Finding]:
    """Ask for connection tracking, and for the way to end connections."""
    if not readings.conntrack:
        yield Finding(
            "conntrack",
            WARNING,
            "the kernel tracks no connections",
            "Large INVITEs come in fragments, which only connection tracking puts "
            "together before they are judged.",
            install(readings.machine, "conntrack"),
        )
    elif not readings.ctnetlink:
        yield Finding(
            "conntrack",
            WARNING,
            "connections cannot be ended: the kernel lacks nf_conntrack_netlink",
            "A banned peer's connection stays, where flow offload keeps it away from us.",
            install(readings.machine, "ctnetlink"),
        )
    else:
        yield Finding("conntrack", FINE, "connections are tracked and can be ended")
