"""Calls with answers and ends through the real queue: what they cost, what is closed.

The PBX inside and the carrier outside are SIPp; how long a call lasted, it knows
itself. Numbers abroad lie in ranges that nobody has been assigned, or are kept for
films. Rules and prices are those that are shipped.
"""

import json
import re
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
from lab import hasty_agent, peers
from lab.addresses import (
    GATEWAY,
    PBX,
    PBX6,
    PHONE_JP,
    SIP_PORT,
    TRUNK,
    TRUNK6,
    WAN,
)
from lab.agent import Agent, Event
from lab.namespaces import wait_until
from lab.network import Lab
from lab.recorder import Seen
from lab.talks import OFFICE, Talk, out, passes, poland, refused, start_carrier

pytestmark = pytest.mark.netns
both_bindings = pytest.mark.parametrize("binding", ["auto", "python"])

HOME = "0312345678"
US = "01012125550123"
KOREA = "0108227001234"

TCP = 6
"""Of IP protocols."""

CLOSE_ENOUGH = 0.5
"""Seconds by which the agent may err in the length of a call."""


def records(agent: Agent, count: int) -> dict[str, Event]:
    """Wait for the records of so many calls; return them by number, last ones last."""
    agent.wait_event("call", count=count, timeout=10)
    found = agent.events("call")
    assert len(found) == count, found
    return {event["number"]: event for event in found}


def masked(number: str) -> str:
    """Return a number abroad as the log shows it."""
    return f"{number.removeprefix('010')[:-4]}xxxx"


def lasted(record: Event, talk: Talk) -> bool:
    """Tell whether the agent knows how long a call was."""
    seconds: float = record["duration_s"]
    return abs(seconds - talk.talked) <= CLOSE_ENOUGH


@both_bindings
def test_every_call_is_known_by_its_length_and_nothing_else_is_queued(
    nat_lab: Lab,
) -> None:
    """Out and in, UDP and TCP, ended by either side or given up; media goes by."""
    lab = nat_lab
    start_carrier(lab, lab.outside, TRUNK)
    start_carrier(lab, lab.outside, GATEWAY, "trunk-hangs-up", 1.0)
    start_carrier(lab, lab.outside, PHONE_JP, "trunk-rings")
    start_carrier(lab, lab.outside, TRUNK6, transport="t1")
    start_carrier(lab, lab.inside, PBX)
    with Agent(lab, {"log": {"full_numbers": True}}) as agent:
        we = out(lab, HOME, 1.5)
        they = out(lab, US, 1.0, server=GATEWAY, scenario="listen")
        vain = out(lab, "0612345678", 0.5, server=PHONE_JP, scenario="give-up")
        come = Talk(
            lab, lab.outside, TRUNK, WAN, OFFICE, seconds=1.0, user="0451234567"
        )
        tcp = Talk(*(lab, lab.inside, PBX6, TRUNK6, KOREA), seconds=0.7, transport="t1")
        media(lab)
        for talk in (we, they, vain, come, tcp):
            assert talk.wait(), talk.text
        told = records(agent, 5)
        # TCP has its last words when the programs have ended.
        asked = wait_equal(
            lambda: agent.status()["kernel"]["asked"], lambda: len(crossed(lab))
        )
        counted = agent.stop()

    numbers = (HOME, US[3:], "0612345678", OFFICE, KOREA[3:])
    assert sorted(told) == sorted(numbers)
    ours, theirs, rang, came, stream = (told[number] for number in numbers)
    for record, talk in ((ours, we), (theirs, they), (came, come), (stream, tcp)):
        assert lasted(record, talk), (record, talk.text)
        assert (record["end"], record["status"]) == ("bye", 200)
    assert (rang["end"], rang["answered"], rang["duration_s"]) == ("cancel", None, None)
    assert [one["direction"] for one in (ours, theirs, rang, came, stream)] == [
        *("out", "out", "out", "in", "out")
    ]
    assert (theirs["country"], theirs["abroad"], theirs["cost"]) == (
        "US",
        True,
        "9.000",
    )
    assert (came["account"], came["source"]) == ("0451234567", TRUNK)
    assert asked > 30
    once = {seen.payload for seen in crossed(lab) if seen.protocol == TCP} - {b""}
    datagrams = [seen for seen in crossed(lab) if seen.protocol != TCP]
    assert counted["messages"] == len(datagrams) + len(once)


def crossed(lab: Lab) -> list[Seen]:
    """Return what of SIP has gone through the router, keep-alives left out."""
    return [
        seen
        for seen in lab.outside_wire.packets()
        if SIP_PORT in (seen.sport, seen.dport)
        and (seen.protocol == TCP or len(seen.payload) > 4)
    ]


