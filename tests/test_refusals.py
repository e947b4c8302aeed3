"""Who may be answered at all, and which ACKs are for nobody but us."""

from collections.abc import Mapping
from functools import cache

import pytest
from builders import (
    ACK,
    FIN,
    INSIDE,
    JAPAN,
    LISTED,
    NOW,
    PSH,
    ROUTER,
    ROUTER6,
    invite,
    response,
    settings,
    sip,
    tcp,
    udp,
)
from hypothesis import given
from hypothesis import strategies as st
from ringfence.decision import Decision, Verdict
from ringfence.engine import Engine
from ringfence.facts import Facts
from ringfence.packet import Instant, Packet, Segment
from ringfence.refusals import (
    ABSORBED,
    MAX_REFUSED,
    TIMER_H,
    Refused,
    next_back,
    to_answer,
)

LAN, WAN, TUNNEL = 2, 3, 4
STRANGERS = frozenset({WAN, TUNNEL})
INSIDE6 = "fd00::20"


cached_settings = cache(settings)


def facing(toml: str = "") -> Engine:
    made = Engine(cached_settings(toml))
    made.outside_interfaces = STRANGERS
    return made


def asked(
    made: Engine, packet: Packet, strangers: frozenset[int] = STRANGERS
) -> Refused | None:
    return to_answer(made.inspect(packet, NOW), packet.indev, strangers)


def method(found: Refused | None) -> str | None:
    return None if found is None else found.facts.message.method


@pytest.mark.parametrize("indev", [0, LAN])
@pytest.mark.parametrize("src", [INSIDE, INSIDE6])
def test_a_refused_call_from_inside_is_answered(src: str, indev: int) -> None:
    assert method(asked(facing(), udp(invite(LISTED), src, indev=indev))) == "INVITE"
    assert (
        method(asked(facing(), tcp(invite(LISTED), src=src, indev=indev))) == "INVITE"
    )


def test_nobody_is_answered_where_nobody_knows_who_is_a_stranger() -> None:
    nobody: frozenset[int] = frozenset()
    assert asked(facing(), udp(invite(LISTED), indev=LAN), nobody) is None
    assert asked(facing(), udp(invite(LISTED), indev=-1)) is None  # a capture
    # What this machine sends itself, it sends under its own name.
    assert method(asked(facing(), udp(invite(LISTED), indev=0), nobody)) == "INVITE"


REQUESTS = st.sampled_from(
    ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER", "REFER", "invite", "X"]
)
NUMBERS = st.sampled_from([LISTED, "110", "0312345678", "00" * 9, "201"])
SOURCES = st.sampled_from(
    [INSIDE, JAPAN, ROUTER, "10.0.0.1", "127.0.0.1", "192.0.2.10"]
)
SOURCES6 = st.sampled_from([INSIDE6, ROUTER6, "fe80::1", "2001:db8:31::10", "::1"])


@given(
    REQUESTS,
    NUMBERS,
    SOURCES | SOURCES6,
    st.sampled_from(sorted(STRANGERS)),
    st.booleans(),
    st.binary(max_size=40),
)
def test_nothing_from_outside_is_ever_answered(
    method: str, number: str, src: str, indev: int, by_tcp: bool, tail: bytes
) -> None:
    """Whoever it claims to be, whatever it dials."""
    text = sip(method, f"sip:{number}@{ROUTER}") + tail
    packet = tcp(text, src=src, indev=indev) if by_tcp else udp(text, src, indev=indev)
    assert asked(facing('[numbers]\nblock = ["81", "1"]\n'), packet) is None


@given(st.binary(max_size=200), st.sampled_from([0, LAN, WAN]))
def test_whatever_arrives_only_calls_from_inside_are_answered(
    data: bytes, indev: int
) -> None:
    found = asked(facing(), Packet(data, length=len(data), indev=indev))
    assert found is None or found.facts.side == "inside"


@pytest.mark.parametrize(
    "text", [invite("0312345678"), invite("110"), sip("OPTIONS"), response(403)]
)
def test_what_passes_is_not_answered(text: bytes) -> None:
    assert asked(facing(), udp(text, indev=LAN)) is None


def test_monitoring_answers_nobody() -> None:
    assert asked(facing('mode = "monitor"\n'), udp(invite(LISTED), indev=LAN)) is None


def test_acks_cancels_and_responses_are_never_answered() -> None:
    made = facing()
    decision = made.inspect(udp(invite(LISTED), indev=LAN), NOW)
    for text in (sip("ACK"), sip("CANCEL"), response(200)):
        other = made.inspect(udp(text, indev=LAN), NOW).findings[0]
        forged = decision.findings[0]._replace(facts=other.facts)
        refused = Decision(Verdict.REJECT, "test", (forged,))
        assert to_answer(refused, LAN, STRANGERS) is None
    assert to_answer(decision, LAN, STRANGERS) is not None


def test_a_packet_that_is_dropped_for_something_else_is_not_answered() -> None:
    """What is flawed besides is refused without a word."""
    decision = facing().inspect(udp(invite(LISTED), indev=LAN), NOW)
    assert to_answer(decision, LAN, STRANGERS) is not None
    assert to_answer(decision._replace(verdict=Verdict.DROP), LAN, STRANGERS) is None


def test_of_two_calls_in_one_segment_the_first_is_answered() -> None:
    second = invite(LISTED, {"Call-ID": "second"})
    found = asked(facing(), tcp(invite(LISTED) + second, indev=LAN))
    assert found is not None
    assert found.facts.message.call_id == "a84b4c76e66710@example.com"


def ack(fields: Mapping[str, str | None] | None = None) -> bytes:
    return sip("ACK", f"sip:{LISTED}@{ROUTER}", fields)


