"""Every reading of plain digits under a dial plan, and which one counts.

Knows how readings compete; works on digits alone. It must not know how they were
written, in what URI, or what is allowed.

A number can be read in several ways, and the thief picks the one the filter forgot. So
all of them are walked: prefixes are taken off the front, each in every way the dial
plan permits, until something is left that has a meaning. Then, best first:

1. an emergency or special number, matched exactly behind permitted prefixes;
2. a valid domestic number: an honest call at home is never stopped;
3. a number abroad that this trunk understands (`+`, its own international prefixes,
   behind carrier selection too); of several, a listed one;
4. a domestic reading that yields to 3: a service number with a carrier's code (a guess
   like those of 7 where the trunk takes no carrier's codes), or a national number dialled
   as from abroad (00-81-…);
5. a number, domestic or abroad, behind a carrier code with digits that no table has;
6. a country code that nobody has: it leads nowhere, so anything above is meant rather
   (001-010-44… is KDDI to Britain, not 0, 010 and country 104);
7. guesses, taken when nothing above fits: foreign international prefixes, E.164 without
   a plus, an international prefix behind junk digits, a national number behind a
   carrier code that no table has; of several, a listed one. Digits that belong to a
   foreign prefix are no junk: 10-10-222-011-972… is Israel by an American carrier, and
   neither 010 nor 222 is in it.

Of several listed numbers, one that can exist is told rather than one that is too long;
and a number of 3 that is too long and on no list loses to those of 5 that are not, and
behind an outside line, which may be no such thing, to those of 7 (001-042-010-5069… is
Costa Rica, not 0, 010 and eighteen digits of Czechia).

A number abroad that the trunk understands is where the call goes, so guesses do not
count against it (010-82-10-1023-2761 is a phone in Korea, whatever its digits spell).
"""

from typing import NamedTuple

from ringfence.facts.numbers.destinations import Destinations
from ringfence.facts.numbers.dialplan import Dialplan, Number
from ringfence.facts.numbers.forms import probes
from ringfence.facts.numbers.guess import MIN_GUESS, Guesser
from ringfence.facts.numbers.home import HomeNumbers, abroad_reading
from ringfence.facts.numbers.reading import (
    DOMESTIC,
    EXTENSION,
    SPECIAL,
    UNASSIGNED,
    Reading,
)

MAX_E164 = 15
"""Digits of the longest number (E.164 section 6); switches drop what is behind."""

# How readings rank against each other, best first; see the module's docstring.
BUILT_IN, HOME, ABROAD, YIELDING, LIKELY, NOWHERE, GUESS, UNREAD = range(8)

# What may come next: anything a phone dials; the same without an outside line; what a
# carrier code may precede, or one with digits added, or one that no table has; E.164
# digits, for sure or behind such a code.
START, DIALLED, CARRIER, ADDED, UNKNOWN_CARRIER, GLOBAL, GLOBAL_LIKELY = range(7)


class Ranked(NamedTuple):
    """A reading with its rank."""

    rank: int
    reading: Reading

    @property
    def listed(self) -> bool:
        """Say whether the destination list would stop the call."""
        return self.reading.tier == "block"

    @property
    def overlong(self) -> bool:
        """Say whether no country has numbers of so many digits."""
        return len(self.reading.e164) > MAX_E164

    @property
    def by_line(self) -> bool:
        """Say whether the first digits were read as an outside line."""
        steps = self.reading.steps
        return bool(steps) and steps[0].startswith("outside")

    def behind(self, step: str) -> "Ranked":
        """Give the same with one more step in front."""
        return Ranked(self.rank, self.reading.behind(step))


Place = tuple[str, int, tuple[str, ...]]
"""A point of a walk: what is left, what may come, what was taken off."""


