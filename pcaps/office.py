"""Whom a small office in Japan calls, and who calls it: twelve months of days.

Ten people behind a PBX, one trunk. Decides calls, writes none. Every day has a chance
of its own, so any part of the year holds what the whole holds there. The shares and
durations are guesses at an ordinary office; what the rules need is that working days
are busy, other days and nights are not, and calls abroad are few and repeat.

Numbers are nobody's as far as a country keeps some for that (US 555-01xx, Germany's
for films); else they lie in ranges that are not assigned, or are the usual examples
(090-1234-567x).
"""

from collections.abc import Iterator
from typing import NamedTuple

from call import (
    ANSWERED,
    BUSY,
    CANCELLED,
    CROSSED,
    LINE,
    PBX,
    TRUNK,
    UNANSWERED,
    UNKNOWN,
    UNREACHABLE,
    Call,
)
from chance import Chance
from dialogs import Agent
from office_days import date_of, day_of, midnight, saturday, worked
from registrations import DESK, HOME_DESK, SOFT, soft_phone

STAFF = ("201", "202", "203", "204", "205", "206", "207", DESK, SOFT, "210")
CALLS_OUT, CALLS_IN = 34.0, 30.0
"""On an ordinary working day, on average; calls tried again come on top."""
_HOURS = {8: 0.2, 9: 1.0, 10: 1.3, 11: 1.2, 12: 0.25, 13: 1.0, 14: 1.15, 15: 1.1}
_HOURS |= {16: 1.05, 17: 0.7, 18: 0.2, 19: 0.04}
"""How busy each hour is; lunch is from twelve to one."""

_OUT = {ANSWERED: 72.0, UNANSWERED: 13.0, CANCELLED: 5.0, BUSY: 5.0}
_OUT |= {UNREACHABLE: 3.5, UNKNOWN: 1.2, CROSSED: 0.3}
_IN = {ANSWERED: 80.0, UNANSWERED: 13.0, CANCELLED: 3.0, BUSY: 3.0, CROSSED: 0.3}
_ON_DAYS_OFF = {ANSWERED: 15.0, UNANSWERED: 75.0, CANCELLED: 10.0}


class Abroad(NamedTuple):
    """A country that the office does business with."""

    country: str
    numbers: tuple[str, ...]
    out: float
    """Calls out on an average working day."""
    in_: float
    first: float
    """Hour of the day in Japan from which somebody is there."""
    last: float


UNITED_STATES = Abroad(
    "US", ("+12125550123", "+14155550199", "+13105550142"), 0.6, 0.1, 8.5, 11.5
)
PHILIPPINES = Abroad(
    "PH", ("+63210345678", "+63210345612", "+63390123456"), 0.8, 0.15, 10.0, 17.5
)
GERMANY = Abroad("DE", ("+493023125042",), 0.06, 0.02, 16.0, 18.5)
PARTNERS = (UNITED_STATES, PHILIPPINES, GERMANY)
VIET_NAM = Abroad("VN", ("+842410345678", "+842410345699"), 0.0, 0.0, 11.0, 17.5)
VIET_NAM_WEEK = {day_of(2026, 10, 19) + at: n for at, n in enumerate((2, 4, 4, 3, 2))}
"""An order comes in from a new country: calls to it, by day; none before or after."""
EMERGENCY_DAY = day_of(2027, 2, 16)
"""Somebody calls an ambulance."""


def _domestic() -> tuple[str, ...]:
    """Make the people whom the office talks to, those first whom it talks to most."""
    chance = Chance("whom the office knows")
    kinds = {"031": 7, "061": 7, "0901234567": 1, "0801234567": 1, "0501234567": 1}
    weights = {"031": 4.0, "061": 1.5, "0901234567": 2.5, "0801234567": 1.5}
    weights["0501234567"] = 0.6
    found: dict[str, None] = {}
    while len(found) < 70:
        start = chance.weighted(weights)
        found[start + chance.digits(kinds[start])] = None
    return tuple(found)


KNOWN = _domestic()
_SERVICES = ("0120123456", "0120123457", "0120123450")


