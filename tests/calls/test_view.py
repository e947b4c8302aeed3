"""One call is one call: however often its messages come, wherever they come from."""

import sys
import tracemalloc
from itertools import pairwise

import pytest
from builders import JAPAN
from dialling import (
    ABROAD,
    HOME,
    PBX,
    PHONE,
    SIERRA,
    STRANGER,
    TRUNK,
    TRUNK2,
    Line,
    Watched,
    at,
    facts,
    octets,
)
from ringfence.calls import CallView
from ringfence.calls.call import State
from ringfence.calls.stages import (
    CAPACITY,
    QUIET_FOR,
    REPEATED_WITHIN,
    RINGS_FOR,
    TALKS_FOR,
    UNANSWERED_FOR,
)
from ringfence.calls.view import MAX_DIALOGS, MAX_HOPS, MAX_PATHS, MAX_WAITING

WHOLE = ["begun", "answered", "ended"]


def test_a_call_from_begin_to_end() -> None:
    line, seen = Line(), Watched()
    assert seen.see(line.invite(), 0) == ["begun"]
    assert seen.see(line.answer(100, ""), 0.1) == []
    assert seen.see(line.answer(180), 1) == []
    assert seen.view.at_once("out") == seen.view.at_once("out", "PH") == 1
    assert seen.view.running() == []
    assert seen.see(line.answer(200), 4) == ["answered"]
    assert seen.see(line.request("ACK", to_tag="to1"), 4.1) == []
    call = seen.events[0].call
    assert seen.view.running() == [call]
    assert seen.see(line.request("BYE", to_tag="to1"), 64.5) == ["ended"]
    assert seen.see(line.answer(200, method="BYE"), 64.6) == []
    assert (call.direction, call.country, call.e164) == ("out", "PH", "6391234567")
    assert (call.abroad, call.costs, call.counts) == (True, True, True)
    assert (call.account, call.why, call.status) == ("201", "bye", 200)
    assert call.talked(9999.0) == pytest.approx(60.5)
    assert call.rang == pytest.approx(4)
    assert seen.view.at_once("out") == seen.view.at_once_by("201") == 0
    assert seen.view.running() == []


def test_whatever_is_sent_twice_counts_once() -> None:
    line, seen = Line(), Watched()
    messages = [
        (0, line.invite()),
        (1, line.answer(100, "")),
        (2, line.answer(180)),
        (3, line.answer(200)),
        (4, line.request("ACK", to_tag="to1")),
        (30, line.request("BYE", to_tag="to1")),
        (31, line.answer(200, method="BYE")),
    ]
    for when, message in messages:
        for again in range(3):
            seen.see(message, when + again / 10)
    for _, message in messages:
        seen.see(message, 32)
    assert seen.kinds == WHOLE
    assert seen.events[0].call.talked(0) == pytest.approx(27)


def test_what_is_over_is_known_as_such_for_a_while_and_then_forgotten() -> None:
    line, seen = Line(), Watched()
    seen.up(line, 0)
    seen.see(line.request("BYE", to_tag="to1"), 10)
    seen.tick(42)
    assert seen.see(line.invite(), 42) == []
    seen.tick(42.1)
    sizes = seen.view.stages.sizes()
    assert {size for size, _ in sizes.values()} == {0}
    assert seen.view.bare
    assert seen.see(line.invite(), 42.2) == ["begun"]


@pytest.mark.parametrize("status", [401, 407, 422, 488])
def test_an_invite_that_is_repeated_with_what_was_missing(status: int) -> None:
    line, seen = Line(), Watched()
    seen.see(line.invite(), 0)
    seen.see(line.answer(status), 0.1)
    assert seen.view.at_once("out") == 0
    seen.see(line.request("ACK", to_tag="to1", branch="b1"), 0.2)
    again = Line(cseq=2, branch="b2", user="201", extra={"Authorization": _digest()})
    assert seen.see(again.invite(), 0.3) == []
    assert seen.see(line.answer(status), 0.35) == []  # the first refusal, once more
    assert seen.see(line.invite(), 0.36) == []  # and the first INVITE
    assert seen.see(again.answer(200), 3) == ["answered"]
    assert seen.see(again.request("BYE", to_tag="to1"), 63) == ["ended"]
    assert seen.kinds == WHOLE
    assert seen.events[0].call.talked(0) == pytest.approx(60)
    assert seen.events[0].call.account == "alice"


def _digest() -> str:
    return 'Digest username="alice", realm="r", nonce="n", response="1"'


def test_an_invite_repeated_under_its_old_cseq_and_branch_but_for_the_password() -> (
    None
):
    # chan_sip's and scanners' way: nothing changes but the credentials.
    line, seen = Line(), Watched()
    seen.see(line.invite(), 0)
    seen.see(line.answer(401), 0.1)
    again = Line(branch="b2", extra={"Authorization": _digest()})
    assert seen.see(again.invite(), 0.3) == []
    assert seen.see(again.answer(200), 3) == ["answered"]


