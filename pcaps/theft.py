"""What thieves do with the office's line: the documented incident, and a slow one.

Decides calls, writes none; knows nothing of the office but one stolen account.

The documented one: 14,000 calls of about 30 s to Sierra Leone within four days (175 yen
for one of 32 s, 2.55 million on the bill). Nights first, over a long weekend, several
at once. The slow one turns through ten countries on no list of fraud destinations, one
call in ten minutes, at night. The numbers lie in ranges that nobody has been assigned,
as those of such thieves often do.
"""

from collections.abc import Iterator

from call import ANSWERED, BUSY, PBX, UNANSWERED, UNREACHABLE, Call, account
from chance import Chance
from dialogs import Agent, Timed
from office_days import DAY_S, day_of, local, midnight
from registrations import SOFT, Registration, registered

ACCOUNT = SOFT
"""Whose password was stolen."""
FIRST_DAY = day_of(2026, 11, 20)
"""A Friday; the Monday after is a holiday. It begins at ten in the evening."""
FIRST_S = midnight(FIRST_DAY) + 22 * 3_600

DOCUMENTED_CALLS = 14_000
DOCUMENTED_S = 4 * DAY_S
SIERRA_LEONE = "+23240"
_THIRTY_S = 26.0, 36.0
_CHANNELS_BY_NIGHT = 3
_DAYS_TOO = FIRST_DAY + 2, FIRST_DAY + 3
"""Sunday and the holiday: by then one call after the other in daytime, too."""
_NIGHT_FROM, _NIGHT_TO = 19 * 3_600, 8 * 3_600

SLOW_NIGHTS = 10
SLOW_EVERY_S = 600
_MINUTES_S = 180.0, 440.0
SLOW_FROM, SLOW_TO = 22 * 3_600, DAY_S + 6 * 3_600
"""Seconds of the day on which a night begins."""
TEN_COUNTRIES = {
    "NG": ("+23410", 8),
    "KE": ("+25421", 7),
    "ZA": ("+2720", 7),
    "EG": ("+2014", 8),
    "PL": ("+4810", 7),
    "UA": ("+38010", 7),
    "TR": ("+9010", 8),
    "MX": ("+5210", 8),
    "AR": ("+5415", 8),
    "CO": ("+5710", 8),
}
"""Start of the numbers, and how many digits follow."""

FROM_JAPAN, FROM_ABROAD, UNSEEN = "japan", "abroad", "unseen"
ENTRIES = {
    FROM_JAPAN: Agent("198.51.100.200", 5066, "198.51.100.200", 5066, "dialer 2"),
    FROM_ABROAD: Agent("192.0.2.200", 5066, "192.0.2.200", 5066, "dialer 2"),
    UNSEEN: None,
}
"""Where the thief registers: from a rented machine in the country, where no rule about
countries sees him; from abroad; or not at all as far as the router sees (he is in the
PBX itself, or behind a tunnel): only the calls from the PBX to the trunk pass."""


def registrations(entry: str, until: float, seed: int) -> Iterator[Timed]:
    """Write the thief's registrations, from a while before his first call."""
    phone = ENTRIES[entry]
    if phone is None:
        return iter(())
    return registered(
        Registration(
            phone, PBX, account(ACCOUNT), FIRST_S - 95.0, until, f"thief/{seed}"
        )
    )


def documented(entry: str, seed: int) -> list[Call]:
    """Decide the documented incident, in the order in which its calls begin.

    `DOCUMENTED_CALLS` are answered; about one in thirty more is not.
    """
    free = [FIRST_S + 1_800.0 * channel for channel in range(_CHANNELS_BY_NIGHT)]
    made: list[Call] = []
    answered = 0
    chance = Chance("documented", seed)
    while answered < DOCUMENTED_CALLS:
        begin = min(free)
        channel = free.index(begin)
        opens = _open(begin, channel)
        if opens > begin:
            free[channel] = opens + chance.between(0, 60)
            continue
        number = SIERRA_LEONE + chance.digits(6)
        name = f"documented/{seed}/{len(made)}"
        call = _call(chance, name, begin, "SL", number, _THIRTY_S, entry)
        made.append(call)
        answered += call.answered is not None
        pause = chance.between(1.0, 9.0)
        if len(made) < 3:  # he tries whether it works, and waits for the figures
            pause = chance.between(200, 400)
        free[channel] = call.ended + pause
    return sorted(made, key=lambda call: call.begin)


def _open(when: float, channel: int) -> float:
    """Give the first moment from `when` on at which a channel is used."""
    day, second = local(when)
    if second >= _NIGHT_FROM or second < _NIGHT_TO:
        return when
    if day in _DAYS_TOO and channel == 0:
        return when
    return midnight(day) + _NIGHT_FROM


def slow(entry: str, seed: int) -> list[Call]:
    """Decide the slow theft, in the order in which its calls begin."""
    chance = Chance("slow", seed)
    made: list[Call] = []
    for night in range(FIRST_DAY, FIRST_DAY + SLOW_NIGHTS):
        for second in range(SLOW_FROM, SLOW_TO, SLOW_EVERY_S):
            begin = midnight(night) + second + chance.between(0, 60)
            country = list(TEN_COUNTRIES)[len(made) % len(TEN_COUNTRIES)]
            start, digits = TEN_COUNTRIES[country]
            number = start + chance.digits(digits)
            name = f"slow/{seed}/{len(made)}"
            made.append(_call(chance, name, begin, country, number, _MINUTES_S, entry))
    return made


def _call(
    chance: Chance,
    name: str,
    begin: float,
    country: str,
    number: str,
    lasts: tuple[float, float],
    entry: str,
) -> Call:
    begin = round(begin, 3)
    answered: float | None = round(begin + chance.between(3.5, 7.0), 3)
    ended = round((answered or 0.0) + chance.between(*lasts), 3)
    outcome, by = ANSWERED, "caller" if chance.happens(0.9) else "called"
    if chance.happens(1 / 30):
        outcome = chance.pick((BUSY, UNREACHABLE, UNANSWERED))
        by = "caller" if outcome == UNANSWERED else "called"
        wait = 25.0 if outcome == UNANSWERED else 5.0
        answered, ended = None, round(begin + chance.between(wait - 2, wait + 2), 3)
    return Call(
        call_id=f"{Chance('call id', name).hex(20)}@{PBX.host}",
        direction="out",
        theft=True,
        who=ACCOUNT,
        dialled=f"010{number[1:]}",
        number=number,
        country=country,
        begin=begin,
        answered=answered,
        ended=ended,
        outcome=outcome,
        ended_by=by,
        outer=ENTRIES[entry],
    )
