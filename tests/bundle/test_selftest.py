"""The process in which a bundle is tried: what it may use, what of ours it has not."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from ringfence.bundle.selftest import LIMITS, MOST_SAID, Limits, run
from ringfence.errors import BundleError, ConfigError, KernelError, RingfenceError


def fail(error: BaseException) -> NoReturn:
    raise error


def refused(work: Callable[[], list[str]], limits: Limits = LIMITS) -> RingfenceError:
    with pytest.raises(RingfenceError) as found:
        run(work, limits)
    return found.value


def children() -> set[int]:
    """Tell which processes we have, waited for or not."""
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {int(pid) for pid in found}


@pytest.fixture(autouse=True)
def leaves_none() -> Iterator[None]:
    """Whatever becomes of a test, no process of its own is left."""
    before = children()
    yield
    assert children() <= before


def test_what_passes_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    run(lambda: [] if os.write(1, b"out") and os.write(2, b"err") else ["closed"])
    assert capfd.readouterr() == ("", "")


def test_problems_refuse_the_bundle() -> None:
    error = refused(lambda: ["first", "second\nwith more"])
    assert isinstance(error, BundleError)
    assert str(error) == "self-test: first\nself-test: second\nself-test: with more"


def test_only_so_many_are_said() -> None:
    lines = [str(number) for number in range(MOST_SAID + 1)]
    assert str(refused(lambda: lines[:-1])).endswith(f"self-test: {MOST_SAID - 1}")
    assert str(refused(lambda: lines)) == str(refused(lambda: lines[:-1]))
    assert len(str(refused(lambda: ["€" * 1_000_000]))) == len("self-test: ") + 4_000


def test_errors_say_whose_fault_it_is() -> None:
    error = refused(lambda: fail(BundleError("no rules")))
    assert (type(error), str(error)) == (BundleError, "self-test: no rules")
    for untried in (ConfigError(["mode = 1"]), KernelError("no room")):
        error = refused(lambda untried=untried: fail(untried))  # type: ignore[misc]
        assert (type(error), str(error)) == (RingfenceError, f"self-test: {untried}")


@pytest.mark.parametrize(
    "flaw", [ValueError("odd"), SystemExit(0), KeyboardInterrupt("odd")]
)
def test_a_flaw_of_ours_refuses_the_bundle(flaw: BaseException) -> None:
    error = refused(lambda: fail(flaw))
    assert isinstance(error, BundleError)
    assert f"self-test: {type(flaw).__name__}: {flaw} ({__file__}:" in str(error)


def test_memory() -> None:
    def take(megabytes: int) -> list[str]:
        return [] if bytes(megabytes << 20) else ["nothing"]

    run(lambda: take(20), Limits(memory=24 << 20))
    error = refused(lambda: take(400), Limits(memory=24 << 20))
    assert isinstance(error, BundleError)
    assert str(error) == "self-test: more than 24 MiB of memory"


def endless() -> list[str]:
    while True:
        pass


def sleep() -> list[str]:
    time.sleep(60)
    return []


def test_processor_time() -> None:
    error = refused(endless, Limits(cpu=1))
    assert isinstance(error, BundleError)
    assert str(error) == "self-test: more than 1 s of processor time"


def test_time() -> None:
    begin = time.monotonic()
    error = refused(sleep, Limits(wall=0.3))
    assert isinstance(error, BundleError)
    assert str(error).startswith("self-test: not at its end after 0.3 s: expected")
    assert 0.3 <= time.monotonic() - begin < 30


def test_a_process_that_is_killed() -> None:
    def kill() -> list[str]:
        os.kill(os.getpid(), signal.SIGKILL)
        return []

    assert str(refused(kill)) == "self-test: ended by signal 9"


def test_it_ends_with_the_installer_s_patience() -> None:
    """Interrupted by Ctrl-C, the installer leaves no process behind."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(sleep)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_it_holds_nothing_of_the_installer_s(tmp_path: Path) -> None:
    """Least of all its lock, which ends only when nobody has the file open."""
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.set_inheritable(lock, True)

    said = str(refused(lambda: fail(BundleError("\n".join(open_files())))))
    os.close(lock)
    places = [line.removeprefix("self-test: ") for line in said.splitlines()]
    assert places[:3] == ["/dev/null"] * 3
    assert [place.partition(":")[0] for place in places[3:]] == ["pipe"]


def open_files() -> list[str]:
    """Tell what is open here, ascending by number."""
    found = []
    for number in range(256):
        try:
            found.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:
            continue
    return found


def test_nothing_of_the_installer_s_goes_on_in_it(tmp_path: Path) -> None:
    """No `finally` of who called, no signal handler, nothing that waits to be said."""
    ends = tmp_path / "ends"
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    try:
        with ends.open("a") as file:
            file.write("said once")
            try:
                run(
                    lambda: [
                        str(signal.getsignal(number))
                        for number in (signal.SIGTERM, signal.SIGINT)
                        if signal.getsignal(number) is not signal.SIG_DFL
                    ]
                )
            finally:
                file.write(f", by {os.getpid()}")
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert ends.read_text() == f"said once, by {os.getpid()}"


def test_it_starts_with_standard_descriptors_closed(tmp_path: Path) -> None:
    """A pipe that is number 1 in the installer is none in the self-test."""
    script = tmp_path / "closed.py"
    script.write_text(
        "import os\n"
        "from ringfence.bundle.selftest import run\n"
        "from ringfence.errors import BundleError\n"
        "for number in range(3): os.close(number)\n"
        "try:\n"
        "    run(lambda: ['told'])\n"
        "except BundleError as error:\n"
        f"    open({str(tmp_path / 'said')!r}, 'w').write(str(error))\n"
    )
    subprocess.run([sys.executable, script], check=True)  # noqa: S603 - ours
    assert (tmp_path / "said").read_text() == "self-test: told"