def test_a_challenge_that_nobody_takes_up_ends_the_call() -> None:
    line, seen = Line(), Watched()
    seen.see(line.invite(), 0)
    seen.see(line.answer(401), 1)
    assert seen.tick(1 + REPEATED_WITHIN) == []
    assert seen.tick(1.1 + REPEATED_WITHIN) == ["ended"]
    call = seen.events[0].call
    assert (call.why, call.status, call.answered) == ("refused", 401, None)
    again = Line(cseq=2, branch="b2")
    assert seen.see(again.invite(), 34) == ["begun"]


def test_another_number_after_a_challenge_is_another_call() -> None:
    line, seen = Line(number=HOME), Watched()
    seen.see(line.invite(), 0)
    seen.see(line.answer(401), 0.1)
    again = Line(number=SIERRA, cseq=2, branch="b2")
    assert seen.see(again.invite(), 0.3) == ["begun"]
    assert seen.see(again.answer(200), 1) == ["answered"]
    assert seen.events[-1].call.country == "SL"


def test_a_repeated_invite_that_we_refuse_ends_the_call() -> None:
    line, seen = Line(), Watched()
    seen.see(line.invite(), 0)
    seen.see(line.answer(401), 0.1)
    again = Line(cseq=2, branch="b2")
    events = seen.view.stopped(again.invite(), at(0.2))
    assert [event.kind for event in events] == ["ended"]
    assert seen.view.stopped(again.invite(), at(0.2)) == []


def test_refused_calls_that_run_are_not_ended_by_a_refused_invite() -> None:
    line, seen = Line(), Watched()
    seen.up(line, 0)
    assert seen.view.stopped(Line(cseq=2, branch="b2").invite(), at(5)) == []


@pytest.mark.parametrize("status", [300, 302, 404, 486, 503, 603])
def test_a_final_refusal_ends_the_call(status: int) -> None:
    line, seen = Line(), Watched()
    seen.see(line.invite(), 0)
    seen.see(line.answer(180), 1)
    assert seen.see(line.answer(status), 9) == ["ended"]
    call = seen.events[-1].call
    assert (call.status, call.why, call.talked(99)) == (status, "refused", 0)
    assert call.rang == pytest.approx(9)
    assert seen.see(line.answer(status), 9.5) == []
    assert seen.see(line.request("ACK", to_tag="to1", branch="b1"), 9.6) == []


def test_several_phones_ring_and_two_pick_up() -> None:
    line, seen = Line(), Watched()
    seen.see(line.invite(), 0)
    for to_tag in ("to1", "to2", "to3"):
        seen.see(line.answer(180, to_tag), 1)
    assert seen.see(line.answer(200, "to2"), 3) == ["answered"]
    assert seen.see(line.answer(200, "to3"), 3.1) == []
    # The caller keeps the first and ends the second.
    assert seen.see(line.request("BYE", to_tag="to3"), 3.2) == []
    assert seen.see(line.answer(200, "to3", method="BYE"), 3.3) == []
    assert seen.see(line.answer(200, "to3"), 3.4) == []  # repeated: stays ended
    assert seen.view.at_once("out") == 1
    assert seen.see(line.request("BYE", to_tag="to2"), 63) == ["ended"]
    assert seen.kinds == WHOLE
    assert seen.events[0].call.talked(0) == pytest.approx(60)


def test_more_phones_than_are_told_apart_do_not_keep_a_call_open() -> None:
    line, seen = Line(), Watched()
    seen.see(line.invite(), 0)
    tags = [f"to{number}" for number in range(MAX_DIALOGS + 1)]
    for to_tag in tags:
        seen.see(line.answer(200, to_tag), 1)
    for to_tag in tags[1:MAX_DIALOGS]:
        assert seen.see(line.request("BYE", to_tag=to_tag), 2) == []
    assert seen.see(line.request("BYE", to_tag=tags[-1]), 2) == []
    assert seen.see(line.request("BYE", to_tag=tags[0]), 9) == ["ended"]


def test_as_many_phones_as_are_told_apart_all_keep_a_call_open() -> None:
    line, seen = Line(), Watched()
    seen.see(line.invite(), 0)
    tags = [f"to{number}" for number in range(MAX_DIALOGS + 1)]
    for to_tag in tags:
        seen.see(line.answer(200, to_tag), 1)
    kinds = [seen.see(line.request("BYE", to_tag=to_tag), 2) for to_tag in tags]
    assert kinds == [*([[]] * (MAX_DIALOGS - 1)), ["ended"], []]


def test_another_cseq_is_another_call_though_it_goes_elsewhere() -> None:
    seen = Watched()
    seen.see(Line(number="201").invite(), 0)
    other = Line(number="201", callee=TRUNK2, branch="b2", cseq=2)
    assert seen.see(other.invite(), 0) == ["begun"]