def calls(day: int, seed: int) -> list[Call]:
    """Decide all calls that begin on a day, in the order in which they begin."""
    drafts = sorted(_drafts(day, Chance("office", seed, day)))
    made: list[Call] = []
    free = dict.fromkeys(STAFF, 0.0)
    for at, draft in enumerate(drafts):
        chance = Chance("office", seed, day, at)
        made += _Decision(day, seed, at, draft, free, chance).calls()
    return sorted(made, key=lambda call: call.begin)


class _Draft(NamedTuple):
    second: float
    """Of the day."""
    direction: str
    number: str
    """As the office dials it at home; E.164 abroad; "" withheld."""
    country: str
    outcome: str


def _drafts(day: int, chance: Chance) -> Iterator[_Draft]:
    if not worked(day):
        yield from _day_off(day, chance)
        return
    when = date_of(day)
    busy = 1.15 if when.weekday() == 0 else 1.0
    if when.day in (25, 30, 31):  # accounts are settled
        busy *= 1.2
    for _ in range(chance.times(CALLS_OUT * busy)):
        yield from _tried(chance, _second(chance), _callee(chance), "JP")
    for _ in range(chance.times(CALLS_IN * busy)):
        number = chance.favour(KNOWN) if chance.happens(0.95) else ""
        country = "JP" if number else ""
        yield _Draft(_second(chance), "in", number, country, chance.weighted(_IN))
    for partner in PARTNERS:
        for _ in range(chance.times(partner.out)):
            yield from _abroad(chance, partner)
        for _ in range(chance.times(partner.in_)):
            second = 3_600 * chance.between(partner.first, partner.last)
            number = chance.favour(partner.numbers)
            yield _Draft(second, "in", number, partner.country, chance.weighted(_IN))
    for _ in range(VIET_NAM_WEEK.get(day, 0)):
        second = 3_600 * chance.between(VIET_NAM.first, VIET_NAM.last)
        number = chance.favour(VIET_NAM.numbers)
        outcome = ANSWERED if chance.happens(0.75) else UNANSWERED
        yield _Draft(second, "out", number, "VN", outcome)
    if day == EMERGENCY_DAY:
        yield _Draft(_second(chance), "out", "119", "JP", ANSWERED)


def _day_off(day: int, chance: Chance) -> Iterator[_Draft]:
    """A few callers meet nobody; on some Saturdays somebody has dropped in."""
    for _ in range(chance.times(1.2)):
        second = 3_600 * chance.between(10, 17)
        number, outcome = chance.favour(KNOWN), chance.weighted(_ON_DAYS_OFF)
        yield _Draft(second, "in", number, "JP", outcome)
    if saturday(day) and chance.happens(0.25):
        for _ in range(chance.whole(1, 3)):
            second = 3_600 * chance.between(11, 16)
            yield from _tried(chance, second, _callee(chance), "JP")


def _second(chance: Chance) -> float:
    """Give a moment of a working day."""
    hour = chance.weighted(_HOURS)
    return 3_600 * hour + chance.between(1_800 if hour == 8 else 0, 3_599)


def _callee(chance: Chance) -> str:
    if chance.happens(0.05):
        return chance.pick(_SERVICES)
    if chance.happens(0.003):
        return chance.pick(("104", "117"))
    return chance.favour(KNOWN)


def _abroad(chance: Chance, partner: Abroad) -> Iterator[_Draft]:
    second = 3_600 * chance.between(partner.first, partner.last)
    number = chance.favour(partner.numbers)
    yield from _tried(chance, second, number, partner.country)


def _tried(
    chance: Chance, second: float, number: str, country: str
) -> Iterator[_Draft]:
    """Call somebody, and again a little later as long as that fails."""
    if number[0] == "1" or number.startswith("0120"):
        yield _Draft(second, "out", number, country, ANSWERED)
        return
    for _ in range(3):
        outcome = chance.weighted(_OUT)
        yield _Draft(second, "out", number, country, outcome)
        if outcome not in (BUSY, UNANSWERED) or chance.happens(0.5):
            return
        second += chance.between(90, 1_200)
        if second > 19.9 * 3_600:
            return


def e164(number: str) -> str:
    """Give a number dialled at home with its plus; service numbers stay."""
    if number[:1] != "0":
        return number
    return f"+81{number[1:]}"


