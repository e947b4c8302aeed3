"""Costs of days and months against sums made by hand, whatever the clock does."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from dialling import ABROAD, HOME, SIERRA, Line
from hypothesis import given
from hypothesis import strategies as st
from ringfence.calls import Call, Ledger, Limits, LocalTime, RateTable
from ringfence.calls.dates import MAX_DAYS, nearest
from ringfence.calls.ledger import (
    BELIEVED_AFTER,
    JUMP,
    KNOWN_DAYS,
    LOOKS_AGAIN,
    MAX_ENTRIES,
    MAX_RUNNING,
    MAX_SPENT,
    QUARTER,
)
from ringfence.calls.rates import COLUMNS, Rate
from ringfence.calls.stages import TALKS_FOR
from ringfence.packet import Instant

JAPAN = timezone(timedelta(hours=9))
RATES = RateTable.from_csv(
    "\n".join(
        [
            ",".join(COLUMNS),
            "*,,130,60,estimate,guess,x",
            "63,PH,35,60,estimate,guess,x",
            "232,SL,175,60,estimate,guess,x",
        ]
    ),
    "test",
)
BOOT = 50.0
"""Seconds on the monotonic clock when the tests begin."""
DAY = 86_400.0
SERIAL = iter(range(1, 1_000_000))


def local(wall: float) -> LocalTime:
    when = datetime.fromtimestamp(wall, JAPAN)
    minute = when.hour * 60 + when.minute
    return LocalTime(when.year, when.month, when.day, when.weekday(), minute)


def wall(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=JAPAN).timestamp()


class Clocks:
    """Both clocks; the wall's can be set."""

    def __init__(self, text: str = "2026-11-22 12:00", mono: float = BOOT) -> None:
        self.mono = mono
        self.offset = wall(text) - mono

    @property
    def now(self) -> Instant:
        return Instant(self.mono, self.mono + self.offset)

    def wait(self, seconds: float) -> Instant:
        self.mono += seconds
        return self.now

    def until(self, text: str) -> Instant:
        seconds = wall(text) - self.now.wall
        assert seconds >= 0
        return self.wait(seconds)

    def set(self, text: str) -> Instant:
        self.offset = wall(text) - self.mono
        return self.now


def ledger() -> Ledger:
    return Ledger(RATES, local)


def call(clocks: Clocks, number: str = ABROAD) -> Call:
    facts = Line(number=number).invite()
    assert facts.reading is not None
    made = Call(facts, facts.reading, next(SERIAL), clocks.now)
    made.answered = clocks.now
    made.last = clocks.now.mono
    return made


def begin(book: Ledger, clocks: Clocks, number: str = ABROAD) -> Call:
    made = call(clocks, number)
    book.answered(made, clocks.now)
    return made


def end(book: Ledger, clocks: Clocks, made: Call) -> None:
    made.ended = clocks.now.mono
    book.ended(made, clocks.now)


def talk(
    book: Ledger, clocks: Clocks, seconds: float = 32, number: str = SIERRA
) -> None:
    made = begin(book, clocks, number)
    clocks.wait(seconds)
    end(book, clocks, made)


def test_a_call_costs_what_has_begun_of_it() -> None:
    book, clocks = ledger(), Clocks()
    assert book.spent("day", clocks.now) == 0
    made = begin(book, clocks)
    assert book.spent("day", clocks.now) == book.cost(made, clocks.now) == 35_000
    assert book.spent("day", clocks.wait(60)) == 35_000
    assert book.spent("day", clocks.wait(0.001)) == 70_000
    clocks.wait(119.998)
    end(book, clocks, made)  # 179.999 s: three minutes begun
    assert book.spent("day", clocks.now) == book.spent("month", clocks.now) == 105_000
    assert book.cost(made, clocks.now) == 0
    end(book, clocks, made)
    assert book.spent("day", clocks.wait(500)) == 105_000


def test_what_costs_nothing() -> None:
    book, clocks = ledger(), Clocks()
    begin(book, clocks, HOME)
    unanswered = call(clocks)
    unanswered.answered = None
    book.answered(unanswered, clocks.now)
    incoming = call(clocks)
    incoming.costs = False
    book.answered(incoming, clocks.now)
    assert book.spent("day", clocks.wait(1000)) == 0


