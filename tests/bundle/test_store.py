"""What a router's store of bundles does, and that no moment of it can be its last."""

import errno
import json
import multiprocessing
import os
import random
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from bundles import CREATED, DAY, EXPIRES, KEY, NEXT_KEY, STRANGER, key_folder
from ringfence.bundle.choice import parse_state
from ringfence.bundle.refused import Refused
from ringfence.bundle.store import Busy
from ringfence.errors import BundleError
from stores import NOW, Act, FailingDisk, Killed, Router, archive


@pytest.fixture
def router(tmp_path: Path) -> Router:
    return Router(tmp_path)


def state(router: Router) -> dict[str, object]:
    found = json.loads(router.places.state.read_bytes())
    assert isinstance(found, dict)
    return found


def test_nothing_is_there(router: Router) -> None:
    assert not router.places.any
    assert router.start() == (None, None, [])
    assert not router.places.folder.exists()


def test_from_the_factory_to_two_slots(tmp_path: Path) -> None:
    router = Router(tmp_path, factory=1)
    assert router.version() == 1
    assert router.install(archive(2)) == "a"
    assert router.version() == 2
    router.confirm()
    assert state(router)["good"] == "a"
    assert state(router)["trial"] is None
    assert router.install(archive(3)) == "b"
    router.confirm()
    assert router.install(archive(4)) == "a"
    assert router.version() == 4
    # A firmware with something newer.
    router.places.factory.write_bytes(archive(9))
    assert router.version() == 9
    with pytest.raises(Refused, match=r"\[version\.older\]"):
        router.install(archive(8))


def test_a_trial_has_three_starts(router: Router) -> None:
    router.settled(1)
    router.install(archive(2))
    assert [router.version() for _ in range(4)] == [2, 2, 2, 1]
    assert len(state(router)["bad"]) == 1  # type: ignore[arg-type]
    with pytest.raises(Refused, match=r"\[bad\.known\]"):
        router.install(archive(2))
    router.install(archive(3))
    assert router.version() == 3


def test_what_runs_already_is_not_counted_as_a_start(router: Router) -> None:
    router.install(archive(1))
    first = router.start().chosen
    assert first is not None
    for _ in range(5):
        again = router.store().begin(lambda _: None, first.digest).chosen
        assert again is not None
        assert again.left == first.left == 2


def test_a_bundle_that_ran_badly_is_not_chosen_again(router: Router) -> None:
    router.settled(1, 2)
    router.reject()
    assert router.version() == 1
    # Nothing is known to be good any more: what runs has to stand a trial again.
    assert state(router)["good"] is None
    router.confirm()
    assert state(router)["good"] == "a"


def test_what_this_site_cannot_load_gives_way_to_the_next(router: Router) -> None:
    router.settled(1)
    router.install(archive(2))

    def load(archived: object) -> str:
        if str(archived).endswith("b.tar"):
            raise BundleError("no such dial plan")
        return str(archived)

    loaded = router.store().begin(load)
    assert loaded.result == str(router.places.of("a"))
    assert loaded.problems == ["no such dial plan"]


def test_going_back_on_purpose(tmp_path: Path) -> None:
    router = Router(tmp_path, factory=2).settled(3, 5)
    with pytest.raises(Refused, match=r"\[version\.older\]"):
        router.install(archive(4))
    router.install(archive(4), downgrade=True)
    assert router.version() == 4
    router.confirm()
    assert router.version() == 4
    # That opens no way to older ones, nor to the one that was left.
    for version in (4, 5):
        with pytest.raises(Refused):
            router.install(archive(version))
    router.install(archive(6))
    assert router.version() == 6


def test_a_downgrade_that_fails_goes_back_to_what_was_good(router: Router) -> None:
    router.settled(3, 5)
    router.install(archive(4), downgrade=True)
    assert [router.version() for _ in range(4)] == [4, 4, 4, 5]


def test_a_new_epoch_begins_anew(router: Router) -> None:
    router.settled(1_000_000)
    router.install(archive(1, epoch=2, key=NEXT_KEY))
    assert router.version() == 1
    router.confirm()
    with pytest.raises(Refused, match=r"\[version\.epoch\]"):
        router.install(archive(2_000_000))


def test_a_key_that_was_taken_away(router: Router) -> None:
    router.settled(1)
    router.install(archive(2, epoch=2, key=NEXT_KEY))
    (router.places.keys / "2" / NEXT_KEY.number.hex()).unlink()
    assert router.version() == 1


