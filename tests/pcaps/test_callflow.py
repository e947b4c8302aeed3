"""Calls as the router sees them: which message follows which, for every outcome."""

from call import (
    ANSWERED,
    BUSY,
    CANCELLED,
    CROSSED,
    PBX,
    TRUNK,
    UNANSWERED,
    UNKNOWN,
    UNREACHABLE,
    Call,
)
from callflow import messages, refusal
from dialogs import Agent, Timed
from ringfence.sip.message import Message

PHONE = Agent("198.51.100.81", 5060, "192.168.1.20", 5060, "Desk Phone")
BEGIN = 1_795_000_000.0
PLAIN = Call(
    call_id="plain@203.0.113.1",
    direction="out",
    theft=False,
    who="201",
    dialled="0311110000",
    number="+81311110000",
    country="JP",
    begin=BEGIN,
    answered=BEGIN + 8,
    ended=BEGIN + 48,
    outcome=ANSWERED,
    ended_by="caller",
)
FAILED = PLAIN._replace(answered=None, ended=BEGIN + 20)
SEEDS = range(300)


def legs(packets: list[Timed]) -> dict[str, list[tuple[float, Message, bool]]]:
    """Sort packets by leg: when, what, and whether it comes from the PBX."""
    found: dict[str, list[tuple[float, Message, bool]]] = {}
    for when, packet in sorted(packets, key=lambda one: one[0]):
        message = Message(packet[28:])
        from_pbx = packet[12:16] == bytes([192, 168, 50, 2])
        found.setdefault(message.call_id or "", []).append((when, message, from_pbx))
    return found


def words(leg: list[tuple[float, Message, bool]]) -> list[str]:
    """Say a leg in words: `>` from the PBX, `<` to it, repeats left out."""
    said: dict[bytes, str] = {}
    for _, message, from_pbx in leg:
        what = message.method or f"{message.status} {message.cseq[1]}"
        said.setdefault(message.raw, f"{'>' if from_pbx else '<'}{what}")
    return list(said.values())


def trunk(call: Call) -> list[str]:
    return words(legs(messages(call))[call.call_id])


def variants(call: Call) -> set[str]:
    """Give all the ways in which calls like this one pass, in words."""
    return {
        " ".join(trunk(call._replace(call_id=f"{seed}@203.0.113.1"))) for seed in SEEDS
    }


ASKED = ">INVITE <407 INVITE >ACK >INVITE <100 INVITE"
SENT = ">INVITE <100 INVITE"


def test_an_answered_call() -> None:
    tail = "<200 INVITE >ACK >BYE <200 BYE"
    calls = {
        f"{start} {ring} {tail}"
        for start in (ASKED, SENT)
        for ring in ("<180 INVITE", "<183 INVITE", "<183 INVITE <180 INVITE")
    }
    assert variants(PLAIN) == calls


def test_the_called_party_hangs_up() -> None:
    found = variants(PLAIN._replace(ended_by="called"))
    assert any(one.endswith(">ACK <BYE >200 BYE") for one in found)
    assert not any(">BYE" in one for one in found)


def test_a_line_that_breaks_says_nothing() -> None:
    found = variants(PLAIN._replace(ended_by=""))
    assert all(one.endswith("<200 INVITE >ACK") for one in found)


def test_refusals() -> None:
    for outcome, status in ((BUSY, 486), (UNREACHABLE, 480), (UNKNOWN, 404)):
        call = FAILED._replace(outcome=outcome, ended_by="called")
        found = variants(call)
        assert all(one.endswith(f" <{status} INVITE >ACK") for one in found)
        assert not any("CANCEL" in one or "BYE" in one for one in found)


def test_calls_that_are_given_up() -> None:
    for outcome in (UNANSWERED, CANCELLED):
        found = variants(FAILED._replace(outcome=outcome))
        end = ">CANCEL <200 CANCEL <487 INVITE >ACK"
        assert all(one.endswith(end) for one in found)


def test_a_call_given_up_while_it_is_answered() -> None:
    call = PLAIN._replace(outcome=CROSSED, ended=BEGIN + 8.03)
    found = variants(call)
    assert all(">CANCEL <200 INVITE" in one for one in found)
    assert all(">BYE" in one and "<487" not in one for one in found)


def test_an_incoming_call() -> None:
    call = PLAIN._replace(direction="in", dialled="0312345600")
    found = variants(call)
    assert "<INVITE >100 INVITE >180 INVITE >200 INVITE <ACK <BYE >200 BYE" in found
    assert not any("407" in one or "401" in one for one in found)
    (leg,) = legs(messages(call)).values()
    assert "+81311110000" in (leg[0][1].field("p-asserted-identity") or "")


def test_a_caller_may_withhold_the_number() -> None:
    call = PLAIN._replace(direction="in", number="", country="")
    ((_, invite, _), *_) = next(iter(legs(messages(call)).values()))
    assert "anonymous.invalid" in (invite.field("from") or "")
    assert invite.field("p-asserted-identity") is None


def test_what_is_true_shows_at_the_trunk_to_the_millisecond() -> None:
    for seed in SEEDS:
        call = PLAIN._replace(call_id=f"{seed}@203.0.113.1")
        times: dict[str, float] = {}
        for when, message, _ in legs(messages(call))[call.call_id]:
            what = message.method or f"{message.status} {message.cseq[1]}"
            times.setdefault(what, when)
        assert times["INVITE"] == call.begin
        assert times["200 INVITE"] == call.answered
        assert times["BYE"] == call.ended