def test_a_call_that_turns_out_to_be_passed_on_by_another() -> None:
    book, clocks = ledger(), Clocks()
    made = begin(book, clocks)
    assert book.spent("day", clocks.wait(10)) == 35_000
    made.costs = False
    assert book.cost(made, clocks.now) == 0
    assert book.spent("day", clocks.wait(LOOKS_AGAIN + 0.1)) == 0
    end(book, clocks, made)
    assert book.spent("day", clocks.now) == 0


def test_the_dearest_reading_counts() -> None:
    book, clocks = ledger(), Clocks()
    made = call(clocks)
    made.others = ("23276123456",)
    book.answered(made, clocks.now)
    assert book.cost(made, clocks.now) == 175_000


def test_a_reload_does_not_change_the_price_of_a_running_call() -> None:
    book, clocks = ledger(), Clocks()
    first = begin(book, clocks)
    book.rates = RATES.with_prices([Rate("63", 175_000, 60, "own")])
    second = begin(book, clocks)
    assert book.cost(first, clocks.now) == 35_000
    assert book.cost(second, clocks.now) == 175_000


def test_several_calls_by_hand() -> None:
    book, clocks = ledger(), Clocks()
    for seconds in (0, 32, 60, 61, 300, 301):  # 1 + 1 + 1 + 2 + 5 + 6 = 16 units
        talk(book, clocks, seconds, SIERRA)
    for seconds in (59, 3600):  # 1 + 60 = 61 units
        talk(book, clocks, seconds, ABROAD)
    assert book.spent("day", clocks.now) == 16 * 175_000 + 61 * 35_000


def test_over_midnight_a_call_belongs_to_the_day_it_was_answered() -> None:
    book, clocks = ledger(), Clocks("2026-11-22 23:58:30")
    made = begin(book, clocks)
    clocks.until("2026-11-23 00:01:30")
    assert book.spent("day", clocks.now) == 0
    assert book.spent("month", clocks.now) == 3 * 35_000
    begin(book, clocks)
    end(book, clocks, made)
    assert book.spent("day", clocks.now) == 35_000
    assert book.spent("month", clocks.now) == 4 * 35_000
    days = book.to_record(clocks.now)["days"]
    assert days == {"20261122": 105_000, "20261123": 35_000}


def test_just_before_and_just_at_midnight() -> None:
    book, clocks = ledger(), Clocks("2026-11-22 23:59:59.9")
    begin(book, clocks)
    clocks.wait(0.1)
    begin(book, clocks, SIERRA)
    assert book.spent("day", clocks.now) == 175_000


@pytest.mark.parametrize(
    ("before", "after"),
    [("2026-11-30", "2026-12-01"), ("2026-12-31", "2027-01-01")],
)
def test_over_the_end_of_a_month(before: str, after: str) -> None:
    book, clocks = ledger(), Clocks(f"{before} 23:59:00")
    made = begin(book, clocks)
    clocks.until(f"{after} 00:03:00")
    end(book, clocks, made)  # 4 minutes, of the month before
    talk(book, clocks, 32)
    assert book.spent("month", clocks.now) == book.spent("day", clocks.now) == 175_000
    # One day of that month was watched: no measure.
    assert book.last_month(clocks.now) is None


def test_a_month_that_was_watched_is_a_measure_even_without_a_call() -> None:
    book, clocks = ledger(), Clocks("2026-10-18 12:00")
    for day in range(18, 18 + KNOWN_DAYS):
        book.watch(clocks.until(f"2026-10-{day} 12:00"))
    assert book.last_month(clocks.until("2026-11-01 00:00")) == 0
    fewer, clocks = ledger(), Clocks("2026-10-19 12:00")
    for day in range(19, 18 + KNOWN_DAYS):
        fewer.watch(clocks.until(f"2026-10-{day} 12:00"))
    assert fewer.last_month(clocks.until("2026-11-01 00:00")) is None


