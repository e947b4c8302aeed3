"""A month of an agent's log: an office's calls, a theft that is stopped, scanners.

Events as the agent writes them, decided by a chance that is the same each time. The
office, the thief and their figures are those of the documented incident: 14,000 calls
of 30 s to Sierra Leone within four days, by night first.
"""

import json
import random
from collections.abc import Iterator
from typing import Any, Final

Event = dict[str, Any]

BEGIN: Final = 1_793_458_800.0
"""2026-11-01 00:00 in Japan, a Sunday."""

DAY: Final = 86_400
DAYS: Final = 30
THEFT: Final = (12, 13, 14, 15)
"""Days of the month on which the thief calls, from Thursday on."""

STOLEN: Final = 14_000
LET_THROUGH: Final = 3
"""Of the stolen calls, before behaviour was noticed."""

PRICES: Final = {"US": 9_000, "PH": 35_000, "DE": 20_000, "SL": 175_000}
"""Thousandths of a yen a minute."""

_ABROAD: Final = (("US", "1212555xxxx"), ("PH", "632103456xxxx"), ("DE", "4930231xxxx"))
_SOURCES: Final = (("NL", 0.45), ("US", 0.25), ("DE", 0.12), ("FR", 0.08), ("RU", 0.06))
_STAFF: Final = tuple(str(extension) for extension in range(201, 211))


def events(seed: int = 7) -> Iterator[Event]:
    """Give all events of the month in order."""
    chance = random.Random(seed)  # noqa: S311 - no secret, the same each time
    found: list[Event] = [{"type": "ready", "time": BEGIN}]
    for day in range(1, DAYS + 1):
        midnight = BEGIN + (day - 1) * DAY
        found += _office(chance, midnight)
        found += _scanners(chance, midnight)
    found += _theft(chance)
    found += _budget()
    found.sort(key=lambda event: float(event["time"]))
    yield from found


def lines(seed: int = 7) -> Iterator[str]:
    """Give the month as log lines."""
    for event in events(seed):
        yield json.dumps(event, ensure_ascii=False) + "\n"


def call(begin: float, talked: int | None, **fields: object) -> Event:
    """Make the event of one call; `talked` is None for one without an answer."""
    answered = None if talked is None else begin + 6
    event: Event = {
        "type": "call",
        "time": begin + 6 + (talked or 20),
        "begin": begin,
        "answered": answered,
        "duration_s": talked,
        "direction": "out",
        "account": "201",
        "source": "192.168.1.10",
        "source_country": None,
        "number": "1212555xxxx",
        "country": "US",
        "class": "international",
        "abroad": True,
        "cost": None,
        "currency": "JPY",
        "end": "cancel" if talked is None else "bye",
        "status": None if talked is None else 200,
        "rule": None,
    }
    return {**event, **fields}


def priced(begin: float, talked: int | None, country: str, **fields: object) -> Event:
    """Make a call abroad with what it cost, by the minute begun."""
    cost = None
    if talked is not None:
        milli = PRICES[country] * -(-talked // 60)
        cost = f"{milli // 1000}.{milli % 1000:03}"
    return call(begin, talked, country=country, cost=cost, **fields)


def _office(chance: random.Random, midnight: float) -> Iterator[Event]:
    weekday = int((midnight - BEGIN) // DAY + 6) % 7
    for _ in range(chance.randint(28, 40) if weekday < 5 else 1):
        begin = midnight + chance.uniform(9, 18) * 3600
        talked = chance.randint(15, 600) if chance.random() < 0.75 else None
        home: dict[str, object] = {
            "country": "JP",
            "class": "domestic",
            "number": "03123xxxx",
            "abroad": False,
            "account": chance.choice(_STAFF),
        }
        yield call(begin, talked, **home)
        coming = {"direction": "in", "account": "", "source": "198.51.100.7"}
        coming["source_country"] = "JP"
        yield call(begin + 400, talked, **{**home, **coming})
    for _ in range(chance.randint(0, 4) if weekday < 5 else 0):
        country, number = chance.choice(_ABROAD)
        talked = chance.randint(30, 1500) if chance.random() < 0.8 else None
        begin = midnight + chance.uniform(9, 18) * 3600
        account = chance.choice(_STAFF[:5])
        yield priced(begin, talked, country, number=number, account=account)


def _scanners(chance: random.Random, midnight: float) -> Iterator[Event]:
    for _ in range(chance.randint(20, 60)):
        hour = chance.choice((0, 1, 2, 2, 3, 3, 3, 4, 5, 13, 22, 23))
        pick = chance.random()
        country = None
        for name, share in _SOURCES:
            pick -= share
            if pick < 0:
                country = name
                break
        yield decision(midnight + (hour + chance.random()) * 3600, country)


def decision(time: float, country: str | None, **fields: object) -> Event:
    """Make the event of a message that was stopped."""
    event: Event = {
        "type": "decision",
        "time": time,
        "src": "192.0.2.66",
        "sport": 5060,
        "kind": "request",
        "method": "REGISTER",
        "cseq_method": "REGISTER",
        "uri": "sip:203.0.113.1",
        "from_user": "201",
        "side": "outside",
        "country": country,
        "destination": None,
        "verdict": "drop",
        "rule": "foreign-registration",
        "reason": "REGISTER from abroad",
        "would": None,
    }
    return {**event, **fields}


def _theft(chance: random.Random) -> Iterator[Event]:
    stolen: dict[str, object] = {
        "number": "2327612xxxx",
        "account": "205",
        "source": "192.0.2.99",
        "source_country": "NL",
    }
    stopped = {"end": "stopped", "rule": "country-surge", "cost": None, "status": 403}
    each, left = STOLEN // len(THEFT), 0
    for day in THEFT:
        midnight = BEGIN + (day - 1) * DAY
        times = sorted(
            midnight + chance.betavariate(1, 3) * 79_000 for _ in range(each)
        )
        for begin in times:
            left += 1
            if left <= LET_THROUGH:
                yield priced(begin, 32, "SL", **stolen)
                continue
            event = call(begin, None, **{**stolen, "country": "SL", **stopped})
            yield {**event, "time": begin}
        yield from _incident(day, times, monitor=False)
    yield from _incident(20, [BEGIN + 19 * DAY + 7_000.0], monitor=True)
    yield from _incident(30, [BEGIN + DAYS * DAY - 1_800.0], monitor=False)


def _incident(day: int, times: list[float], *, monitor: bool) -> Iterator[Event]:
    first = day == THEFT[0]
    event: Event = {
        "type": "incident",
        "event": "opened",
        "id": f"country-surge:SL:{day}",
        "time": times[0] + 1,
        "rule": "country-surge",
        "what": "country",
        "subject": "SL",
        "reason": "4 calls to SL within 2 min; usual are 0.0 a day",
        "until": times[0] + 3_600,
        "open_with": "ringfence allow 232 --for 2h",
        "stopped": 0,
        "passed": LET_THROUGH if first else 0,
        "cost": "0.000",
        "monitor": monitor,
    }
    yield event
    if day in THEFT:  # the last one is still open when the log ends
        stopped = len(times) - (LET_THROUGH if first else 0)
        totals = {"stopped": stopped, "cost": f"{stopped * 175}.000"}
        yield {**event, "event": "closed", "time": times[-1] + 7_200, **totals}


def _budget() -> Iterator[Event]:
    for share, day in ((50, 17), (80, 26)):
        yield {
            "type": "budget",
            "time": BEGIN + day * DAY + 40_000,
            "period": "month",
            "share": share,
            "spent": f"{share * 100 + 12}.500",
            "limit": "10000.000",
            "currency": "JPY",
        }
