"""A refused caller inside hears so at once; nobody else ever hears of the agent.

What was sent and what arrived is told by the peers and by the far ends of the wires.
"""

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from builders import NOW, engine, invite, udp
from lab import peers
from lab.addresses import (
    LAN,
    LAN6,
    PBX,
    PBX6,
    PHONE_INSIDE,
    PHONE_INSIDE6,
    PHONE_JP,
    PHONE_JP6,
    SIP_PORT,
    TRUNK,
    TRUNK6,
    WAN,
    WAN6,
)
from lab.agent import Agent, Config, command
from lab.messages import request
from lab.namespaces import Namespace
from lab.network import Lab
from ringfence.netfilter.answering import BURST, RATE, Answering
from ringfence.refusals import to_answer
from ringfence.sip.message import Message

pytestmark = pytest.mark.netns

FRAUD = "0033-010-232-76123456"
DIALS = f"sip:{FRAUD}@".encode()


@pytest.fixture(params=[False, True], ids=["routing", "nat"])
def any_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab(nat=request.param) as lab:
        yield lab


class Call(NamedTuple):
    """Who calls whom, and where in the router the call is stopped."""

    caller: str
    server: str
    caller_at: str = "inside"
    server_at: str = "outside"

    def ends(self, lab: Lab) -> tuple[Namespace, Namespace]:
        return getattr(lab, self.caller_at), getattr(lab, self.server_at)


CALLS = {
    "forwarded-v4": Call(PHONE_INSIDE, TRUNK),
    "forwarded-v6": Call(PHONE_INSIDE6, TRUNK6),
    "to-the-router-v4": Call(PHONE_INSIDE, LAN, server_at="router"),
    "to-the-router-v6": Call(PHONE_INSIDE6, LAN6, server_at="router"),
    "from-the-router-v4": Call(WAN, TRUNK, caller_at="router"),
    "from-the-router-v6": Call(WAN6, TRUNK6, caller_at="router"),
}
every_way = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def send_until_reset(caller: socket.socket) -> None:
    for _ in range(500):
        caller.sendall(b"\r\n")
        time.sleep(0.01)


def dial(call: Call, method: str = "INVITE", **more: str) -> bytes:
    text = request(method, call.caller, call.server, number=FRAUD, **more)  # type: ignore[arg-type]
    # The ACK of a refusal has its INVITE's branch (RFC 3261 section 17.1.1.3).
    return text.replace(b"-ACK;", b"-INVITE;")


@pytest.mark.parametrize("rp_filter", [0, 1])
@every_way
def test_the_caller_hears_it_from_the_server_he_dialled(
    any_lab: Lab, call: Call, rp_filter: int
) -> None:
    lab = any_lab
    for scope in ("all", "default", "lo", "lan", "wan"):
        lab.router.write_sysctl(f"ipv4/conf/{scope}/rp_filter", rp_filter)
    caller_at, server_at = call.ends(lab)
    server = lab.udp(server_at, call.server, SIP_PORT)
    caller = lab.udp(caller_at, call.caller, SIP_PORT)
    with Agent(lab) as agent:
        # What conntrack knows of the two from before must not meddle.
        caller.sendto(request("REGISTER", *call[:2]), (call.server, SIP_PORT))
        text, seen_as = server.recvfrom(65_535)
        server.sendto(text.replace(b"REGISTER sip:", b"SIP/2.0 200 ", 1), seen_as)
        caller.recv(65_535)

        answers = []
        for _ in range(2):  # a repeat is answered as well
            caller.sendto(dial(call), (call.server, SIP_PORT))
            text, came_from = caller.recvfrom(65_535)
            assert came_from[:2] == (call.server, SIP_PORT)
            answers.append(text)
        caller.sendto(dial(call, "ACK"), (call.server, SIP_PORT))

        assert answers[0] == answers[1]
        heard = Message(answers[0])
        assert heard.status == 403
        assert heard.branch == "z9hG4bK-lab-INVITE"
        # The server has none of it, not even the ACK, but what comes next.
        caller.sendto(request("OPTIONS", *call[:2]), (call.server, SIP_PORT))
        assert server.recv(65_535).startswith(b"OPTIONS ")
        counters = agent.stop()
    assert lab.outside_wire.find(sent=False, has=DIALS) == []
    assert lab.outside_wire.find(sent=False, start=b"SIP/2.0 403") == []
    assert {name: counters[name] for name in ("answered", "acks_absorbed")} == {
        "answered": 2,
        "acks_absorbed": 1,
    }
    assert (counters["answers_failed"], counters["answers_held"]) == (0, 0)
    assert counters["kernel"]["answers"] == 2
    assert counters["internal_errors"] == 0


