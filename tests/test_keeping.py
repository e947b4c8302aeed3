"""The state file: written rarely, whole or not at all, and never in anybody's way."""

import errno
import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ringfence import keeping
from ringfence.disk import Disk
from ringfence.keeping import ASIDE, MAX_BYTES, MODE, PRESSING, Keeping
from ringfence.packet import Instant
from stores import FailingDisk, Killed

EVERY = 600.0


class Notes:
    """A section: a number, and as much besides as is wanted."""

    name = "notes"
    version = 1
    every = EVERY

    def __init__(self, number: int = 0, more: int = 0) -> None:
        self.number = number
        self.more = more
        self.changed = self.pressing = False

    def dump(self, now: Instant) -> object:
        return {"number": self.number, "more": "x" * self.more}

    def load(self, data: object) -> None:
        if not isinstance(data, dict) or type(data.get("number")) is not int:
            raise ValueError("expected a number")
        self.number = data["number"]

    def take(self, number: int, *, pressing: bool = False) -> None:
        self.number = number
        self.changed = True
        self.pressing |= pressing


def at(mono: float) -> Instant:
    return Instant(mono, 0.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def begin(path: Path, notes: Notes, disk: Disk | None = None) -> Keeping:
    return Keeping(path, [notes], at(0.0), disk)


def settle(kept: Keeping, mono: float) -> dict[str, object] | None:
    """Let what is due be written, and wait for it; return what is to be logged."""
    said = kept.tend(at(mono))
    if kept._writing is not None:
        assert kept._writing[0].ended(10.0)
        said = kept.tend(at(mono))
        assert kept._writing is None
    return said


def number(path: Path) -> int:
    notes = Notes(-1)
    kept = begin(path, notes)
    assert kept.problem is None
    return notes.number


def test_from_one_start_to_the_next(path: Path) -> None:
    notes = Notes()
    kept = begin(path, notes)
    assert kept.problem is None
    notes.take(7)
    assert kept.close(at(1.0)) is None
    assert number(path) == 7
    assert stat.S_IMODE(path.stat().st_mode) == MODE
    assert os.listdir(path.parent) == ["state.json"]


def test_the_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "var" / "lib" / "state.json"
    begin(path, Notes(3)).close(at(1.0))
    assert number(path) == 3


def test_a_change_is_written_once_its_time_has_come(path: Path) -> None:
    notes = Notes()
    kept = begin(path, notes)
    assert kept.wait(0.0) == float("inf")
    notes.take(1)
    assert kept.wait(10.0) == EVERY - 10.0
    settle(kept, EVERY - 0.1)
    assert not path.exists()
    settle(kept, EVERY)
    assert number(path) == 1
    assert kept.wait(EVERY) == float("inf")
    notes.take(2)
    notes.take(3)
    assert kept.wait(EVERY + 1.0) == EVERY - 1.0
    settle(kept, 2 * EVERY - 1.0)
    assert number(path) == 1
    settle(kept, 2 * EVERY)
    assert number(path) == 3


def test_what_is_pressing_waits_a_minute_at_most(path: Path) -> None:
    notes = Notes()
    kept = begin(path, notes)
    notes.take(1, pressing=True)
    assert kept.wait(3.0) == 0.0
    settle(kept, 3.0)
    assert number(path) == 1
    assert kept.wait(3.0) == float("inf")
    notes.take(2, pressing=True)
    notes.take(3)
    assert kept.wait(4.0) == PRESSING - 1.0
    settle(kept, 2.9 + PRESSING)
    assert number(path) == 1
    settle(kept, 3.0 + PRESSING)
    assert number(path) == 3
    # What is not pressing waits as ever, from the last write on.
    notes.take(4)
    assert kept.wait(3.0 + PRESSING) == EVERY
    notes.take(5, pressing=True)
    assert kept.wait(3.0 + 3 * PRESSING) == 0.0


def test_a_disk_that_is_full_is_not_pressed(tmp_path: Path) -> None:
    path = tmp_path / "no-folder"
    path.write_text("")
    notes = Notes()
    kept = begin(path / "state.json", notes)
    notes.take(1, pressing=True)
    said = settle(kept, 1.0)
    assert said is not None
    assert said["notice"] == "state-unwritten"
    assert kept.wait(1.0) == EVERY


def test_what_is_not_new_is_not_written(path: Path) -> None:
    notes = Notes()
    kept = begin(path, notes)
    notes.take(1)
    settle(kept, EVERY)
    before = path.stat().st_ino
    notes.take(1)
    settle(kept, 2 * EVERY)
    kept.close(at(3 * EVERY))
    assert path.stat().st_ino == before
    # An agent that has seen nothing writes nothing when it stops, either.
    begin(path, Notes()).close(at(1.0))
    assert path.stat().st_ino == before


def test_what_changes_meanwhile_is_for_the_next(path: Path) -> None:
    notes = Notes()
    kept = begin(path, notes)
    notes.take(1)
    kept.tend(at(EVERY))
    notes.take(2)
    assert kept._writing is not None
    assert kept._writing[0].ended(10.0)
    settle(kept, EVERY)
    assert number(path) == 1
    settle(kept, 2 * EVERY)
    assert number(path) == 2


def test_sections_of_others_are_kept_as_they_are(path: Path) -> None:
    others = {"baseline/3": {"ü": [1, 2.5, None, "\ud800"]}, "notes/2": {"number": "n"}}
    path.write_text(
        json.dumps({"ringfence": 1, "sections": {**others, "notes/1": {"number": 4}}})
    )
    path.chmod(0o600)
    for expected in (4, 5):
        notes = Notes()
        kept = begin(path, notes)
        assert kept.problem is None
        assert notes.number == expected
        notes.take(5)
        kept.close(at(1.0))
        sections = json.loads(path.read_bytes())["sections"]
        assert sections.pop("notes/1") == {"number": 5, "more": ""}
        assert sections == others


# Files that are not what they should be.

DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda data: b"", "is damaged"),
    "half": (lambda data: data[: len(data) // 2], "is damaged"),
    "zeros": (lambda data: bytes(len(data)), "is damaged"),
    "list": (lambda data: b"[]", "expected form 1"),
    "form": (lambda data: b'{"ringfence": 2, "sections": {}}', "expected form 1"),
    "none": (lambda data: b'{"ringfence": 1}', "expected sections"),
    "binary": (lambda data: bytes(range(256)), "is damaged"),
    "nan": (lambda data: b'{"ringfence": 1, "sections": {"x": NaN}}', "NaN"),
    "infinite": (
        lambda data: b'{"ringfence": 1, "sections": {"x": 1e999}}',
        "is damaged",
    ),
    "number": (
        lambda data: b'{"ringfence": 1, "sections": {"x": ' + b"9" * 9999 + b"}}",
        "is damaged",
    ),
    "deep": (lambda data: b"[" * 500_000, "is damaged"),
    "section": (lambda data: data.replace(b"4", b'"4"'), "notes/1 is damaged"),
    "long": (lambda data: data.ljust(MAX_BYTES + 1), f"more than {MAX_BYTES} bytes"),
}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_file(path: Path, how: str) -> None:
    begin(path, Notes(4)).close(at(1.0))
    damage, complaint = DAMAGES[how]
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    notes = Notes()
    kept = begin(path, notes)
    assert kept.problem is not None
    assert kept.problem.startswith(str(path))
    assert complaint in kept.problem
    assert notes.number == 0
    bad = path.with_name(path.name + ASIDE)
    assert bad.read_bytes() == damaged
    # It is replaced in time, whether anything happens or not.
    assert kept.wait(0.0) == EVERY
    settle(kept, EVERY)
    assert number(path) == 0
    # The first one is kept and no other.
    path.write_bytes(b"again")
    assert begin(path, Notes()).problem is not None
    assert bad.read_bytes() == damaged


def test_the_longest_file_that_is_read(path: Path) -> None:
    begin(path, Notes(4)).close(at(1.0))
    path.write_bytes(path.read_bytes().ljust(MAX_BYTES))
    assert number(path) == 4


def test_a_section_that_is_damaged_takes_no_other_with_it(path: Path) -> None:
    path.write_text('{"ringfence": 1, "sections": {"notes/1": [], "other/1": [1]}}')
    path.chmod(0o600)
    kept = begin(path, Notes(1))
    assert kept.problem == f"{path}: notes/1 is damaged: expected a number"
    kept.close(at(1.0))
    assert json.loads(path.read_bytes())["sections"]["other/1"] == [1]


def owned_by_another(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to give a file away")
    os.chown(path, 1234, 1234)


def linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (owned_by_another, "it belongs to user 1234"),
        (lambda path: path.chmod(0o602), "others may write to it"),
        (lambda path: path.chmod(0o620), "others may write to it"),
        (linked, "it is a symbolic link"),
        (folder, "it is no file"),
        (fifo, "it is no file"),
    ],
    ids=["owner", "world", "group", "link", "folder", "fifo"],
)
def test_a_file_that_others_can_have_written(
    path: Path, spoil: Callable[[Path], None], complaint: str
) -> None:
    begin(path, Notes(4)).close(at(1.0))
    spoil(path)
    notes = Notes()
    kept = begin(path, notes)
    assert kept.problem == f"{path}: cannot be read: {complaint}"
    assert notes.number == 0
    assert os.path.lexists(path.with_name(path.name + ASIDE))
    notes.take(5)
    assert kept.close(at(1.0)) is None
    assert number(path) == 5
    assert path.stat().st_uid == os.geteuid()
    assert stat.S_IMODE(path.stat().st_mode) == MODE
    elsewhere = path.with_name("elsewhere")
    assert not elsewhere.exists() or b"4" in elsewhere.read_bytes(), "not followed"