@given(
    st.lists(
        st.tuples(st.sampled_from(["begin", "end", "wait"]), st.floats(0.001, 500)),
        max_size=40,
    )
)
def test_what_runs_is_added_up_to_the_unit(steps: list[tuple[str, float]]) -> None:
    """However often it is asked: the same as adding all calls up each time."""
    book, clocks = ledger(), Clocks()
    running: list[Call] = []
    over = 0
    for what, amount in steps:
        if what == "begin":
            running.append(begin(book, clocks, SIERRA if amount > 250 else ABROAD))
        elif what == "end" and running:
            made = running.pop(0)
            over += book.cost(made, clocks.now)
            end(book, clocks, made)
        else:
            clocks.wait(amount)
        costs = sum(book.cost(made, clocks.now) for made in running)
        assert book.spent("month", clocks.now) == over + costs


class TestLimits:
    def test_left(self) -> None:
        book, clocks = ledger(), Clocks("2026-11-21 12:00")
        talk(book, clocks)
        clocks.until("2026-11-22 12:00")
        talk(book, clocks)
        now = clocks.now
        assert book.left(Limits(), now) is None
        assert book.left(Limits(day=1_000_000), now) == 825_000
        assert book.left(Limits(day=1_000_000, month=400_000), now) == 50_000
        assert book.left(Limits(day=100_000), now) == 0

    def test_a_multiple_of_the_month_before(self) -> None:
        clocks = Clocks("2026-11-02 12:00")
        days = {f"202610{day:02}": 10_000 for day in range(1, 21)}
        record = {"version": 1, "days": days}
        book = Ledger.from_record(record, RATES, local)
        assert book.ignored == 0
        assert book.last_month(clocks.now) == 200_000
        thrice = Limits(percent_of_last=300)
        assert book.limit("month", thrice, clocks.now) == 600_000
        assert book.limit("day", thrice, clocks.now) is None
        both = Limits(month=500_000, percent_of_last=300)
        assert book.limit("month", both, clocks.now) == 500_000
        small = Limits(percent_of_last=300, least=900_000)
        assert book.limit("month", small, clocks.now) == 900_000
        unknown = ledger()
        assert unknown.limit("month", thrice, clocks.now) is None

    @pytest.mark.parametrize(
        ("today", "before", "holidays"),
        [
            ("2026-11-30 12:00", 202609, 202610),
            ("2027-01-31 12:00", 202611, 202612),
            ("2027-02-28 12:00", 202612, 202701),
        ],
    )
    def test_a_month_of_holidays_is_no_measure(
        self, today: str, before: int, holidays: int
    ) -> None:
        """An office was closed for it; the next is like the one before."""
        days = {f"{before}{day:02}": 10_000 for day in range(1, 21)}
        days |= {f"{holidays}{day:02}": 0 for day in range(1, 31)}
        book = Ledger.from_record({"version": 1, "days": days}, RATES, local)
        clocks = Clocks(today)
        assert book.last_month(clocks.now) == 200_000
        book.to_record(clocks.now)
        assert book.last_month(clocks.now) == 200_000

    def test_each_share_is_told_once(self) -> None:
        book, clocks = ledger(), Clocks()
        limits = Limits(day=350_000)
        told = []
        for _ in range(12):  # 35,000 each
            talk(book, clocks, 10, ABROAD)
            told += [(one.share, one.spent) for one in book.reached(limits, clocks.now)]
            assert book.reached(limits, clocks.now) == []
        assert told == [(50, 175_000), (80, 280_000), (100, 350_000)]
        clocks.until("2026-11-23 00:00")
        assert book.reached(limits, clocks.now) == []
        talk(book, clocks, 301, ABROAD)
        assert [one.share for one in book.reached(limits, clocks.now)] == [50]

    def test_several_shares_at_once_are_told_as_the_highest(self) -> None:
        book, clocks = ledger(), Clocks()
        talk(book, clocks, 500, SIERRA)  # 9 units
        (told,) = book.reached(Limits(day=1_600_000), clocks.now)
        assert told == ("day", 20261122, 80, 1_575_000, 1_600_000)
        (told,) = book.reached(Limits(day=1_600_000, month=2_000_000), clocks.now)
        assert told[:3] == ("month", 202611, 50)

    def test_running_calls_reach_it_too(self) -> None:
        book, clocks = ledger(), Clocks()
        begin(book, clocks, SIERRA)
        limits = Limits(day=350_000)
        assert [one.share for one in book.reached(limits, clocks.now)] == [50]
        assert book.reached(limits, clocks.wait(59)) == []
        assert [one.share for one in book.reached(limits, clocks.wait(2))] == [100]

    def test_another_limit_is_told_anew(self) -> None:
        book, clocks = ledger(), Clocks()
        talk(book, clocks)
        assert book.reached(Limits(day=175_000), clocks.now)[0].share == 100
        assert book.reached(Limits(day=350_000), clocks.now)[0].share == 50

    def test_a_limit_of_nothing_is_reached_by_the_first_call(self) -> None:
        book, clocks = ledger(), Clocks()
        assert book.reached(Limits(day=0), clocks.now) == []
        talk(book, clocks)
        assert book.reached(Limits(day=0), clocks.now)[0].share == 100

    def test_told_before_a_restart_is_not_told_again(self) -> None:
        book, clocks = ledger(), Clocks()
        talk(book, clocks)
        limits = Limits(day=175_000)
        assert len(book.reached(limits, clocks.now)) == 1
        again = restart(book, clocks)
        assert again.reached(limits, clocks.now) == []
        assert again.spent("day", clocks.now) == 175_000