def test_a_branch_used_again_outlives_the_call_that_had_it_first() -> None:
    first, second, seen = Line(number=HOME), Line(number=SIERRA), Watched()
    seen.see(first.invite(), 0)
    seen.see(second.invite(), 20)
    seen.see(second.answer(180), 21)
    for seconds in (40, 80, 120):
        seen.tick(seconds)
    assert seen.see(second.answer(200), 121) == ["answered"]


def test_a_proxy_of_ours_forks_and_one_branch_fails() -> None:
    one = Line(number="201")
    other = Line(number="201", callee=TRUNK2, branch="b2")
    seen = Watched()
    assert seen.see(one.invite(), 0) == ["begun"]
    assert seen.see(other.invite(), 0) == []
    assert seen.see(one.answer(486), 1) == []
    assert seen.see(other.answer(200), 2) == ["answered"]
    assert seen.see(one.answer(486), 2) == []
    assert seen.see(other.request("BYE", to_tag="to1"), 9) == ["ended"]


def test_a_proxy_of_ours_forks_and_cancels_what_rings_on() -> None:
    one = Line(number="201")
    other = Line(number="201", callee=TRUNK2, branch="b2")
    seen = Watched()
    seen.see(one.invite(), 0)
    seen.see(other.invite(), 0)
    seen.see(one.answer(180), 1)
    seen.see(other.answer(180), 1)
    assert seen.see(one.request("CANCEL"), 2) == []
    assert seen.see(one.answer(487), 2.1) == []
    seen.tick(60)
    assert seen.see(other.answer(200), 61) == ["answered"]


def test_all_branches_fail() -> None:
    one = Line(number="201")
    other = Line(number="201", callee=TRUNK2, branch="b2")
    seen = Watched()
    seen.see(one.invite(), 0)
    seen.see(other.invite(), 0)
    assert seen.see(other.answer(404), 1) == []
    assert seen.see(one.answer(486), 2) == ["ended"]


def test_one_name_for_several_calls_hides_none() -> None:
    """Equal Call-ID, From tag and CSeq, even an equal number: two calls to pay for."""
    seen = Watched()
    for branch in ("b1", "b2", "b3"):
        assert seen.see(Line(branch=branch).invite(), 0) == ["begun"]
    for branch in ("b1", "b2", "b3"):
        answered = seen.see(Line(branch=branch).answer(200, f"to{branch}"), 2)
        assert answered == ["answered"]
    assert seen.view.at_once("out", "PH") == 3
    for branch in ("b1", "b2", "b3"):
        ended = seen.see(Line(branch=branch).request("BYE", to_tag=f"to{branch}"), 9)
        assert ended == ["ended"]


def test_a_branch_used_again_for_another_number_hides_none() -> None:
    seen = Watched()
    assert seen.see(Line(number=HOME).invite(), 0) == ["begun"]
    assert seen.see(Line(number=SIERRA).invite(), 1) == ["begun"]
    assert seen.see(Line(number=SIERRA).answer(200), 2) == ["answered"]
    assert seen.events[-1].call.country == "SL"


def test_dialled_again_after_the_end_is_another_call() -> None:
    seen = Watched()
    seen.see(Line().invite(), 0)
    seen.see(Line().answer(486), 1)
    again = Line(cseq=2, branch="b2")
    assert seen.see(again.invite(), 5) == ["begun"]


class TestDialogsThatNobodySawBegin:
    """An INVITE with a To tag: a call from before our start, or a trick."""

    def test_one_abroad_is_a_call(self) -> None:
        line, seen = Line(), Watched()
        invite = line.request("INVITE", to_tag="made-up")
        assert seen.view.known(invite) is None
        assert seen.see(invite, 0) == ["begun"]
        assert seen.view.known(invite) is not None, "it may be repeated"
        assert seen.see(invite, 0.5) == []
        assert seen.see(line.answer(200, "made-up"), 1) == ["answered"]
        again = line.request("INVITE", to_tag="made-up", cseq=2, branch="b2")
        assert seen.view.known(again) is not None
        assert seen.see(again, 900) == []
        assert seen.see(line.request("BYE", to_tag="made-up"), 999) == ["ended"]

    def test_one_at_home_or_from_outside_is_not(self) -> None:
        seen = Watched()
        home = Line(number=HOME).request("INVITE", to_tag="made-up")
        outside = Line(caller=JAPAN, callee=PBX).request("INVITE", to_tag="made-up")
        assert seen.see(home, 0) == seen.see(outside, 0) == []

    def test_a_caller_abroad_is_put_on_hold(self) -> None:
        """Our PBX asks him by his number, which is one abroad."""
        seen = Watched()
        line = Line(number=HOME, caller=TRUNK, callee=PBX, user="+639123456789")
        seen.up(line, 0)
        hold = line.request("INVITE", to_tag="to1", back=True, cseq=7, branch="h")
        uri = f"sip:{HOME}@".encode(), b"sip:+639123456789@"
        raw = hold.message.raw.replace(b"INVITE " + uri[0], b"INVITE " + uri[1], 1)
        hold = facts(raw, PBX, TRUNK)
        reading = hold.reading
        assert reading is not None
        assert reading.abroad
        assert seen.view.known(hold) is seen.events[0].call
        assert seen.see(hold, 9) == []
        elsewhere = facts(raw, PBX, TRUNK2)  # where his Contact is
        assert seen.view.known(elsewhere) is seen.events[0].call
        assert seen.see(elsewhere, 10) == []
        other = facts(raw, PHONE, TRUNK)
        assert seen.view.known(other) is None