# Disks that fail.


def test_too_much_to_be_kept(path: Path) -> None:
    notes = Notes(1)
    kept = begin(path, notes)
    kept.close(at(1.0))
    around = len(path.read_bytes())
    notes.more = MAX_BYTES - around
    assert kept.close(at(1.0)) is None
    assert path.stat().st_size == MAX_BYTES
    notes.more += 1
    said = kept.close(at(1.0))
    assert said is not None
    assert f"{MAX_BYTES + 1} bytes, expected at most {MAX_BYTES}" in str(said["error"])
    assert path.stat().st_size == MAX_BYTES


STEPS = ["make_folder", "create state.json.new", "write", "sync"]
STEPS += ["rename state.json", "sync_folder"]


def test_the_order_of_the_steps(path: Path) -> None:
    disk = FailingDisk()
    begin(path, Notes(1), disk).close(at(1.0))
    assert disk.steps == STEPS


@pytest.mark.parametrize("there", [False, True], ids=["first", "second"])
@pytest.mark.parametrize("at_step", range(len(STEPS)), ids=STEPS)
@pytest.mark.parametrize(
    "code",
    [0, errno.ENOSPC, errno.EIO, errno.EROFS],
    ids=["killed", "full", "broken", "read-only"],
)
def test_at_every_step(path: Path, at_step: int, code: int, there: bool) -> None:
    """Killed, or refused by the disk: the old or the new, and the next one works."""
    if there:
        begin(path, Notes(1)).close(at(1.0))
    notes = Notes()
    kept = begin(path, notes, FailingDisk(at_step, code))
    notes.take(2)
    if code:
        said = kept.close(at(1.0))
        assert said is not None
        assert said["notice"] == "state-unwritten"
        assert errno.errorcode[code] in str(said["error"])
    else:
        with pytest.raises(Killed):
            kept.close(at(1.0))
    old = 1 if there else -1
    assert number(path) in ((2,) if at_step == len(STEPS) - 1 else (old,))
    notes = Notes()
    kept = begin(path, notes)
    assert kept.problem is None
    notes.take(3)
    assert kept.close(at(1.0)) is None
    assert number(path) == 3
    assert os.listdir(path.parent) == ["state.json"]


