"""Programs of the system: ended in time, with all they started, and never too long."""

import os
import sys
import time
from pathlib import Path

import pytest
from ringfence.program import MAX_SAID, last_line, run


def gone(pid: int) -> bool:
    """Tell whether a process has ended; what its new parent has not reaped counts."""
    deadline = time.monotonic() + 5.0
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_what_it_says_and_how_it_ends() -> None:
    ended = run(["/bin/sh", "-c", "echo x; echo y >&2; exit 3"], timeout=5, most=10)
    assert ended == (3, b"x\n", b"y\n", False)
    killed = run(["/bin/sh", "-c", "kill -9 $$"], timeout=5, most=10)
    assert killed.status == -9


@pytest.mark.parametrize(("most", "status"), [(65_536, 0), (65_535, None)])
def test_output_up_to_the_limit(most: int, status: int | None) -> None:
    words = [sys.executable, "-c", "import os, time; os.write(1, bytes(65536))"]
    if status is None:  # it would go on for long
        words[-1] += "; time.sleep(60)"
    ended = run(words, timeout=10, most=most)
    assert (ended.status, len(ended.output)) == (status, 65_536)
    assert not ended.late


def test_output_that_nobody_wants_has_no_limit() -> None:
    loud = "for i in 1 2 3 4 5 6 7 8 9; do head -c 100000 /dev/zero; done; exit 4"
    assert run(["/bin/sh", "-c", loud], timeout=5, most=None).status == 4


def test_complaints_are_kept_up_to_a_limit() -> None:
    words = ["/bin/sh", "-c", "head -c 1000000 /dev/zero >&2"]
    ended = run(words, timeout=5, most=0)
    assert (ended.status, ended.said) == (0, bytes(MAX_SAID))


def test_its_children_are_ended_with_it(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/pid; trap '' TERM; wait"
    begin = time.monotonic()
    ended = run(["/bin/sh", "-c", script], timeout=0.5, most=10)
    assert (ended.status, ended.late) == (None, True)
    assert time.monotonic() - begin < 3
    assert gone(int((tmp_path / "pid").read_text()))


def test_what_it_leaves_behind_is_ended_and_not_waited_for(tmp_path: Path) -> None:
    # It holds the pipes, too.
    script = f"sleep 60 & echo $! > {tmp_path}/pid; exit 0"
    begin = time.monotonic()
    assert run(["/bin/sh", "-c", script], timeout=10, most=10).status == 0
    assert time.monotonic() - begin < 3
    assert gone(int((tmp_path / "pid").read_text()))


def test_one_that_is_not_there() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        run(["/no/such/program"], timeout=5, most=10)
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_last_line() -> None:
    assert last_line(b"") == ""
    assert last_line(b"one\n  two \n\n") == "two"
    assert last_line(b"10%\r20%\x1b[2J\xff") == "20%?[2J\ufffd"
    assert last_line(b"x" * 300) == "x" * 200
