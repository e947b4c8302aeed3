"""Stores for tests: bundles of one file's worth, folders, and disks that fail."""

import errno
from collections.abc import Callable
from pathlib import Path

from bundles import CREATED, FILES, bundle, key_folder
from ringfence.bundle.opening import Archived
from ringfence.bundle.store import Loaded, Places, Store
from ringfence.disk import Disk

NOW = CREATED + 3600


def archive(version: int, **changes: object) -> bytes:
    """Make a bundle of a version."""
    return bundle(FILES, version=version, min_agent="0.0.1", **changes)  # type: ignore[arg-type]


class Killed(BaseException):
    """The process is no more; nothing that it would do afterwards happens."""


class FailingDisk(Disk):
    """A disk whose step of a number fails; what it did is listed."""

    def __init__(self, at: int = -1, code: int = 0) -> None:
        """Fail at that step: with an error of that code, or for ever with none."""
        self.steps: list[str] = []
        self._at = at
        self._code = code

    def _step(self, name: str) -> bool:
        """Count a step; True when it fails half-way."""
        number = len(self.steps)
        if self._at >= 0 and number > self._at and not self._code:
            raise Killed
        self.steps.append(name)
        return number == self._at

    def _fail(self) -> None:
        if not self._code:
            raise Killed
        raise OSError(self._code, errno.errorcode[self._code])

    def make_folder(self, path: Path) -> None:
        if self._step("make_folder"):
            self._fail()
        super().make_folder(path)

    def create(self, path: Path, mode: int = 0o644) -> int:
        if self._step(f"create {path.name}"):
            self._fail()
        return super().create(path, mode)

    def write(self, file: int, data: bytes) -> int:
        if self._step("write"):
            super().write(file, data[: len(data) // 2])
            self._fail()
        return super().write(file, data)

    def sync(self, file: int) -> None:
        if self._step("sync"):
            self._fail()
        super().sync(file)

    def rename(self, old: Path, new: Path) -> None:
        if self._step(f"rename {new.name}"):
            self._fail()
        super().rename(old, new)

    def sync_folder(self, folder: Path) -> None:
        if self._step("sync_folder"):
            self._fail()
        super().sync_folder(folder)

    def unlink(self, path: Path) -> None:
        if self._step(f"unlink {path.name}"):
            self._fail()
        super().unlink(path)


class Router:
    """A router's folders, and what is done with them."""

    def __init__(self, root: Path, *, factory: int | None = None) -> None:
        """Lay out the folders; with a factory bundle of that version."""
        self.places = Places(
            root / "rules",
            root / "rom" / "base.tar",
            key_folder(root / "keys"),
            root / "run",
        )
        if factory is not None:
            self.places.factory.parent.mkdir(exist_ok=True)
            self.places.factory.write_bytes(archive(factory))

    def store(self, disk: Disk | None = None) -> Store:
        return Store(self.places, disk=disk)

    def install(
        self, data: bytes, disk: Disk | None = None, *, now: int = NOW, **how: bool
    ) -> str:
        """Install, as the command does."""
        store = self.store(disk)
        with store.installing():
            return store.put(data, store.check(data, now, **how))

    def start(self, disk: Disk | None = None) -> Loaded[Archived]:
        """Do what an agent does when it starts."""
        return self.store(disk).begin(lambda archived: archived)

    def version(self, disk: Disk | None = None) -> int:
        """Start, and tell which version runs; 0 for none."""
        chosen = self.start(disk).chosen
        return 0 if chosen is None else chosen.version[1]

    def confirm(self, disk: Disk | None = None) -> None:
        """Do what an agent does that has run well for its time."""
        loaded = self.start()
        assert loaded.chosen is not None
        self.store(disk).confirm(loaded.chosen.where, loaded.chosen.digest)

    def reject(self, disk: Disk | None = None) -> None:
        """Do what an agent does that has not."""
        state, candidates, _ = self.store().look()
        from ringfence.bundle.choice import best

        chosen = best(state, candidates)
        assert chosen is not None
        self.store(disk).reject(chosen.mark.digest)

    def settled(self, *versions: int) -> "Router":
        """Install and confirm versions."""
        for version in versions:
            self.install(archive(version))
            self.confirm()
        return self


Act = Callable[[Router, Disk], object]
