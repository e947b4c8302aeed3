"""Chance that comes out the same each time, on every machine.

Knows numbers and choices; it must not know what they are for. Of the standard
library's generator only `random()` is used: its sequence for a seed is kept from one
version of Python to the next, that of `randrange` and `choice` is not.
"""

import math
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Chance:
    """A source of chance of its own for everything that has a name."""

    __slots__ = ("_next",)

    def __init__(self, *names: object) -> None:
        """Begin the sequence that belongs to these names, in this order."""
        seed = "/".join(map(str, names))
        self._next = random.Random(seed).random  # noqa: S311 - has to repeat itself

    def happens(self, probability: float) -> bool:
        """Tell whether something of that probability (0 to 1) happens this time."""
        return self._next() < probability

    def between(self, low: float, high: float) -> float:
        """Give a number from `low` up to `high`, all alike."""
        return low + (high - low) * self._next()

    def whole(self, low: int, high: int) -> int:
        """Give a whole number from `low` to `high`, both included."""
        return low + int((high - low + 1) * self._next())

    def pick(self, from_: Sequence[T]) -> T:
        """Give one of several, all alike."""
        return from_[int(len(from_) * self._next())]

    def favour(self, from_: Sequence[T]) -> T:
        """Give one of several, the first ones far more often than the last ones."""
        return from_[int(len(from_) * self._next() ** 2)]

    def weighted(self, weights: dict[T, float]) -> T:
        """Give one of the keys, each as often as its weight says."""
        left = self._next() * sum(weights.values())
        *keys, last = weights
        for key in keys:
            left -= weights[key]
            if left < 0:
                return key
        return last

    def around(self, median: float, spread: float, longest: float) -> float:
        """Give a duration: half are shorter than `median`, a few much longer.

        Log-normal; `spread` is the standard deviation of the logarithm.
        """
        normal = math.sqrt(-2 * math.log(1 - self._next())) * math.cos(
            2 * math.pi * self._next()
        )
        return min(longest, median * math.exp(spread * normal))

    def times(self, mean: float) -> int:
        """Give how often something happens that happens `mean` times on average.

        Poisson; for means up to some hundreds.
        """
        count, left = 0, math.exp(-mean)
        product = self._next()
        while product > left:
            count += 1
            product *= self._next()
        return count

    def digits(self, count: int) -> str:
        """Give so many decimal digits."""
        return "".join(str(int(10 * self._next())) for _ in range(count))

    def hex(self, count: int) -> str:
        """Give so many hexadecimal digits, as tags and branches have them."""
        return "".join(f"{int(self._next() * 0x10000):04x}" for _ in range(count // 4))
