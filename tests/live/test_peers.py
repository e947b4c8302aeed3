"""Real phones, a real PBX and a real scanner through the real queue.

What was sent and what arrived is counted at the far ends of the wires; the agent's
own counters only show that it saw the packets that it let through.
"""

import pytest
from lab import peers
from lab.addresses import (
    PBX,
    PBX6,
    PHONE_ABROAD,
    PHONE_ABROAD6,
    PHONE_INSIDE,
    PHONE_INSIDE6,
    PHONE_JP,
    PHONE_JP6,
    SCANNER_ABROAD,
    SCANNER_JP,
)
from lab.agent import Agent
from lab.network import Lab

pytestmark = pytest.mark.netns

FRAUD = "0033-010-232-76123456"


@pytest.fixture
def guarded(nat_lab: Lab) -> tuple[Lab, Agent]:
    peers.start_registrar(nat_lab)
    peers.start_trunk(nat_lab)
    agent = Agent(nat_lab)
    agent.wait_ready()
    return nat_lab, agent


def inwards(lab: Lab, src: str, has: bytes) -> tuple[int, int]:
    """Return how many packets from `src` left outside and arrived inside."""
    lab.settle()
    return (
        len(lab.outside_wire.find(sent=True, src=src, has=has)),
        len(lab.inside_wire.find(sent=False, src=src, has=has)),
    )


@pytest.mark.parametrize("transport", ["u1", "t1"])
@pytest.mark.parametrize("phone", [PHONE_JP, PHONE_JP6])
def test_phone_in_japan_registers_and_calls(
    guarded: tuple[Lab, Agent], phone: str, transport: str
) -> None:
    lab, agent = guarded
    registrar = PBX6 if ":" in phone else lab.registrar

    registered = peers.register(lab, lab.outside, phone, registrar, transport=transport)
    called = peers.call(
        lab, lab.outside, phone, registrar, "0312345678", transport=transport
    )

    assert registered.ok, registered.text
    assert called.ok, called.text
    sent, arrived = inwards(lab, phone, b" sip:")
    assert sent >= 4  # both requests twice: challenged, then with the password
    assert arrived == sent
    assert agent.decisions() == []
    # It let them through because it looked, not because nobody asked it.
    assert agent.stop()["messages"] >= sent


@pytest.mark.parametrize("transport", ["u1", "t1"])
@pytest.mark.parametrize("phone", [PHONE_ABROAD, PHONE_ABROAD6])
def test_phone_abroad_cannot_register_with_the_right_password(
    guarded: tuple[Lab, Agent], phone: str, transport: str
) -> None:
    lab, agent = guarded
    registrar = PBX6 if ":" in phone else lab.registrar

    result = peers.register(
        lab, lab.outside, phone, registrar, transport=transport, timeout=2
    )

    assert not result.ok
    assert result.answers == []
    sent, arrived = inwards(lab, phone, b"REGISTER sip:")
    assert sent >= 1
    assert arrived == 0
    drop = agent.wait_event("decision", src=phone)
    assert (drop["verdict"], drop["rule"], drop["country"], drop["side"]) == (
        "drop",
        "foreign-registration",
        "NL",
        "outside",
    )
    kernel = agent.stop()["kernel"]
    dropped = kernel["dropped"] + kernel["foreign"]
    # TCP sends the same bytes again and again; how often is not the agent's count.
    assert dropped == sent if transport == "u1" else dropped >= 1


@pytest.mark.parametrize(
    ("phone", "pbx"), [(PHONE_INSIDE, PBX), (PHONE_INSIDE6, PBX6)], ids=["v4", "v6"]
)
def test_call_from_the_desk_to_a_fraud_number_never_leaves(
    guarded: tuple[Lab, Agent], phone: str, pbx: str
) -> None:
    lab, agent = guarded

    result = peers.call(lab, lab.inside, phone, pbx, FRAUD, user="202")

    lab.settle()
    has = f"INVITE sip:{FRAUD}@".encode()
    sent = lab.inside_wire.find(sent=True, src=pbx, has=has)
    assert not result.ok
    assert "200" not in result.answers
    assert len(sent) >= 1
    assert lab.outside_wire.find(sent=False, has=has) == []
    said = agent.wait_event("decision", src=pbx)
    assert (said["rule"], said["side"]) == ("blocked-destination", "inside")
    assert (said["destination"]["class"], said["destination"]["country"]) == (
        "international",
        "SL",
    )


