"""Our table, and chains of others between our steps."""

from typing import Any

import pytest
from doctoring import HEALTHY, agent, chain, found, one, ours, ruleset, states
from ringfence.doctor.readings import Readings, Unread
from ringfence.doctor.saved import parse_saved

DROP: list[Any] = [{"drop": None}]

XTABLES = """*security
:RINGFENCE - [0:0]
-A INPUT -j RINGFENCE
-A FORWARD -j RINGFENCE
-A OUTPUT -j RINGFENCE
-A RINGFENCE -m mark --mark 0x1000000/0xf000000 -j NFQUEUE --queue-num 5060
COMMIT
"""


def by_xtables(text: str = XTABLES) -> Readings:
    """A kernel without nft's queue statement."""
    saved = [
        rule for name in ("iptables", "ip6tables") for rule in parse_saved(name, text)
    ]
    return HEALTHY._replace(
        agent=agent(statement="xtables NFQUEUE"),
        ruleset=ruleset(ours(native_queue=False), own=False),
        saved=tuple(saved),
    )


def test_a_whole_table_is_fine() -> None:
    assert one("table").state == "fine"
    assert "11 hooks" in one("table").what
    assert one("table", by_xtables()).state == "fine"


def test_a_missing_table() -> None:
    gone = ruleset(own=False)
    said = one("table", ruleset=gone)
    assert said.state == "problem"
    assert "although an agent runs" in said.what
    assert one("table", ruleset=gone, agent=None).state == "note"
    assert one("table", ruleset=Unread("not root")).state == "unknown"


@pytest.mark.parametrize("name", ["inspect_forward", "queue_input", "enforce_output"])
def test_a_chain_that_is_missing_moved_or_empty(name: str) -> None:
    items = ours()
    at = next(
        number
        for number, item in enumerate(items)
        if item.get("chain", {}).get("name") == name
    )
    there, jump = items[at], items[at + 1]
    without = [item for item in items if item not in (there, jump)]
    moved = {"chain": {**there["chain"], "prio": -5}}
    for changed in (without, [*without, there], [*without, moved, jump]):
        said = one("table", ruleset=ruleset(changed, own=False))
        assert said.state == "problem"
        assert name in said.what


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("-A FORWARD -j RINGFENCE\n", "no jump from FORWARD"),
        ("--queue-num 5060", "does not queue to 5060"),
    ],
)
def test_xtables_that_lost_the_queue_rule(missing: str, said: str) -> None:
    finding = one("table", by_xtables(XTABLES.replace(missing, "")))
    assert finding.state == "problem"
    assert f"iptables -t security: {said}" in finding.what.replace("RINGFENCE ", "")


def test_bans_that_an_agent_left_are_a_note() -> None:
    kept = [
        item
        for item in ours()
        if "table" in item
        or "shield_prerouting"
        in (item.get("chain", {}).get("name"), item.get("rule", {}).get("chain"))
    ]
    left = ruleset(kept, own=False)
    assert one("table", ruleset=left, agent=None).state == "note"
    assert one("table", ruleset=left).state == "problem"


def test_firewalls_ahead_of_us_are_fine() -> None:
    firewall = chain("forward", "forward", 0, DROP, policy="drop")
    assert one("order", ruleset=ruleset(firewall)).state == "fine"


def test_what_accepts_between_our_steps_ends_nothing_of_ours() -> None:
    accepts = chain("late", "forward", 100, [{"accept": None}])
    assert one("order", ruleset=ruleset(accepts)).state == "fine"


@pytest.mark.parametrize(
    ("priority", "state"),
    [
        (9, "fine"),
        (10, "note"),
        (11, "note"),
        (149, "note"),
        (150, "warning"),
        (160, "warning"),
        (161, "note"),
    ],
)
def test_what_drops_behind_inspect(priority: int, state: str) -> None:
    late = chain("late", "input", priority, DROP)
    said = one("order", ruleset=ruleset(late))
    assert said.state == state
    if state != "fine":
        assert "inet fw4 late" in said.what


def test_what_drops_by_policy_or_in_a_chain_it_jumps_to() -> None:
    policy = chain("late", "input", 150, policy="drop")
    assert one("order", ruleset=ruleset(policy)).state == "warning"
    jumps = chain("late", "input", 150, [{"jump": {"target": "deep"}}])
    mapped: dict[str, Any] = {
        "vmap": {"key": {}, "data": {"set": [[1, {"goto": {"target": "deep"}}]]}}
    }
    deep = chain("deep", "", 0, [{"reject": None}])
    assert one("order", ruleset=ruleset(jumps, deep)).state == "warning"
    late = chain("late", "input", 150, [mapped])
    assert one("order", ruleset=ruleset(late, deep)).state == "warning"
    assert states("order", ruleset=ruleset(deep)) == ["fine"]


def test_chains_that_jump_in_a_circle_are_read_once() -> None:
    one_way = chain("late", "input", 150, [{"jump": {"target": "deep"}}])
    back = chain("deep", "", 0, [{"jump": {"target": "late"}}])
    assert one("order", ruleset=ruleset(one_way, back)).state == "fine"


def test_other_hooks_and_families_do_not_matter() -> None:
    post = chain("post", "postrouting", 150, DROP)
    bridge = chain("bridge", "forward", 150, DROP, family="bridge")
    assert one("order", ruleset=ruleset(post, bridge)).state == "fine"


def test_the_order_is_unknown_without_the_rules() -> None:
    assert [one.state for one in found("order", ruleset=Unread("x"))] == ["unknown"]