def at(mono: float) -> Instant:
    return NOW._replace(mono=NOW.mono + mono)


@pytest.mark.parametrize("indev", [0, LAN, -1])
def test_the_ack_of_a_refusal_goes_no_further(indev: int) -> None:
    made = facing()
    assert made.inspect(udp(ack(), indev=indev), NOW).verdict is Verdict.ACCEPT
    made.inspect(udp(invite(LISTED), indev=indev), NOW)
    for seconds in (0.0, TIMER_H):  # a repeated one neither
        decision = made.inspect(udp(ack(), indev=indev), at(seconds))
        assert decision.verdict is Verdict.DROP
        assert decision.findings[0].ruling is ABSORBED
    assert made.refusals.absorbed == 2
    late = made.inspect(udp(ack(), indev=indev), at(TIMER_H + 0.1))
    assert late.verdict is Verdict.ACCEPT


@pytest.mark.parametrize(
    "fields",
    [
        {"Call-ID": "another"},
        {"CSeq": "2 ACK"},
        {"Via": f"SIP/2.0/UDP {INSIDE}:5060;branch=z9hG4bKanother"},
    ],
)
def test_other_acks_go_on(fields: dict[str, str | None]) -> None:
    made = facing()
    made.inspect(udp(invite(LISTED), indev=LAN), NOW)
    assert made.inspect(udp(ack(fields), indev=LAN), NOW).verdict is Verdict.ACCEPT
    other = udp(ack(), "192.168.50.21", indev=LAN)
    assert made.inspect(other, NOW).verdict is Verdict.ACCEPT
    elsewhere = udp(ack(), dst="203.0.113.2", indev=LAN)
    assert made.inspect(elsewhere, NOW).verdict is Verdict.ACCEPT


def test_a_cancel_goes_on() -> None:
    made = facing()
    made.inspect(udp(invite(LISTED), indev=LAN), NOW)
    cancel = udp(sip("CANCEL", f"sip:{LISTED}@{ROUTER}"), indev=LAN)
    assert made.inspect(cancel, NOW).verdict is Verdict.ACCEPT


def test_the_ack_of_a_call_that_passes_is_never_taken() -> None:
    """Not even where a phone calls 110 under the identity of its refused call."""
    made = facing()
    made.inspect(udp(invite(LISTED), indev=LAN), NOW)
    made.inspect(udp(invite("110"), indev=LAN), NOW)
    assert made.inspect(udp(ack(), indev=LAN), NOW).verdict is Verdict.ACCEPT


def test_over_tcp_an_ack_on_a_new_connection_passes() -> None:
    made = facing()
    made.inspect(tcp(invite(LISTED), indev=LAN), NOW)
    again = tcp(ack(), sport=40_001, indev=LAN)
    assert made.inspect(again, NOW).verdict is Verdict.ACCEPT
    dead = tcp(ack(), seq=1 + len(invite(LISTED)), indev=LAN)
    assert made.inspect(dead, NOW).reason == "refused-flow"


def test_nothing_is_remembered_of_strangers_or_without_answers() -> None:
    made = facing()
    made.inspect(udp(invite(LISTED), JAPAN, indev=WAN), NOW)
    assert made.inspect(udp(ack(), JAPAN, indev=WAN), NOW).verdict is Verdict.ACCEPT
    silent = facing("[policy]\nreject_status = 0\n")
    silent.inspect(udp(invite(LISTED), indev=LAN), NOW)
    assert silent.inspect(udp(ack(), indev=LAN), NOW).verdict is Verdict.ACCEPT


def test_the_table_is_bounded() -> None:
    made = facing()
    first = {"Call-ID": "call-0"}
    for number in range(MAX_REFUSED):
        made.inspect(udp(invite(LISTED, {"Call-ID": f"call-{number}"}), indev=LAN), NOW)
    assert made.inspect(udp(ack(first), indev=LAN), NOW).verdict is Verdict.DROP
    made.inspect(udp(invite(LISTED, {"Call-ID": "one-more"}), indev=LAN), NOW)
    assert made.inspect(udp(ack(first), indev=LAN), NOW).verdict is Verdict.ACCEPT


def going_on(made: Engine, packet: Packet) -> int | None:
    decision = made.inspect(packet, NOW)
    facts = decision.findings[-1].facts
    assert isinstance(facts, Facts)
    assert isinstance(facts.packet, Segment)
    segment = facts.packet._replace(ack=5_000)
    return next_back(made.intake.streams, segment, NOW.mono)


def server_says(payload: bytes, seq: int, flags: int = ACK | PSH) -> Packet:
    return tcp(payload, seq, flags, ROUTER, INSIDE, sport=5060, dport=40_000, indev=WAN)


OK = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([], 5_000),
        ([(OK, 5_000 - len(OK))], 5_000),
        ([(OK, 5_000)], 5_000 + len(OK)),  # still on its way to the caller
        ([(OK[:20], 5_000)], None),  # in the middle of a message
        ([(OK, 1)], 5_000),  # we have missed some
    ],
)
def test_where_the_server_would_go_on(
    said: list[tuple[bytes, int]], expected: int | None
) -> None:
    made = facing()
    for payload, seq in said:
        made.inspect(server_says(payload, seq), NOW)
    assert going_on(made, tcp(invite(LISTED), indev=LAN)) == expected


def test_where_no_connection_is_there_is_no_going_on() -> None:
    for flags in (PSH, ACK | PSH | 0x02):
        made = facing()
        assert going_on(made, tcp(invite(LISTED), flags=flags, indev=LAN)) is None
    fine = tcp(invite(LISTED), flags=ACK | FIN, indev=LAN)
    assert going_on(facing(), fine) == 5_000