def test_call_from_outside_to_a_fraud_number_never_reaches_the_pbx(
    guarded: tuple[Lab, Agent],
) -> None:
    lab, agent = guarded
    assert peers.register(lab, lab.outside, PHONE_JP, lab.registrar).ok

    result = peers.call(lab, lab.outside, PHONE_JP, lab.registrar, FRAUD, timeout=2)

    assert result.answers == []
    sent, arrived = inwards(lab, PHONE_JP, f"INVITE sip:{FRAUD}@".encode())
    assert sent >= 1
    assert arrived == 0
    said = agent.wait_event("decision", src=PHONE_JP)
    assert (said["rule"], said["side"]) == ("blocked-destination", "outside")


@pytest.mark.parametrize("number", ["110", "118", "119"])
def test_emergency_calls_pass_from_both_sides(
    guarded: tuple[Lab, Agent], number: str
) -> None:
    lab, agent = guarded

    desk = peers.call(lab, lab.inside, PHONE_INSIDE, PBX, number, user="202")
    outside = peers.call(lab, lab.outside, PHONE_JP, lab.registrar, number)

    assert desk.ok, desk.text
    assert outside.ok, outside.text
    assert agent.decisions() == []
    assert agent.stop()["messages"] >= 4


@pytest.mark.parametrize("scanner", [SCANNER_ABROAD, SCANNER_JP])
def test_sipvicious_finds_nothing(guarded: tuple[Lab, Agent], scanner: str) -> None:
    lab, agent = guarded

    devices = peers.svmap(lab, scanner, lab.registrar)
    extensions = peers.svwar(lab, scanner, lab.registrar)

    assert devices.answers == []
    assert extensions.answers == []
    sent, arrived = inwards(lab, scanner, b" sip:")
    assert sent >= 2
    assert arrived == 0
    kernel = agent.stop()["kernel"]
    assert kernel["dropped"] + kernel["foreign"] == sent


def test_sipvicious_finds_the_pbx_without_the_agent(nat_lab: Lab) -> None:
    """The test above would also pass if the scanner were broken."""
    peers.start_registrar(nat_lab)

    assert peers.svmap(nat_lab, SCANNER_JP, nat_lab.registrar).ok
    assert peers.svwar(nat_lab, SCANNER_JP, nat_lab.registrar).answers == [
        "201",
        "202",
    ]


def test_monitor_mode_passes_everything_and_says_what_it_would_do(
    nat_lab: Lab,
) -> None:
    peers.start_registrar(nat_lab)
    peers.start_trunk(nat_lab)
    agent = Agent(nat_lab, {"mode": "monitor"})
    agent.wait_ready()

    abroad = peers.register(nat_lab, nat_lab.outside, PHONE_ABROAD, nat_lab.registrar)
    fraud = peers.call(nat_lab, nat_lab.inside, PHONE_INSIDE, PBX, FRAUD, user="202")

    assert abroad.ok, abroad.text
    assert fraud.ok, fraud.text
    sent, arrived = inwards(nat_lab, PHONE_ABROAD, b"REGISTER sip:")
    assert sent >= 2
    assert arrived == sent
    said = agent.wait_event("decision", src=PHONE_ABROAD)
    assert (said["verdict"], said["would"], said["rule"]) == (
        "accept",
        "drop",
        "foreign-registration",
    )
    agent.wait_event("decision", src=PBX, rule="blocked-destination")
    counters = agent.stop()
    assert (counters["dropped"], counters["rejected"]) == (0, 0)
