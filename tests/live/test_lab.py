"""The lab leaves nothing behind, however it ends."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.addresses import PBX, SIP_PORT
from lab.namespaces import NETNS, remove_stale, run
from lab.network import Lab

pytestmark = pytest.mark.netns

BUILD_AND_WAIT = f"""
import signal
# A shell starts background jobs with SIGINT ignored; this one must feel it.
signal.signal(signal.SIGINT, signal.default_int_handler)
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)
from lab.network import Lab
try:
    with Lab() as lab:
        sipp = lab.start(lab.inside, "sipp", "-sn", "uas", "-i", "{PBX}", "-nostdin")
        sipp.wait_bound({SIP_PORT}, "{PBX}")
        print("built", flush=True)
        signal.pause()
except KeyboardInterrupt:
    print("unwound", flush=True)
"""


def traces(pid: int) -> list[Path]:
    """Return the namespaces and folders that a process has left."""
    folders = (NETNS, Path(tempfile.gettempdir()))
    return [path for folder in folders for path in folder.glob(f"rf-{pid}-*")]


@pytest.fixture
def other() -> Iterator[subprocess.Popen[str]]:
    """Another process that has built a lab with a program in it."""
    with subprocess.Popen(  # noqa: S603 - this interpreter, the text above
        [sys.executable, "-c", BUILD_AND_WAIT],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "built\n"
        try:
            yield process
        finally:
            process.kill()
    remove_stale()


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda it: it.name
)
def test_interrupted_lab_removes_itself(
    other: subprocess.Popen[str], number: signal.Signals
) -> None:
    assert len(traces(other.pid)) == 4

    other.send_signal(number)
    output, _ = other.communicate(timeout=10)

    assert output == "unwound\n"
    assert traces(other.pid) == []


def test_killed_lab_is_removed_by_the_next(other: subprocess.Popen[str]) -> None:
    other.kill()
    other.wait(5)
    assert len(traces(other.pid)) == 4

    remove_stale()

    assert traces(other.pid) == []


def test_running_lab_is_left_alone(other: subprocess.Popen[str]) -> None:
    remove_stale()

    assert len(traces(other.pid)) == 4


def test_lab_touches_nothing_of_the_host() -> None:
    """Its interfaces and rules are born inside its namespaces."""

    def host() -> tuple[list[str], str, str]:
        interfaces = sorted(entry.name for entry in Path("/sys/class/net").iterdir())
        routes = Path("/proc/net/route").read_text()
        return interfaces, routes, run("nft", "list", "ruleset")

    before = host()
    with Lab(nat=True):
        during = host()

    assert during == before
    assert host() == before
