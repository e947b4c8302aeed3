"""Logged events as they are counted: typed, in bounds, and of printable text.

Knows the events' keys. It must not know what is made of them. Whatever is not as the
agent writes it becomes "nothing": a wrong line must not spoil a month's report.
"""

import re
from typing import Final, NamedTuple

from ringfence.logged import Event, country_of, moment, time_of

MAX_TEXT: Final = 64
"""Characters kept of a name; E.164 has 15 digits, an IPv6 address 39."""

MAX_REASON: Final = 200
"""Characters kept of a sentence."""

MAX_SECONDS: Final = 10 * 366 * 86_400
"""Of a call; more is no duration."""

MAX_COUNT: Final = 10**12
"""Of anything; more is no count of calls."""

STOPPED: Final = "stopped"
"""How a call ends that we did not let through."""

_MONEY: Final = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,3}))?", re.ASCII)

_SHARES: Final = frozenset({50, 80, 100})


class CallLine(NamedTuple):
    """One call that is over, or was stopped."""

    time: float
    """When it was logged, seconds since 1970."""
    begin: float
    answered: float | None
    seconds: int | None
    """From answer to end."""
    direction: str
    """`out` or `in`."""
    account: str
    source: str
    source_country: str
    number: str
    country: str
    kind: str
    abroad: bool
    cost: int | None
    """Thousandths of the currency's unit."""
    currency: str
    end: str
    status: int | None
    rule: str

    @property
    def stopped(self) -> bool:
        """Whether we did not let it through."""
        return self.end == STOPPED


class IncidentLine(NamedTuple):
    """Something was closed, or is open again."""

    time: float
    opened: bool
    id: str
    rule: str
    what: str
    subject: str
    reason: str
    until: float | None
    open_with: str
    stopped: int
    passed: int
    cost: int | None
    """Thousandths that what was stopped would have cost at least."""
    monitor: bool


class BudgetLine(NamedTuple):
    """A part of what may be spent was reached."""

    time: float
    period: str
    share: int
    spent: int
    limit: int
    currency: str


class StopLine(NamedTuple):
    """A message was stopped, or would have been."""

    time: float
    country: str
    """Of the address that it came from."""
    outside: bool
    monitor: bool
    """It passed, since rules are only tried."""


class CountersLine(NamedTuple):
    """What the agent says that it did not log."""

    unlogged: int
    """Since the agent's start."""


Line = CallLine | IncidentLine | BudgetLine | StopLine | CountersLine


def line_of(event: Event) -> Line | None:
    """Return what an event counts as; None for events that are not counted."""
    read = _READERS.get(str(event.get("type")))
    when = time_of(event)
    return None if read is None or when is None else read(event, when)


def clean(value: object, most: int = MAX_TEXT) -> str:
    """Return text that may be shown: one line, no control characters, bounded."""
    if not isinstance(value, str):
        return ""
    text = value[:most]
    if not text.isprintable():  # line feeds, escapes, writing turned around, surrogates
        text = "".join(char if char.isprintable() else "·" for char in text)
    return text + "…" if len(value) > most else text


def milli_of(value: object) -> int | None:
    """Read money such as `12.500` as thousandths, exactly; None if it is none."""
    match = _MONEY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    return int(match[1]) * 1000 + int((match[2] or "").ljust(3, "0"))


def _call(event: Event, when: float) -> CallLine | None:
    direction = event.get("direction")
    if direction not in ("out", "in"):
        return None
    begin = moment(event.get("begin"))
    return CallLine(
        when,
        when if begin is None else begin,
        moment(event.get("answered")),
        _whole(event.get("duration_s"), MAX_SECONDS),
        str(direction),
        clean(event.get("account")),
        clean(event.get("source")),
        country_of(event.get("source_country")),
        clean(event.get("number")),
        country_of(event.get("country")),
        clean(event.get("class")),
        event.get("abroad") is True,
        milli_of(event.get("cost")),
        _currency(event.get("currency")),
        clean(event.get("end")),
        _whole(event.get("status"), 999),
        clean(event.get("rule")),
    )


def _incident(event: Event, when: float) -> IncidentLine | None:
    name = clean(event.get("id"))
    if event.get("event") not in ("opened", "closed") or not name:
        return None
    return IncidentLine(
        when,
        event["event"] == "opened",
        name,
        clean(event.get("rule")),
        clean(event.get("what")),
        clean(event.get("subject")),
        clean(event.get("reason"), MAX_REASON),
        moment(event.get("until")),
        clean(event.get("open_with"), MAX_REASON),
        _whole(event.get("stopped"), MAX_COUNT) or 0,
        _whole(event.get("passed"), MAX_COUNT) or 0,
        milli_of(event.get("cost")),
        event.get("monitor") is True,
    )


def _budget(event: Event, when: float) -> BudgetLine | None:
    share = _whole(event.get("share"), 100)
    spent, limit = milli_of(event.get("spent")), milli_of(event.get("limit"))
    period = event.get("period")
    if share not in _SHARES or period not in ("day", "month"):
        return None
    if spent is None or limit is None:
        return None
    currency = _currency(event.get("currency"))
    return BudgetLine(when, str(period), share, spent, limit, currency)


def _stop(event: Event, when: float) -> StopLine:
    return StopLine(
        when,
        country_of(event.get("country")),
        event.get("side") != "inside",
        event.get("would") is not None,
    )


def _message(event: Event, when: float) -> StopLine | None:
    """Read what `replay` says of a message, stopped or not."""
    stopped = event.get("verdict") in ("drop", "reject") or event.get("would")
    return _stop(event, when) if stopped else None


def _counters(event: Event, _: float) -> CountersLine:
    lost = [event.get("log_suppressed"), event.get("log_unwritten")]
    return CountersLine(sum(_whole(value, MAX_COUNT) or 0 for value in lost))


_READERS: Final = {
    "call": _call,
    "incident": _incident,
    "budget": _budget,
    "decision": _stop,
    "message": _message,
    "counters": _counters,
}


def _whole(value: object, most: int) -> int | None:
    """Return a number from 0 to `most`, rounded; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(value) if 0 <= value <= most else None


def _currency(value: object) -> str:
    """Return the currency's ISO 4217 code; "" for none."""
    if isinstance(value, str) and len(value) == 3 and value.isascii():
        return value if value.isalpha() and value.isupper() else ""
    return ""
