"""Number forms: the patterns in which a dial plan says what its numbers look like.

The notation is the one that PBX dial plans use: a digit, `*` or `#` stands for itself,
`X` for 0-9, `Z` for 1-9, `N` for 2-9, `[2-46]` for one of those digits. Knows how to
read a form and how to find the one that a dialled number fits; it must not know what
the numbers mean. Looking one up costs a few dict probes however many forms there are.
"""

from collections.abc import Iterable, Iterator
from operator import contains
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

MAX_FORM = 24
"""Digits in one form, `more` included: a national number with every prefix fits."""
MAX_KEYS = 200
"""Dict keys that one form may spread to; `[2-9][2-9]X` makes 64, and a form that
needs more is better written as several."""

ENOUGH = 3
"""Digits that tell forms apart well enough: America has seventy of them, and a key for
each exchange digit would take 100 KiB."""

_CLASSES = {"X": "0123456789", "Z": "123456789", "N": "23456789"}


class Form(NamedTuple):
    """One form, read."""

    places: tuple[str, ...]
    """For each place the characters that may stand there."""
    more: int
    """How many further digits may follow."""

    def starts(self, enough: int = MAX_FORM) -> Iterator[str]:
        """Every literal start, up to the first place where any digit may stand.

        From `enough` digits on a start ends at the first set, too.
        """
        starts = [""]
        for at, allowed in enumerate(self.places):
            if allowed == _CLASSES["X"] or len(starts) * len(allowed) > MAX_KEYS:
                break
            if at >= enough and len(allowed) > 1:
                break
            starts = [start + char for start in starts for char in allowed]
        return iter(starts)

    def fits(self, digits: str) -> bool:
        """Say whether digits, without more behind them, are of this form."""
        places = self.places
        return len(digits) == len(places) and all(map(contains, places, digits))

    def common(self, other: "Form") -> str:
        """Give a number that fits both forms, "" when none does."""
        size = max(len(self.places), len(other.places))
        if size > min(len(form.places) + form.more for form in (self, other)):
            return ""
        number = ""
        for at in range(size):
            mine, theirs = (
                form.places[at] if at < len(form.places) else _CLASSES["X"]
                for form in (self, other)
            )
            both = [char for char in mine if char in theirs]
            if not both:
                return ""
            number += both[0]
        return number


def parse_form(text: str, more: int = 0) -> Form:
    """Read a form; raises ValueError that says what was expected."""
    places: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char == "[":
            close = text.find("]", at)
            places.append(_char_class(text[at + 1 : close] if close > at else ""))
            at = close
        elif char in _CLASSES:
            places.append(_CLASSES[char])
        elif char in "0123456789*#":
            places.append(char)
        else:
            msg = f"{char!r} is none of 0-9 * # X Z N or [digits]"
            raise ValueError(msg)
        at += 1
    if not places or len(places) + more > MAX_FORM:
        msg = f"a form has 1 to {MAX_FORM} digits, `more` included"
        raise ValueError(msg)
    return Form(tuple(places), more)


def _char_class(inside: str) -> str:
    """Expand `2-46` to `2346`."""
    out = ""
    at = 0
    while at < len(inside):
        first = inside[at]
        is_range = inside[at + 1 : at + 2] == "-"
        last = inside[at + 2 : at + 3] if is_range else first
        at += 3 if is_range else 1
        if not (first.isdecimal() and last.isdecimal() and first <= last):
            out = ""
            break
        out += "".join(str(d) for d in range(int(first), int(last) + 1))
    if not out:
        msg = f"[{inside}] is not a set of digits such as [2-46]"
        raise ValueError(msg)
    return "".join(dict.fromkeys(out))


class FormTable(Generic[T]):
    """Forms with a meaning each; the longest literal start wins, then the first."""

    __slots__ = ("_by_start", "_lengths", "longest", "shortest")

    def __init__(self) -> None:
        """Start empty."""
        self._by_start: dict[str, tuple[tuple[int, int, _Tail, T], ...]] = {}
        # By the first digit or two, the lengths of literal start to probe.
        self._lengths: dict[str, tuple[int, ...]] = {}
        self.longest = 0
        """Digits of the longest number that fits any form."""
        self.shortest = MAX_FORM
        """Digits of the shortest."""

    def add(self, form: Form, value: T) -> None:
        """Give a form its meaning."""
        shortest = len(form.places)
        self.longest = max(self.longest, shortest + form.more)
        self.shortest = min(self.shortest, shortest)
        for start in form.starts(ENOUGH):
            tail = tuple(
                (at, ok)
                for at, ok in enumerate(form.places)
                if at >= len(start) and ok != _CLASSES["X"]
            )
            entry = (shortest, shortest + form.more, tail, value)
            self._by_start[start] = (*self._by_start.get(start, ()), entry)
        self._lengths = lengths_by_start(self._by_start)

    def find(self, digits: str) -> T | None:
        """Give the meaning of the form that the whole of `digits` fits, or None."""
        size = len(digits)
        if not self.shortest <= size <= self.longest:
            return None
        for length in probes(self._lengths, digits):
            for shortest, longest, tail, value in self._by_start.get(
                digits[:length], ()
            ):
                if (
                    shortest <= size <= longest
                    and (size == length or digits[length:].isdecimal())
                    and (not tail or _tail_fits(digits, tail))
                ):
                    return value
        return None


def lengths_by_start(starts: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Say, by the first two digits, one or none, which lengths of start to probe.

    For each key the lengths of all starts that a number with that beginning may have,
    longest first; a number has to be looked up by its longest key only.
    """
    out: dict[str, set[int]] = {}
    for start in starts:
        out.setdefault(start[:2], set()).add(len(start))
    for key, lengths in out.items():
        for shorter in {key[:-1], ""} - {key}:
            lengths |= out.get(shorter, set())
    return {key: tuple(sorted(sizes, reverse=True)) for key, sizes in out.items()}


def probes(lengths: dict[str, tuple[int, ...]], digits: str) -> tuple[int, ...]:
    """Give the lengths of start to probe for a number, longest first."""
    return lengths.get(digits[:2]) or lengths.get(digits[:1]) or lengths.get("") or ()


_Tail = tuple[tuple[int, str], ...]


def _tail_fits(digits: str, tail: _Tail) -> bool:
    return all(digits[at] in allowed for at, allowed in tail)
