"""All checks together: what holds for each of them."""

from pathlib import Path

import pytest
from doctoring import (
    AGENT,
    BOTH,
    DEBIAN,
    FLOW,
    FLOWTABLE,
    HEALTHY,
    PID,
    agent,
    chain,
    one,
    ruleset,
    set_mark,
)
from golden import check
from ringfence.doctor.checks import CHECKS, judge
from ringfence.doctor.finding import FINE, NOTE, STATES, UNKNOWN, Finding, worst
from ringfence.doctor.readings import Probe, QueueLine, Readings, Unread
from ringfence.doctor.rendering import text_lines

GOLDEN = Path(__file__).parent.parent / "golden"


def test_on_a_healthy_router_all_is_fine() -> None:
    findings = judge(HEALTHY)

    assert [one.id for one in findings] == list(CHECKS)
    assert {one.state for one in findings} == {FINE}
    assert not any(one.do for one in findings)


def test_nothing_read_makes_every_check_speak_and_none_fall() -> None:
    blind = Unread("only root may ask the kernel that")
    readings = Readings(
        agent=blind,
        nft=blind,
        queue_statement=blind,
        features=blind,
        ruleset=blind,
        saved=blind,
        ip_rules=blind,
        queues=blind,
        modules=blind,
        clock=blind,
        memory=blind,
        disk=blind,
        keys=blind,
        stored=blind,
        interfaces=blind,
        udp_ports=blind,
        tcp_ports=blind,
        notify=blind,
        probe=blind,
    )
    findings = judge(readings)

    assert not [one for one in findings if "flaw of ringfence" in one.what]
    silent = {"losses", "log"}  # without an agent there is nothing to say
    assert {one.id for one in findings} == set(CHECKS) - silent
    said = {one.id: one.state for one in findings}
    assert said.pop("wan") == "problem"  # no default route was seen
    known = ("versions", "configuration", "conntrack", "mode", "tls")
    assert {said.pop(name) for name in known} <= {FINE, NOTE}
    assert set(said.values()) == {UNKNOWN}


def test_a_check_that_falls_does_not_take_the_others_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def falls(readings: Readings) -> list[Finding]:
        raise KeyError("nobody thought of this")

    monkeypatch.setitem(CHECKS, "order", falls)
    findings = {one.id: one for one in judge(HEALTHY)}

    assert findings["order"].state == UNKNOWN
    assert "nobody thought of this" in findings["order"].what
    assert findings["disk"].state == FINE


def test_the_worst_state_counts() -> None:
    several = [Finding("x", state, "") for state in reversed(STATES)]
    assert worst(several) == "problem"
    assert worst(several[:-1]) == "warning"
    assert worst([]) == "fine"


def test_who_is_not_root_is_told() -> None:
    machine = DEBIAN._replace(root=False)
    fine, unseen = CHECKS["versions"](HEALTHY._replace(machine=machine))
    assert (fine.state, unseen.state) == (FINE, UNKNOWN)
    assert "root" in unseen.what


def test_an_old_python_is_a_problem() -> None:
    found = one("versions", machine=HEALTHY.machine._replace(python=(3, 10)))
    assert found.state == "problem"
    assert "opkg install python3-light" in found.do[0]


def test_the_report_of_a_bare_router() -> None:
    """An OpenWrt router just unpacked: no agent, no configuration, nothing installed."""
    bare = HEALTHY._replace(
        agent=None,
        ruleset=Unread("only root may ask the kernel that"),
        queue_statement=False,
        xtables=False,
        queues=(),
        default_routes=(),
        probe=Unread("no agent runs"),
    )
    text = "\n".join(text_lines(judge(bare))) + "\n"
    check(GOLDEN / "bare-openwrt.txt", text)


def test_the_report_of_an_office_with_a_provider_s_router_behind_it() -> None:
    """Debian with everything that users complain of: offload, ALG, marks, open port."""
    firewall = chain("forward", "forward", 0, [BOTH, FLOW], table="filter")
    marking = chain("mangle", "forward", 20, [set_mark(7)], table="shaper")
    exposed = {**AGENT["exposure"], "strangers_30d": 4711}
    office = HEALTHY._replace(
        machine=DEBIAN._replace(firewall="ufw"),
        agent=agent(exposure=exposed, internal_errors=1),
        ruleset=ruleset([FLOWTABLE], firewall, marking),
        modules=frozenset({"nf_nat_sip", "nf_conntrack_sip"}),
        helper_sysctl=1,
        udp_ports=frozenset({5060, 5080}),
        tcp_ports=frozenset({5061}),
        queues=(QueueLine(5060, PID, "python3"), QueueLine(0, 512, "Suricata-Main")),
        probe=Probe(("output",), ("forward",), ("forward",), {"input": "a firewall"}),
    )
    text = "\n".join(text_lines(judge(office))) + "\n"
    check(GOLDEN / "debian-office.txt", text)
