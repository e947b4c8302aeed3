"""A file from an https URL, by the program that the system has for that.

Knows the programs' arguments; one that gives more than it may or takes too long is
stopped. It trusts nothing of what comes: the bundle's signature decides.
"""

import shutil
from typing import Final

from ringfence.errors import BundleError, ConfigError, KernelError
from ringfence.program import last_line, run

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
    ended = run(words, timeout=timeout, most=most)
    if ended.late:
        raise BundleError(f"{words[-1]}: not there after {timeout:g} s; try again")
    if len(ended.output) <= most and ended.status != 0:
        reason = last_line(ended.said) or f"{words[0]} ended with {ended.status}"
        raise BundleError(f"{words[-1]}: cannot be downloaded: {reason}")
    return ended.output
