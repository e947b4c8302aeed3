"""The bundles on a router: one from the factory, two slots, and state.json.

Knows files and locks; who may be trusted is the checker's business, which bundle is
used is decided in `ringfence.bundle.choice`. Every bundle is verified anew whenever it
is read.

    /usr/share/ringfence/base.tar     from the factory, read-only; may be missing
    /etc/ringfence/rules/a.tar, b.tar  the slots
    /etc/ringfence/rules/state.json    the only commit point
    /run/ringfence/update.lock         held through a whole installation
    /run/ringfence/store.lock          held while state.json changes
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Generic, NamedTuple, TypeVar

from ringfence import __version__
from ringfence.bundle import choice
from ringfence.bundle.checker import Bundle, Checker, Marks
from ringfence.bundle.choice import FACTORY, SLOTS, Candidate, State, parse_state
from ringfence.bundle.opening import (
    Archived,
    read_archive_file,
    read_capped,
    read_keys,
)
from ringfence.disk import Disk
from ringfence.errors import BundleError, ConfigError, RingfenceError

T = TypeVar("T")

INSTALLERS: Final = 120.0
"""Seconds that an installer waits for another one; a self-test takes less."""
CHANGES: Final = 5.0
"""Seconds that one who changes state.json waits for another one; a slot on slow flash
is written in less."""
_TURN: Final = 0.05
HEADROOM: Final = 64 << 10
"""Bytes that have to be left on the disk besides a slot: state.json, twice."""


class Busy(RingfenceError):  # noqa: N818 - the name is the finding
    """Somebody else holds a lock, for longer than it should take."""


class Places(NamedTuple):
    """Where everything is."""

    folder: Path
    """Of the slots and state.json."""
    factory: Path
    keys: Path
    locks: Path
    """Folder of the locks, in memory."""

    def of(self, where: str) -> Path:
        """Return the path of a slot or of the factory's bundle."""
        return self.factory if where == FACTORY else self.folder / f"{where}.tar"

    @property
    def state(self) -> Path:
        """Return the path of state.json."""
        return self.folder / "state.json"

    @property
    def any(self) -> bool:
        """Tell whether there is a bundle that could be used, in a few system calls."""
        return any(self.of(where).exists() for where in (FACTORY, *SLOTS))


class Chosen(NamedTuple):
    """What is to be used, and what is to be known of it while it is."""

    where: str
    version: tuple[int, int]
    """Epoch and version."""
    digest: str
    expires: int
    """Seconds since 1970."""
    floor: int
    """A time that has passed for certain."""
    left: int | None
    """Starts that it still has, while it is on trial."""

    def stale(self, now: int) -> bool:
        """Tell whether a newer one is overdue; it protects all the same."""
        return self.expires <= max(now, self.floor)


class Loaded(NamedTuple, Generic[T]):
    """What came of loading the best that there is."""

    chosen: Chosen | None
    """None: nothing here can be used."""
    result: T | None
    problems: list[str]
    """Why others were not used, best first."""


