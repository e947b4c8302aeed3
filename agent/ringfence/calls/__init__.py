"""Calls: which run, what they cost, what is usual.

`CallView` makes calls of messages; `Ledger` makes money of calls, by the prices in a
`RateTable`; `Baseline` remembers what a line does when nobody steals from it. None of
them judges, reads a clock or a file.
"""

from ringfence.calls.baseline import Baseline
from ringfence.calls.call import Call, Event
from ringfence.calls.dates import LocalTime
from ringfence.calls.ledger import Ledger, Limits, Reached
from ringfence.calls.rates import Rate, RateTable
from ringfence.calls.view import CallView

__all__ = [
    "Baseline",
    "Call",
    "CallView",
    "Event",
    "Ledger",
    "Limits",
    "LocalTime",
    "Rate",
    "RateTable",
    "Reached",
]
