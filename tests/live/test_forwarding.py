"""Transfers and forwardings to numbers that fraud is paid for, through the real queue.

What arrives is read off the far end of the wire. Each refused message has a twin to a
number at home that must arrive.
"""

import pytest
from builders import RULES
from lab.addresses import PBX, PHONE_JP, SIP_PORT, TRUNK
from lab.agent import Agent
from lab.network import Lab

pytestmark = pytest.mark.netns

LISTED = "0033-010-232-76123456"
HOME = "090-1234-5678"


def refer(number: str) -> bytes:
    """Ask the PBX to transfer a call there, as a phone outside does."""
    lines = [
        f"REFER sip:201@{PBX} SIP/2.0",
        f"Via: SIP/2.0/UDP {PHONE_JP}:{SIP_PORT};branch=z9hG4bK-{number};rport",
        "Max-Forwards: 70",
        f"From: <sip:202@{PBX}>;tag=out",
        f"To: <sip:201@{PBX}>;tag=in",
        f"Call-ID: refer-{number}",
        "CSeq: 2 REFER",
        f"Contact: <sip:202@{PHONE_JP}:{SIP_PORT}>",
        f"Refer-To: <sip:{number}@{PBX}>",
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


def moved(number: str) -> bytes:
    """Answer a call that came in from the trunk: try it there."""
    lines = [
        "SIP/2.0 302 Moved Temporarily",
        f"Via: SIP/2.0/UDP {TRUNK}:{SIP_PORT};branch=z9hG4bK-{number};rport",
        f"From: <sip:0312345678@{TRUNK}>;tag=out",
        f"To: <sip:201@{PBX}>;tag=in",
        f"Call-ID: moved-{number}",
        "CSeq: 1 INVITE",
        f"Contact: <sip:{number}@{TRUNK}>",
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


NO_LEARNING = {
    f"rules.{path.stem}": {"mode": "off"}
    for path in RULES.glob("*.toml")
    if path.stem != "blocked-destination"
}
"""Nothing asks for answers but what a 3xx may do."""


def test_a_transfer_to_a_listed_number_does_not_reach_the_pbx(lab: Lab) -> None:
    with Agent(lab) as agent:
        with lab.outside.udp(PHONE_JP, SIP_PORT) as phone:
            for number in (LISTED, HOME):
                phone.sendto(refer(number), (PBX, SIP_PORT))
        lab.settle()
        said = agent.wait_event("decision", src=PHONE_JP)
        counters = agent.stop()

    assert lab.inside_wire.find(sent=False, has=f"refer-{HOME}".encode())
    assert not lab.inside_wire.find(sent=False, has=f"refer-{LISTED}".encode())
    assert (said["rule"], said["verdict"], said["method"]) == (
        *("blocked-destination", "drop", "REFER"),
    )
    assert said["reason"].startswith("Refer-To: call to +2327612xxxx")
    assert counters["kernel"]["dropped"] == 1


@pytest.mark.parametrize("config", [{}, NO_LEARNING], ids=["shipped", "no-learning"])
def test_a_forwarding_to_a_listed_number_does_not_leave(
    lab: Lab, config: dict[str, dict[str, str]]
) -> None:
    with Agent(lab, config) as agent:
        with lab.inside.udp(PBX, SIP_PORT) as pbx:
            for number in (LISTED, HOME):
                pbx.sendto(moved(number), (TRUNK, SIP_PORT))
            assert lab.outside_wire.wait(sent=False, has=f"moved-{HOME}".encode())
        said = agent.wait_event("decision", src=PBX)
        counters = agent.stop()

    assert not lab.outside_wire.find(sent=False, has=f"moved-{LISTED}".encode())
    assert (said["rule"], said["verdict"], said["status"], said["side"]) == (
        *("blocked-destination", "drop", 302, "inside"),
    )
    assert said["reason"].startswith("Contact: call to +2327612xxxx")
    assert said["destination"]["country"] == "SL"
    assert counters["kernel"]["dropped"] == 1


def test_other_answers_do_not_cost_a_look_where_no_rule_wants_them(lab: Lab) -> None:
    with Agent(lab, NO_LEARNING) as agent:
        with lab.inside.udp(PBX, SIP_PORT) as pbx:
            ringing = moved(LISTED).replace(b"302 Moved Temporarily", b"180 Ringing")
            pbx.sendto(ringing, (TRUNK, SIP_PORT))
            pbx.sendto(moved(HOME), (TRUNK, SIP_PORT))
            assert lab.outside_wire.wait(sent=False, has=f"moved-{HOME}".encode())
        counters = agent.stop()

    assert lab.outside_wire.find(sent=False, has=b"180 Ringing")
    assert counters["messages"] == 1
    assert counters["kernel"]["asked"] == 1