def wait_equal(one: Callable[[], int], other: Callable[[], int]) -> int:
    """Wait until two counts agree; return them."""
    found = 0

    def agree() -> bool:
        nonlocal found
        found = one()
        return found == other()

    wait_until(agree, 10, "the counts agree")
    return found


def media(lab: Lab) -> None:
    """Send what is no SIP both ways: voice, names, STUN, keep-alives."""
    voice = bytes([0x80, 0, 0, 1]) + bytes(168)
    stun = bytes.fromhex("000100002112a442") + bytes(12)
    before = lab.outside_wire.position()
    for port, there, payload in (
        *((20_000, 20_000, voice), (5_353, 53, bytes(30)), (40_000, 3_478, stun)),
        *((40_001, SIP_PORT, b"\r\n\r\n"), (40_002, 443, bytes(400))),
    ):
        inside = lab.udp(lab.inside, PBX, port)
        if there != SIP_PORT:
            outside = lab.udp(lab.outside, TRUNK, there)
        for _ in range(20):
            inside.sendto(payload, (TRUNK, there))
            if there != SIP_PORT:
                _, seen_as = outside.recvfrom(2_000)
                outside.sendto(payload, seen_as)
                assert inside.recv(2_000) == payload
    found = lab.outside_wire.wait(20, sent=False, has=voice, since=before)
    assert len(found) == 20


def test_a_call_through_the_pbx_is_told_of_once(nat_lab: Lab) -> None:
    lab = nat_lab
    peers.start_registrar(lab)
    peers.start_trunk(lab)
    with Agent(lab) as agent:
        phone = peers.register(lab, lab.outside, PHONE_JP, lab.registrar)
        called = peers.call(lab, lab.outside, PHONE_JP, lab.registrar, US)
        (record,) = records(agent, 1).values()
        agent.stop()
    assert phone.ok, phone.text
    assert called.ok, called.text
    assert (record["direction"], record["end"], record["cost"]) == (
        *("out", "bye", "9.000"),
    )
    assert (record["account"], record["source"]) == ("201", PHONE_JP)
    assert 0 < record["duration_s"] < 0.1 + CLOSE_ENOUGH


def calls_of(
    agent: Agent, ready: Callable[[Event], bool] = lambda calls: True
) -> Event:
    """Wait until what `status` says of calls is as it should be; return it."""
    found: Event = {}

    def look() -> bool:
        found.update(agent.status()["agent"]["calls"])
        return ready(found)

    wait_until(look, 15, "status says so")
    return found


def test_a_surge_closes_its_country_and_nothing_else(nat_lab: Lab) -> None:
    lab = nat_lab
    start_carrier(lab, lab.outside, TRUNK)
    first, second, third, *more = poland(12, 22, 32, 42, 52, 62, 71, 81)
    with Agent(lab, {"log": {"full_numbers": True}}) as agent:
        running = [out(lab, number, 4.0) for number in (HOME, US)]
        stolen = [out(lab, number, 4.0) for number in (first, second, third)]
        for talk in (*running, *stolen):
            talk.wait_answer()
        assert refused(lab, more[0])
        opened = agent.wait_event("incident", event="opened")
        assert calls_of(agent)["running"] == len(running) + len(stolen)
        assert refused(lab, more[1])
        status, shown = calls_of(agent), agent.command("status")
        # What nobody closed.
        assert passes(lab, "0612345678")
        assert passes(lab, "119")
        assert passes(lab, "01012125550199")
        agent.reload()
        agent.wait_event("reload", ok=True)
        assert refused(lab, more[4])
        for talk in (*running, *stolen):
            assert talk.wait(), talk.text
        told = records(agent, 11)
        assert agent.events("incident") == [opened]

        assert agent.command("allow", "PL", "--for", "3s")[0] == 0
        assert passes(lab, more[2])
        closed = agent.wait_event("incident", event="closed")
        calls_of(agent, lambda calls: not calls["opened"])
        assert refused(lab, more[3])
        again = agent.wait_event("incident", event="opened", count=2)
        counters = agent.stop()

    assert (opened["rule"], opened["what"], opened["subject"]) == (
        *("country-surge", "country", "PL"),
    )
    assert opened["open_with"] == "ringfence allow PL --for 2h"
    assert 0 <= opened["until"] - opened["time"] - 3_600 < 1
    for talk in (*running, *stolen):
        record = told[talk.number.removeprefix("010")]
        assert lasted(record, talk), (record, talk.text)
        assert record["end"] == "bye"
    for number in (*more[:2], more[4]):
        record = told[number.removeprefix("010")]
        assert (record["end"], record["rule"]) == ("stopped", "country-surge")
    assert closed["id"] == opened["id"] != again["id"]
    assert (closed["stopped"], closed["passed"]) == (3, 3)
    assert float(closed["cost"]) > 0
    assert counters["answered"] == counters["acks_absorbed"] == 4

    (one,) = status["closed"]
    assert (one["id"], one["stopped"]) == (opened["id"], 2)
    assert 3_500 < one["left_s"] <= 3_600
    code, text = shown
    assert code == 0
    assert re.search(
        r"closed: country PL, \d[^,]* left, 2 stopped: country-surge: 4 calls within "
        r"30 min to PL, where 0 a day are usual\n +ringfence allow PL --for 2h\n",
        text,
    )


