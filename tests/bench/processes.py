"""Processes that the bench starts, each with a /run and a cache of its own.

The agent keeps an unpacked country table in /run or below the home folder; what the
bench starts must neither find one there nor leave one.
"""

import contextlib
import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from lab.namespaces import Namespace

from bench.figures import Skipped

TESTS: Final = Path(__file__).resolve().parent.parent

_CLONE_NEWNS: Final = 0x20000
_MS_BIND, _MS_REC, _MS_PRIVATE = 0x1000, 0x4000, 0x40000

_libc = ctypes.CDLL(None, use_errno=True)


def _own_run(folder: Path) -> None:
    """Put a folder in place of /run for this process and its children."""
    private = _MS_REC | _MS_PRIVATE
    if (
        _libc.unshare(_CLONE_NEWNS)
        or _libc.mount(None, b"/", None, private, None)
        or _libc.mount(os.fsencode(folder), b"/run", None, _MS_BIND, None)
    ):
        raise OSError(ctypes.get_errno(), "no mount namespace of its own")


def start(
    command: Sequence[str],
    folder: Path,
    namespace: Namespace | None = None,
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.PIPE,
    last: Callable[[], None] = lambda: None,
) -> subprocess.Popen[bytes]:
    """Start a program; `folder` holds its /run, `last` is called just before exec."""
    inside = contextlib.nullcontext() if namespace is None else namespace.entered()
    run = folder / "run"
    run.mkdir(exist_ok=True)

    def prepare() -> None:
        if os.geteuid() == 0:
            _own_run(run)
        last()

    with inside:
        return subprocess.Popen(  # noqa: S603 - the bench's own commands
            command,
            stdin=stdin,
            stdout=stdout,
            env=environment(folder),
            bufsize=0,  # so that a selector sees what has not been read
            # Ctrl-C is for the bench, which then ends the rest.
            start_new_session=True,
            preexec_fn=prepare,
        )


def environment(folder: Path) -> Mapping[str, str]:
    """Return what the bench's Python processes run with.

    Bytecode is kept, as an installed program has it, but not in the tree.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON")
    }
    path = [str(TESTS), os.environ.get("PYTHONPATH", "")]
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
        "XDG_CACHE_HOME": str(folder / "run"),
    }


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process of ours, in peace if it can, and close its pipes."""
    if process.stdin is not None:
        process.stdin.close()  # a consumer takes that for the end
    elif process.poll() is None:
        process.terminate()
    try:
        process.wait(2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def agent_command() -> list[str]:
    """Return how to call the program: its script, else the module."""
    script = Path(sys.executable).with_name("ringfence")
    return [str(script)] if script.exists() else [sys.executable, "-m", "ringfence"]


def compile_c(source: Path, program: Path, *libraries: str) -> None:
    """Compile a C file of ours; raises `Skipped` where that cannot be done."""
    command = ["gcc", "-O2", "-Wall", "-o", str(program), str(source)]
    command += [f"-l{library}" for library in libraries]
    try:
        done = subprocess.run(  # noqa: S603
            command, capture_output=True, text=True, timeout=60, check=False
        )
    except FileNotFoundError:
        raise Skipped("gcc is not installed") from None
    if done.returncode != 0:
        complaint = next(
            (line for line in done.stderr.splitlines() if "error" in line), "gcc failed"
        )
        raise Skipped(complaint.strip())
