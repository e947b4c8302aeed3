"""Requests larger than a packet: judged whole, passed unharmed or stopped."""

import socket
import struct
from collections.abc import Iterator

import pytest
from lab.addresses import (
    PBX,
    PBX6,
    PHONE_JP,
    PHONE_JP6,
    SIP_PORT,
    TRUNK,
    TRUNK6,
)
from lab.agent import Agent
from lab.messages import body_of, request
from lab.network import Lab

pytestmark = pytest.mark.netns
both_bindings = pytest.mark.parametrize("binding", ["auto", "python"])

FRAUD = "0033-010-232-76123456"
SIZE = 5000


@pytest.fixture(params=[False, True], ids=["routing", "nat"])
def any_lab(request: pytest.FixtureRequest, binding: str) -> Iterator[Lab]:
    with Lab(nat=request.param) as lab:
        lab.binding = binding
        yield lab


def large(number: str, src: str, dst: str) -> bytes:
    head = len(request("INVITE", src, dst, number=number, body=b"x" * SIZE)) - SIZE
    text = request("INVITE", src, dst, number=number, body=body_of(SIZE - head))
    assert len(text) == SIZE
    return text


def fragments(lab: Lab, src: str) -> tuple[int, int]:
    """Return how many fragments left outside and arrived inside."""
    lab.settle()
    left = [seen for seen in lab.outside_wire.find(sent=True, src=src) if seen.fragment]
    came = [seen for seen in lab.inside_wire.find(sent=False, src=src) if seen.fragment]
    return len(left), len(came)


@both_bindings
@pytest.mark.parametrize("family", ["v4", "v6"])
def test_large_honest_invite_passes_unharmed(any_lab: Lab, family: str) -> None:
    lab = any_lab
    phone, pbx = (PHONE_JP, PBX) if family == "v4" else (PHONE_JP6, PBX6)
    to = lab.registrar if family == "v4" else PBX6
    receiver = lab.udp(lab.inside, pbx, SIP_PORT)
    sender = lab.udp(lab.outside, phone, SIP_PORT)
    text = large("0312345678", phone, to)
    with Agent(lab) as agent:
        sender.sendto(text, (to, SIP_PORT))

        assert receiver.recv(65_535) == text
        left, came = fragments(lab, phone)
        assert left >= 4
        assert came >= 4
        assert agent.decisions() == []
        assert agent.stop()["messages"] == 2


@both_bindings
@pytest.mark.parametrize("family", ["v4", "v6"])
def test_large_invite_to_a_fraud_number_is_stopped(any_lab: Lab, family: str) -> None:
    lab = any_lab
    phone = PHONE_JP if family == "v4" else PHONE_JP6
    to = lab.registrar if family == "v4" else PBX6
    sender = lab.udp(lab.outside, phone, SIP_PORT)
    with Agent(lab) as agent:
        sender.sendto(large(FRAUD, phone, to), (to, SIP_PORT))

        agent.wait_event("decision", src=phone, rule="blocked-destination")
        left, came = fragments(lab, phone)
        assert left >= 4
        assert came == 0


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_large_invite_outwards_to_a_fraud_number_is_stopped(
    any_lab: Lab, family: str
) -> None:
    lab = any_lab
    pbx, trunk = (PBX, TRUNK) if family == "v4" else (PBX6, TRUNK6)
    sender = lab.udp(lab.inside, pbx, SIP_PORT)
    with Agent(lab) as agent:
        sender.sendto(large(FRAUD, pbx, trunk), (trunk, SIP_PORT))

        agent.wait_event("decision", src=pbx, rule="blocked-destination")
        lab.settle()
        assert len(lab.inside_wire.find(sent=True, src=pbx, dst=trunk)) >= 4
        assert lab.outside_wire.find(sent=False, dst=trunk) == []


@pytest.mark.parametrize("order", ["forward", "backward"])
def test_small_invite_in_tiny_fragments_is_stopped(any_lab: Lab, order: str) -> None:
    """No fragment holds a whole word of the request line, or even the UDP header."""
    lab = any_lab
    text = request("INVITE", PHONE_JP, lab.registrar, number=FRAUD)
    udp = struct.pack(">HHHH", SIP_PORT, SIP_PORT, 8 + len(text), 0) + text
    pieces = [(at, udp[at : at + 8]) for at in range(0, len(udp), 8)]
    with lab.outside.entered():
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with Agent(lab) as agent, raw:
        for at, piece in pieces if order == "forward" else reversed(pieces):
            more = 0x2000 if at + 8 < len(udp) else 0
            header = struct.pack(
                ">BBHHHBBH4s4s",
                *(0x45, 0, 20 + len(piece), 4711, more | at // 8, 64, 17, 0),
                socket.inet_aton(PHONE_JP),
                socket.inet_aton(lab.registrar),
            )
            raw.sendto(header + piece, (lab.registrar, 0))
        agent.wait_event("decision", src=PHONE_JP, rule="blocked-destination")
        lab.settle()

    assert len(lab.outside_wire.find(sent=True, src=PHONE_JP)) == len(pieces)
    assert lab.inside_wire.find(sent=False, src=PHONE_JP) == []