class TestSeveralCarriers:
    """One INVITE under one name to several, each of whom bills what he connects."""

    def test_each_that_answers_is_a_call(self) -> None:
        seen = Watched()
        lines = [Line(callee=one, branch=one) for one in (TRUNK, TRUNK2)]
        for line in lines:
            seen.see(line.invite(), 0)
        assert seen.see(lines[0].answer(200, "to1"), 1) == ["answered"]
        assert seen.see(lines[1].answer(200, "to2"), 2) == ["begun", "answered"]
        assert seen.see(lines[1].answer(200, "to2"), 2.5) == [], "repeated"
        assert seen.see(lines[0].request("BYE", to_tag="to1"), 9) == ["ended"]
        assert seen.see(lines[1].request("BYE", to_tag="to2"), 11) == ["ended"]
        talked = [one.call.talked(0) for one in seen.events if one.kind == "ended"]
        assert talked == [8, 9]

    def test_the_second_after_the_first_is_over(self) -> None:
        seen = Watched()
        lines = [Line(callee=one, branch=one) for one in (TRUNK, TRUNK2)]
        for line in lines:
            seen.see(line.invite(), 0)
        seen.see(lines[0].answer(200, "to1"), 1)
        seen.see(lines[0].request("BYE", to_tag="to1"), 2)
        assert seen.see(lines[1].answer(200, "to2"), 3) == ["begun", "answered"]

    def test_more_at_once_than_a_pbx_has_trunks_are_several(self) -> None:
        seen = Watched()
        for number in range(MAX_WAITING + 1):
            line = Line(callee=f"198.51.100.{number + 60}", branch=f"b{number}")
            seen.see(line.invite(), number / 100)
        assert seen.kinds == ["begun", "begun"]


class TestCancel:
    def test_before_an_answer(self) -> None:
        line, seen = Line(), Watched()
        seen.see(line.invite(), 0)
        seen.see(line.answer(180), 1)
        assert seen.see(line.request("CANCEL"), 5) == []
        assert seen.see(line.answer(200, method="CANCEL"), 5.1) == []
        assert seen.see(line.answer(487), 5.2) == ["ended"]
        assert seen.events[-1].call.why == "cancelled"

    def test_crossed_by_a_2xx(self) -> None:
        line, seen = Line(), Watched()
        seen.see(line.invite(), 0)
        seen.see(line.answer(180), 1)
        assert seen.see(line.request("CANCEL"), 5) == []
        assert seen.see(line.answer(200), 5.1) == ["answered"]
        assert seen.events[-1].call.why == ""
        assert seen.see(line.request("CANCEL"), 5.2) == []
        assert seen.see(line.request("BYE", to_tag="to1"), 5.3) == ["ended"]
        assert seen.events[-1].call.why == "bye"
        assert seen.events[-1].call.talked(0) == pytest.approx(0.2)

    def test_crossed_by_a_challenge(self) -> None:
        line, seen = Line(), Watched()
        seen.see(line.invite(), 0)
        seen.see(line.request("CANCEL"), 1)
        assert seen.see(line.answer(407), 1.1) == ["ended"]
        assert seen.events[-1].call.why == "cancelled"

    def test_never_answered(self) -> None:
        line, seen = Line(), Watched()
        seen.see(line.invite(), 0)
        seen.see(line.answer(180), 1)
        seen.see(line.request("CANCEL"), 100)
        seen.see(line.answer(180), 110)  # rings on: that prolongs nothing
        assert seen.tick(100 + UNANSWERED_FOR) == []
        assert seen.tick(100.1 + UNANSWERED_FOR) == ["ended"]
        assert seen.events[-1].call.why == "cancelled"

    def test_of_somebody_else(self) -> None:
        line, seen = Line(), Watched()
        seen.see(line.invite(), 0)
        seen.see(line.request("CANCEL", src=STRANGER), 1)
        seen.see(line.request("CANCEL", branch="b9"), 1)
        seen.see(line.answer(180), 2)
        assert seen.tick(200) == []