def kept(lab: Lab) -> dict[str, Any]:
    """Return what the state file says of closures; nothing before there is one."""
    path = lab.folder / "state.json"
    if not path.exists():
        return {"closed": [], "opened": {}}
    found: dict[str, Any] = json.loads(path.read_bytes())["sections"]["calls/1"]
    return dict(found["closures"])


def wait_kept(lab: Lab, name: str, subject: str) -> None:
    wait_until(lambda: subject in str(kept(lab)[name]), 10, f"{subject} is written")


def kill(agent: Agent) -> None:
    agent.process.signal(signal.SIGKILL)
    agent.process.wait(5)


def leave(lab: Lab, seconds: int) -> None:
    """Let what is closed have so much time left."""
    path = lab.folder / "state.json"
    tree = json.loads(path.read_bytes())
    for one in tree["sections"]["calls/1"]["closures"]["closed"]:
        one["left"] = seconds
    path.write_text(json.dumps(tree))


def test_killed_it_knows_at_once_what_was_closed_and_opened(nat_lab: Lab) -> None:
    lab = nat_lab
    start_carrier(lab, lab.outside, TRUNK)
    *stolen, more, another, later = poland(12, 22, 32, 42, 52, 62)
    with Agent(lab) as agent:
        talks = [out(lab, number) for number in stolen]
        assert all(talk.wait() for talk in talks)
        assert refused(lab, more)
        opened = agent.wait_event("incident")
        wait_kept(lab, "closed", opened["id"])
        kill(agent)

    assert passes(lab, HOME), "and nobody is cut off meanwhile"
    with Agent(lab) as agent:
        (closed,) = calls_of(agent)["closed"]
        assert (closed["id"], closed["stopped"]) == (opened["id"], 1)
        assert 3_500 < closed["left_s"] <= 3_600
        assert refused(lab, another)
        assert passes(lab, HOME)
        assert agent.events("incident") == [], "it is the same one"
        assert agent.command("allow", "FR", "--for", "1h")[0] == 0
        wait_kept(lab, "opened", "FR")
        kill(agent)

    leave(lab, 1)
    with Agent(lab, program=hasty_agent.PROGRAM) as agent:
        ended = agent.wait_event("incident", timeout=10)
        assert (ended["event"], ended["id"]) == ("closed", opened["id"])
        assert calls_of(agent)["closed"] == []
        assert list(calls_of(agent)["opened"]) == ["FR"]
        assert passes(lab, later)
        assert len(agent.events("incident")) == 1
        agent.stop()


def noon() -> dict[str, str]:
    """Return an environment in which it is about noon: no day ends during a test."""
    hour = time.gmtime().tm_hour
    return {"TZ": f"LAB{hour - 12}"}


def test_a_budget_that_is_used_up_ends_new_calls_abroad_alone(nat_lab: Lab) -> None:
    lab = nat_lab
    start_carrier(lab, lab.outside, TRUNK)
    config = {"budget": {"day": 40}}
    program = hasty_agent.PROGRAM
    with Agent(lab, config, program=program, environment=noon()) as agent:
        running = [out(lab, number, 5.0) for number in ("0104930123456", HOME)]
        for talk in running:
            talk.wait_answer()
        # 20 yen for the one that runs, and 9 for each of these.
        for tail, share in ((123, 50), (145, 80), (167, 100)):
            assert passes(lab, f"01012125550{tail}")
            agent.wait_event("budget", share=share)
        assert refused(lab, KOREA)
        (closed,) = calls_of(agent)["closed"]
        text = agent.command("status")[1]
        assert passes(lab, HOME)
        assert passes(lab, "119")
        assert agent.command("allow", "KR", "--for", "1h")[0] == 0
        assert passes(lab, KOREA)
        for talk in running:
            assert talk.wait(), talk.text
        told = records(agent, 9)
        assert refused(lab, "0103312345678")
        agent.stop()

    assert (closed["rule"], closed["what"], closed["left_s"]) == (
        *("budget", "international", None),
    )
    assert "closed: international, until the budget has room, 1 stopped: budget" in text
    assert "47.000 this day of 40.000" in text
    for talk in running:
        record = told[masked(talk.number)]
        assert lasted(record, talk), (record, talk.text)
    shares = [(one["period"], one["share"]) for one in agent.events("budget")]
    assert shares == [("day", 50), ("day", 80), ("day", 100)]
    assert [one["event"] for one in agent.events("incident")] == ["opened"]
