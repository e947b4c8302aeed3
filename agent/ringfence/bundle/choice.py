"""Which of the bundles on a router is used: decided, not done.

Knows what state.json says and which bundles were found sound. It reads no file and no
clock; `ringfence.bundle.store` does, and does what is decided here.

state.json is the only commit point of the store: a slot is what it says there, and a
slot with other content is not looked at, since whoever wrote that did not come to the
end. Where state.json is lost, what is sound counts as what lies there. What runs in a
slot without having stood its trial is on trial, whatever is the reason for that.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from ringfence.bundle.checker import Mark
from ringfence.bundle.manifest import MOST_NUMBER

SCHEMA: Final = 1
FACTORY: Final = "factory"
SLOTS: Final = ("a", "b")
STARTS: Final = 3
"""Times that a bundle on trial may be started before it has run well for a while."""
MOST_BAD: Final = 32
"""Bundles that are remembered as bad; the oldest is forgotten first. Older ones are
refused for their version anyway."""
MOST_STATE: Final = 16 << 10
"""Bytes of state.json; it takes 3 KB when all is full."""

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


class Trial(NamedTuple):
    """A bundle that has yet to show that it runs well."""

    slot: str
    left: int
    """Starts that it still has."""


class State(NamedTuple):
    """What the store remembers."""

    active: str | None = None
    """What was chosen last: a slot or `FACTORY`; for people."""
    good: str | None = None
    """The slot that has stood its trial."""
    slots: Mapping[str, str] = {}
    """By slot, what lies there: SHA-256 of its MANIFEST as hex digits."""
    trial: Trial | None = None
    high_water: Mark | None = None
    """The highest that was ever installed."""
    held: tuple[int, int] | None = None
    """Epoch and version that somebody went back to on purpose: what is newer, but was
    installed before, is not chosen."""
    bad: tuple[str, ...] = ()
    """What did not run well: SHA-256 of MANIFEST, oldest first."""
    floor: int = 0
    """`tmin`: a time that has passed for certain, seconds since 1970."""

    def with_bad(self, digest: str) -> "State":
        """Remember a bundle as bad."""
        rest = [one for one in self.bad if one != digest]
        return self._replace(bad=(*rest, digest)[-MOST_BAD:])

    def without_trial_of(self, slot: str) -> "State":
        """End the trial of a slot, if there is one."""
        on_trial = self.trial is not None and self.trial.slot == slot
        return self._replace(trial=None) if on_trial else self

    def render(self) -> bytes:
        """Write state.json."""
        record = {
            "schema": SCHEMA,
            "active": self.active,
            "good": self.good,
            "slots": dict(self.slots),
            "trial": None if self.trial is None else self.trial._asdict(),
            "hwm": None if self.high_water is None else list(self.high_water),
            "held": self.held,
            "bad": self.bad,
            "tmin": self.floor,
        }
        return json.dumps(record, indent=1).encode() + b"\n"


def parse_state(data: bytes) -> State | None:
    """Read state.json; None when it is anything but what `render` writes."""
    if len(data) > MOST_STATE:
        return None
    try:
        record = json.loads(data)
        trial, high, held = record["trial"], record["hwm"], record["held"]
        state = State(
            record["active"],
            record["good"],
            record["slots"],
            None if trial is None else Trial(trial["slot"], trial["left"]),
            None if high is None else Mark(*high),
            None if held is None else (held[0], held[1]),
            tuple(record["bad"]),
            record["tmin"],
        )
        sound = record["schema"] == SCHEMA and _sound(state)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None
    return state if sound and state.render() == data else None


def _sound(state: State) -> bool:
    return (
        state.active in (None, FACTORY, *SLOTS)
        and state.good in (None, *SLOTS)
        and all(slot in SLOTS and _is_digest(of) for slot, of in state.slots.items())
        and (
            state.trial is None
            or (state.trial.slot in SLOTS and _is_number(state.trial.left, STARTS))
        )
        and (
            state.high_water is None
            or (
                _is_number(state.high_water.epoch)
                and _is_number(state.high_water.version)
                and _is_digest(state.high_water.digest)
            )
        )
        and (state.held is None or all(map(_is_number, state.held)))
        and len(state.bad) <= MOST_BAD
        and all(map(_is_digest, state.bad))
        and _is_number(state.floor, 1 << 40)
    )


def _is_number(value: object, most: int = MOST_NUMBER) -> bool:
    return type(value) is int and 0 <= value <= most


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


class Candidate(NamedTuple):
    """A bundle that was found sound, now."""

    where: str
    """A slot, or `FACTORY`."""
    mark: Mark
    created: int = 0
    """Seconds since 1970."""


def recovered(candidates: Sequence[Candidate]) -> State:
    """Return a state to go on with where state.json is lost.

    Nothing is known to be good, so that what is chosen is on trial.
    """
    return State(
        slots={one.where: one.mark.digest for one in candidates if one.where in SLOTS},
        high_water=high_water(State(), candidates),
        floor=max((one.created for one in candidates), default=0),
    )


def best(state: State, candidates: Iterable[Candidate]) -> Candidate | None:
    """Choose what is used: the newest that may be; None when none may."""
    open_to = [one for one in candidates if _may(one, state)]
    return max(open_to, key=lambda one: _rank(one, state), default=None)


def _may(candidate: Candidate, state: State) -> bool:
    where, mark, _ = candidate
    if mark.digest in state.bad:
        return False
    if where != FACTORY and state.slots.get(where) != mark.digest:
        return False  # whoever wrote this did not come to the end
    if state.held is None or state.high_water is None:
        return True
    return not state.held < mark[:2] <= state.high_water[:2]


def _rank(candidate: Candidate, state: State) -> tuple[int, int, int]:
    where, mark, _ = candidate
    trust = 2 if where == state.good else 1 if where == FACTORY else 0
    return mark.epoch, mark.version, trust


def high_water(state: State, candidates: Iterable[Candidate]) -> Mark | None:
    """Return what the next to be installed must be newer than, on this router.

    That is what was installed once or what lies here: an older one than the factory's
    would never be chosen.
    """
    marks = [one.mark for one in candidates if one.mark.digest not in state.bad]
    if state.high_water is not None:
        marks.insert(0, state.high_water)  # of two with one version, the installed
    return max(marks, key=lambda mark: mark[:2], default=None)


def begun(state: State, chosen: Candidate) -> tuple[State, bool]:
    """Count a start of what was chosen, before it is loaded.

    Returns what to remember then, and whether it may be loaded: a bundle whose starts
    are used up is bad, and something else has to be chosen.
    """
    where, mark, _ = chosen
    if where == FACTORY or where == state.good:
        return state._replace(active=where), True
    trial = state.trial
    if trial is None or trial.slot != where:
        trial = Trial(where, STARTS)
    slots = {**state.slots, where: mark.digest}
    if trial.left == 0:
        return rejected(state, mark.digest), False
    trial = trial._replace(left=trial.left - 1)
    return state._replace(active=where, trial=trial, slots=slots), True


def confirmed(state: State, where: str) -> State:
    """Say that what runs in a slot runs well."""
    return state.without_trial_of(where)._replace(good=where)


def rejected(state: State, digest: str) -> State:
    """Say that a bundle does not run well: it is not chosen again."""
    state = state.with_bad(digest)._replace(held=None)
    for slot in SLOTS:
        if state.slots.get(slot) == digest:
            state = state.without_trial_of(slot)
            if state.good == slot:
                state = state._replace(good=None)
    return state


def spare(state: State, candidates: Iterable[Candidate]) -> str:
    """Return the slot that may be written over: never the good one.

    Where none is good it is the one that nothing sound lies in, else the older one.
    """
    if state.good is not None:
        return SLOTS[state.good == SLOTS[0]]
    there = {one.where: one.mark[:2] for one in candidates if _may(one, state)}
    return min(SLOTS, key=lambda slot: there.get(slot, (0, 0)))


def installed(state: State, slot: str, mark: Mark, created: int) -> State:
    """Say that a bundle lies in a slot, and is to be tried.

    An older one than the highest is one that somebody goes back to.
    """
    high = state.high_water
    back = high is not None and mark[:2] < high[:2]
    return state._replace(
        slots={**state.slots, slot: mark.digest},
        trial=Trial(slot, STARTS),
        high_water=high if back else mark,
        held=mark[:2] if back else None,
        bad=tuple(one for one in state.bad if one != mark.digest),
        floor=max(state.floor, created),
    )