class TestBye:
    def test_from_the_other_end(self) -> None:
        line, seen = Line(), Watched()
        seen.up(line, 0)
        bye = line.request("BYE", to_tag="to1", back=True)
        assert seen.see(bye, 32) == ["ended"]
        assert seen.see(bye, 33) == []
        assert seen.see(line.answer(200, method="BYE", back=True), 33) == []
        assert seen.events[-1].call.talked(0) == pytest.approx(30)

    def test_from_both_at_once(self) -> None:
        line, seen = Line(), Watched()
        seen.up(line, 0)
        assert seen.see(line.request("BYE", to_tag="to1", back=True), 32) == ["ended"]
        assert seen.see(line.request("BYE", to_tag="to1"), 32) == []

    @pytest.mark.parametrize(
        "wrong",
        [
            {"src": STRANGER},
            {"src": STRANGER, "back": True},
            {"to_tag": "to9"},
            {"tag": "from9"},
            {"Call-ID": "c9@pbx"},
            {"src": STRANGER, "dst": TRUNK},
            {"src": TRUNK, "dst": PHONE},
            {"src": PHONE},
        ],
    )
    def test_of_somebody_else(self, wrong: dict[str, str]) -> None:
        line, seen = Line(), Watched()
        seen.up(line, 0)
        bye = line.request("BYE", **{"to_tag": "to1", **wrong})  # type: ignore[arg-type]
        assert seen.see(bye, 10) == []
        assert len(seen.view.running()) == 1

    def test_from_elsewhere_counts_once_our_end_accepts_it(self) -> None:
        line, seen = Line(), Watched()
        seen.up(line, 0)
        bye = line.request("BYE", to_tag="to1", back=True, src=TRUNK2)
        assert seen.see(bye, 32) == []
        told = line.answer(481, method="BYE", back=True, dst=TRUNK2)
        assert seen.see(told, 32.1) == ["ended"]

    def test_from_elsewhere_that_our_end_refuses(self) -> None:
        line, seen = Line(), Watched()
        seen.up(line, 0)
        seen.see(line.request("BYE", to_tag="to1", back=True, src=STRANGER), 32)
        told = line.answer(403, method="BYE", back=True, dst=STRANGER)
        assert seen.see(told, 32.1) == []

    def test_our_end_may_send_it_anywhere(self) -> None:
        line, seen = Line(), Watched()
        seen.up(line, 0)
        assert seen.see(line.request("BYE", to_tag="to1", dst=TRUNK2), 9) == ["ended"]

    @pytest.mark.parametrize("back", [True, False])
    def test_that_nobody_saw_is_told_by_its_answer(self, back: bool) -> None:
        line, seen = Line(), Watched()
        seen.up(line, 0)
        assert seen.see(line.answer(200, method="BYE", back=back), 9) == ["ended"]

    @pytest.mark.parametrize(
        ("src", "dst"), [(PHONE, TRUNK), (TRUNK, PHONE), (STRANGER, PBX)]
    )
    def test_that_others_answer(self, src: str, dst: str) -> None:
        line, seen = Line(), Watched()
        seen.up(line, 0)
        assert seen.see(line.answer(200, method="BYE", src=src, dst=dst), 9) == []

    def test_of_a_stranger_who_answers_himself(self) -> None:
        line, seen = Line(), Watched()
        seen.up(line, 0)
        told = line.answer(200, method="BYE", src=STRANGER, dst=JAPAN)
        assert seen.see(told, 9) == []


class TestAnswers:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"src": STRANGER},
            {"dst": PHONE},
            {"branch": "b9"},
            {"cseq": 9},
            {"tag": "from9"},
        ],
    )
    @pytest.mark.parametrize("status", [180, 200, 486])
    def test_of_somebody_else(self, status: int, wrong: dict[str, str]) -> None:
        line, seen = Line(), Watched()
        seen.see(line.invite(), 0)
        assert seen.see(line.answer(status, **wrong), 1) == []  # type: ignore[arg-type]
        assert seen.tick(UNANSWERED_FOR) == []
        assert seen.tick(0.1 + UNANSWERED_FOR) == ["ended"]

    def test_our_end_acknowledges_an_answer_that_nobody_saw(self) -> None:
        line, seen = Line(), Watched()
        seen.see(line.invite(), 0)
        ack = line.request("ACK", to_tag="to1", dst=TRUNK2, cseq=1)
        assert seen.see(ack, 5) == ["answered"]
        assert seen.see(ack, 5.1) == []
        bye = line.request("BYE", to_tag="to1", back=True, src=TRUNK2)
        assert seen.see(bye, 65) == ["ended"]

    def test_our_end_acknowledges_a_refusal_that_nobody_saw(self) -> None:
        line, seen = Line(), Watched()
        seen.see(line.invite(), 0)
        ack = line.request("ACK", to_tag="to1", branch="b1", cseq=1)
        assert seen.see(ack, 5) == ["ended"]
        assert seen.events[-1].call.answered is None

    def test_an_acknowledgement_of_another_invite(self) -> None:
        line, seen = Line(), Watched()
        seen.see(line.invite(), 0)
        assert seen.see(line.request("ACK", to_tag="to1", cseq=7), 5) == []

    def test_a_strangers_acknowledgement_says_nothing(self) -> None:
        line, seen = Line(caller=JAPAN, callee=PBX), Watched()
        seen.see(line.invite(), 0)
        assert seen.see(line.request("ACK", to_tag="to1"), 5) == []

    def test_a_2xx_after_the_call_was_given_up(self) -> None:
        line, seen = Line(), Watched()
        seen.see(line.invite(), 0)
        seen.tick(33)
        assert seen.see(line.answer(200), 40) == ["begun", "answered"]
        assert seen.see(line.request("BYE", to_tag="to1"), 100) == ["ended"]
        assert seen.kinds == ["begun", "ended", *WHOLE]
        assert seen.events[0].call is not seen.events[-1].call

    def test_without_a_tag(self) -> None:
        # RFC 2543 had none; the dialog is that of Call-ID and From tag.
        line, seen = Line(), Watched()
        seen.see(line.invite(), 0)
        assert seen.see(line.answer(200, ""), 1) == ["answered"]


