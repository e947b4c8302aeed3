"""A month of an office's calls, and what thieves do to it: as a stream or a capture.

    python pcaps/incident.py                     the committed excerpt, anew
    python pcaps/incident.py NAME -o FILE        a whole month, with a theft in it
    python pcaps/incident.py office --from 2026-04-01 --to 2027-03-31 -o FILE

Beside a capture stands the truth, FILE with `.csv` for `.pcap`: one row a call. A test
can feed an engine from `Traffic` without any file. Who calls whom: `office.py` and
`theft.py`; how: `callflow.py`.
"""

import argparse
import csv
import heapq
import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from struct import Struct, pack
from typing import NamedTuple

import office
import registrations
import theft
from call import Call
from callflow import messages as messages_of
from callflow import refusal
from dialogs import Timed
from office_days import FIRST_DAY, YEAR, midnight, month

HERE = Path(__file__).resolve().parent
SEED = 1
INCIDENT_MONTH = month(2026, 11)

_RAW, _SNAPLEN = 101, 65_535
_RECORD = Struct("<IIII").pack
_AHEAD_S = 2.0
"""No packet of a call passes longer than this before its `begin`."""


class Scenario(NamedTuple):
    """What happens in the office's twelve months."""

    name: str
    thief: str = ""
    """`documented` or `slow`; "" for none."""
    entry: str = theft.FROM_JAPAN
    """Where the thief comes from: see `theft.ENTRIES`."""


OFFICE = Scenario("office")
INCIDENT = Scenario("incident", "documented")
SLOW = Scenario("slow", "slow")
SCENARIOS = {scenario.name: scenario for scenario in (OFFICE, INCIDENT, SLOW)}


class Passing(NamedTuple):
    """One packet at the router."""

    time: float
    """Seconds since 1970."""
    packet: bytes
    """From its IP header on."""
    call: Call | None
    """The call that it is of; None for registrations and keep-alives."""


def calls(
    scenario: Scenario, days: Sequence[int] = YEAR, seed: int = SEED
) -> Iterator[Call]:
    """Tell the truth: every call that begins on those days, in order.

    `days` follow each other, counted as in `office_days`.
    """
    begin, end = midnight(days[0]), midnight(days[-1] + 1)
    stolen = [call for call in _stolen(scenario, seed) if begin <= call.begin < end]
    honest = (call for day in days for call in office.calls(day, seed))
    return heapq.merge(honest, stolen, key=lambda call: call.begin)


@lru_cache(maxsize=4)
def _stolen(scenario: Scenario, seed: int) -> list[Call]:
    if not scenario.thief:
        return []
    made = theft.documented if scenario.thief == "documented" else theft.slow
    return made(scenario.entry, seed)


def _others(scenario: Scenario, days: Sequence[int], seed: int) -> Iterator[Timed]:
    """Write what is of no call, in order."""
    begin, end = midnight(days[0]), midnight(days[-1] + 1)
    stolen: Iterable[Timed] = ()
    last = max((call.ended for call in _stolen(scenario, seed)), default=begin)
    if scenario.thief:
        stolen = theft.registrations(scenario.entry, min(end, last), seed)
    honest = (
        timed
        for day in days
        for timed in sorted(registrations.office(day, seed), key=lambda one: one[0])
    )
    thiefs = sorted(timed for timed in stolen if begin <= timed[0] < end)
    return heapq.merge(honest, thiefs, key=lambda one: one[0])


class Traffic:
    """All packets in the order in which they pass, on a line that can be refused.

    Iterate once. A call whose INVITE does not pass has no answers; who judges while
    he reads says so with `refuse`.
    """

    def __init__(
        self, scenario: Scenario, days: Sequence[int] = YEAR, seed: int = SEED
    ) -> None:
        """Decide nothing yet; a year's traffic is made as it is read."""
        self._calls = calls(scenario, days, seed)
        self._others = _others(scenario, days, seed)
        self._refused: set[str] = set()
        self._waiting: list[tuple[float, int, bool, bytes, Call | None]] = []
        self._pushed = 0

    @classmethod
    def of(cls, made: Iterable[Call]) -> "Traffic":
        """Take calls that somebody else has decided, in order, and nothing besides."""
        traffic = cls(OFFICE, YEAR[:1])
        traffic._calls, traffic._others = iter(made), iter(())
        return traffic

    def refuse(self, call: Call, when: float) -> None:
        """Let nothing more come of a call that was stopped at a time.

        Stopped on its way to the trunk, its caller outside hears so from the PBX;
        before that, he hears nothing.
        """
        if call.call_id not in self._refused:
            self._refused.add(call.call_id)
            if when >= call.begin:
                self._push(refusal(call), call, refused=True)

    def _push(
        self, packets: Iterable[Timed], call: Call | None, *, refused: bool = False
    ) -> None:
        for when, packet in packets:
            self._pushed += 1
            heapq.heappush(self._waiting, (when, self._pushed, refused, packet, call))

    def _until(self, moment: float) -> Iterator[Passing]:
        """Give what passes before a moment."""
        waiting = self._waiting
        while waiting and waiting[0][0] < moment:
            when, _, refused, packet, call = heapq.heappop(waiting)
            if refused or call is None or call.call_id not in self._refused:
                yield Passing(when, packet, call)

    def __iter__(self) -> Iterator[Passing]:
        """Give every packet."""
        others = iter(self._others)
        other = next(others, None)
        for call in self._calls:
            while other is not None and other[0] < call.begin:
                self._push([other], None)
                other = next(others, None)
            yield from self._until(call.begin - _AHEAD_S)
            self._push(messages_of(call), call)
        self._push(others if other is None else [other, *others], None)
        yield from self._until(float("inf"))