def test_a_disk_that_refuses_is_complained_of_once(path: Path) -> None:
    notes = Notes()
    disk = FailingDisk(1, errno.EROFS)
    kept = begin(path, notes, disk)
    notes.take(1)
    # Each child has a disk of its own, at the same step.
    said = [settle(kept, turn * EVERY) for turn in range(1, 5)]
    assert said[0] is not None
    assert "EROFS" in str(said[0]["error"])
    assert said[1:] == [None] * 3
    assert kept.wait(4 * EVERY) == EVERY, "it is tried again, and not all the time"
    kept._disk = Disk()
    assert settle(kept, 5 * EVERY) is None
    assert number(path) == 1
    kept._disk = disk
    notes.take(2)
    assert settle(kept, 6 * EVERY) is not None, "a new trouble is news"


class SlowDisk(Disk):
    def sync(self, file: int) -> None:
        time.sleep(0.5)
        super().sync(file)


def test_nobody_waits_for_a_slow_disk(path: Path) -> None:
    notes = Notes()
    kept = begin(path, notes, SlowDisk())
    notes.take(1)
    began = time.monotonic()
    kept.tend(at(EVERY))
    kept.tend(at(EVERY))
    assert time.monotonic() - began < 0.4
    assert kept.wait(EVERY) == float("inf")
    assert not path.exists()
    # A stop does wait, and what is newer comes after what is older.
    notes.take(2)
    kept._disk = Disk()
    assert kept.close(at(EVERY)) is None
    assert number(path) == 2


def test_a_disk_that_hangs_does_not_hold_the_stop(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "STOP_WITHIN", 0.05)
    notes = Notes()
    kept = begin(path, notes, SlowDisk())
    notes.take(1)
    kept.tend(at(EVERY))
    said = kept.close(at(EVERY))
    assert said is not None
    assert "did not answer in time" in str(said["error"])
    assert kept._writing is not None
    assert kept._writing[0].complaint() == ""


def test_no_process_to_be_had(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = Notes()
    kept = begin(path, notes)
    notes.take(1)

    def fork() -> int:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    before = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fork", fork)
        said = kept.tend(at(EVERY))
    assert said is not None
    assert "temporarily unavailable" in str(said["error"])
    assert len(os.listdir("/proc/self/fd")) == before
    settle(kept, 2 * EVERY)
    assert number(path) == 1
