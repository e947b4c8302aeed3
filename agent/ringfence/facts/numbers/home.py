"""Numbers under the home country's code, and readings of E.164 numbers.

Knows which national number stands behind the home code, and which numbers under it
belong to another country that shares it. It must not know how readings compete.
"""

from ringfence.facts.numbers.destinations import Destination, Destinations
from ringfence.facts.numbers.dialplan import Dialplan, Number
from ringfence.facts.numbers.reading import (
    DOMESTIC,
    INTERNATIONAL,
    UNASSIGNED,
    Reading,
)


class HomeNumbers:
    """Tells numbers at home from those of other countries."""

    __slots__ = ("_destinations", "_shared", "plan")

    def __init__(self, plan: Dialplan, destinations: Destinations) -> None:
        """Take the tables."""
        self.plan = plan
        self._destinations = destinations
        self._shared = destinations.shares(plan.code)

    def behind_code(self, after: str) -> tuple[str, Number | None]:
        """Find the national number that a home country code stands in front of.

        Some have no trunk prefix to lose (Australia's 1300, Korea's 1588).
        """
        domestic = self.plan.domestic
        national = self.plan.trunk + after
        number = domestic.find(national)
        if number is None and self.plan.trunk:
            number = domestic.find(after)
            if number is not None:
                return after, number
        return national, number

    def elsewhere(self, row: Destination | None, e164: str) -> bool:
        """Say whether a number under the home code is of another country.

        What is no country's own (toll-free and premium numbers of America) is ours.
        """
        plan = self.plan
        if not self._shared or row is None or row.country in plan.countries:
            return False
        if row.country is None and row.kind != UNASSIGNED:
            return False
        number = self.behind_code(e164[len(plan.code) :])[1]
        return number is None or not number.shared

    def reading(self, number: str, what: Number, steps: tuple[str, ...]) -> Reading:
        """Make a domestic reading, unless the number is another country's."""
        plan = self.plan
        detail = what.detail
        e164 = ""
        if detail != "domestic_unknown" and not what.yields:
            e164 = plan.code + number.removeprefix(plan.trunk)
        if self._shared and e164:
            row = self._destinations.find(e164)
            if self.elsewhere(row, e164):
                return abroad_reading(e164, row, steps, "international")
        return Reading(DOMESTIC, number, plan.country, None, steps, detail, (), e164)


def abroad_reading(
    number: str, row: Destination | None, steps: tuple[str, ...], detail: str
) -> Reading:
    """Make a reading of an E.164 number; without a row nobody has its code."""
    if row is None or row.kind == UNASSIGNED:
        spare = "international_spare"
        return Reading(UNASSIGNED, number, None, "block", steps, spare, (), number)
    return Reading(
        INTERNATIONAL, number, row.country, row.tier, steps, detail, (), number
    )