def restart(book: Ledger, clocks: Clocks, text: str = "") -> Ledger:
    """Keep the record, boot, and let the clock show `text` (or the right time)."""
    record = json.loads(json.dumps(book.to_record(clocks.now)))
    shown = clocks.now.wall
    clocks.mono = BOOT
    clocks.offset = (wall(text) if text else shown) - BOOT
    again = Ledger.from_record(record, RATES, local)
    assert again.ignored == 0
    return again


class TestJumps:
    def test_from_1970_to_today_with_a_call_running(self) -> None:
        book, clocks = ledger(), Clocks("1970-01-01 09:00:30")
        talk(book, clocks, 32)
        made = begin(book, clocks)
        clocks.wait(90)
        assert book.spent("day", clocks.now) == 175_000 + 70_000
        clocks.set("2026-11-22 12:00")
        assert book.spent("day", clocks.now) == 175_000 + 70_000
        assert book.spent("month", clocks.now) == 175_000 + 70_000
        clocks.wait(40)  # 130 s of talk in all, not 56 years
        end(book, clocks, made)
        assert book.spent("day", clocks.now) == 175_000 + 3 * 35_000
        assert book.to_record(clocks.now)["days"] == {"20261122": 280_000}

    def test_the_other_way_and_back(self) -> None:
        book, clocks = ledger(), Clocks()
        talk(book, clocks, 32)
        made = begin(book, clocks)
        for wrong in ("1970-01-01 09:00", "2038-01-19 12:00", "2026-11-21 12:00"):
            clocks.wait(1)
            right = clocks.offset
            clocks.set(wrong)
            assert book.spent("day", clocks.now) == 175_000 + 35_000
            assert book.spent("month", clocks.now) == 175_000 + 35_000
            clocks.wait(1)
            clocks.offset = right
            assert book.spent("day", clocks.now) == 175_000 + 35_000
        clocks.wait(54)
        end(book, clocks, made)
        assert book.to_record(clocks.now)["days"] == {"20261122": 175_000 + 35_000}

    def test_over_midnight_by_a_jump_dates_by_the_time_that_passed(self) -> None:
        book, clocks = ledger(), Clocks("2026-11-20 12:00")  # it is the 23rd, 00:10
        talk(book, clocks, 32)
        clocks.wait(20 * 60)
        talk(book, clocks, 100, ABROAD)
        clocks.set("2026-11-23 00:10")
        assert book.spent("day", clocks.now) == 70_000
        assert book.spent("month", clocks.now) == 245_000
        days = book.to_record(clocks.now)["days"]
        assert days == {"20261122": 175_000, "20261123": 70_000}

    def test_drift_is_no_jump(self) -> None:
        book, clocks = ledger(), Clocks("2026-11-22 23:59:50")
        talk(book, clocks, 5)
        clocks.offset += JUMP - 1
        assert book.spent("day", clocks.now) == 0
        assert book.to_record(clocks.now)["days"]["20261122"] == 175_000

    def test_a_share_told_under_a_wrong_clock_is_not_told_again(self) -> None:
        book, clocks = ledger(), Clocks("1970-01-01 09:00")
        talk(book, clocks)
        limits = Limits(day=175_000, month=175_000)
        assert len(book.reached(limits, clocks.now)) == 2
        clocks.set("2026-11-22 12:00")
        assert book.reached(limits, clocks.now) == []

    def test_booting_without_a_clock_does_not_forget_today(self) -> None:
        book, clocks = ledger(), Clocks()
        talk(book, clocks)
        again = restart(book, clocks, "1970-01-01 09:00")
        assert again.spent("day", clocks.now) == 175_000
        talk(again, clocks, 10, ABROAD)
        assert again.spent("day", clocks.now) == 210_000
        assert again.spent("month", clocks.now) == 210_000
        clocks.set("2026-11-22 12:30")
        assert again.spent("day", clocks.now) == 210_000

    def test_booting_without_a_clock_on_the_next_day(self) -> None:
        book, clocks = ledger(), Clocks()
        talk(book, clocks)
        again = restart(book, clocks, "1970-01-01 09:00")
        talk(again, clocks, 10, ABROAD)
        clocks.set("2026-12-01 08:00")
        assert again.spent("day", clocks.now) == 35_000
        assert again.spent("month", clocks.now) == 35_000

    def test_booting_with_the_clock_of_some_file(self) -> None:
        # OpenWrt starts at the newest time stamp in /etc, here three weeks ago.
        book, clocks = ledger(), Clocks()
        talk(book, clocks)
        again = restart(book, clocks, "2026-11-01 12:00")
        talk(again, clocks, 10, ABROAD)
        assert again.spent("day", clocks.now) == 210_000
        clocks.set("2026-11-22 12:10")
        assert again.spent("day", clocks.now) == 210_000
        days = again.to_record(clocks.now)["days"]
        assert days["20261122"] == 210_000
        assert sum(days.values()) == 210_000

    def test_two_boots_without_a_clock(self) -> None:
        book, clocks = ledger(), Clocks("1970-01-01 09:00")
        talk(book, clocks)
        again = restart(book, clocks, "1970-01-01 09:00")
        talk(again, clocks, 10, ABROAD)
        assert again.spent("day", clocks.now) == 210_000
        clocks.set("2026-11-22 12:10")
        assert again.spent("day", clocks.now) == 210_000
        assert again.to_record(clocks.now)["days"] == {"20261122": 210_000}
        assert again.to_record(clocks.now)["undated"] == 0

    def test_a_clock_that_is_never_set_still_has_days(self) -> None:
        book, clocks = ledger(), Clocks("1970-01-01 09:00")
        for _ in range(5):
            talk(book, clocks)
            assert book.spent("day", clocks.now) == 175_000
            clocks.wait(DAY)
        # What is undated must not add up over restarts.
        for _ in range(5):
            talk(book, clocks)
            clocks.wait(BELIEVED_AFTER + 1)
            assert book.to_record(clocks.now)["undated"] == 175_000
            book = restart(book, clocks, "1970-01-01 09:00")

    def test_a_record_of_a_clock_that_was_ahead(self) -> None:
        book, clocks = ledger(), Clocks("2038-01-19 12:00")
        talk(book, clocks)
        again = restart(book, clocks, "2026-11-22 12:00")
        assert again.spent("day", clocks.now) == 175_000  # nobody knows better yet
        clocks.wait(BELIEVED_AFTER)
        assert again.spent("day", clocks.now) == 0
        talk(again, clocks, 10, ABROAD)
        assert again.spent("day", clocks.now) == again.spent("month", clocks.now)
        assert again.spent("day", clocks.now) == 35_000

    def test_a_record_of_a_clock_that_was_ahead_and_one_that_is_set(self) -> None:
        book, clocks = ledger(), Clocks("2038-01-19 12:00")
        talk(book, clocks)
        again = restart(book, clocks, "2026-11-01 12:00")
        assert again.spent("day", clocks.now) == 175_000
        clocks.set("2026-11-22 12:00")
        assert again.spent("day", clocks.now) == again.spent("month", clocks.now) == 0

    def test_a_day_to_come_without_costs_hides_none_with_costs(self) -> None:
        days = {"20261122": 5_000, "20380119": 0}
        record = {"version": 1, "days": days}
        book, clocks = Ledger.from_record(record, RATES, local), Clocks()
        assert book.spent("day", clocks.now) == 5_000
        assert book.to_record(clocks.now)["days"] == {"20261122": 5_000}

    def test_a_share_told_on_another_day_is_told_again(self) -> None:
        book, clocks = ledger(), Clocks("2026-11-01 12:00")
        limits = Limits(day=175_000)
        talk(book, clocks)
        assert len(book.reached(limits, clocks.now)) == 1
        again = restart(book, clocks)  # three weeks later, as it turns out
        again.watch(clocks.now)
        clocks.set("2026-11-22 12:00")
        assert again.reached(limits, clocks.now) == []
        talk(again, clocks)
        assert len(again.reached(limits, clocks.now)) == 1

    @given(
        st.lists(
            st.one_of(
                st.tuples(st.just("wait"), st.floats(1, 2 * DAY)),
                st.tuples(st.just("set"), st.floats(0, 2**32)),
                st.tuples(st.just("talk"), st.floats(0, 7000)),
            ),
            max_size=30,
        )
    )
    def test_no_clock_makes_or_loses_money(
        self, steps: list[tuple[str, float]]
    ) -> None:
        """Whatever it shows on the way: in the end each unit is on one day."""
        book, clocks = ledger(), Clocks()
        total = 0
        began = clocks.mono
        for what, amount in steps:
            if what == "wait":
                clocks.wait(amount)
            elif what == "set":
                clocks.offset = amount - clocks.mono
            else:
                talk(book, clocks, amount)
                total += RATES.find("232").cost(amount)
            book.watch(clocks.now)
            assert 0 <= book.spent("day", clocks.now) <= total
        clocks.set("2027-06-15 12:00")
        days = book.to_record(clocks.now)["days"]
        assert sum(days.values()) == total
        first = local(clocks.now.wall - (clocks.mono - began))
        spent = [int(day) for day, cost in days.items() if cost]
        if spent:
            assert min(spent) >= first.year * 10_000 + first.month * 100 + first.day
            assert max(spent) <= 20270615


