"""What a dialled number was read as.

Knows the shape of a reading and its classes. It must not know how one is arrived at or
what is done about it.
"""

from typing import NamedTuple

EMERGENCY = "emergency"
SPECIAL = "special"
DOMESTIC = "domestic"
EXTENSION = "extension"
INTERNATIONAL = "international"
UNASSIGNED = "unassigned"
NON_NUMERIC = "non-numeric"

KINDS = (
    EMERGENCY,
    SPECIAL,
    DOMESTIC,
    EXTENSION,
    INTERNATIONAL,
    UNASSIGNED,
    NON_NUMERIC,
)


class Reading(NamedTuple):
    """One meaning of a dialled text."""

    kind: str
    """One of `KINDS`."""
    number: str
    """E.164 digits without `+` for numbers abroad; the national form, trunk prefix
    included, for domestic ones; the text itself for what is no number."""
    country: str | None = None
    """ISO 3166 alpha-2; None for satellites, shared codes, extensions and names."""
    tier: str | None = None
    """Of the destination: `block`, `watch` or `normal`; None for what is not abroad."""
    steps: tuple[str, ...] = ()
    """What was taken off on the way, outermost first: `carrier 0033`, `idd 010`."""
    detail: str = ""
    """The finer class, such as `domestic_tollfree` or `international_bare`."""
    alternatives: tuple["Reading", ...] = ()
    """Other readings. For a number abroad they weigh as much as this one: a listed one
    among them lists the call. For any other number they are the ones it outweighs."""
    e164: str = ""
    """E.164 digits without `+`, also of domestic numbers; "" where there are none."""

    def behind(self, step: str) -> "Reading":
        """Give the same with one more step in front."""
        kind, number, country, tier, steps, detail, alternatives, e164 = self
        return Reading(
            kind, number, country, tier, (step, *steps), detail, alternatives, e164
        )

    @property
    def abroad(self) -> bool:
        """Say whether the number leaves the country, or would if it existed."""
        return self.kind in (INTERNATIONAL, UNASSIGNED)
