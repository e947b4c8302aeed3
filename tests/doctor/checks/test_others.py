"""Marks and queues of others."""

from typing import Any

import pytest
from doctoring import (
    PID,
    chain,
    config,
    found,
    mark,
    one,
    port,
    ruleset,
    set_mark,
    states,
)
from ringfence.doctor.readings import QueueLine, Unread
from ringfence.doctor.saved import parse_rules, parse_saved

META = {"meta": {"key": "mark"}}
CT = {"ct": {"key": "mark"}}


def test_nobody_else_uses_the_mark() -> None:
    assert one("marks").state == "fine"


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        # mwan3 and pbr compare a field of their own.
        (mark(0x3F00, 0x100), "fine"),
        (mark(0x00FF0000, 0x10000), "fine"),
        # The whole mark, with a value that has none of our bits: WireGuard's.
        (mark(0xFFFFFFFF, 0xCA6C), "fine"),
        (mark(0xFFFFFFFF, 0x0800CA6C), "problem"),
        (mark(0xFF000000, 0), "problem"),
        (mark(0x08000000, 0x08000000), "problem"),
        ({"vmap": {"key": META, "data": {"set": []}}}, "fine"),
        ({"vmap": {"key": {"&": [META, 0xFF000000]}, "data": "@m"}}, "problem"),
        (set_mark(5), "fine"),
        (set_mark(0x01000000), "problem"),
        (set_mark({"|": [{"&": [META, 0xFFFF00FF]}, 0x100]}), "fine"),
        (set_mark({"|": [{"&": [META, 0xF0FFFFFF]}, 0x1000000]}), "problem"),
        (set_mark({"|": [META, 0x02000000]}), "problem"),
        (set_mark({"^": [META, 0x3]}), "fine"),
        (set_mark(CT), "fine"),
        (set_mark({"&": [CT, 0xFF]}), "fine"),
    ],
)
def test_marks_of_others_ahead_of_us(statement: dict[str, Any], state: str) -> None:
    theirs = chain("mangle", "prerouting", -150, [statement])
    said = one("marks", ruleset=ruleset(theirs))
    assert said.state == state
    assert (state == "fine") or "inet fw4 mangle handle 1" in said.what


@pytest.mark.parametrize("priority", [10, 100, 160])
@pytest.mark.parametrize(
    "value", [5, CT, {"&": [META, 0xFF]}, {"|": [META, 0x0F000000]}]
)
def test_a_mark_that_is_written_between_our_steps(priority: int, value: Any) -> None:
    theirs = chain("mangle", "forward", priority, [set_mark(value)])
    said = one("marks", ruleset=ruleset(theirs))
    assert said.state == "problem"
    assert "between our steps" in said.what


def test_a_mark_written_between_our_steps_that_leaves_our_bits_alone() -> None:
    value = {"|": [{"&": [META, 0xFFFF00FF]}, 0x100]}
    theirs = chain("mangle", "forward", 100, [set_mark(value)])
    assert one("marks", ruleset=ruleset(theirs)).state == "fine"
    behind = chain("mangle", "forward", 161, [set_mark(5)])
    assert one("marks", ruleset=ruleset(behind)).state == "fine"


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ("-A PREROUTING -j MARK --set-xmark 0x100/0x3f00", "fine"),
        ("-A PREROUTING -j MARK --set-xmark 0x1000000/0xff000000", "problem"),
        ("-A PREROUTING -j MARK --set-xmark 0x0/0xffffffff", "fine"),
        ("-A PREROUTING -m mark --mark 0x0/0xf000000 -j ACCEPT", "problem"),
        ("-A PREROUTING -m mark --mark 0x1 -j ACCEPT", "fine"),
        (
            "-A PREROUTING -j CONNMARK --restore-mark --nfmask 0x3f00 --ctmask 0x3f00",
            "fine",
        ),
        (
            "-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xff000000 --ctmask 0xff",
            "problem",
        ),
        ("-A RINGFENCE -m mark --mark 0x1000000/0xf000000 -j NFQUEUE", "fine"),
    ],
)
def test_marks_of_xtables(line: str, state: str) -> None:
    saved = tuple(parse_saved("iptables", f"*mangle\n{line}\nCOMMIT\n"))
    assert one("marks", saved=saved).state == state


def test_the_table_security_lies_between_our_steps() -> None:
    text = "*security\n-A OUTPUT -j MARK --set-xmark 0x0/0xffffffff\nCOMMIT\n"
    saved = tuple(parse_saved("iptables", text))
    assert "between our steps" in one("marks", saved=saved).what


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ("32765: from all fwmark 0x100/0x3f00 lookup 100", "fine"),
        ("32764: not from all fwmark 0xca6c lookup 51820", "fine"),
        ("1: from all fwmark 0x1000000/0xff000000 lookup 7", "problem"),
        ("1: from all fwmark 0x1000000 lookup 7", "problem"),
        ("1: from all fwmark 16777216 lookup 7", "problem"),
    ],
)
def test_routing_by_mark(line: str, state: str) -> None:
    said = one("marks", ip_rules=tuple(parse_rules(line)))
    assert said.state == state


