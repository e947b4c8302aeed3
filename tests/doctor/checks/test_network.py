"""What is outside, and where SIP is spoken."""

import pytest
from doctoring import agent, chain, config, one, port, ruleset
from ringfence.doctor.readings import Unread


def test_wan() -> None:
    assert one("wan").state == "fine"
    nothing = one("wan", agent=agent(wan=[]))
    assert nothing.state == "problem"
    assert one("wan", agent=None, default_routes=()).state == "problem"
    assert one("wan", agent=None, default_routes=("eth0",)).state == "fine"


def test_wan_that_is_configured() -> None:
    wan = config('[network]\nwan = ["eth0", "ppp0"]\n')
    said = one("wan", configured=wan)
    assert said.state == "warning"  # one of the two may come later
    assert "ppp0" in said.what
    gone = config('[network]\nwan = "wan9"\n')
    assert one("wan", configured=gone).state == "problem"
    elsewhere = config('[network]\nwan = "br-lan"\n')
    assert one("wan", configured=elsewhere).state == "warning"
    assert one("wan", configured=elsewhere, default_routes=()).state == "fine"
    assert one("wan", configured=gone, interfaces=Unread("x")).state == "warning"


@pytest.mark.parametrize(
    ("udp", "tcp", "text", "state"),
    [
        ({5060}, set(), "", "fine"),
        (set(), set(), "", "fine"),
        ({5060, 53, 10000}, {80}, "", "fine"),
        ({5061}, set(), "", "warning"),
        ({5060, 5080}, set(), "", "warning"),
        ({5160}, set(), "", "warning"),
        (set(), {5062}, "", "warning"),
        (set(), {5061}, "", "fine"),  # TLS
        ({5080}, set(), "[network]\nsip_ports = [5060, 5080]\n", "fine"),
    ],
)
def test_ports_that_are_not_looked_at(
    udp: set[int], tcp: set[int], text: str, state: str
) -> None:
    said = one(
        "sip-ports",
        udp_ports=frozenset(udp),
        tcp_ports=frozenset(tcp),
        configured=config(text),
    )
    assert said.state == state


def test_the_ports_to_be_configured_are_written_out() -> None:
    said = one("sip-ports", udp_ports=frozenset({5060, 5080}))
    assert "sip_ports = [5060, 5080]" in "\n".join(said.do)
    assert one("sip-ports", udp_ports=Unread("x")).state == "unknown"
    assert one("sip-ports", tcp_ports=Unread("x")).state == "fine"


def test_tls() -> None:
    assert one("tls").state == "fine"
    listening = frozenset({5061})
    assert one("tls", tcp_ports=listening).state == "note"
    closed = config("[offload]\ntls_home_only = true\n")
    said = one("tls", tcp_ports=listening, configured=closed)
    assert (said.state, said.do) == ("note", ())
    forwarded = chain(
        "dstnat",
        "prerouting",
        -100,
        [port("dport", 5061, "tcp"), {"dnat": {"addr": "192.0.2.1", "port": 5061}}],
    )
    assert one("tls", ruleset=ruleset(forwarded)).state == "note"
    other = chain(
        "dstnat",
        "prerouting",
        -100,
        [port("dport", 443, "tcp"), {"dnat": {"addr": "192.0.2.1", "port": 5061}}],
    )
    assert one("tls", ruleset=ruleset(other)).state == "fine"
