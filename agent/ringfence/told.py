"""What is told of calls, as records for the log and for `replay`.

Knows the keys of CONTRACT's `call`, `incident` and `budget`. It must not decide.
"""

from json import dumps
from math import ceil, inf
from typing import Final

from ringfence.calls.closures import Closure
from ringfence.calls.events import BudgetShare, CallOver, Incident, Told
from ringfence.calls.ledger import Period
from ringfence.calls.line import Line
from ringfence.calls.rates import MILLI
from ringfence.packet import Instant
from ringfence.report import Record, address_text, mask_number


def told_record(told: Told, currency: str, *, full_numbers: bool) -> Record:
    """Return what a log line says besides its time; `type` names the event."""
    if isinstance(told, CallOver):
        return _call(told, currency, full_numbers=full_numbers)
    if isinstance(told, Incident):
        return _incident(told, full_numbers=full_numbers)
    return _budget(told, currency)


def closure_record(closure: Closure, *, full_numbers: bool) -> Record:
    """Return what is said of something closed, in the log and by `status`."""
    subject, opens_with = closure.subject, closure.opens_with
    reason = closure.reason
    if closure.what == "sequence" and not full_numbers:
        # The number without its last digits is what a mask leaves of it.
        subject = f"{subject}xxxx"
    return {
        "id": closure.id,
        "rule": closure.rule,
        "what": closure.what,
        "subject": subject,
        "reason": reason,
        "open_with": opens_with,
        "stopped": closure.stopped,
        "passed": closure.passed,
        "cost": money(closure.cost),
        "monitor": closure.monitor,
    }


def money(milli: int) -> str:
    """Write thousandths as units of the currency, with three decimals."""
    return f"{milli // MILLI}.{milli % MILLI:03d}"


MAX_SHOWN: Final = 32
"""Incidents that a status shows, the newest."""

MAX_SHOWN_BYTES: Final = 16_384
"""Of them as JSON: half of what the answer to `status` may have. A name that a stranger
chose can take a thousand."""


def line_record(line: Line, now: Instant) -> Record:
    """Return what `status` says of calls abroad: spent, closed, open."""
    closed = list(line.closures)
    shown: list[Record] = []
    room = MAX_SHOWN_BYTES
    for one in closed[: -MAX_SHOWN - 1 : -1]:
        record = _running(one, now)
        room -= len(dumps(record))
        if room < 0:
            break
        shown.append(record)
    return {
        "currency": line.terms.currency,
        "running": line.view.at_once("out"),
        "opened": line.closures.open_now(now.mono),
        "day": _spent(line, "day", now),
        "month": _spent(line, "month", now),
        "closed": shown[::-1],
        "closed_in_all": len(closed),
    }


def _running(closure: Closure, now: Instant) -> Record:
    until = closure.until
    return {
        **closure_record(closure, full_numbers=False),
        "since": int(closure.opened),
        "left_s": None if until == inf else ceil(until - now.mono),
    }


def _spent(line: Line, period: Period, now: Instant) -> Record:
    limit = line.ledger.limit(period, line.terms.limits, now)
    return {
        "spent": money(line.ledger.spent(period, now)),
        "limit": None if limit is None else money(limit),
    }


def told_text(told: Incident | BudgetShare, currency: str) -> str:
    """Write an incident or a share of the budget for a person, in a line."""
    if isinstance(told, BudgetShare):
        return (
            f"budget: {told.share} % of the {told.period}'s, {money(told.spent)} of "
            f"{money(told.limit)} {currency}"
        )
    closure = told.closure
    watched = " (monitor only)" if closure.monitor else ""
    text = f"incident {told.event}{watched}: {closure.rule}: {closure.reason}"
    if told.event == "opened":
        return f"{text}; {closure.opens_with}"
    return (
        f"{text}; stopped {closure.stopped}, passed {closure.passed}, at least "
        f"{money(closure.cost)} {currency} saved"
    )


def _call(told: CallOver, currency: str, *, full_numbers: bool) -> Record:
    number, account = told.number, told.account
    if not full_numbers:
        number, account = mask_number(number), mask_number(account)
    duration = told.duration
    return {
        "type": "call",
        "time": round(told.time, 3),
        "begin": round(told.begin, 3),
        "answered": None if told.answered is None else round(told.answered, 3),
        "duration_s": None if duration is None else round(duration, 3),
        "direction": told.direction,
        "account": account,
        "source": address_text(told.source),
        "source_country": told.source_country,
        "number": number,
        "country": told.country,
        "class": told.kind,
        "abroad": told.abroad,
        "cost": None if told.cost is None else money(told.cost),
        "currency": currency,
        "end": told.end,
        "status": told.status,
        "rule": told.rule,
    }


def _incident(told: Incident, *, full_numbers: bool) -> Record:
    return {
        "type": "incident",
        "event": told.event,
        "time": round(told.time, 3),
        **closure_record(told.closure, full_numbers=full_numbers),
        "until": None if told.until is None else round(told.until, 3),
    }


def _budget(told: BudgetShare, currency: str) -> Record:
    return {
        "type": "budget",
        "time": round(told.time, 3),
        "period": told.period,
        "share": told.share,
        "spent": money(told.spent),
        "limit": money(told.limit),
        "currency": currency,
    }