class TestBounds:
    def test_quiet_calls_stop_to_cost_until_their_bye(self) -> None:
        book, clocks = ledger(), Clocks("2026-11-22 01:00")
        made = begin(book, clocks)
        most = 35_000 * 120
        assert book.spent("day", clocks.wait(TALKS_FOR)) == most
        assert book.spent("day", clocks.wait(TALKS_FOR)) == most
        end(book, clocks, made)
        assert book.spent("day", clocks.now) == 2 * most

    def test_calls_that_run(self) -> None:
        book, clocks = ledger(), Clocks()
        calls = [begin(book, clocks) for _ in range(MAX_RUNNING)]
        clocks.wait(61)
        assert book.spent("day", clocks.now) == MAX_RUNNING * 70_000
        calls.append(begin(book, clocks))
        clocks.wait(60)
        # The first was booked with what it had cost, two units.
        spent = 70_000 + (MAX_RUNNING - 1) * 105_000 + 35_000
        assert book.spent("day", clocks.now) == spent
        for made in calls:
            end(book, clocks, made)
        assert book.spent("day", clocks.now) == spent

    def test_sums_that_can_be_dated_anew(self) -> None:
        book, clocks = ledger(), Clocks("2026-11-01 00:00")
        for _ in range(MAX_ENTRIES + 10):
            talk(book, clocks, 0)
            clocks.wait(QUARTER)
        assert len(book._entries) == MAX_ENTRIES
        kept = sum(book.to_record(clocks.now)["days"].values())
        assert kept == 175_000 * (MAX_ENTRIES + 10)

    def test_days_kept(self) -> None:
        book, clocks = ledger(), Clocks("2026-01-01 12:00")
        for _ in range(MAX_DAYS + 20):
            talk(book, clocks, 0)
            clocks.wait(DAY)
        clocks.wait(-DAY)
        record = book.to_record(clocks.now)
        assert len(record["days"]) == MAX_DAYS
        assert max(record["days"]) == "20260423"
        largest = dict.fromkeys(record["days"], MAX_SPENT)
        assert len(json.dumps({**record, "days": largest})) <= 3_000
        assert len(book._sums) <= MAX_DAYS
        assert {date for _, date in book._entries} <= set(book._sums)

    def test_a_wrong_clocks_days_go_before_ours(self) -> None:
        sums = dict.fromkeys(range(20380101, 20380129), 1)
        sums |= dict.fromkeys((20261101 + day for day in range(28)), 1)
        assert set(range(20261101, 20261129)) <= set(nearest(sums, 20261120))


