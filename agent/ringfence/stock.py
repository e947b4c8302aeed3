"""The rules that the agent runs on: given ones, the store's choice, or the embedded.

Knows what was loaded, what is in force, and how long a bundle on trial has run well.
It must not know packets nor the kernel; the clock is the daemon's. The store, and with
it what checks signatures, is imported only where there is a bundle to be checked.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from ringfence.config import Config, assemble
from ringfence.engine import Settings
from ringfence.errors import RingfenceError

if TYPE_CHECKING:
    from ringfence.bundle.store import Chosen, Store

AGAIN: Final = 5.0
"""Seconds until what could not be written is tried again."""
MOST_PROBLEMS: Final = 8
"""Lines that the status shows of why other bundles are not used."""


class Notice(NamedTuple):
    """Something to be logged."""

    fields: dict[str, object]
    reload: bool = False
    """The rules in force are to be replaced."""


class Stock:
    """What the rules in force are, and what they were loaded from."""

    def __init__(self, given: Path | None) -> None:
        """Take the rules that somebody gave; None lets the store choose."""
        self._given = given
        self._next: Chosen | None = None
        self._running: Chosen | None = None
        self._store: Store | None = None
        self._problems: list[str] = []
        self._until = math.inf
        self._trial = 60.0
        self._errors = 0
        self._well: bool | None = None
        """What was found of the bundle on trial, as long as that is not written."""

    def load(self, config: Config) -> Settings:
        """Load what is to be used; `adopt` says that it is, `refuse` that it cannot be.

        Raises `ConfigError` and `BundleError` as `assemble` does, but not for a bundle
        of the store: then the next best is used, and at last the embedded rules.
        """
        self._next = None
        self._problems = []
        self._store = None if self._given is not None else find_store(config)
        if self._store is None:
            return assemble(config, self._given)
        self._trial = config.bundle_trial
        running = self._running.digest if self._running is not None else None
        loaded = self._store.begin(lambda archived: assemble(config, archived), running)
        self._problems = loaded.problems[:MOST_PROBLEMS]
        self._next = loaded.chosen
        return loaded.result if loaded.result is not None else assemble(config)

    def adopt(self, mono: float, errors: int) -> Notice | None:
        """Say that what was loaded is in force; `errors` of ours were met so far."""
        before, chosen = self._running, self._next
        self._running = chosen
        if chosen is None or chosen.left is None:
            self._until = math.inf
        elif (
            before is None or before.digest != chosen.digest or self._until == math.inf
        ):
            self._until = mono + self._trial
            self._errors = errors
            self._well = None
        if not self._problems:
            return None
        return Notice({"notice": "bundle-unusable", "problems": self._problems})

    def refuse(self) -> None:
        """Say that what was loaded cannot be put in force: on trial, that ends it."""
        chosen, self._next = self._next, None
        if chosen is None or chosen.left is None or self._store is None:
            return
        if self._running is None or self._running.digest != chosen.digest:
            try:
                self._store.reject(chosen.digest)
            except RingfenceError as error:
                self._problems = [str(error)]

    def wait(self, mono: float) -> float:
        """Return the seconds until `tend` has something to do."""
        return max(0.0, self._until - mono)

    def tend(self, mono: float, errors: int) -> Notice | None:
        """Confirm a bundle that has run well for its time, or give it up."""
        if self._until == math.inf:
            return None
        again = self._well is not None
        if not again and errors != self._errors:
            self._well = False
        elif mono < self._until:
            return None
        elif not again:
            self._well = True
        chosen, store, well = self._running, self._store, self._well
        assert chosen is not None  # noqa: S101 - tells the type checker
        assert store is not None  # noqa: S101
        try:
            if well:
                store.confirm(chosen.where, chosen.digest)
            else:
                store.reject(chosen.digest, patience=0.0)
        except RingfenceError as error:
            self._until = mono + AGAIN
            self._problems = [str(error)]
            if again:
                return None
            return Notice({"notice": "bundle-state", "problems": self._problems})
        said: dict[str, object] = {
            "notice": "bundle-confirmed" if well else "bundle-rolled-back",
            "epoch": chosen.version[0],
            "version": chosen.version[1],
            "digest": chosen.digest,
        }
        self._until = math.inf
        if well:
            self._running = chosen._replace(left=None)
        return Notice(said, reload=not well)

    def floor(self) -> float:
        """Return a time that has passed for certain, seconds since 1970; 0 for none."""
        return 0.0 if self._running is None else float(self._running.floor)

    def brief(self) -> str:
        """Name what is in force, for a line of the log."""
        chosen = self._running
        if chosen is None:
            return "embedded" if self._given is None else str(self._given)
        epoch, version = chosen.version
        return f"{chosen.where} {epoch}.{version}"

    def record(self, wall: float) -> dict[str, object]:
        """Describe what is in force; `wall` is the time, seconds since 1970."""
        chosen = self._running
        if chosen is None:
            source = "embedded" if self._given is None else str(self._given)
            return {"source": source, "problems": self._problems}
        return {
            "source": chosen.where,
            "epoch": chosen.version[0],
            "version": chosen.version[1],
            "digest": chosen.digest,
            "expires": chosen.expires,
            "stale": chosen.stale(int(wall)),
            "trial": chosen.left is not None,
            "problems": self._problems,
        }


def find_store(config: Config) -> "Store | None":
    """Open the store where there is a bundle, without importing it anywhere else."""
    folder, factory = Path(config.bundle_store), Path(config.bundle_factory)
    if not any(path.exists() for path in (factory, folder / "a.tar", folder / "b.tar")):
        return None
    from ringfence.config.storage import open_store

    return open_store(config)
