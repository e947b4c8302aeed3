"""Whatever is lost, doubled or mixed up: no negative time, nothing counted twice."""

from collections.abc import Sequence
from typing import NamedTuple

from dialling import ABROAD, HOME, PBX, SIERRA, TRUNK, TRUNK2, Line, Watched
from hypothesis import given
from hypothesis import strategies as st
from ringfence.calls.call import Call
from ringfence.calls.stages import QUIET_FOR, TALKS_FOR, UNANSWERED_FOR
from ringfence.facts import Facts

FOREVER = TALKS_FOR + QUIET_FOR


class Script(NamedTuple):
    """What one call sends, and what it has to come to."""

    messages: list[tuple[float, Facts]]
    talked: float | None
    """Seconds; None when it is never answered."""
    transactions: int = 1


def answered(line: Line, begin: float, seconds: float, *, back: bool) -> Script:
    end = begin + 3 + seconds
    return Script(
        [
            (begin, line.invite()),
            (begin + 0.1, line.answer(100, "")),
            (begin + 1, line.answer(180)),
            (begin + 3, line.answer(200)),
            (begin + 3.1, line.request("ACK", to_tag="to1")),
            (end, line.request("BYE", to_tag="to1", back=back)),
            (end + 0.1, line.answer(200, method="BYE", back=back)),
        ],
        seconds,
    )


def challenged(line: Line, begin: float, seconds: float, *, back: bool) -> Script:
    again = Line(**{**vars(line), "cseq": 2, "branch": line.branch + "x"})
    rest = answered(again, begin + 0.2, seconds, back=back)
    first = [
        (begin, line.invite()),
        (begin + 0.1, line.answer(407)),
        (begin + 0.15, line.request("ACK", to_tag="to1", branch=line.branch)),
    ]
    return Script(first + rest.messages, seconds, 2)


def forked(line: Line, begin: float, seconds: float, *, back: bool) -> Script:
    whole = answered(line, begin, seconds, back=back)
    other = [
        (begin + 1.1, line.answer(180, "to2")),
        (begin + 3.2, line.answer(200, "to2")),
        (begin + 3.3, line.request("BYE", to_tag="to2")),
    ]
    return Script(sorted(whole.messages + other, key=_when), max(seconds, 0.3))


def cancelled(line: Line, begin: float, seconds: float, *, back: bool) -> Script:
    del back, seconds
    return Script(
        [
            (begin, line.invite()),
            (begin + 1, line.answer(180)),
            (begin + 5, line.request("CANCEL")),
            (begin + 5.1, line.answer(487)),
            (begin + 5.2, line.request("ACK", to_tag="to1", branch=line.branch)),
        ],
        None,
    )


def crossed(line: Line, begin: float, seconds: float, *, back: bool) -> Script:
    whole = answered(line, begin, seconds, back=back)
    cancel = [(begin + 2.9, line.request("CANCEL"))]
    return Script(sorted(whole.messages + cancel, key=_when), seconds)


def busy(line: Line, begin: float, seconds: float, *, back: bool) -> Script:
    del back, seconds
    return Script([(begin, line.invite()), (begin + 1, line.answer(486))], None)


def _when(message: tuple[float, Facts]) -> float:
    return message[0]


@st.composite
def scripts(draw: st.DrawFn) -> list[Script]:
    found = []
    for number in range(draw(st.integers(1, 5))):
        kind = draw(
            st.sampled_from([answered, challenged, forked, cancelled, crossed, busy])
        )
        line = Line(
            call_id=f"c{number}" if draw(st.booleans()) else "same for all",
            tag=f"t{number}",
            branch=f"b{number}",
            number=draw(st.sampled_from([ABROAD, SIERRA, HOME])),
            callee=draw(st.sampled_from([TRUNK, TRUNK2])),
            caller=PBX,
        )
        begin = draw(st.floats(0, 20))
        found.append(
            kind(line, begin, draw(st.floats(0.5, 7000)), back=draw(st.booleans()))
        )
    return found


def play(seen: Watched, messages: Sequence[tuple[float, Facts]]) -> list[Call]:
    """Show messages in their order, and let all that time pass; return the calls."""
    now = 0.0
    for now, message in sorted(messages, key=_when):
        seen.see(message, now)
    seen.tick(now + UNANSWERED_FOR)
    for _ in range(6):  # from one state to the next
        now += FOREVER
        seen.tick(now)
    calls: dict[int, list[str]] = {}
    for kind, call in seen.events:
        calls.setdefault(call.serial, []).append(kind)
    for kinds in calls.values():
        assert kinds in (["begun", "ended"], ["begun", "answered", "ended"])
    found = [call for kind, call in seen.events if kind == "begun"]
    for call in found:
        assert call.ended is not None
        assert call.talked(now) >= 0
        assert call.rang >= 0
    assert seen.view.bare
    assert seen.view.at_once("out") == 0
    assert {size for size, _ in seen.view.stages.sizes().values()} == {0}
    return found


@given(scripts(), st.data())
def test_doubled_and_mixed(calls: list[Script], data: st.DataObject) -> None:
    """Everything arrives, much of it twice, late: to the event and to the second."""
    messages = []
    for call in calls:
        for when, message in call.messages:
            messages.append((when, message))
            delays = data.draw(st.lists(st.floats(0, 20), max_size=2))
            messages += [(when + delay, message) for delay in delays]
    found = play(Watched(), messages)
    assert len(found) == len(calls)
    talked = sorted(call.talked(0) for call in found if call.answered)
    wanted = sorted(call.talked for call in calls if call.talked is not None)
    assert len(talked) == len(wanted)
    assert all(abs(a - b) < 1e-6 for a, b in zip(talked, wanted, strict=True))


@given(scripts(), st.data())
def test_lost_doubled_and_mixed(calls: list[Script], data: st.DataObject) -> None:
    """Some of it never arrives: less may be known of a call, never more."""
    messages = []
    for call in calls:
        for when, message in call.messages:
            times = data.draw(st.lists(st.floats(0, 20), max_size=3))
            messages += [(when + delay, message) for delay in times]
    found = play(Watched(), messages)
    # Out of order, an INVITE and the one that repeats it are two attempts.
    assert len(found) <= 2 * sum(call.transactions for call in calls)
    talked = [call.talked(0) for call in found if call.answered]
    assert len(talked) <= sum(call.transactions for call in calls)
    longest = max((call.talked or 0) for call in calls)
    assert all(seconds <= longest + 50 for seconds in talked)