def test_some_messages_are_repeated() -> None:
    repeated: set[str] = set()
    for seed in range(3_000):
        packets = messages(PLAIN._replace(call_id=f"{seed}@203.0.113.1"))
        seen: set[bytes] = set()
        for _, packet in packets:
            if packet in seen:
                message = Message(packet[28:])
                repeated.add(message.method or f"{message.status} {message.cseq[1]}")
            seen.add(packet)
    assert repeated >= {"INVITE", "100 INVITE", "200 INVITE", "ACK", "BYE", "200 BYE"}


def test_a_bye_that_nobody_hears_is_repeated_until_timer_f() -> None:
    for seed in range(3_000):
        call = PLAIN._replace(call_id=f"{seed}@203.0.113.1")
        leg = legs(messages(call))[call.call_id]
        byes = [
            when - call.ended for when, message, _ in leg if message.method == "BYE"
        ]
        if len(byes) > 2:
            break
    else:
        raise AssertionError("no such call among the seeds")
    rounded = [round(one, 3) for one in byes]
    assert rounded == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert "<200 BYE" not in words(leg)


def test_long_calls_are_refreshed_and_some_are_held() -> None:
    call = PLAIN._replace(ended=BEGIN + 8 + 2_000)
    refreshed = held = 0
    for seed in SEEDS:
        this = call._replace(call_id=f"{seed}@203.0.113.1")
        leg = legs(messages(this))[this.call_id]
        again = [
            message
            for when, message, _ in leg
            if message.method == "INVITE" and when > (this.answered or 0)
        ]
        assert all(";tag=" in (one.field("to") or "") for one in again)
        refreshed += len(again) == 2
        held += any(b"a=sendonly" in one.raw for one in again)
    assert refreshed > 0.8 * len(SEEDS)
    assert 0.02 * len(SEEDS) < held < 0.25 * len(SEEDS)


def test_cseq_grows_within_each_direction() -> None:
    call = PLAIN._replace(ended=BEGIN + 8 + 2_000)
    for seed in SEEDS:
        this = call._replace(call_id=f"{seed}@203.0.113.1")
        last = 0
        for _, message, from_pbx in legs(messages(this))[this.call_id]:
            if message.method and from_pbx:
                assert int(message.cseq[0]) >= last
                last = int(message.cseq[0])


def test_a_telephone_outside_has_a_leg_of_its_own() -> None:
    for ended_by in ("caller", "called"):
        call = PLAIN._replace(outer=PHONE, who="208", ended_by=ended_by)
        sorted_legs = legs(messages(call))
        at_trunk = sorted_legs.pop(call.call_id)
        (outside,) = sorted_legs.values()
        assert outside[0][0] < at_trunk[0][0], "it calls the PBX first"
        said = " ".join(words(outside))
        assert said.startswith("<INVITE >")
        assert ("<BYE" if ended_by == "caller" else ">BYE") in said
        assert outside[0][1].name_addr("from") is not None
        assert "208" in (outside[0][1].field("from") or "")


def test_a_telephone_outside_stops_ringing_when_another_answers() -> None:
    call = PLAIN._replace(direction="in", outer=PHONE, who="202", rings_only=True)
    sorted_legs = legs(messages(call))
    sorted_legs.pop(call.call_id)
    (outside,) = sorted_legs.values()
    said = words(outside)
    assert said[0] == ">INVITE"
    assert said[-4:] == [">CANCEL", "<200 CANCEL", "<487 INVITE", ">ACK"]


def test_a_call_sent_on_says_so() -> None:
    leg = legs(messages(PLAIN._replace(diverted=True)))[PLAIN.call_id]
    assert "0312345600" in (leg[0][1].field("diversion") or "")
    leg = legs(messages(PLAIN))[PLAIN.call_id]
    assert leg[0][1].field("diversion") is None


def test_a_caller_outside_hears_of_a_refusal_on_his_own_leg() -> None:
    for seed in SEEDS:
        call = PLAIN._replace(call_id=f"{seed}@203.0.113.1", outer=PHONE, who="208")
        sorted_legs = legs(messages(call))
        sorted_legs.pop(call.call_id)
        ((outside_id, outside),) = sorted_legs.items()
        ((refused_id, refused),) = legs(refusal(call)).items()
        assert refused_id == outside_id
        assert words(refused)[-2:] == [">503 INVITE", "<ACK"]
        assert {one.branch for _, one, _ in refused} <= {
            one.branch for _, one, _ in outside
        }
        assert min(when for when, _, _ in refused) > call.begin


def test_nobody_outside_hears_of_other_refusals() -> None:
    assert refusal(PLAIN) == []
    assert refusal(PLAIN._replace(direction="in", outer=PHONE)) == []


def test_a_call_that_was_never_answered_lasts_no_time() -> None:
    assert PLAIN.duration == 40
    assert FAILED.duration == 0


def test_the_two_ends_are_where_the_documentation_says() -> None:
    assert (PBX.address, TRUNK.address) == ("192.168.50.2", "198.51.100.50")