class TestSilence:
    def test_no_answer_at_all(self) -> None:
        line, seen = Line(), Watched()
        seen.see(line.invite(), 0)
        seen.see(line.invite(), 31)  # repeated: that is no answer
        assert seen.tick(UNANSWERED_FOR) == []
        assert seen.tick(0.1 + UNANSWERED_FOR) == ["ended"]
        assert seen.events[-1].call.why == "unanswered"

    def test_it_rings_and_nobody_comes(self) -> None:
        line, seen = Line(), Watched()
        seen.see(line.invite(), 0)
        seen.see(line.answer(180), 20)
        seen.see(line.answer(180), 80)
        assert seen.tick(80 + RINGS_FOR) == []
        assert seen.tick(80.1 + RINGS_FOR) == ["ended"]

    def test_a_long_call_ends_with_its_bye(self) -> None:
        line, seen = Line(), Watched()
        seen.up(line, 0)
        assert seen.tick(2 + TALKS_FOR) == []
        assert len(seen.view.running()) == 1
        assert seen.tick(3 + TALKS_FOR) == []
        assert seen.view.running() == []
        assert seen.view.at_once("out") == 0
        assert seen.see(line.request("BYE", to_tag="to1"), 30_002) == ["ended"]
        assert seen.events[-1].call.talked(0) == pytest.approx(30_000)

    def test_a_lost_bye(self) -> None:
        line, seen = Line(), Watched()
        seen.up(line, 0)
        seen.see(line.request("INVITE", to_tag="to1", cseq=2, branch="r"), 1000)
        assert seen.tick(1001 + TALKS_FOR) == []
        assert seen.tick(1001 + TALKS_FOR + QUIET_FOR) == []
        assert seen.tick(1002 + TALKS_FOR + QUIET_FOR) == ["ended"]
        call = seen.events[-1].call
        assert call.why == "lost"
        assert call.talked(0) == pytest.approx(998)

    @pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
    @pytest.mark.parametrize("back", [True, False])
    def test_a_refreshed_session_runs_on(self, method: str, back: bool) -> None:
        line, seen = Line(), Watched()
        seen.up(line, 0)
        seen.tick(100 + TALKS_FOR)
        assert seen.view.running() == []
        again = line.request(method, to_tag="to1", back=back, cseq=2, branch="r")
        assert seen.see(again, 101 + TALKS_FOR) == []
        assert len(seen.view.running()) == 1

    @pytest.mark.parametrize(
        ("src", "dst"), [(STRANGER, TRUNK), (PBX, STRANGER), (TRUNK, PHONE)]
    )
    def test_a_stranger_refreshes_nothing(self, src: str, dst: str) -> None:
        line, seen = Line(), Watched()
        seen.up(line, 0)
        again = line.request("UPDATE", to_tag="to1", src=src, dst=dst, cseq=2)
        seen.see(again, 7000)
        seen.tick(100 + TALKS_FOR)
        assert seen.view.running() == []