class Walker:
    """Walks numbers as one PBX on one trunk in one country dials them."""

    def __init__(
        self,
        plan: Dialplan,
        destinations: Destinations,
        outside_line: tuple[str, ...],
        idd: tuple[str, ...],
        area_code: str,
    ) -> None:
        """Take the tables and the PBX settings of `NumberReader`."""
        self.plan = plan
        self._destinations = destinations
        self._outside = outside_line
        # "3" for "03" is understood, as are the long area codes without their trunk.
        whole = not area_code or area_code.startswith(plan.trunk)
        self._area_code = area_code if whole else plan.trunk + area_code
        self._idd = tuple(dict.fromkeys((*idd, *plan.idd)))
        self._home = HomeNumbers(plan, destinations)
        self._guesser = Guesser(plan, self._home, destinations, self._idd)
        # Where the trunk takes 00 for abroad it does not take 00XY for a carrier.
        by_00 = "00" in idd and "00" not in plan.idd
        self._carrier_rank = YIELDING if by_00 else HOME
        self._yielding_rank = YIELDING
        if plan.refuses_carriers:  # such a number reaches nobody: it excuses nothing
            self._carrier_rank = self._yielding_rank = GUESS
        # Most places of a walk need none of the lookups that these rule out.
        self._prefixed = plan.prefix_lengths.keys() | plan.code_lengths.keys()
        numbers_start = (plan.trunk or "0", *(code[0] for code in self._idd))
        self._behind_carrier = tuple(dict.fromkeys(numbers_start))
        if plan.trunk_dropped:
            self._behind_carrier = ("",)
        self._short = max(
            plan.builtin.longest, plan.local.longest, plan.special.longest
        )

    def quick(self, digits: str) -> Reading | None:
        """Give the reading of a national number that nothing can outweigh, or None."""
        plan = self.plan
        if digits[-2:] in plan.builtin.ends:
            return None
        number = plan.domestic.find(digits)
        if number is None or number.yields:
            return None
        reading = self._home.reading(digits, number, ())
        return None if reading.abroad else reading

    def read(self, digits: str, mode: int = START) -> Ranked:
        """Walk, and choose."""
        found, places = self.walk(digits, mode)
        return self._best(found, places, digits)

    def _best(
        self, found: list[Ranked], places: tuple[Place, ...], digits: str
    ) -> Ranked:
        """Choose among readings; guess only where nothing better was found."""
        if len(found) == 1 and found[0].rank < YIELDING:
            only = found[0]
            if not (only.overlong and only.by_line):
                return only
        rank = min((one.rank for one in found), default=UNREAD)
        if rank >= YIELDING and len(digits) >= MIN_GUESS:
            found += self._guesses(digits, places)
            rank = min((one.rank for one in found), default=UNREAD)
        peers = [one for one in found if one.rank == rank]
        if not peers:
            return Ranked(UNREAD, self._unread(digits, places))
        if rank == ABROAD and all(one.overlong and not one.listed for one in peers):
            instead = [one for one in found if one.rank == LIKELY]
            if all(one.by_line for one in peers):
                instead += self._guesses(digits, places)
            abroad = (one for one in instead if one.reading.abroad)
            peers += [one for one in abroad if not one.overlong]
        best = next((one for one in peers if not one.reading.abroad), None)
        if rank == GUESS and any(one.listed for one in peers):
            best = None
        others = [one.reading for one in found if one.reading.abroad]
        if best is None:
            # Listed before others, and a number that can exist before one that cannot.
            best = min(peers, key=lambda one: (not one.listed, one.overlong))
            others = [one.reading for one in peers]
        others = [other for other in others if other is not best.reading]
        if others:
            reading = best.reading._replace(alternatives=tuple(others))
            best = Ranked(rank, reading)
        return best

    def _guesses(self, digits: str, places: tuple[Place, ...]) -> list[Ranked]:
        """Guess, and rank the guesses."""
        starts = [(rest, steps) for rest, _, steps in places]
        return [
            Ranked(GUESS if guess.abroad else YIELDING, guess)
            for guess in self._guesser.guesses(starts, digits)
        ]

    def walk(
        self, digits: str, mode: int = START
    ) -> tuple[list[Ranked], tuple[Place, ...]]:
        """Take off every prefix in every permitted way.

        Gives what was found and the places from which a guess may start. Each step
        makes the rest shorter and no place is visited twice, so the cost is bounded by
        the number of digits.
        """
        plan = self.plan
        find_built_in = plan.builtin.find
        found: list[Ranked] = []
        starts: list[Place] = []
        todo: list[Place] = [(digits, mode, ())]
        seen = set()
        for place in todo:
            rest, mode, steps = place
            if not rest or (len(rest), mode) in seen:
                continue
            seen.add((len(rest), mode))
            if mode >= GLOBAL:
                self._walk_global(place, found, todo)
                continue
            if mode <= DIALLED:
                built_in = find_built_in(rest) if len(rest) <= self._short else None
                if built_in:
                    kind, detail = built_in
                    reading = Reading(kind, rest, plan.country, None, steps, detail)
                    return [Ranked(BUILT_IN, reading)], ()
                starts.append(place)
                if mode == START:
                    for line in self._outside:
                        if rest.startswith(line):
                            step = (f"outside line {line}",)
                            todo.append((rest[len(line) :], DIALLED, step))
                if rest[:2] in self._prefixed or rest[:1] in self._prefixed:
                    self._walk_prefixes(place, todo)
                if len(rest) <= self._short:
                    self._walk_local(place, found)
                elif rest.startswith(plan.code) and len(rest) >= plan.bare:
                    self._walk_home_code(place, found, todo)
            number = plan.domestic.find(rest)
            if number is not None and not (number.yields and mode >= CARRIER):
                found.append(self._national(place, number))
            for idd in self._idd if rest.startswith(self._idd) else ():
                if rest.startswith(idd):
                    after = GLOBAL_LIKELY if mode >= ADDED else GLOBAL
                    todo.append((rest[len(idd) :], after, (*steps, f"idd {idd}")))
        return found, tuple(starts)

    def _walk_prefixes(self, place: Place, todo: list[Place]) -> None:
        """Take off a prefix or carrier code of the plan."""
        plan = self.plan
        rest, _, steps = place
        for length in probes(plan.prefix_lengths, rest):
            prefix = plan.prefixes.get(rest[:length])
            if prefix and rest.startswith(prefix.before, length):
                step = (*steps, prefix.step)
                if prefix.carrier:
                    self._behind(rest[length:], CARRIER, step, todo)
                else:
                    mode = GLOBAL if prefix.abroad else DIALLED
                    todo.append((prefix.adds + rest[length:], mode, step))
        for length in probes(plan.code_lengths, rest):
            for form, known in plan.code_forms.get(rest[:length], ()):
                code = len(form.places)
                if not form.fits(rest[:code]):
                    continue
                known = known or rest[:code] in plan.prefixes
                for end in range(code, code + plan.added + 1):
                    if rest[:end] in plan.prefixes:
                        continue
                    if not rest.startswith(self._behind_carrier, end):
                        continue
                    mode = UNKNOWN_CARRIER
                    if known:
                        mode = CARRIER if end == code else ADDED
                    step = (*steps, f"carrier {rest[:end]}")
                    self._behind(rest[end:], mode, step, todo)

    def _behind(
        self, rest: str, mode: int, steps: tuple[str, ...], todo: list[Place]
    ) -> None:
        """Go on behind a carrier code, as the network would."""
        plan = self.plan
        todo.append((rest, mode, steps))
        if plan.trunk_dropped and not rest.startswith(plan.trunk):
            todo.append((plan.trunk + rest, mode, steps))

    def _national(self, place: Place, number: Number) -> Ranked:
        """Rank a whole national number."""
        rest, mode, steps = place
        reading = self._home.reading(rest, number, steps)
        if reading.abroad:  # another country under the same code
            return Ranked(ABROAD, reading)
        if mode >= ADDED:
            return Ranked(LIKELY if mode == ADDED else GUESS, reading)
        if number.yields:
            return Ranked(self._yielding_rank, reading)
        return Ranked(self._carrier_rank if mode == CARRIER else HOME, reading)

    def _walk_local(self, place: Place, found: list[Ranked]) -> None:
        """See whether what is left is a number without area code, or a special one."""
        plan = self.plan
        rest, _, steps = place
        special = plan.special.find(rest)
        if special is not None:
            detail = special.detail
            reading = Reading(SPECIAL, rest, plan.country, None, steps, detail)
            found.append(Ranked(HOME, reading))
        local = plan.local.find(rest)
        if local is not None and not self._area_code:
            reading = Reading(DOMESTIC, rest, plan.country, None, steps, local.detail)
            found.append(Ranked(HOME, reading))
        elif local is not None and plan.domestic.find(self._area_code + rest):
            reading = self._home.reading(self._area_code + rest, local, steps)
            found.append(Ranked(HOME, reading))

    def _walk_global(
        self, place: Place, found: list[Ranked], todo: list[Place]
    ) -> None:
        """Read digits that start with a country code."""
        rest, mode, steps = place
        if rest.startswith("0"):  # no country code does; gateways drop the zeros
            rest = rest.lstrip("0")
            steps = (*steps, "extra zeros")
        if mode == GLOBAL_LIKELY and len(rest) < MIN_GUESS:
            return  # 00 228 90 01 00 77 is Togo: no carrier 0022890, 010 and +77
        row = self._destinations.find(rest)
        plan = self.plan
        home = rest.startswith(plan.code)
        abroad = not home or self._home.elsewhere(row, rest)
        if abroad and home and plan.builtin.find(rest[len(plan.code) :]):
            abroad = False  # +1-911 in Canada, where other +1-9… are in America
        # +1-1-212-…: the country code is the trunk prefix too, and nobody's area code.
        if not abroad or (home and row and row.kind == UNASSIGNED):
            self._walk_home_code((rest, mode, steps), found, todo)
        if abroad and (row is not None or len(rest) >= 3):
            reading = abroad_reading(rest, row, steps, "international")
            rank = LIKELY if mode == GLOBAL_LIKELY else ABROAD
            if reading.kind == UNASSIGNED:
                rank = NOWHERE
            found.append(Ranked(rank, reading))

    def _walk_home_code(
        self, place: Place, found: list[Ranked], todo: list[Place]
    ) -> None:
        """Read a number with the home country's code in front."""
        plan = self.plan
        rest, mode, steps = place
        after = rest[len(plan.code) :]
        # +81-119 is a phone that puts +81 before everything; behind a carrier code or
        # an international prefix nobody is in need.
        built_in = None if steps or mode != GLOBAL else plan.builtin.find(after)
        steps = (*steps, f"home {plan.code}")
        if built_in:
            kind, detail = built_in
            reading = Reading(kind, after, plan.country, None, steps, detail)
            found.append(Ranked(BUILT_IN, reading))
        elif plan.trunk and after.startswith(plan.trunk):
            # +81-010-…, +81-03-…: what follows is dialled, not global.
            todo.append((after, DIALLED if mode >= GLOBAL else CARRIER, steps))
        else:
            national, number = self._home.behind_code(after)
            rank = UNREAD if number is None else HOME
            number = number or Number("domestic_unknown")
            found.append(Ranked(rank, self._home.reading(national, number, steps)))

    def _unread(self, digits: str, places: tuple[Place, ...]) -> Reading:
        """Make a reading of digits that have no meaning here.

        A prefix of the plan is taken off what is no extension, as 184 and a mistyped
        number is still that; the digits of an outside line may belong to the number.
        """
        plan = self.plan
        steps: tuple[str, ...] = ()
        if len(digits) > plan.extension[1]:
            for rest, _, taken in places:
                if taken and not taken[0].startswith("outside"):
                    digits, steps = rest, taken
        short = len(digits) <= plan.extension[1]
        if plan.trunk and digits.startswith(plan.trunk) and (steps or not short):
            return Reading(
                DOMESTIC, digits, plan.country, None, steps, "domestic_unknown"
            )
        if short:
            return Reading(EXTENSION, digits, None, None, steps, "extension_or_short")
        return Reading(EXTENSION, digits, None, None, steps, "private_number")
