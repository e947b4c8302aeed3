"""One way of notices: what waits, when it is tried again, and what is never waited for.

Each try is a real process; only the clock is the test's.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from ringfence.errors import RingfenceError
from ringfence.notifying.notice import Notice
from ringfence.notifying.way import (
    FIRST_WAIT,
    GIVEN_UP_AFTER,
    GRACE,
    LONGEST_WAIT,
    MAX_ERROR,
    MAX_WAITING,
    Way,
)

Deliver = Callable[[Notice], None]


def numbered(number: int) -> Notice:
    return Notice("budget", b"%d\n" % number)


class Target:
    """Notes in a file what was delivered; fails for as long as another file is there."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "delivered"
        self.down = folder / "down"

    def __call__(self, notice: Notice) -> None:
        with self.file.open("ab") as file:
            file.write(notice.line)
        if self.down.exists():
            raise RingfenceError(self.down.read_text())

    @property
    def got(self) -> list[int]:
        if not self.file.exists():
            return []
        return [int(line) for line in self.file.read_bytes().splitlines()]


@pytest.fixture
def target(tmp_path: Path) -> Target:
    return Target(tmp_path)


def used(deliver: Deliver, limit: float = 30.0) -> Way:
    way = Way("webhook")
    way.use(deliver, limit)
    return way


def settle(way: Way, mono: float) -> list[dict[str, object]]:
    """Go on until nothing is due at that moment."""
    says = []
    deadline = time.monotonic() + 20
    while way.tries or way.wait(mono) == 0:
        assert time.monotonic() < deadline
        says += way.tend(mono)
        time.sleep(0.002)
    return says


def test_in_order_and_once(target: Target) -> None:
    way = used(target)
    assert way.wait(0.0) == float("inf")
    for number in range(5):
        way.add(numbered(number), 0.0)
    assert way.wait(0.0) == 0
    assert settle(way, 0.0) == []
    assert target.got == [0, 1, 2, 3, 4]
    assert (way.sent, way.failed, way.error, list(way)) == (5, 0, "", [])
    assert way.wait(0.0) == float("inf")


def test_nothing_is_waited_for() -> None:
    way = used(lambda notice: time.sleep(2))
    way.add(numbered(1), 0.0)
    begin = time.monotonic()
    way.tend(0.0)
    assert way.tries
    for number in range(200):
        way.add(numbered(number), 0.0)
        way.tend(1.0)
    assert time.monotonic() - begin < 1.0
    way.close(2.0, 0.0)


def test_one_that_fails_is_tried_again_at_growing_intervals(target: Target) -> None:
    target.down.write_text("down")
    way = used(target)
    way.add(numbered(1), 0.0)
    way.add(numbered(2), 0.0)
    mono, waits, said = 0.0, [], settle(way, 0.0)
    for _ in range(12):
        waits.append(way.wait(mono))
        settle(way, mono + waits[-1] - 0.001)
        mono += waits[-1]
        said += settle(way, mono)
    assert waits == [min(LONGEST_WAIT, FIRST_WAIT * 2**n) for n in range(12)]
    assert target.got == [1] * 13
    assert [line["tries"] for line in said] == [1, 2, 4, 8]
    assert {(line["notice"], line["way"], line["error"]) for line in said} == {
        ("notify-failed", "webhook", "down")
    }
    assert way.record(mono) == {
        "waiting": 2,
        "sent": 0,
        "failed": 13,
        "given_up": 0,
        "lost": 0,
        "error": "down",
        "next_s": 3600,
    }
    target.down.unlink()
    mono += LONGEST_WAIT
    assert settle(way, mono) == [
        {"notice": "notify-again", "way": "webhook", "tries": 14}
    ]
    assert target.got[13:] == [1, 2]
    assert (way.sent, way.error) == (2, "")


def test_one_is_given_up_after_a_day_and_the_next_gets_its_try(
    target: Target,
) -> None:
    target.down.write_text("down")
    way = used(target)
    way.add(numbered(1), 0.0)
    way.add(numbered(2), 1_000.0)
    mono, tries, said = 0.0, 0, settle(way, 0.0)
    while not way.given_up:
        tries = len(target.got)
        assert tries < 50
        mono += way.wait(mono)
        said += settle(way, mono)
    assert GIVEN_UP_AFTER <= mono < GIVEN_UP_AFTER + LONGEST_WAIT
    assert len(target.got) == tries + 1 == 34
    assert said[-1] == {
        "notice": "notify-given-up",
        "way": "webhook",
        "error": "down",
        "count": 1,
    }
    assert [waiting.notice for waiting in way] == [numbered(2)]
    settle(way, mono + way.wait(mono))
    assert target.got[-1] == 2
    assert (way.given_up, list(way)) == (2, [])


@pytest.mark.parametrize("more", [0, 1, 5])
def test_the_oldest_is_lost_beyond_the_limit(target: Target, more: int) -> None:
    way = used(target)
    for number in range(MAX_WAITING + more):
        way.add(numbered(number), 0.0)
    said = settle(way, 0.0)
    assert target.got == list(range(more, MAX_WAITING + more))
    assert way.lost == more
    assert [line["count"] for line in said] == [n for n in (1, 2, 4) if n <= more]
    assert {line["notice"] for line in said} <= {"notify-lost"}