class TestThroughThePbx:
    def test_from_a_phone_on_our_side(self) -> None:
        seen = Watched()
        leg = Line(caller=PHONE, callee=PBX, call_id="a@phone", number="0" + ABROAD)
        onward = Line(call_id="b@pbx", user="main")
        seen.see(leg.invite(), 0)
        seen.see(onward.invite(), 0.5)
        first, second = (event.call for event in seen.events)
        assert (first.counts, first.costs) == (True, False)
        assert (second.counts, second.costs) == (False, True)
        assert seen.view.at_once("out", "PH") == 1

    def test_from_a_phone_outside(self) -> None:
        seen = Watched()
        leg = Line(caller=JAPAN, callee=PBX, call_id="a@phone", user="101")
        seen.see(leg.invite(), 0)
        seen.see(Line(call_id="b@pbx", user="main").invite(), 0.5)
        first, second = (event.call for event in seen.events)
        assert (first.direction, first.costs) == ("in", False)
        assert (second.direction, second.counts, second.costs) == ("out", True, True)
        assert second.follows is not None
        assert (second.follows.account, second.follows.number) == ("101", first.number)
        assert second.follows.gap_s == pytest.approx(0.5)

    @pytest.mark.parametrize("outside", [True, False])
    def test_through_a_proxy_that_keeps_call_id_and_tag(self, outside: bool) -> None:
        seen = Watched()
        leg = Line(caller=JAPAN, callee=PBX)
        onward = Line(branch="b2")
        assert seen.see(leg.invite(), 0) == ["begun"]
        assert seen.see(onward.invite(), 0.1) == ["begun"]
        assert seen.see(onward.answer(200), 1) == ["answered"]
        assert seen.see(leg.answer(200), 1.1) == ["answered"]
        assert [call.direction for call in seen.view.running()] == ["out"]
        if outside:  # the caller hangs up: hop by hop
            assert seen.see(leg.request("BYE", to_tag="to1"), 62) == ["ended"]
            assert len(seen.view.running()) == 1
            assert seen.see(onward.request("BYE", to_tag="to1"), 62) == ["ended"]
        else:  # our proxy does: that is the end of it on both hops
            bye = onward.request("BYE", to_tag="to1")
            assert seen.see(bye, 62) == ["ended", "ended"]
            assert seen.see(leg.request("BYE", to_tag="to1", back=True), 62) == []

    def test_past_a_proxy_of_ours(self) -> None:
        """Phone and proxy on our side; the phone knows the way to the trunk."""
        seen = Watched()
        leg, onward = Line(caller=PHONE, callee=PBX), Line(branch="b2")
        seen.see(leg.invite(), 0)
        seen.see(onward.invite(), 0.1)
        seen.see(onward.answer(200), 2)
        seen.see(leg.answer(200), 2.1)
        bye = leg.request("BYE", to_tag="to1", dst=TRUNK)
        assert seen.see(bye, 62) == ["ended", "ended"]

    def test_an_answer_that_was_seen_on_one_hop_alone(self) -> None:
        seen = Watched()
        leg, onward = Line(caller=PHONE, callee=PBX), Line(branch="b2")
        seen.see(leg.invite(), 0)
        seen.see(onward.invite(), 0.1)
        assert seen.see(leg.answer(200), 2) == ["answered"]
        assert seen.see(leg.request("ACK", to_tag="to1"), 2.1) == []
        assert seen.see(onward.request("ACK", to_tag="to1"), 2.1) == ["answered"]

    def test_through_more_proxies_than_are_told_apart(self) -> None:
        hosts = [TRUNK, *(f"192.168.50.{number}" for number in range(2, 9))]
        hops = [
            Line(caller=caller, callee=callee, branch=f"b{caller}")
            for callee, caller in pairwise(hosts)
        ]
        seen = Watched()
        for hop in reversed(hops):
            seen.see(hop.invite(), 0)
        for hop in hops:
            seen.see(hop.answer(200), 1)
        for hop in hops:
            seen.see(hop.request("BYE", to_tag="to1"), 9)
        assert [call.callees[0] for kind, call in seen.events if kind == "ended"] == [
            octets(hop.callee) for hop in hops[:MAX_HOPS]
        ]
        for seconds in (100, 100 + TALKS_FOR, 200 + TALKS_FOR + QUIET_FOR, 200_000):
            seen.tick(seconds)
        assert seen.view.bare

    def test_a_call_that_comes_in_and_one_to_elsewhere(self) -> None:
        seen = Watched()
        leg = Line(caller=JAPAN, callee=PBX, call_id="a@x", number=HOME, user="09012")
        seen.up(leg, 0)
        seen.see(Line(call_id="b@pbx").invite(), 20)
        follows = seen.events[-1].call.follows
        assert follows is not None
        assert (follows.account, follows.number) == ("09012", HOME)
        assert follows.gap_s == pytest.approx(20)

    def test_nothing_follows_a_call_that_is_over(self) -> None:
        seen = Watched()
        leg = Line(caller=JAPAN, callee=PBX, call_id="a@x", number=HOME)
        seen.up(leg, 0)
        seen.see(leg.request("BYE", to_tag="to1"), 10)
        seen.see(Line(call_id="b@pbx").invite(), 20)
        assert seen.events[-1].call.follows is None

    def test_nothing_passes_on_a_call_that_is_over(self) -> None:
        seen = Watched()
        leg = Line(caller=PHONE, callee=PBX, call_id="a@phone")
        seen.see(leg.invite(), 0)
        seen.see(leg.answer(486), 1)
        seen.see(Line(call_id="b@pbx").invite(), 2)
        assert seen.events[-1].call.counts

    def test_one_call_excuses_few(self) -> None:
        seen = Watched()
        seen.see(Line(caller=PHONE, callee=PBX, call_id="a").invite(), 0)
        for number in range(6):
            seen.see(Line(call_id=f"b{number}").invite(), 1)
        counts = [event.call.counts for event in seen.events]
        assert counts == [True, False, False, False, False, True, True]


