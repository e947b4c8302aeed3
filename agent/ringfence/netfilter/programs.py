"""Running the kernel's command-line programs: nft, iptables-restore and their kin."""

import os
import subprocess
from typing import Final

from ringfence.errors import KernelError

TIMEOUT: Final = 20.0
"""Seconds for one call; nft takes milliseconds, minutes mean it hangs."""


def find(name: str) -> str | None:
    """Look a program up in PATH, as shutil.which does, whose module costs 0.3 MB."""
    for folder in os.get_exec_path():
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def program(name: str, package: str) -> str:
    """Return the path of a program; raises `KernelError` when it is not installed."""
    path = find(name)
    if path is None:
        raise KernelError(
            f"{name} is not in PATH; install the package {package} "
            "(and run with /usr/sbin in PATH)"
        )
    return path


def call(arguments: list[str], text: str = "") -> tuple[int, str, str]:
    """Run one program on `text`; returns status, output and its first complaint."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed programs, no shell
            arguments, input=text, capture_output=True, text=True, timeout=TIMEOUT
        )
    except subprocess.TimeoutExpired:
        return 1, "", f"{arguments[0]} did not answer within {TIMEOUT:.0f} s"
    except OSError as error:
        return 1, "", f"{arguments[0]}: {error.strerror}"
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return done.returncode, done.stdout, lines[0] if lines else "no reason given"