def test_what_is_being_tried_is_not_lost_meanwhile(target: Target) -> None:
    way = used(target)
    way.add(numbered(0), 0.0)
    way.tend(0.0)
    for number in range(1, MAX_WAITING + 1):
        way.add(numbered(number), 0.0)
    settle(way, 0.0)
    assert target.got == [0, *range(2, MAX_WAITING + 1)]
    assert (way.sent, way.lost) == (MAX_WAITING, 1)


def test_no_process_to_be_had(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> int:
        raise OSError(11, "Resource temporarily unavailable")

    way = used(target)
    way.add(numbered(1), 0.0)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fork", fails)
        (said,) = way.tend(0.0)
    assert said["error"] == "cannot fork: Resource temporarily unavailable"
    assert way.wait(0.0) == FIRST_WAIT
    settle(way, FIRST_WAIT)
    assert target.got == [1]


def test_a_flaw_of_ours_is_a_failure() -> None:
    def flawed(notice: Notice) -> None:
        raise KeyError("x")

    way = used(flawed)
    way.add(numbered(1), 0.0)
    (said,) = settle(way, 0.0)
    assert said["error"] == "its process met a flaw"


def test_an_error_is_cut() -> None:
    def wordy(notice: Notice) -> None:
        raise RingfenceError("x" * 1000)

    way = used(wordy)
    way.add(numbered(1), 0.0)
    settle(way, 0.0)
    assert way.error == "x" * MAX_ERROR


def test_a_try_that_does_not_end_is_ended() -> None:
    def deaf(notice: Notice) -> None:
        while True:
            with suppress(RingfenceError):
                time.sleep(60)

    way = used(deaf, limit=30.0)
    way.add(numbered(1), 0.0)
    way.tend(0.0)
    assert way.wait(0.0) == 30.0 + GRACE
    way.tend(30.0 + GRACE - 1)
    assert not way._under_way.asked  # type: ignore[union-attr]
    time.sleep(0.2)  # for it to have begun
    way.tend(30.0 + GRACE)
    assert way.wait(30.0 + GRACE) == GRACE
    way.tend(30.0 + 2 * GRACE)  # it did not listen
    assert way._under_way is not None
    assert way._under_way.work.ended(5.0)
    (said,) = way.tend(30.0 + 2 * GRACE)
    assert said["error"] == "its process was killed"
    assert len(list(way)) == 1


def test_at_the_end_a_try_gets_its_time(target: Target) -> None:
    def slow(notice: Notice) -> None:
        time.sleep(0.3)
        target(notice)

    way = used(slow)
    way.add(numbered(1), 0.0)
    way.add(numbered(2), 0.0)
    way.tend(0.0)
    assert way.close(1.0, 5.0) == []
    assert target.got == [1]
    assert [waiting.notice for waiting in way] == [numbered(2)]


def test_at_the_end_a_try_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    from ringfence.program import run

    pid = tmp_path / "pid"

    def hangs(notice: Notice) -> None:
        run(["/bin/sh", "-c", f"echo $$ > {pid}; sleep 60"], timeout=60, most=10)

    way = used(hangs)
    way.add(numbered(1), 0.0)
    way.tend(0.0)
    deadline = time.monotonic() + 5
    while not (pid.exists() and pid.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    begin = time.monotonic()
    (said,) = way.close(1.0, 0.1)
    assert time.monotonic() - begin < 2
    assert said["error"] == "it was interrupted"
    assert len(list(way)) == 1, "it waits for the next start"
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


def test_a_reload_that_takes_the_way_away_forgets_what_waits(target: Target) -> None:
    target.down.write_text("down")
    way = used(target)
    way.add(numbered(1), 0.0)
    way.tend(0.0)
    way.use(None, 30.0)
    settle(way, 0.0)
    assert (list(way), way.wait(0.0), way.record(0.0)) == ([], float("inf"), None)
    way.add(numbered(2), 0.0)
    assert list(way) == []
    target.down.unlink()
    way.use(target, 30.0)
    way.add(numbered(3), 0.0)
    settle(way, 0.0)
    assert target.got[-1] == 3


def test_a_test_waits_for_nothing_and_is_tried_once(target: Target) -> None:
    assert not Way("x").test(numbered(9))
    target.down.write_text("down")
    way = used(target)
    way.add(numbered(1), 0.0)
    settle(way, 0.0)
    assert way.test(numbered(9))
    assert [way.tested] == [None]
    settle(way, 1.0)
    assert [way.tested] == ["down"]
    assert target.got == [1, 9]
    assert way.wait(1.0) == FIRST_WAIT - 1.0
    assert (way.sent, way.failed) == (0, 1)
    # One that gets there takes along what waits.
    target.down.unlink()
    way.test(numbered(8))
    settle(way, 2.0)
    assert [way.tested] == [""]
    assert target.got[2:] == [8, 1]
    assert way.sent == 1
