"""What a trunk or PBX set up for another country, or by a thief, might make of digits.

Knows ways of dialling that the home network does not know: foreign international
prefixes, E.164 without a plus, prefixes behind junk. It must not know how a guess
weighs against what the network understands: that is `walk`'s business.
"""

from ringfence.facts.numbers.destinations import Destinations
from ringfence.facts.numbers.dialplan import Dialplan
from ringfence.facts.numbers.home import HomeNumbers, abroad_reading
from ringfence.facts.numbers.reading import UNASSIGNED, Reading

MIN_GUESS = 8
"""Digits behind a guessed prefix. The shortest listed numbers (Solomon Islands, 677
and five) have 8; shorter tails turn up by chance in account and device numbers."""

AMERICAN = 11
"""Digits of every number under country code 1."""


class Guesser:
    """Guesses for one PBX on one trunk."""

    __slots__ = (
        "_destinations",
        "_foreign",
        "_home",
        "_idd",
        "_junk",
        "_prefixes",
        "plan",
    )

    def __init__(
        self,
        plan: Dialplan,
        home: HomeNumbers,
        destinations: Destinations,
        idd: tuple[str, ...],
    ) -> None:
        """`idd` are the prefixes that the trunk takes, the plan's own included."""
        self.plan = plan
        self._home = home
        self._destinations = destinations
        self._idd = idd
        self._foreign = tuple(code for code in plan.foreign_idd if code not in idd)
        self._junk = tuple(dict.fromkeys((*idd, *plan.junk_idd)))
        self._prefixes = tuple(
            code + start
            for code, prefix in plan.prefixes.items()
            if not prefix.carrier
            for start in prefix.before
        )

    def guesses(
        self, places: list[tuple[str, tuple[str, ...]]], digits: str
    ) -> list[Reading]:
        """Guess at digits, and at what is left of them at each place of a walk.

        A place is what is left and what was taken off.
        """
        found: list[Reading | None] = []
        bare_numbers: list[Reading | None] = []
        junk_from = 1
        for rest, steps in places:
            detail = "international_foreign_idd"
            for idd in self._foreign if rest.startswith(self._foreign) else ():
                if rest.startswith(idd):
                    step = (*steps, f"foreign idd {idd}")
                    found.append(self._guess(rest[len(idd) :], step, detail))
            for form in self.plan.foreign_forms:
                size = len(form.places)
                if form.fits(rest[:size]):
                    step = (*steps, f"foreign idd {rest[:size]}")
                    guess = self._guess(rest[size:], step, detail)
                    found.append(guess)
                    if guess:  # the digits of the code spell nothing
                        junk_from = max(junk_from, len(digits) - len(rest) + size)
            if rest.startswith("00"):
                bare = rest.lstrip("0")
                zeros = rest[: len(rest) - len(bare)]
                if zeros not in self._foreign and zeros not in self._idd:
                    step = (*steps, f"foreign idd {zeros}")
                    found.append(self._guess(bare, step, detail))
            # 9-23-1234-5678 is an outside line and a local number, not +92.
            by_line = bool(steps) and steps[0].startswith("outside")
            if not by_line and len(rest) >= self.plan.bare and not self._led(rest):
                guess = self._guess(rest, steps, "international_bare")
                bare_numbers.append(guess)
        found += bare_numbers
        for idd in self._junk:
            at = digits.find(idd, junk_from)
            while at > 0:
                step = (f"junk {digits[:at]}", f"idd {idd}")
                bare = digits[at + len(idd) :]
                guess = self._guess(bare, step, "international_junk_prefix")
                if guess and guess.abroad:
                    found.append(guess)
                at = digits.find(idd, at + 1)
        return [reading for reading in found if reading is not None]

    def _led(self, digits: str) -> bool:
        """Say whether a prefix of the plan leads digits that America cannot have.

        184 and a number without its 0 are twelve digits that begin with 1.
        """
        if digits[0] != "1" or len(digits) == AMERICAN:
            return False
        return digits.startswith(self._prefixes)

    def _guess(
        self, digits: str, steps: tuple[str, ...], detail: str
    ) -> Reading | None:
        """Read digits as E.164 if a country has them.

        A guess at a code that nobody has is no reading: account and device numbers
        look like that.
        """
        if len(digits) < MIN_GUESS or digits.startswith("0"):
            return None
        plan = self.plan
        row = self._destinations.find(digits)
        if digits.startswith(plan.code) and not self._home.elsewhere(row, digits):
            national, number = self._home.behind_code(digits[len(plan.code) :])
            steps = (*steps, f"home {plan.code}")
            if number is None or number.yields:
                return None
            return self._home.reading(national, number, steps)
        if row is None or row.kind == UNASSIGNED:
            return None
        return abroad_reading(digits, row, steps, detail)
