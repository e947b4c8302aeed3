"""`Config` and rules to the `Terms` of calls abroad: prices, limits, hours, calendar."""

import time
from pathlib import Path
from typing import Final

from ringfence.bundle.embedded import load_rates
from ringfence.bundle.source import Folder, Source
from ringfence.bundle.tables import find_rules_dir
from ringfence.calls.dates import LocalTime
from ringfence.calls.ledger import Limits
from ringfence.calls.rates import MILLI, RateTable
from ringfence.calls.terms import Hours, Terms
from ringfence.config.schema import Config
from ringfence.errors import BundleError, ConfigError

SHIPPED_CURRENCY: Final = "JPY"
"""Of the rate table that comes with the rules."""

MOST_BYTES: Final = 2 << 20
"""Bytes of a site's own rate table; one of the largest allowed has half of that."""

LEAST_DAYS: Final = 2
"""A month may cost the budget of so many days, however little the one before it has."""


def local(wall: float) -> LocalTime:
    """Return a moment by this machine's time zone."""
    at = time.localtime(wall)
    minute = at.tm_hour * 60 + at.tm_min
    return LocalTime(at.tm_year, at.tm_mon, at.tm_mday, at.tm_wday, minute)


def read_terms(config: Config, source: Source) -> Terms:
    """Make the terms; raises `ConfigError` or `BundleError`."""
    times = config.budget_times_last_month
    limits = Limits(
        day=_milli(config.budget_day),
        month=_milli(config.budget_month),
        percent_of_last=100 * times or None,
        least=LEAST_DAYS * config.budget_day * MILLI,
    )
    hours = None
    if config.hours_international is not None:
        hours = Hours(config.hours_international, config.hours_holidays)
    return Terms(_rates(config, source), limits, config.budget_currency, hours, local)


def _milli(units: int) -> int | None:
    return units * MILLI or None


def _rates(config: Config, source: Source) -> RateTable:
    path = config.budget_rates
    if path is None:
        if config.budget_currency != SHIPPED_CURRENCY:
            raise ConfigError(
                [
                    f'budget.currency = "{config.budget_currency}": expected '
                    f'"{SHIPPED_CURRENCY}", or budget.rates with a table of prices in it'
                ]
            )
        found = load_rates(source) or load_rates(Folder(find_rules_dir()))
        assert found is not None  # noqa: S101 - the rules that came with this have it
        return found
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ConfigError(
                [f'budget.rates = "{path}": expected at most {MOST_BYTES} bytes']
            )
        return RateTable.from_csv(content.decode("utf-8"), path)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except UnicodeDecodeError as error:
        problem = f"byte {error.start} is not UTF-8: expected text"
    except BundleError as error:
        raise ConfigError(
            [f"budget.rates: {line}" for line in str(error).splitlines()]
        ) from error
    raise ConfigError([f'budget.rates = "{path}": {problem}'])