@every_way
def test_over_tcp_both_ends_close(any_lab: Lab, call: Call) -> None:
    lab = any_lab
    caller_at, server_at = call.ends(lab)
    family = socket.AF_INET6 if ":" in call.server else socket.AF_INET
    kind = socket.SOCK_STREAM
    with (
        server_at.bound(family, kind, call.server, SIP_PORT) as listener,
        Agent(lab) as agent,
    ):
        listener.listen()
        for _ in range(2):  # and the phone can connect and call again
            with caller_at.bound(family, kind, call.caller, 0) as caller:
                caller.connect((call.server, SIP_PORT))
                server, _ = listener.accept()
                server.settimeout(5)
                text = request("REGISTER", *call[:2], transport="TCP")
                caller.sendall(text)
                assert server.recv(65_535) == text
                server.sendall(b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n")
                assert caller.recv(65_535).startswith(b"SIP/2.0 200 ")

                caller.sendall(dial(call, transport="TCP"))
                assert Message(caller.recv(65_535)).status == 403
                assert caller.recv(1) == b""  # the end, in good order
                with server, pytest.raises(ConnectionResetError):
                    server.recv(1)
                caller.sendall(dial(call, "ACK", transport="TCP"))
                # Told that all is over: nothing is left to be repeated for minutes.
                with pytest.raises(OSError, match=r"reset|Broken pipe"):
                    send_until_reset(caller)
        counters = agent.stop()
    assert lab.outside_wire.find(sent=False, has=DIALS) == []
    assert counters["answered"] == 2
    assert counters["answers_failed"] == 0
    # An answer and a reset for each call, and a reset for the ACK.
    assert counters["kernel"]["answers"] == 6


@pytest.mark.parametrize("transport", ["u1", "t1"])
@pytest.mark.parametrize(
    ("phone", "trunk"),
    [(PHONE_INSIDE, TRUNK), (PHONE_INSIDE6, TRUNK6)],
    ids=["v4", "v6"],
)
def test_a_real_phone_hears_it(
    any_lab: Lab, phone: str, trunk: str, transport: str
) -> None:
    lab = any_lab
    listener: contextlib.AbstractContextManager[object] = contextlib.nullcontext()
    if transport == "t1":
        family = socket.AF_INET6 if ":" in trunk else socket.AF_INET
        made = lab.outside.bound(family, socket.SOCK_STREAM, trunk, SIP_PORT)
        made.listen()
        listener = made
    with listener, Agent(lab) as agent:
        heard = peers.hear_refusal(
            lab, lab.inside, phone, trunk, FRAUD, transport=transport
        )

        assert heard.ok, heard.text
        assert heard.answers == ["403"]
        assert agent.stop()["answered"] == 1
    assert lab.outside_wire.find(sent=False, has=DIALS) == []


@pytest.mark.parametrize(
    ("phone", "pbx"), [(PHONE_INSIDE, PBX), (PHONE_INSIDE6, PBX6)], ids=["v4", "v6"]
)
def test_the_pbx_hands_it_on_to_the_desk(any_lab: Lab, phone: str, pbx: str) -> None:
    """The main case: a blocked number dialled at a desk."""
    lab = any_lab
    peers.start_registrar(lab)
    peers.start_trunk(lab)
    with Agent(lab) as agent:
        good = peers.call(lab, lab.inside, phone, pbx, "0312345678", user="202")
        heard = peers.hear_refusal(
            lab, lab.inside, phone, pbx, FRAUD, by_pbx=True, user="202"
        )

        assert good.ok, good.text
        assert heard.ok, heard.text
        assert heard.answers == ["407", "403"]
        counters = agent.stop()
    assert lab.outside_wire.find(sent=False, has=DIALS) == []
    assert (counters["answered"], counters["acks_absorbed"]) == (1, 1)


@pytest.mark.parametrize("call", list(CALLS.values())[:2], ids=list(CALLS)[:2])
def test_an_answer_larger_than_a_packet(any_lab: Lab, call: Call) -> None:
    lab = any_lab
    caller = lab.udp(lab.inside, call.caller, SIP_PORT)
    host = f"[{call.caller}]" if ":" in call.caller else call.caller
    vias = b"".join(
        f"Via: SIP/2.0/UDP {host};branch=z9hG4bK-{n:050}\r\n".encode()
        for n in range(40)
    )
    text = dial(call).replace(b"Max-Forwards", vias + b"Max-Forwards")
    assert len(text) > 3_000
    with Agent(lab) as agent:
        caller.sendto(text, (call.server, SIP_PORT))
        heard = Message(caller.recv(65_535))

        assert heard.status == 403
        assert len(heard.values("via")) == 41
        assert agent.stop()["answered"] == 1
    came = lab.inside_wire.find(sent=False, src=call.server)
    assert len(came) >= 3
    assert all(seen.fragment for seen in came)


def test_a_stranger_never_hears_anything(any_lab: Lab) -> None:
    """Not as himself, and not with an address of ours."""
    lab = any_lab
    spoofed = "192.168.50.77"
    lab.outside.ip(f"address add {spoofed}/32 dev lo")
    lab.inside.ip(f"address add {spoofed}/24 dev wire")
    victim = lab.udp(lab.inside, spoofed, SIP_PORT)
    with Agent(lab) as agent:
        for source in (PHONE_JP, spoofed):
            with lab.outside.udp(source, SIP_PORT) as sender:
                text = request("INVITE", source, PBX, number=FRAUD)
                sender.sendto(text, (lab.registrar, SIP_PORT))
        said = agent.wait_event("decision", src=spoofed)

        assert (said["side"], said["verdict"]) == ("inside", "reject")
        lab.settle()
        counters = agent.stop()
    victim.settimeout(0)
    with pytest.raises(BlockingIOError):
        victim.recv(65_535)
    for wire in (lab.inside_wire, lab.outside_wire):
        assert wire.find(sent=False, start=b"SIP/2.0 ") == []
    assert (counters["answered"], counters["kernel"]["answers"]) == (0, 0)


def test_a_sender_inside_with_a_stranger_s_address_hears_nothing(lab: Lab) -> None:
    """An answer leaves by the interface that the call came in on, or not at all."""
    lab.inside.ip(f"address add {PHONE_JP}/32 dev wire")
    sender = lab.udp(lab.inside, PHONE_JP, SIP_PORT)
    with Agent(lab) as agent:
        sender.sendto(
            request("INVITE", PHONE_JP, TRUNK, number=FRAUD), (TRUNK, SIP_PORT)
        )
        agent.wait_event("decision", src=PHONE_JP)
        agent.stop()
    assert lab.outside_wire.find(sent=False, start=b"SIP/2.0 ") == []


def test_link_local_addresses(lab: Lab) -> None:
    phone, router = "fe80::20", "fe80::1"
    lab.inside.ip(f"address add {phone}/64 dev wire nodad")
    lab.router.ip(f"address add {router}/64 dev lan nodad")
    with lab.inside.entered():
        link = socket.if_nametoindex("wire")
        caller = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with caller, Agent(lab) as agent:
        caller.settimeout(5)
        caller.bind((phone, SIP_PORT, 0, link))
        text = request("INVITE", phone, router, number=FRAUD)
        caller.sendto(text, (router, SIP_PORT, 0, link))
        heard, came_from = caller.recvfrom(65_535)
        assert Message(heard).status == 403
        assert came_from[:2] == (router, SIP_PORT)
        assert agent.stop()["answered"] == 1


@pytest.mark.parametrize("status", [0, 603])
def test_the_status_is_the_operator_s_choice(lab: Lab, status: int) -> None:
    call = CALLS["forwarded-v4"]
    caller = lab.udp(lab.inside, call.caller, SIP_PORT)
    server = lab.udp(lab.outside, call.server, SIP_PORT)
    config: Config = {"policy": {"reject_status": status}}
    with Agent(lab, config) as agent:
        caller.sendto(dial(call), (call.server, SIP_PORT))
        agent.wait_event("decision", verdict="reject")
        if status:
            assert Message(caller.recv(65_535)).status == status
        else:
            # An ACK that is for nobody else is left alone then.
            caller.sendto(dial(call, "ACK"), (call.server, SIP_PORT))
            assert server.recv(65_535).startswith(b"ACK ")
        assert agent.stop()["answered"] == (1 if status else 0)


def test_a_reload_switches_it_on(lab: Lab) -> None:
    call = CALLS["forwarded-v4"]
    caller = lab.udp(lab.inside, call.caller, SIP_PORT)
    with Agent(lab, {"policy": {"reject_status": 0}}) as agent:
        text = agent.config.read_text()
        agent.config.write_text(
            text.replace("reject_status = 0", "reject_status = 486")
        )
        agent.reload()
        agent.wait_event("reload", ok=True)
        caller.sendto(dial(call), (call.server, SIP_PORT))

        assert Message(caller.recv(65_535)).status == 486


def test_without_the_capability_calls_are_dropped_in_silence(lab: Lab) -> None:
    call = CALLS["forwarded-v4"]
    caller = lab.udp(lab.inside, call.caller, SIP_PORT)
    without = ("setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw")
    with Agent(lab, program=(*without, *command(), "run")) as agent:
        notice = agent.wait_event("notice", notice="no-answers")
        assert "CAP_NET_RAW" in notice["error"]
        caller.sendto(dial(call), (call.server, SIP_PORT))
        agent.wait_event("decision", verdict="reject")
        counters = agent.stop()

    assert len(agent.events("notice", notice="no-answers")) == 1
    assert (counters["rejected"], counters["answered"]) == (1, 0)
    assert lab.inside_wire.find(sent=False, start=b"SIP/2.0 ") == []
    assert lab.outside_wire.find(sent=False, has=DIALS) == []


def test_a_loop_gets_only_so_many_answers(lab: Lab) -> None:
    call = CALLS["forwarded-v4"]
    caller = lab.udp(lab.inside, call.caller, SIP_PORT)
    most = 3 * int(BURST)
    with Agent(lab) as agent:
        began = time.monotonic()
        for number in range(most):
            caller.sendto(dial(call, call_id=f"{number}"), (call.server, SIP_PORT))
        sent_all = request("OPTIONS", *call[:2], call_id="last")
        caller.sendto(sent_all, (call.server, SIP_PORT))
        assert lab.outside_wire.wait(sent=False, has=b"Call-ID: last")
        seconds = time.monotonic() - began
        counters = agent.stop()
    assert counters["rejected"] == most
    assert BURST <= counters["answered"] <= BURST + RATE * seconds + 1
    assert counters["answered"] + counters["answers_held"] == most
    assert counters["answers_failed"] == 0


@pytest.mark.parametrize("nonlocal_bind", [0, 1])
@pytest.mark.parametrize(
    ("stranger", "ours", "server"),
    [(PHONE_JP, PHONE_INSIDE, TRUNK), (PHONE_JP6, PHONE_INSIDE6, TRUNK6)],
    ids=["v4", "v6"],
)
def test_what_this_machine_sent_is_answered_on_this_machine(
    lab: Lab, stranger: str, ours: str, server: str, nonlocal_bind: int
) -> None:
    """Whatever source address one of its own programs takes."""
    family = "ipv6" if ":" in ours else "ipv4"
    lab.inside.write_sysctl(f"{family}/ip_nonlocal_bind", nonlocal_bind)
    phone = lab.udp(lab.inside, ours, SIP_PORT)  # a second address of the interface
    judge = engine()
    with lab.inside.entered():
        answering = Answering()
        for caller in (stranger, ours):
            packet = udp(invite(FRAUD), caller, server, indev=0)
            refused = to_answer(judge.inspect(packet, NOW), 0, ())
            assert refused is not None
            answering.refuse(refused, packet.data, 0, 403, NOW, next_back=None)
    answering.close()

    assert Message(phone.recv(65_535)).status == 403
    lab.settle()
    for wire in (lab.inside_wire, lab.outside_wire):
        assert wire.find(sent=True, start=b"SIP/2.0 403") == []
        assert wire.find(sent=False, start=b"SIP/2.0 403") == []
