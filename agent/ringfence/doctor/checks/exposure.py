"""Whether the SIP port is open to strangers for nobody's sake.

Carriers ask exactly this of their customers: a port that no phone outside has used for
a month is best closed. The agent counts who comes from outside and gets past the
firewall to our hooks, and which phones out there sign in with success.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ringfence.config import Config
from ringfence.doctor.checks.agent import running
from ringfence.doctor.finding import FINE, NOTE, UNKNOWN, WARNING, Finding
from ringfence.doctor.readings import Readings, Unread
from ringfence.facts.world import INSIDE_ALWAYS

DAY: Final = 86_400
MONTH: Final = 30
"""Days that have to be watched before nobody counts as nobody."""


def exposure(readings: Readings) -> Iterator[Finding]:
    """Tell whether strangers reach the port, and whether anybody needs that."""
    agent = running(readings)
    seen = None if agent is None else agent.get("exposure")
    if not isinstance(seen, Mapping):
        if isinstance(readings.agent, Unread):
            why = readings.agent.why
        elif agent is None:
            why = "no agent runs"
        else:
            why = "this agent does not count them"
        yield Finding(
            "exposure",
            UNKNOWN,
            f"whether strangers reach the SIP port is not known: {why}",
        )
        return
    now = None if isinstance(readings.clock, Unread) else readings.clock.now
    days, strangers = _number(seen, "days_watched"), _number(seen, "strangers_30d")
    honest = seen.get("honest_outside_last")
    # Where the date is not known, any phone counts: a port closed to it is worse.
    honest_lately = isinstance(honest, int | float) and (
        now is None or now - honest < MONTH * DAY
    )
    reached = (
        f"{strangers} request{'s' * (strangers != 1)} of strangers got to the SIP port "
        f"within {MONTH} days"
    )
    if not strangers and not honest_lately:
        if days >= MONTH:
            what = f"no stranger got to the SIP port within {MONTH} days"
        else:
            what = f"no stranger got to the SIP port in the {days} days watched so far"
        yield Finding("exposure", FINE, what)
    elif honest_lately:
        yield Finding(
            "exposure",
            FINE,
            f"phones outside use the SIP port; {reached}",
            "It has to be open for them. The fewer countries they may sign in from the "
            "better: origin.home.",
        )
    elif days < MONTH:
        yield Finding(
            "exposure",
            NOTE,
            f"{reached}; no phone outside has signed in, watched for {days} days",
            f"After {MONTH} days this says whether the port should be closed.",
        )
    else:
        yield Finding(
            "exposure",
            WARNING,
            f"the SIP port is open to the world for nobody: {reached}, and no phone "
            "outside has signed in",
            "Each of them tries passwords or calls at your cost. Only your provider has "
            "to get through.",
            closing(readings),
        )


def _number(seen: Mapping[str, Any], name: str) -> int:
    value = seen.get(name)
    return int(value) if isinstance(value, int | float) else 0


def closing(readings: Readings) -> tuple[str, ...]:
    """Return the commands that close the port to all but the provider.

    Whoever may come in still is let in before anything is closed: on a machine with
    one interface the rule that lets strangers in is the one that phones inside use.
    """
    config, system = readings.config, readings.machine.system
    tls = ", ".join(map(str, sorted(config.network_tls_ports)))
    kept = (f"# phones that sign in over TLS were not counted: tcp {tls} stays open",)
    if system == "openwrt":
        closed = _closing_uci(readings)
    elif readings.machine.firewall == "ufw":
        closed = _closing_ufw(config)
    elif readings.machine.firewall == "firewalld":
        closed = _closing_firewalld(config)
    else:
        closed = _closing_nft(config)
    return (*(kept if tls else ()), *closed)


def _inside(config: Config) -> tuple[str, ...]:
    """List the networks whose phones have to be let in."""
    return tuple(dict.fromkeys((*INSIDE_ALWAYS, *config.network_inside)))


def _closing_uci(readings: Readings) -> tuple[str, ...]:
    found = [
        command
        for section in readings.uci_openings
        for command in (f"uci show {section}", f"uci set {section}.enabled=0")
    ]
    return (
        "# a section that opens other ports as well (voice, TLS): take only SIP out of it",
        *(found or ['uci show firewall | grep -E "dest_port|src_dport"']),
        "# where the provider calls in, keep the section for its addresses:",
        "# uci set SECTION.src_ip='PROVIDER-ADDRESS'; uci set SECTION.enabled=1",
        "uci commit firewall; /etc/init.d/firewall reload",
    )


def _closing_ufw(config: Config) -> tuple[str, ...]:
    ports = sorted(config.network_sip_ports)
    allow = [f"ufw allow from $net to any port {port}" for port in ports]
    provider = "; ".join(one.replace("$net", "PROVIDER-ADDRESS") for one in allow)
    return (
        "ufw status numbered",
        "# first what may come in: phones inside,",
        f"for net in {' '.join(_inside(config))}; do {'; '.join(allow)}; done",
        "# and the provider, where it calls in:",
        f"# {provider}",
        *(
            f"ufw delete allow {port}; ufw delete allow {port}/udp; "
            f"ufw delete allow {port}/tcp"
            for port in ports
        ),
    )


def _closing_firewalld(config: Config) -> tuple[str, ...]:
    ports = sorted(config.network_sip_ports)
    rich = (
        "for net in {nets}; do for port in {ports}; do for proto in udp tcp; do "
        'firewall-cmd --permanent --add-rich-rule="rule family={family} '
        'source address=$net port port=$port protocol=$proto accept"; done; done; done'
    )
    listed = " ".join(map(str, ports))
    inside = []
    for family in ("ipv4", "ipv6"):
        nets = [net for net in _inside(config) if (":" in net) == (family == "ipv6")]
        inside.append(rich.format(nets=" ".join(nets), ports=listed, family=family))
    provider = rich.format(nets="PROVIDER-ADDRESS", ports=listed, family="ipv4")
    return (
        "firewall-cmd --get-active-zones  # not the default one for the WAN: add --zone=",
        "# first what may come in: phones inside,",
        *inside,
        "# and the provider, where it calls in:",
        f"# {provider}",
        "firewall-cmd --permanent --remove-service=sip",
        *(
            f"firewall-cmd --permanent --remove-port={port}/{proto}"
            for port in ports
            for proto in ("udp", "tcp")
        ),
        "firewall-cmd --reload",
    )


def _closing_nft(config: Config) -> tuple[str, ...]:
    ports = ", ".join(map(str, sorted(config.network_sip_ports)))
    return (
        f"nft -a list ruleset | grep -E '{ports.replace(', ', '|')}'",
        "# first accept phones inside, and the provider where it calls in:",
        f"# ip saddr {{ INSIDE, PROVIDER-ADDRESS }} udp dport {{ {ports} }} accept",
        "# then delete what accepts or redirects it: nft delete rule FAMILY TABLE CHAIN "
        "handle N",
    )