def _fill(view: CallView, caller: str, callee: str, number: str = ABROAD) -> None:
    """Fill all states of one lane, calls of two INVITEs and two phones each."""
    serial = 0
    for state in (
        State.QUIET,
        State.TALKING,
        State.OVER,
        State.RINGING,
        State.CHALLENGED,
        State.CALLING,
    ):
        for _ in range(CAPACITY[state]):
            serial += 1
            line = Line(
                call_id=f"{serial:032x}@{caller}",
                tag=f"t{serial:016x}",
                branch=f"b{serial:016x}",
                user=f"{serial:064}",
                number=number,
                caller=caller,
                callee=callee,
            )
            again = Line(**{**vars(line), "cseq": 2, "branch": f"c{serial:016x}"})
            now = at(0.0 if state is State.QUIET else 0.1)
            view.seen(line.invite(), now)
            if state is State.CALLING:
                continue
            view.seen(line.answer(407), now)
            if state is State.CHALLENGED:
                continue
            view.seen(again.invite(), now)
            view.seen(again.answer(180), now)
            if state is State.RINGING:
                continue
            if state is State.OVER:
                view.seen(again.answer(486), now)
                continue
            for to_tag in ("to1", "to2"):
                view.seen(again.answer(200, to_tag), now)


class TestBounds:
    @pytest.mark.parametrize(("caller", "callee"), [(PBX, TRUNK), (JAPAN, PBX)])
    def test_calls_without_an_answer(self, caller: str, callee: str) -> None:
        most = CAPACITY[State.CALLING]
        seen = Watched()
        for number in range(most):
            line = Line(call_id=f"c{number}", caller=caller, callee=callee)
            seen.see(line.invite(), number / 1000)
        assert seen.view.evicted == 0
        assert seen.kinds == ["begun"] * most
        line = Line(call_id="one more", caller=caller, callee=callee)
        assert seen.see(line.invite(), 1) == ["ended", "begun"]
        assert seen.view.evicted == 1
        ended = [event.call for event in seen.events if event.kind == "ended"]
        assert ended == [seen.events[0].call]

    def test_strangers_push_no_call_out(self) -> None:
        seen = Watched()
        seen.up(Line(), 0)
        for number in range(3 * CAPACITY[State.CALLING]):
            line = Line(call_id=f"x{number}", caller=STRANGER, callee=PBX)
            seen.see(line.invite(), 5)
        assert seen.view.evicted > 0
        assert seen.see(Line().request("BYE", to_tag="to1"), 9) == ["ended"]

    def test_calls_at_home_push_none_abroad_out(self) -> None:
        """Else one that goes on would be free of charge."""
        seen = Watched()
        seen.up(Line(), 0)
        for number in range(600):
            seen.up(Line(call_id=f"x{number}", tag=f"t{number}", number=HOME), 5)
        assert seen.view.evicted > 0
        assert seen.see(Line().request("BYE", to_tag="to1"), 9) == ["ended"]

    def test_a_call_without_room_has_lasted_until_then(self) -> None:
        most = CAPACITY[State.TALKING] + CAPACITY[State.QUIET]
        seen = Watched()
        for number in range(most + 1):
            seen.up(Line(call_id=f"c{number}", tag=f"t{number}"), number)
        (lost,) = (event.call for event in seen.events if event.kind == "ended")
        assert lost.talked(0) == most - 2 + 2, "not only until its last sign"

    def test_running_calls(self) -> None:
        most, more = CAPACITY[State.TALKING], CAPACITY[State.QUIET]
        seen = Watched()
        for number in range(most + more):
            seen.up(Line(call_id=f"c{number}", tag=f"t{number}"), number)
        assert len(seen.view.running()) == most
        assert "ended" not in seen.kinds
        seen.up(Line(call_id="one more"), most + more)
        lost = [event.call for event in seen.events if event.kind == "ended"]
        assert [(call.serial, call.why) for call in lost] == [(1, "lost")]

    def test_memory_with_every_table_full(self) -> None:
        """All tables of each lane, and all that calls are found by."""
        tracemalloc.start()
        try:
            seen = CallView()
            for caller, callee in ((PBX, TRUNK), (JAPAN, PBX)):
                _fill(seen, caller, callee)
            _fill(seen, PHONE, TRUNK, HOME)
            memory = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        for name, (size, capacity) in seen.stages.sizes().items():
            assert size == capacity, name
        sys.stdout.write(f"{memory} bytes in memory\n")
        assert memory <= 9_000_000

    def test_invites_of_one_call(self) -> None:
        seen = Watched()
        for number in range(MAX_PATHS + 1):
            line = Line(cseq=number, branch=f"b{number}")
            seen.see(line.invite(), number / 10)
            seen.see(line.answer(401), number / 10 + 0.05)
        assert seen.kinds == ["begun"]
        (call,) = (event.call for event in seen.events)
        assert len(call.paths) == MAX_PATHS
        seen.tick(60)
        seen.tick(120)
        assert seen.view.bare
