"""Flow offload and the SIP ALG."""

from typing import Any

import pytest
from doctoring import (
    BOTH,
    CONFIRMED,
    DEBIAN,
    FLOW,
    FLOWTABLE,
    HEALTHY,
    chain,
    config,
    one,
    port,
    ruleset,
)
from ringfence.doctor.readings import Unread
from ringfence.doctor.ruleset import Ruleset
from ringfence.doctor.saved import parse_saved

OFFLOADS: list[Any] = [BOTH, {"counter": {"packets": 0, "bytes": 0}}, FLOW]
ACCEPT = {"accept": None}


def offloading(*ahead: list[Any], flow: list[Any] = OFFLOADS) -> Ruleset:
    """A firewall that offloads, with rules ahead of that."""
    return ruleset([FLOWTABLE], chain("forward", "forward", 0, *ahead, flow))


def remedy(right: Any = 5060) -> list[list[Any]]:
    return [
        [BOTH, port("sport", right, "th"), CONFIRMED, ACCEPT],
        [BOTH, port("dport", right, "th"), CONFIRMED, ACCEPT],
    ]


def test_no_offload_is_fine() -> None:
    assert one("offload").state == "fine"
    assert one("offload", uci_offload=True).state == "note"
    assert one("offload", ruleset=Unread("not root")).state == "unknown"


def test_offload_takes_sip_away() -> None:
    said = one("offload", ruleset=offloading())
    assert said.state == "warning"
    assert "inet fw4 forward handle 1" in said.what
    assert "hardware" not in said.what
    assert "flow_offloading=0" in "".join(said.do)
    there = HEALTHY._replace(machine=DEBIAN)
    typed = "\n".join(one("offload", there, ruleset=offloading()).do)
    assert "nft insert rule inet fw4 forward" in typed
    assert "{ 5060 }" in typed


def test_offload_in_hardware_is_told() -> None:
    said = one("offload", ruleset=offloading(), hardware_offload=("ft",))
    assert "in hardware: inet fw4 ft" in said.what


def test_nft_before_1_0_3_writes_the_statement_as_text() -> None:
    assert one("offload", ruleset=offloading(flow=[BOTH, "flow add @ft"])).state == (
        "warning"
    )


@pytest.mark.parametrize(
    ("ahead", "state"),
    [
        (remedy(), "fine"),
        (remedy({"set": [5060, 5080]}), "fine"),
        (remedy({"range": [5060, 5061]}), "fine"),
        (remedy(5080), "warning"),
        (remedy("@not_known"), "warning"),
        (remedy()[:1], "warning"),  # one direction is not enough
        ([[port("dport", 5060), ACCEPT], [port("sport", 5060), ACCEPT]], "warning"),
        ([[*rule[:-1]] for rule in remedy()], "warning"),  # ends nothing
        ([[{"limit": {"rate": 1}}, *rule] for rule in remedy()], "warning"),
    ],
)
def test_rules_ahead_that_keep_sip_here(ahead: list[list[Any]], state: str) -> None:
    assert one("offload", ruleset=offloading(*ahead)).state == state


def test_established_does_not_keep_a_call_here_that_nobody_answered() -> None:
    """Over UDP the kernel offloads from the second packet on, answered or not."""
    established = {
        "match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": "established"}
    }
    ahead = [
        [established if one is CONFIRMED else one for one in rule] for rule in remedy()
    ]
    assert one("offload", ruleset=offloading(*ahead)).state == "warning"


def test_rules_behind_are_too_late() -> None:
    behind = ruleset(chain("forward", "forward", 0, OFFLOADS, *remedy()))
    assert one("offload", ruleset=behind).state == "warning"


def test_every_sip_port_has_to_be_kept_here() -> None:
    ports = config("[network]\nsip_ports = [5060, 5080]\n")
    assert one("offload", ruleset=offloading(*remedy()), configured=ports).state == (
        "warning"
    )


def test_the_chain_that_lacks_the_remedy_is_the_one_to_mend() -> None:
    there = HEALTHY._replace(machine=DEBIAN)
    both = ruleset(
        [FLOWTABLE],
        chain("spared", "forward", 0, *remedy(), OFFLOADS),
        chain("bare", "forward", 0, OFFLOADS),
    )
    typed = [one for one in one("offload", there, ruleset=both).do if one[0] != "#"]
    assert len(typed) == 2
    assert all("nft insert rule inet fw4 bare " in command for command in typed)


def test_offload_of_something_else_does_not_matter() -> None:
    for not_sip in (
        [port("dport", {"set": [80, 443]}, "tcp"), FLOW],
        [port("dport", 5060, "th", "!="), port("sport", 5060, "th", "!="), FLOW],
    ):
        assert one("offload", ruleset=offloading(flow=not_sip)).state == "fine"


def alg_rules(name: str = "siph") -> Ruleset:
    helper = {
        "ct helper": {"family": "inet", "table": "fw4", "name": "siph", "type": "sip"}
    }
    rules = chain("helpers", "", 0, [port("dport", 5060), {"ct helper": name}])
    return ruleset([helper], rules)


def test_the_sip_alg() -> None:
    loaded = HEALTHY._replace(modules=frozenset({"nf_nat_sip", "nf_conntrack_sip"}))
    assert one("sip-alg").state == "fine"
    assert one("sip-alg", modules=frozenset({"nf_conntrack_sip"})).state == "fine"
    assert one("sip-alg", loaded).state == "note"
    assert one("sip-alg", loaded, helper_sysctl=0).state == "note"
    said = one("sip-alg", loaded, helper_sysctl=1)
    assert said.state == "warning"
    assert "nf_conntrack_helper" in said.what
    assert one("sip-alg", modules=Unread("x")).state == "unknown"
    assert one("sip-alg", ruleset=Unread("x")).state == "unknown"


def test_an_assigned_helper_is_a_warning_with_commands_for_the_system() -> None:
    said = one("sip-alg", ruleset=alg_rules())
    assert said.state == "warning"
    assert "inet fw4 helpers handle 1" in said.what
    assert any("auto_helper=0" in command for command in said.do)
    assert one("sip-alg", ruleset=alg_rules("ftph")).state == "fine"
    line = "-A PREROUTING -p udp -m udp --dport 5060 -j CT --helper sip"
    saved = tuple(parse_saved("iptables", f"*raw\n{line}\nCOMMIT\n"))
    there = HEALTHY._replace(machine=DEBIAN)
    said = one("sip-alg", there, saved=saved, helper_sysctl=1)
    assert said.state == "warning"
    assert any("modprobe.d" in command for command in said.do)
    assert any("nf_conntrack_helper=0" in command for command in said.do)