def test_the_last_bad_ones_are_remembered(router: Router) -> None:
    router.settled(1)
    for version in range(2, 40):
        router.install(archive(version))
        router.reject()
    assert len(state(router)["bad"]) == 32  # type: ignore[arg-type]
    assert parse_state(router.places.state.read_bytes()) is not None
    assert router.version() == 1


# The clock.


@pytest.mark.parametrize("now", [0, NOW, EXPIRES + DAY, 2**33])
def test_no_clock_takes_protection_away(router: Router, now: int) -> None:
    router.settled(1)
    chosen = router.start().chosen
    assert chosen is not None
    assert chosen.stale(now) == (now > EXPIRES)


def test_a_clock_of_1970_installs_the_next(router: Router) -> None:
    router.settled(1)
    router.install(archive(2), now=0)
    assert router.version() == 2
    # What had expired when that was made, is known to have.
    old = archive(3, created=CREATED - 400 * DAY, expires=CREATED - DAY)
    with pytest.raises(Refused, match=r"\[time\.expired\]"):
        router.install(old, now=0)


def test_a_clock_far_ahead_stops_nothing_for_good(router: Router) -> None:
    router.settled(1)
    with pytest.raises(Refused, match=r"\[time\.expired\]"):
        router.install(archive(2), now=EXPIRES + 1000 * DAY)
    router.install(archive(2))
    assert router.version() == 2


# Files that are not what they were.

SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "half": lambda data: data[: len(data) // 2],
    "torn": lambda data: data[: len(data) // 2] + bytes(len(data) - len(data) // 2),
    "garbage": lambda data: bytes(range(256)) * 8,
    "long": lambda data: data + b"x",
    "endless": lambda data: data * (1 + (1 << 23) // len(data)),
}


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize("slot", ["a", "b", "factory"])
def test_a_spoilt_bundle(tmp_path: Path, slot: str, how: str) -> None:
    router = Router(tmp_path, factory=1).settled(2, 3)
    path = router.places.of(slot)
    path.write_bytes(SPOILT[how](path.read_bytes()))
    loaded = router.start()
    assert loaded.chosen is not None
    assert loaded.chosen.version == (1, 2 if slot == "b" else 3)
    assert any(str(path) in one or "archive." in one for one in loaded.problems)
    router.install(archive(4))
    assert router.version() == 4
    router.confirm()
    assert router.version() == 4


@pytest.mark.parametrize("how", [*SPOILT, "missing", "other"])
def test_a_spoilt_state(tmp_path: Path, how: str) -> None:
    router = Router(tmp_path, factory=1).settled(2, 3)
    path = router.places.state
    if how == "missing":
        path.unlink()
    elif how == "other":
        path.write_text('{"schema": 2, "good": ["a"]}')
    else:
        path.write_bytes(SPOILT[how](path.read_bytes()))
    with pytest.raises(Refused, match=r"\[version\.older\]"):
        router.install(archive(2))
    assert router.version() == 3
    router.install(archive(4))
    assert [router.version() for _ in range(4)] == [4, 4, 4, 3]


@pytest.mark.parametrize(
    "change",
    [
        {"good": "c"},
        {"active": 1},
        {"slots": {"a": "x"}},
        {"slots": {"c": "0" * 64}},
        {"slots": ["a"]},
        {"trial": {"slot": "a"}},
        {"trial": {"slot": "a", "left": 4}},
        {"trial": {"slot": "a", "left": True}},
        {"hwm": [1, 2]},
        {"hwm": [1, -2, "0" * 64]},
        {"hwm": [1, 2**31, "0" * 64]},
        {"held": [1]},
        {"held": [1, 2, 3]},
        {"bad": ["0" * 63]},
        {"bad": [f"{n:064x}" for n in range(33)]},
        {"bad": None},
        {"tmin": -1},
        {"tmin": 1e9},
        {"schema": 2},
        {"more": 1},
    ],
    ids=str,
)
def test_state_is_read_as_it_is_written_or_not_at_all(
    router: Router, change: dict[str, object]
) -> None:
    router.settled(1)
    written = router.places.state.read_bytes()
    assert parse_state(written) is not None
    spoilt = json.dumps({**json.loads(written), **change}, indent=1).encode() + b"\n"
    assert parse_state(spoilt) is None
    router.places.state.write_bytes(spoilt)
    assert router.version() == 1


def test_nothing_valid_is_left(router: Router) -> None:
    router.settled(1)
    key_folder(router.places.keys, (1, STRANGER))
    (router.places.keys / "1" / KEY.number.hex()).unlink()
    loaded = router.start()
    assert (loaded.chosen, loaded.result) == (None, None)
    assert "signature.key" in loaded.problems[0]


# Every step of what changes the disk.

ACTS: dict[str, Act] = {
    "install": lambda router, disk: router.install(archive(4), disk),
    "confirm": lambda router, disk: router.confirm(disk),
    "rollback": lambda router, disk: router.reject(disk),
    "start": lambda router, disk: router.start(disk),
    "downgrade": lambda router, disk: router.install(archive(2), disk, downgrade=True),
}


def prepared(root: Path, act: str, factory: int | None) -> Router:
    """Make the router that something is done on: version 3 good, 2 before it."""
    router = Router(root, factory=factory).settled(2, 3)
    if act in ("confirm", "start", "rollback"):
        router.install(archive(4))
    return router


def steps_of(root: Path, act: str) -> list[str]:
    root.mkdir()
    disk = FailingDisk()
    ACTS[act](prepared(root, act, None), disk)
    return disk.steps


@pytest.mark.parametrize("factory", [None, 1], ids=["", "factory"])
@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(
    "code",
    [0, errno.ENOSPC, errno.EIO, errno.EROFS],
    ids=["killed", "full", "broken", "read-only"],
)
def test_at_every_step(
    tmp_path: Path, act: str, code: int, factory: int | None
) -> None:
    """Killed, or refused by the disk, at any step: it comes up, and can be mended."""
    steps = steps_of(tmp_path / "whole", act)
    assert len([step for step in steps if step.startswith("rename")]) >= 1
    for at in range(len(steps)):
        root = tmp_path / f"{at}"
        root.mkdir()
        router = prepared(root, act, factory)
        before = json.loads(router.places.state.read_bytes())
        disk = FailingDisk(at, code)
        try:
            ACTS[act](router, disk)
            failed = False
        except (Killed, BundleError):
            failed = True
        assert disk.steps[: at + 1] == steps[: at + 1]
        # A start goes on without what it could not write; all else says so.
        assert failed == (act != "start" or not code), steps[at]
        assert parse_state(router.places.state.read_bytes()) is not None
        loaded = router.start()
        assert loaded.chosen is not None, steps[at]
        version = loaded.chosen.version[1]
        assert version in (2, 3, 4)
        if before["trial"] is None and version != 3:
            assert state(router)["trial"], f"{steps[at]}: a new one without a trial"
        router.install(archive(5))
        assert router.version() == 5
        router.confirm()
        assert router.version() == 5
        assert not list(router.places.folder.glob("*.new"))


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_in_whatever_order(tmp_path: Path, seed: int) -> None:
    """A walk through installs, starts and ends of trials, most of them cut short.

    Whatever was confirmed last and not given up since is what a start falls back to.
    """
    dice = random.Random(seed)  # noqa: S311 - the same walk each time
    router = Router(tmp_path, factory=1)
    version, floor = 1, 1
    for _ in range(20):
        act = dice.choice(("install", "install", "start", "confirm", "reject"))
        disk = FailingDisk(dice.randrange(12), dice.choice((0, errno.ENOSPC)))
        before = router.store().look()[0]
        with suppress(Killed, BundleError):
            if act == "install":
                version += 1
                router.install(archive(version), disk)
            elif act == "start":
                router.start(disk)
            elif act == "confirm":
                router.confirm(disk)
            elif before.trial is not None:
                router.reject(disk)
        after = router.store().look()[0]
        if after.good is not None and act == "confirm":
            marks = {one.where: one.mark for one in router.store().look()[1]}
            assert after.good in marks
            floor = marks[after.good].version
        elif act == "reject" and after.good is None:
            floor = 1
        assert router.version(FailingDisk(0, errno.EROFS)) >= floor
    version += 1
    router.install(archive(version))
    assert router.version() == version


def test_the_order_of_the_steps(router: Router) -> None:
    """The slot is on the disk before state.json says that it is there."""
    disk = FailingDisk()
    router.install(archive(1), disk)
    one_file = ["write", "sync"]
    assert disk.steps == [
        "make_folder",
        *("create a.tar.new", *one_file, "rename a.tar", "sync_folder"),
        *("create state.json.new", *one_file, "rename state.json", "sync_folder"),
    ]


def test_a_trial_that_cannot_be_counted_is_not_begun(router: Router) -> None:
    router.settled(1)
    router.install(archive(2))
    assert router.version(FailingDisk(0, errno.EROFS)) == 1
    assert router.version() == 2


# Several at once.


def _install(router: Router, version: int) -> None:
    with suppress(Refused):  # a newer one was first
        router.install(archive_of[version])


archive_of = {version: archive(version) for version in range(1, 7)}


def test_many_installers_at_once(router: Router) -> None:
    fork = multiprocessing.get_context("fork")
    them = [fork.Process(target=_install, args=(router, n)) for n in archive_of]
    for one in them:
        one.start()
    for one in them:
        one.join(30)
        assert one.exitcode == 0
    assert router.version() == 6
    router.install(archive(7))
    assert router.version() == 7


def test_who_finds_the_state_locked(router: Router) -> None:
    router.settled(1)
    router.install(archive(2))
    chosen = router.start().chosen
    assert chosen is not None
    with (
        router.store()._locked("store.lock", 0.0),
        pytest.raises(Busy, match="try again"),
    ):
        router.store().confirm(chosen.where, chosen.digest)
    router.store().confirm(chosen.where, chosen.digest)
    assert state(router)["good"] == chosen.where


def test_what_is_confirmed_is_what_ran(router: Router) -> None:
    """An installer may have put something else there in the meantime."""
    router.install(archive(1))
    chosen = router.start().chosen
    assert chosen is not None
    router.install(archive(2))
    router.store().confirm("a", "0" * 64)
    assert state(router)["good"] is None


# Real disks, in a mount namespace of their own.

_SETUP = """
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from ringfence.errors import BundleError
from stores import Router, archive
root = Path(sys.argv[1])
"""


def mounted(folder: Path, mounts: str, text: str) -> str:
    """Run Python where something is mounted in a folder, seen by nobody else."""
    if os.geteuid() != 0:
        pytest.skip("needs root, for a mount namespace")
    script = f'set -e\ncd "$1"\n{mounts}\nexec "$2" -c "$3" "$1"\n'
    words = ["unshare", "-m", "sh", "-c", script, "sh", str(folder), sys.executable]
    done = subprocess.run(  # noqa: S603
        [*words, _SETUP + text],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    if done.returncode and "mount" in done.stderr and "Traceback" not in done.stderr:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    said = mounted(
        tmp_path,
        "mount -t tmpfs -o size=400k tmpfs rules",
        """
router = Router(root).settled(1, 2)
filler = root / "rules" / "filler"
with filler.open("wb", buffering=0) as file:
    try:
        while file.write(bytes(4096)):
            pass
    except OSError:
        pass
for make_room in (True, False):
    if not make_room:  # the check for room is passed, and then there is none
        import ringfence.bundle.store as store
        store.Store._make_room = lambda self, size: None
    try:
        router.install(archive(3))
    except BundleError as error:
        print(error)
    print(router.version())
filler.unlink()
router.install(archive(3))
print(router.version())
""",
    ).splitlines()
    assert "expected room for" in said[0]
    assert said[1] == "2"
    assert "No space left on device" in said[2]
    assert said[3:] == ["2", "3"]


def test_a_disk_that_became_read_only(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    said = mounted(
        tmp_path,
        "mount -t tmpfs tmpfs rules",
        """
import subprocess
def remount(how):
    subprocess.run(["mount", "-o", f"remount,{how}", str(root / "rules")], check=True)
router = Router(root).settled(1)
router.install(archive(2))
remount("ro")
print(router.version())
try:
    router.install(archive(3))
except BundleError as error:
    print(error)
print(router.version())
remount("rw")
router.install(archive(3))
print(router.version())
""",
    ).splitlines()
    assert said[0] == "1"  # the trial of 2 could not be counted
    assert "Read-only file system" in said[1]
    assert said[2:] == ["1", "3"]


def test_an_overlay_on_a_rom(tmp_path: Path) -> None:
    """A store that was in the ROM from the start; then the overlay is wiped."""
    for name in ("made", "top", "root"):
        (tmp_path / name).mkdir()
    Router(tmp_path / "made", factory=1).settled(2, 3)
    overlay = (
        "mount -t tmpfs tmpfs top\nmkdir top/upper top/work\n"
        "mount -t overlay overlay -o lowerdir=made,upperdir=top/upper,workdir=top/work"
        " root\n"
    )
    text = """
root = root / "root"
router = Router(root)
print(router.version())
router.install(archive(4)); router.confirm()
router.install(archive(5)); router.confirm()
print(router.version())
"""
    assert mounted(tmp_path, overlay, text).split() == ["3", "5"]
    # The next mount begins with an empty overlay, as after a reset to the factory's.
    assert mounted(tmp_path, overlay, text).split() == ["3", "5"]
