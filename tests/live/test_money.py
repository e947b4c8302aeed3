"""Calls with answers and ends through the real queue: what they cost, what is closed.

The PBX inside and the carrier outside are SIPp; how long a call lasted, it knows
itself. Numbers abroad lie in ranges that nobody has been assigned, or are kept for
films. Rules and prices are those that are shipped.
"""

import time
from typing import Any

import pytest
from lab import peers
from lab.addresses import (
    GATEWAY,
    PBX,
    PHONE_JP,
    SIP_PORT,
    TRUNK,
    WAN,
)
from lab.agent import Agent, Event
from lab.network import Lab
from lab.talks import OFFICE, Talk, start_carrier

pytestmark = pytest.mark.netns
both_bindings = pytest.mark.parametrize("binding", ["auto", "python"])

HOME = "0312345678"
US = "01012125550123"

CLOSE_ENOUGH = 0.5
"""Seconds by which the agent may err in the length of a call."""


def out(lab: Lab, number: str, seconds: float = 0.1, **more: Any) -> Talk:
    """Let the PBX inside call over its trunk."""
    server = more.pop("server", TRUNK)
    return Talk(lab, lab.inside, PBX, server, number, seconds=seconds, **more)


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
    return abs(record["duration_s"] - talk.talked) <= CLOSE_ENOUGH


@both_bindings
def test_every_call_is_known_by_its_length_and_nothing_else_is_queued(
    nat_lab: Lab,
) -> None:
    """Out and in, ended by either side or given up; what is no SIP goes by the queue."""
    lab = nat_lab
    start_carrier(lab, lab.outside, TRUNK)
    start_carrier(lab, lab.outside, GATEWAY, "trunk-hangs-up", 1.5)
    start_carrier(lab, lab.outside, PHONE_JP, "trunk-rings")
    start_carrier(lab, lab.inside, PBX)
    with Agent(lab, {"log": {"full_numbers": True}}) as agent:
        we = out(lab, HOME, 2.0)
        they = out(lab, US, 1.5, server=GATEWAY, scenario="listen")
        vain = out(lab, "0612345678", 0.5, server=PHONE_JP, scenario="give-up")
        come = Talk(lab, lab.outside, TRUNK, WAN, OFFICE, seconds=1.0, user="0451234567")
        media(lab)
        for talk in (we, they, vain, come):
            assert talk.wait(), talk.text
        told = records(agent, 4)
        kernel, counted = agent.status()["kernel"], agent.stop()

    numbers = (HOME, US.removeprefix("010"), "0612345678", OFFICE)
    assert sorted(told) == sorted(numbers)
    ours, theirs, rang, came = (told[number] for number in numbers)
    for record, talk in ((ours, we), (theirs, they), (came, come)):
        assert lasted(record, talk), (record, talk.text)
        assert (record["end"], record["status"]) == ("bye", 200)
    assert (rang["end"], rang["answered"], rang["duration_s"]) == ("cancel", None, None)
    assert [one["direction"] for one in (ours, theirs, rang, came)] == [
        *("out", "out", "out", "in")
    ]
    assert (theirs["country"], theirs["abroad"], theirs["cost"]) == ("US", True, "9.000")
    assert (came["account"], came["source"]) == ("0451234567", TRUNK)
    crossed = [
        seen
        for seen in lab.outside_wire.packets()
        if SIP_PORT in (seen.sport, seen.dport) and len(seen.payload) > 4
    ]
    assert kernel["asked"] == kernel["passed"] == len(crossed)
    assert counted["messages"] == len(crossed)


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