class TestRecord:
    def test_round_trip(self) -> None:
        book, clocks = ledger(), Clocks()
        for _ in range(40):
            talk(book, clocks, 90)
            clocks.wait(DAY)
        begin(book, clocks)
        book.reached(Limits(day=30_000, month=100), clocks.now)
        record = json.loads(json.dumps(book.to_record(clocks.now)))
        again = Ledger.from_record(record, RATES, local)
        assert again.ignored == 0
        assert again.to_record(clocks.now) == record
        assert again.spent("day", clocks.now) == 35_000
        assert again.spent("month", clocks.now) == book.spent("month", clocks.now)

    @pytest.mark.parametrize("record", [None, 1, "x", [], {}, {"version": 2}])
    def test_what_is_no_record(self, record: object) -> None:
        book = Ledger.from_record(record, RATES, local)
        assert book.ignored == (record is not None)
        assert book.spent("month", Clocks().now) == 0

    def test_the_sound_parts_of_a_damaged_one(self) -> None:
        record = {
            "version": 1,
            "days": {
                "20261122": 5,
                "20261121": -5,
                "20261120": 1.5,
                "20261119": True,
                "20261118": MAX_SPENT,
                "20261117": MAX_SPENT + 1,
                "20261340": 5,
                "19700101": 5,
                "2026112": 5,
                "\uff12\uff10\uff12\uff16\uff11\uff11\uff12\uff12": 5,
                "x": 5,
            },
            "undated": "much",
            "told": {"day": [20261122, 5], "month": [202611, 5, 50], "year": [1, 1, 1]},
        }
        book = Ledger.from_record(record, RATES, local)
        assert book.ignored == 9 + 1 + 2
        assert book.spent("month", Clocks().now) == 5 + MAX_SPENT
        kept = book.to_record(Clocks().now)
        assert kept["told"] == {"month": [202611, 5, 50]}

    def test_as_many_days_as_are_taken(self) -> None:
        days = {
            str(20270000 + month * 100 + day): 1
            for month in (1, 3, 5, 7)
            for day in range(1, 32)
        }
        book = Ledger.from_record({"version": 1, "days": days}, RATES, local)
        assert book.ignored == len(days) - MAX_DAYS

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(
                    st.sampled_from(["version", "days", "undated", "told", "20261122"])
                    | st.text(),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=20,
        )
    )
    def test_any_nonsense(self, part: object) -> None:
        for record in (
            part,
            {"version": 1, "days": part, "told": part},
            {"version": 1, "undated": part, "told": {"day": part}},
        ):
            book = Ledger.from_record(record, RATES, local)
            now = Clocks().now
            json.dumps(book.to_record(now))
            assert book.spent("month", now) >= 0
            book.reached(Limits(day=1, month=1), now)


def test_utc_is_not_what_counts() -> None:
    """Nine in the morning in Japan is midnight in UTC: no day ends there."""
    book, clocks = ledger(), Clocks("2026-11-22 08:59")
    talk(book, clocks, 10)
    clocks.until("2026-11-22 09:01")
    assert datetime.fromtimestamp(clocks.now.wall, UTC).hour == 0
    assert book.spent("day", clocks.now) == 175_000