def messages(
    scenario: Scenario, days: Sequence[int] = YEAR, seed: int = SEED
) -> Iterator[Timed]:
    """Give every packet of those days in order: when it passes, and its bytes."""
    return ((passing.time, passing.packet) for passing in Traffic(scenario, days, seed))


# Files ----------------------------------------------------------------------------


def capture(packets: Iterable[Timed]) -> Iterator[bytes]:
    """Write a pcap file (draft-ietf-opsawg-pcap) piece by piece."""
    yield pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, _SNAPLEN, _RAW)
    for when, packet in packets:
        seconds, micros = divmod(round(when * 1_000_000), 1_000_000)
        yield _RECORD(seconds, micros, len(packet), len(packet)) + packet


COLUMNS = (
    *("call_id", "direction", "theft", "who", "dialled", "number", "country"),
    *("begin", "answered", "ended", "duration", "outcome", "ended_by"),
)


def table(truth: Iterable[Call]) -> str:
    """Write the truth as CSV; times in seconds since 1970, durations in seconds."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for call in truth:
        answered = "" if call.answered is None else f"{call.answered:.3f}"
        times = f"{call.begin:.3f}", answered, f"{call.ended:.3f}"
        rows.writerow(
            [
                *(call.call_id, call.direction, int(call.theft), call.who),
                *(call.dialled, call.number, call.country, *times),
                *(f"{call.duration:.3f}", call.outcome, call.ended_by),
            ]
        )
    return out.getvalue()


def excerpt() -> Iterator[Passing]:
    """Give the end of the office's last day and the theft's first minutes.

    Calls that have begun before are left out; those that begin last are whole.
    """
    first, last = theft.FIRST_S - 4 * 3_600, theft.FIRST_S + 1_100
    for passing in Traffic(INCIDENT, (theft.FIRST_DAY, theft.FIRST_DAY + 1)):
        begin = passing.time if passing.call is None else passing.call.begin
        if first <= begin < last:
            yield passing
        elif begin >= last + 300:
            return


def write_excerpt(to: Path) -> None:
    """Write the committed capture and its truth below a folder."""
    found = list(excerpt())
    data = b"".join(capture((one.time, one.packet) for one in found))
    (to / "incident.pcap").write_bytes(data)
    truth = {one.call.call_id: one.call for one in found if one.call is not None}
    ordered = sorted(truth.values(), key=lambda call: call.begin)
    (to / "incident.csv").write_text(table(ordered), encoding="utf-8")


def _day(text: str) -> int:
    day = (date.fromisoformat(text) - FIRST_DAY).days
    if day not in YEAR:
        raise argparse.ArgumentTypeError(
            f"no day of the twelve months from {FIRST_DAY}"
        )
    return day


def main(arguments: Sequence[str] | None = None) -> int:
    """Write what the command line asks for; returns the exit code."""
    parser = argparse.ArgumentParser(description="Writes captures of an office's line.")
    parser.add_argument("scenario", nargs="?", choices=SCENARIOS)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE.pcap")
    parser.add_argument("--from", dest="first", type=_day, metavar="YYYY-MM-DD")
    parser.add_argument("--to", dest="last", type=_day, metavar="YYYY-MM-DD")
    parser.add_argument("--entry", choices=theft.ENTRIES, default=theft.FROM_JAPAN)
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(arguments)
    if options.scenario is None:
        write_excerpt(options.output or HERE)
        return 0
    if options.output is None or options.output.suffix != ".pcap":
        parser.error("-o FILE.pcap says where to write")
    scenario = SCENARIOS[options.scenario]._replace(entry=options.entry)
    first = INCIDENT_MONTH[0] if options.first is None else options.first
    last = INCIDENT_MONTH[-1] if options.last is None else options.last
    if first > last:
        parser.error("--from is after --to")
    days = range(first, last + 1)
    with options.output.open("wb") as out:
        out.writelines(capture(messages(scenario, days, options.seed)))
    truth = table(calls(scenario, days, options.seed))
    options.output.with_suffix(".csv").write_text(truth, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
