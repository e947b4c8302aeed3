"""A file from an https URL, by the program that the system has for that.

Knows the programs' arguments, and stops one that gives more than it may or takes too
long. It trusts nothing of what comes: the bundle's signature decides.
"""

import os
import select
import shutil
import subprocess
import tempfile
import time
from typing import Final

from ringfence.errors import BundleError, ConfigError, KernelError

TIMEOUT: Final = 120.0
"""Seconds for it all; 4 MiB take 70 s at 0.5 Mbit/s."""
MOST_URL: Final = 2_000
_STALLED: Final = "30"
"""Seconds without a byte after which the programs give up by themselves."""

PROGRAMS: Final[dict[str, tuple[str, ...]]] = {
    "uclient-fetch": ("-q", "-T", _STALLED, "-O", "-"),
    "curl": (
        *("--proto", "=https", "--fail", "--silent", "--show-error", "--location"),
        *("--max-redirs", "5", "--connect-timeout", _STALLED, "--max-time", "120"),
    ),
    "wget": ("-q", "-T", _STALLED, "-O", "-"),
}
"""First found, first used; all write to standard output."""


def download(url: str, most: int, timeout: float = TIMEOUT) -> bytes:
    """Fetch at most that many bytes; a file that has more gives one byte more.

    Raises `ConfigError` for what is no https URL, `KernelError` where no program is
    there, `BundleError` when nothing comes.
    """
    if not url.startswith("https://") or len(url) > MOST_URL or not _plain(url):
        raise ConfigError([f"{url[:80]}: expected a URL that begins with https://"])
    for name, options in PROGRAMS.items():
        path = shutil.which(name)
        if path is not None:
            return _fetch([path, *options, url], most, timeout)
    raise KernelError(
        f"nothing to download with: expected one of {', '.join(PROGRAMS)}"
    )


def _plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url


def _fetch(words: list[str], most: int, timeout: float) -> bytes:
    until = time.monotonic() + timeout
    found = bytearray()
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(  # noqa: S603 - a fixed program, no shell
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints
        ) as process,
    ):
        assert process.stdout is not None  # noqa: S101 - asked for above
        source = process.stdout.fileno()
        try:
            while True:
                left = until - time.monotonic()
                if left <= 0 or not select.select([source], [], [], left)[0]:
                    raise BundleError(
                        f"{words[-1]}: not there after {timeout:g} s; try again"
                    )
                piece = os.read(source, most + 1 - len(found))
                found += piece
                if not piece or len(found) > most:
                    break
            if len(found) > most:
                return bytes(found)
            status = process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise BundleError(f"{words[-1]}: {words[0]} does not end") from None
        finally:
            process.kill()
        complaints.seek(0)
        said = complaints.read(500).decode("utf-8", "replace").strip()
    if status != 0:
        reason = said.splitlines()[-1] if said else f"{words[0]} ended with {status}"
        raise BundleError(f"{words[-1]}: cannot be downloaded: {reason}")
    return bytes(found)