class Store:
    """The bundles of one router."""

    def __init__(
        self, places: Places, channel: str = "stable", disk: Disk | None = None
    ) -> None:
        """Take the places; nothing is read yet."""
        self.places = places
        self._channel = channel
        self._disk = disk or Disk()

    # What is there.

    def look(self) -> tuple[State, list[Candidate], list[str]]:
        """Read the state and verify every bundle; say what is wrong with the rest."""
        problems: list[str] = []
        candidates: list[Candidate] = []
        for where in (FACTORY, *SLOTS):
            if not self.places.of(where).exists():
                continue
            try:
                bundle = self._open(where).bundle
            except RingfenceError as error:
                problems += str(error).splitlines()
            else:
                created = bundle.manifest.created
                candidates.append(Candidate(where, bundle.mark, created))
        state = self._state()
        if state is None:
            if self.places.state.exists():
                problems.append(f"{self.places.state}: cannot be used; it is made anew")
            state = choice.recovered(candidates)
        return state, candidates, problems

    def _state(self) -> State | None:
        with suppress(BundleError):
            return parse_state(read_capped(self.places.state, choice.MOST_STATE + 1))
        return None

    def _open(self, where: str) -> Archived:
        path = self.places.of(where)
        keys = read_keys(self.places.keys)
        bundle = Checker(keys, __version__).verify(read_archive_file(path))
        return Archived(bundle, str(path))

    def peek(self) -> Archived | None:
        """Open what would be used, without counting it as a start; None for nothing."""
        state, candidates, _ = self.look()
        found = choice.best(state, candidates)
        return None if found is None else self._open(found.where)

    # What the agent does.

    def begin(
        self, load: Callable[[Archived], T], running: str | None = None
    ) -> Loaded[T]:
        """Load the best bundle; when it cannot be, the next best, and so on.

        A start of a bundle on trial is counted on the disk before it is loaded, but
        for the one that `running` names by its digest. Where that cannot be written,
        nothing is tried. `load` may raise `BundleError` or `ConfigError`.
        """
        problems: list[str] = []
        out: set[str] = set()
        for _ in range(2 * len((FACTORY, *SLOTS))):
            with self._changing() as writable:
                state, candidates, found = self.look()
                problems += [one for one in found if one not in problems]
                chosen = choice.best(
                    state, [one for one in candidates if one.where not in out]
                )
                if chosen is None:
                    break
                state, may = self._count(state, chosen, running, writable)
            if not may:
                problems.append(
                    f"{self.places.of(chosen.where)}: on trial, and not started"
                )
                out.add(chosen.where)
                continue
            try:
                archived = self._open(chosen.where)
                if archived.bundle.digest != chosen.mark.digest:
                    continue  # somebody has just installed another one
                return Loaded(
                    _described(chosen.where, archived.bundle, state),
                    load(archived),
                    problems,
                )
            except (BundleError, ConfigError) as error:
                problems += str(error).splitlines()
                out.add(chosen.where)
        return Loaded(None, None, problems)

    def _count(
        self, state: State, chosen: Candidate, running: str | None, writable: bool
    ) -> tuple[State, bool]:
        """Count a start on the disk; returns the state, and whether it may be."""
        if chosen.mark.digest == running:
            return state, True
        after, may = choice.begun(state, chosen)
        tried = after.trial is not None and after.trial.slot == chosen.where
        if after == state:
            return state, may
        try:
            if not writable:
                raise OSError
            self._write(after)
        except OSError:
            return state, may and not tried
        return after, may

    def confirm(self, where: str, digest: str, patience: float = 0.0) -> None:
        """Say that what runs in a slot runs well; `Busy` or `BundleError` if not said.

        Nothing is done when something else lies there by now.
        """
        with self._changing(patience, needed=True):
            state = self._known()
            if state.slots.get(where) == digest and state.good != where:
                self._commit(choice.confirmed(state, where))

    def reject(self, digest: str, patience: float = CHANGES) -> None:
        """Say that a bundle does not run well: it is not chosen, nor installed, again.

        Raises `Busy` or `BundleError`.
        """
        with self._changing(patience, needed=True):
            self._commit(choice.rejected(self._known(), digest))

    # What an installer does.

    def check(
        self, data: bytes, now: int, *, synced: bool = False, downgrade: bool = False
    ) -> Bundle:
        """Return the bundle of an archive's bytes, if it may be installed.

        `downgrade` asks for neither versions nor what was bad. Raises `Refused`.
        """
        state, candidates, _ = self.look()
        marks = Marks(
            now,
            max([state.floor, *(one.created for one in candidates)]),
            None if downgrade else choice.high_water(state, candidates),
            frozenset() if downgrade else frozenset(state.bad),
            synced,
        )
        keys = read_keys(self.places.keys)
        return Checker(keys, __version__, self._channel).check(data, marks)

    def put(self, data: bytes, bundle: Bundle) -> str:
        """Write a checked bundle into a slot, to be tried; returns the slot.

        Raises `BundleError`, and then what was used before is used on; in the one case
        that only the folder's last fsync failed, the new one may be on trial.
        """
        self._make_room(len(data))
        with self._changing(needed=True):
            state, candidates, _ = self.look()
            slot = choice.spare(state, candidates)
            created = bundle.manifest.created
            after = choice.installed(state, slot, bundle.mark, created)
            try:
                self._disk.replace(self.places.of(slot), data)
            except OSError as error:
                raise self._unwritten(self.places.of(slot), error) from error
            self._commit(after)
        return slot

    @contextmanager
    def installing(self) -> Iterator[None]:
        """Let one installer in at a time; raises `Busy`."""
        with self._locked("update.lock", INSTALLERS):
            yield

    def _make_room(self, size: int) -> None:
        folder = self.places.folder
        try:
            self._disk.make_folder(folder)
            room = os.statvfs(folder)
        except OSError as error:
            raise self._unwritten(folder, error) from error
        if room.f_bavail * room.f_frsize < size + HEADROOM:
            raise BundleError(
                f"{folder}: expected room for {size + HEADROOM} bytes, there are "
                f"{room.f_bavail * room.f_frsize}"
            )

    # State and locks.

    def _known(self) -> State:
        return self._state() or self.look()[0]

    def _commit(self, state: State) -> None:
        try:
            self._write(state)
        except OSError as error:
            raise self._unwritten(self.places.state, error) from error

    def _write(self, state: State) -> None:
        self._disk.replace(self.places.state, state.render())

    @staticmethod
    def _unwritten(path: Path, error: OSError) -> BundleError:
        return BundleError(f"{path}: cannot be written: {error.strerror}")

    @contextmanager
    def _changing(
        self, patience: float = CHANGES, *, needed: bool = False
    ) -> Iterator[bool]:
        """Hold the lock of state.json; False where there is none and none is needed."""
        try:
            lock = self._locked("store.lock", patience)
            lock.__enter__()
        except RingfenceError:
            if needed:
                raise
            yield False
            return
        try:
            yield True
        finally:
            lock.__exit__(None, None, None)

    @contextmanager
    def _locked(self, name: str, patience: float) -> Iterator[None]:
        path = self.places.locks / name
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            file = os.open(path, flags, 0o600)
        except OSError as error:
            raise BundleError(f"{path}: cannot be opened: {error.strerror}") from error
        try:
            until = time.monotonic() + patience
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= until:
                        raise Busy(
                            f"{path}: held by another process: expected it to finish; "
                            "try again"
                        ) from None
                    time.sleep(_TURN)
            yield
        finally:
            os.close(file)


def _described(where: str, bundle: Bundle, state: State) -> Chosen:
    trial = state.trial
    return Chosen(
        where,
        bundle.mark[:2],
        bundle.digest,
        bundle.manifest.expires,
        max(state.floor, bundle.manifest.created),
        trial.left if trial is not None and trial.slot == where else None,
    )
