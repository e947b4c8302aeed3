"""The program that ends connections: one at a time, and never waited for."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from ringfence.netfilter import severing
from ringfence.netfilter.severing import MAX_WAITING, PATIENCE, Severing


@pytest.fixture
def python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start `true` in place of the interpreter: what it does is tested live."""
    monkeypatch.setattr(sys, "executable", "/bin/true")


def until_idle(made: Severing) -> None:
    end = time.monotonic() + 5
    while made.busy and time.monotonic() < end:
        made.turn(0.0)
        time.sleep(0.01)
    assert not made.busy


@pytest.mark.usefixtures("python")
def test_addresses_that_come_while_one_runs_share_the_next() -> None:
    made = Severing()
    assert not made.busy
    made.add(bytes(4))
    made.turn(0.0)
    for octet in range(10):
        made.add(bytes([1, 2, 3, octet]))
        made.add(bytes([1, 2, 3, octet]))
    until_idle(made)
    assert (made.runs, made.failures, made.skipped) == (2, 0, 0)


@pytest.mark.usefixtures("python")
def test_the_wait_is_bounded() -> None:
    made = Severing()
    for number in range(MAX_WAITING):
        made.add(number.to_bytes(4))
    assert made.skipped == 0
    made.add(MAX_WAITING.to_bytes(4))
    assert made.skipped == 1
    until_idle(made)
    assert made.runs == MAX_WAITING // severing.AT_ONCE


@pytest.mark.parametrize("program", ["/bin/false", "/nonexistent"])
def test_failures_are_counted(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", program)
    made = Severing()
    made.add(bytes(4))
    until_idle(made)
    assert (made.runs, made.failures) == (1, 1)


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "hang"
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))


@pytest.mark.usefixtures("hanging")
def test_a_program_that_hangs_is_given_up() -> None:
    made = Severing()
    made.add(bytes(4))
    made.turn(0.0)
    made.turn(PATIENCE - 1)
    assert made.busy
    made.turn(PATIENCE + 1)
    until_idle(made)
    assert (made.runs, made.failures) == (1, 1)


@pytest.mark.usefixtures("hanging")
def test_a_program_that_cannot_be_ended_ends_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As one that the kernel holds on to: packets must not wait for it either."""
    made = Severing()
    made.add(bytes(4))
    made.turn(0.0)
    child = made._child
    assert child is not None
    with monkeypatch.context() as patch:
        patch.setattr(subprocess.Popen, "kill", lambda _: None)
        began = time.monotonic()
        made.turn(PATIENCE + 1)
        assert time.monotonic() - began < 0.5
        assert made.busy
        made.close()
    child.kill()
    child.wait(5)