def test_another_mark_of_ours_meets_others() -> None:
    theirs = ruleset(chain("mangle", "prerouting", -150, [mark(0x3F00, 0x100)]))
    ours = config("[kernel]\nmark = 0x0f00\n")
    assert one("marks", ruleset=theirs, configured=ours).state == "problem"


def test_four_bits_that_nobody_uses_are_proposed() -> None:
    line = "1: from all fwmark 0xff000000/0xff000000 lookup 7\n"
    line += "2: from all fwmark 0x100000/0x00100000 lookup 8\n"
    said = one("marks", ip_rules=tuple(parse_rules(line)))
    assert any("mark = 0x000f0000" in command for command in said.do)
    everything = "".join(
        f"{shift}: from all fwmark 0x0/{hex(1 << shift)} lookup 7\n"
        for shift in range(32)
    )
    said = one("marks", ip_rules=tuple(parse_rules(everything)))
    assert said.do == ("# no four bits are free: narrow what the others use",)


def test_what_was_not_seen_is_unknown() -> None:
    assert one("marks", saved=Unread("not root")).state == "unknown"
    assert one("marks", ip_rules=Unread("ip is not in PATH")).state == "unknown"
    theirs = ruleset(chain("mangle", "prerouting", -150, [mark(0xFF000000, 0)]))
    both = states("marks", ruleset=theirs, saved=Unread("not root"))
    assert both == ["problem", "unknown"]


def test_our_queue_is_ours_alone() -> None:
    assert one("queues").state == "fine"


@pytest.mark.parametrize(
    ("statements", "state"),
    [
        ([{"queue": {"num": 5060, "flags": "bypass"}}], "problem"),
        ([{"queue": {"num": {"range": [5058, 5061]}}}], "problem"),
        ([{"queue": {"num": 5060}}], "problem"),
        ([{"queue": {"num": 1}}], "warning"),
        ([{"queue": None}], "warning"),
        ([port("dport", 5060), {"queue": {"num": 1}}], "warning"),
        ([port("sport", 5060, "tcp"), {"queue": {"num": 1}}], "warning"),
        ([port("dport", 53), {"queue": {"num": 1}}], "fine"),
        ([port("dport", "@unknown"), {"queue": {"num": 1}}], "warning"),
    ],
)
def test_other_rules_that_queue(statements: list[Any], state: str) -> None:
    theirs = chain("ips", "forward", -5, statements)
    assert one("queues", ruleset=ruleset(theirs)).state == state


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ("-A FORWARD -j NFQUEUE --queue-num 5060 --queue-bypass", "problem"),
        ("-A FORWARD -j NFQUEUE --queue-balance 5058:5062", "problem"),
        ("-A FORWARD -j NFQUEUE --queue-num 0", "warning"),
        ("-A FORWARD -p udp -m udp --dport 5060 -j NFQUEUE --queue-num 0", "warning"),
        ("-A FORWARD -p udp -m udp --dport 53 -j NFQUEUE --queue-num 0", "fine"),
        ("-A FORWARD -p udp -m udp ! --dport 5060 -j NFQUEUE --queue-num 0", "fine"),
        ("-A FORWARD -p icmp -j NFQUEUE --queue-num 0", "fine"),
        (
            "-A FORWARD -p tcp -m multiport --dports 80,5000:5100 -j NFQUEUE "
            "--queue-num 3",
            "warning",
        ),
        ("-A RINGFENCE -j NFQUEUE --queue-num 5060", "fine"),
        ("-A FORWARD -j ACCEPT", "fine"),
    ],
)
def test_xtables_rules_that_queue(line: str, state: str) -> None:
    saved = tuple(parse_saved("iptables", f"*filter\n{line}\nCOMMIT\n"))
    assert one("queues", saved=saved).state == state


def test_who_listens() -> None:
    assert one("queues", queues=()).state == "problem"
    snort = QueueLine(5060, 4242, "snort")
    said = one("queues", queues=(snort,))
    assert said.state == "problem"
    assert "snort, pid 4242" in said.what
    assert one("queues", agent=None, queues=(snort,)).state == "problem"
    mine, other = QueueLine(5060, PID, "python3"), QueueLine(0, 4242, "suricata")
    said = one("queues", queues=(mine, other))
    assert said.state == "note"
    assert "0 (suricata, pid 4242)" in said.what
    silent = Unread("the agent does not answer")
    said = one("queues", agent=silent, queues=(snort,))
    assert (said.state, said.do) == ("unknown", ()), "it may be the agent itself"
    hidden = QueueLine(5060, None)
    assert one("queues", queues=(hidden,)).state == "fine"
    assert one("queues", agent=None, queues=()).state == "fine"
    assert one("queues", queues=Unread("not root")).state == "unknown"
    assert one("queues", ruleset=Unread("not root")).state == "unknown"


def test_another_queue_takes_a_restart_and_is_one_that_is_free() -> None:
    """A reload refuses to change it."""
    theirs = QueueLine(5060, 4242, "snort"), QueueLine(5070, 4243, "suricata")
    said = one("queues", agent=None, queues=theirs[:1])
    assert "queue = 5070 " in said.do[0]
    assert said.do[-1].endswith("/etc/init.d/ringfence restart")
    first, others = found("queues", agent=None, queues=theirs)
    assert "queue = 5071 " in first.do[0]
    assert others.state == "note"
