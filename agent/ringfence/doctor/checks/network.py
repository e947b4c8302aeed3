"""Checks of what is inside and outside, and of where SIP is spoken."""

from collections.abc import Iterator
from typing import Final

from ringfence.doctor.checks.agent import running
from ringfence.doctor.finding import FINE, NOTE, PROBLEM, UNKNOWN, WARNING, Finding
from ringfence.doctor.readings import Readings, Unread
from ringfence.doctor.remedies import configure

LIKELY: Final = frozenset({*range(5060, 5100), 5160, 5161, 15060})
"""Ports on which PBXs speak SIP when they do not do it on 5060."""


def wan(readings: Readings) -> Iterator[Finding]:
    """Ask which interfaces face strangers: only those are outside."""
    configured, agent = readings.config.network_wan, running(readings)
    names = configured or (
        tuple(agent.get("wan", ())) if agent is not None else readings.default_routes
    )
    if not names:
        yield Finding(
            "wan",
            PROBLEM,
            'network.wan is "auto" and there is no default route: no interface faces '
            "strangers",
            "What comes from anywhere is not foreign and not limited by the kernel.",
            ("ip route", *configure(readings, '[network] wan = "eth0"')),
        )
        return
    there = readings.interfaces
    missing = [] if isinstance(there, Unread) else sorted(set(names) - there)
    if missing:
        yield Finding(
            "wan",
            WARNING if set(missing) != set(names) else PROBLEM,
            f"there is no interface {', '.join(missing)}",
            "What faces strangers counts as inside until an interface of that name comes.",
            ("ip link", *configure(readings, '[network] wan = "auto"')),
        )
    elif (
        configured
        and readings.default_routes
        and not (set(configured) & set(readings.default_routes))
    ):
        yield Finding(
            "wan",
            WARNING,
            f"the default route goes by {', '.join(readings.default_routes)}, "
            f"network.wan is {', '.join(configured)}",
            "Strangers who come in by the default route count as inside.",
            configure(readings, '[network] wan = "auto"'),
        )
    else:
        yield Finding("wan", FINE, f"{', '.join(names)} faces strangers")


def ports(readings: Readings) -> Iterator[Finding]:
    """Ask whether somebody here speaks SIP on a port that is not looked at."""
    bound, tcp = readings.udp_ports, readings.tcp_ports
    looked_at = readings.config.network_sip_ports
    if isinstance(bound, Unread):
        yield Finding("sip-ports", UNKNOWN, f"who listens is not known: {bound.why}")
        return
    tls = readings.config.network_tls_ports
    unseen = {f"udp {port}" for port in bound & LIKELY - looked_at}
    if not isinstance(tcp, Unread):
        unseen |= {f"tcp {port}" for port in tcp & LIKELY - looked_at - tls}
    if unseen:
        named = sorted({int(one.split()[1]) for one in unseen} | looked_at)
        yield Finding(
            "sip-ports",
            WARNING,
            f"a program listens on {', '.join(sorted(unseen))}, which is not in "
            "network.sip_ports",
            "If that is SIP, answers and most requests there are not looked at "
            "(REGISTER and INVITE over UDP are, on any port).",
            ("netstat -lnup", *configure(readings, f"[network] sip_ports = {named}")),
        )
    else:
        named = sorted(looked_at)
        listed = ", ".join(map(str, named))
        here = "" if bound & looked_at else "; nobody on this machine listens there"
        yield Finding("sip-ports", FINE, f"ports looked at: {listed}{here}")


def tls(readings: Readings) -> Iterator[Finding]:
    """Say that what is encrypted cannot be read."""
    wanted, tcp = readings.config.network_tls_ports, readings.tcp_ports
    open_here = set() if isinstance(tcp, Unread) else tcp & wanted
    if not isinstance(readings.ruleset, Unread):
        open_here |= {
            port
            for rule in readings.ruleset.rules
            if rule.has("dnat", "redirect")
            for port in wanted
            if rule.takes("tcp", 40_000, port) is not False and _names(rule.expr, port)
        }
    if not open_here:
        yield Finding("tls", FINE, "no SIP over TLS is seen on this machine")
        return
    listed = ", ".join(map(str, sorted(open_here)))
    if readings.config.offload_tls_home_only:
        yield Finding(
            "tls",
            NOTE,
            f"SIP over TLS (tcp {listed}) is open to the home countries only",
        )
    else:
        yield Finding(
            "tls",
            NOTE,
            f"SIP over TLS (tcp {listed}) is in use: nobody but its ends can read it",
            "Attacks inside of it are not seen. Whom it is open to can be limited, if "
            "no phone and no provider is in another country than origin.home.",
            configure(readings, "[offload] tls_home_only = true"),
        )


def _names(expr: object, port: int) -> bool:
    """Tell whether a port is written in a rule at all."""
    if isinstance(expr, dict):
        return any(_names(value, port) for value in expr.values())
    if isinstance(expr, list | tuple):
        return any(_names(value, port) for value in expr)
    return expr == port