class _Decision:
    """Makes one call of a draft, or two if the PBX sends one on."""

    __slots__ = ("_at", "_chance", "_day", "_draft", "_free", "_seed")

    def __init__(
        self,
        day: int,
        seed: int,
        at: int,
        draft: _Draft,
        free: dict[str, float],
        chance: Chance,
    ) -> None:
        self._day, self._seed, self._at = day, seed, at
        self._draft, self._free, self._chance = draft, free, chance

    def calls(self) -> list[Call]:
        """Decide who, how long, and how it ends."""
        draft, chance = self._draft, self._chance
        begin = round(midnight(self._day) + draft.second, 3)
        answered, ended, by = self._times(begin)
        who = self._who(begin, ended)
        out = draft.direction == "out"
        dialled = LINE.user
        if out:
            abroad = draft.country != "JP"
            dialled = f"010{draft.number[1:]}" if abroad else draft.number
        call = Call(
            call_id=self._call_id(PBX if out else TRUNK, ""),
            direction=draft.direction,
            theft=False,
            who=who,
            dialled=dialled,
            number=e164(draft.number),
            country=draft.country,
            begin=begin,
            answered=answered,
            ended=ended,
            outcome=draft.outcome,
            ended_by=by,
            outer=self._phone(who) if out else None,
        )
        if out or draft.outcome not in (ANSWERED, UNANSWERED):
            return [call]
        if who in (DESK, SOFT):
            return [call._replace(outer=self._phone(who))]
        if draft.outcome == ANSWERED and chance.happens(0.04):
            return [call, self._sent_on(call)]
        if worked(self._day) and chance.happens(0.15):  # the group rings everywhere
            return [call._replace(outer=self._phone(DESK), rings_only=True)]
        return [call]

    def _call_id(self, end: Agent, more: str) -> str:
        name = Chance("call id", self._seed, self._day, self._at, more).hex(20)
        return f"{name}@{end.host}"

    def _phone(self, who: str) -> Agent | None:
        if who == DESK:
            return HOME_DESK
        return soft_phone(self._day) if who == SOFT and worked(self._day) else None

    def _times(self, begin: float) -> tuple[float | None, float, str]:
        """Decide when a call is answered and ended, and by whom."""
        chance, draft = self._chance, self._draft
        abroad = draft.country not in ("JP", "")
        setup = chance.between(5, 8) if abroad else chance.between(2, 4)
        outcome = draft.outcome
        if outcome in (BUSY, UNKNOWN):
            return None, round(begin + setup, 3), "called"
        if outcome == UNREACHABLE:
            return None, round(begin + chance.between(20, 45), 3), "called"
        if outcome == CANCELLED:
            return None, round(begin + chance.between(1.5, 7), 3), "caller"
        rings = setup + chance.around(7, 0.6, 40)
        if outcome == UNANSWERED:
            return None, round(begin + setup + chance.between(15, 50), 3), "caller"
        answered = round(begin + rings, 3)
        if outcome == CROSSED:
            return answered, round(answered + 0.03, 3), "caller"
        median, longest = (240.0, 3_000.0) if abroad else (75.0, 4_500.0)
        lasts = max(2.0, chance.around(median, 1.1, longest))
        by = "caller" if chance.happens(0.6) else "called"
        if not abroad and chance.happens(0.001):
            by = ""
        return answered, round(answered + lasts, 3), by

    def _who(self, begin: float, ended: float) -> str:
        """Find somebody who is not on the telephone."""
        if self._draft.direction == "in" and self._draft.outcome == BUSY:
            return ""
        start = self._chance.whole(0, len(STAFF) - 1)
        turn = STAFF[start:] + STAFF[:start]
        who = next((one for one in turn if self._free[one] < begin), turn[0])
        self._free[who] = ended
        return who

    def _sent_on(self, call: Call) -> Call:
        """Let the PBX call somebody's mobile, and connect the two."""
        chance = self._chance
        answered = call.answered or call.begin
        begin = round(call.begin + 0.3 * (answered - call.begin), 3)
        number = f"0901234567{chance.whole(0, 9)}"
        # Who hangs up is heard of first.
        lag = {"caller": 0.01, "called": -0.01, "": 0.0}[call.ended_by]
        return call._replace(
            call_id=self._call_id(PBX, "sent on"),
            direction="out",
            dialled=number,
            number=e164(number),
            country="JP",
            begin=begin,
            answered=round(answered - 0.01, 3),
            ended=round(call.ended + lag, 3),
            diverted=True,
        )
