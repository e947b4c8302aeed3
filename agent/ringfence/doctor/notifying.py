"""Readings of what notices are sent by: the program, and what posts to the web service.

Asks the file system alone; nothing is run and nothing is sent.
"""

import os
import stat
from pathlib import Path
from typing import Final

from ringfence.config import Config
from ringfence.doctor.readings import Notify, Posting, Telling
from ringfence.notifying.webhook import find_program

_ROOT: Final = 0


def notify(config: Config) -> Notify:
    """Look at what the configuration names."""
    command, posts = None, None
    if config.notify_command:
        command = _telling(Path(config.notify_command[0]))
    if config.notify_webhook:
        ca = None if config.notify_ca is None else Path(config.notify_ca)
        missing = "" if ca is None or os.access(ca, os.R_OK) else str(ca)
        posts = Posting(find_program(), missing)
    return Notify(command, posts)


def _telling(path: Path) -> Telling:
    try:
        found = path.stat()
    except OSError as error:
        return Telling(str(path), error.strerror or str(error))
    problem = ""
    if not stat.S_ISREG(found.st_mode):
        problem = "it is no file"
    elif not found.st_mode & 0o111:
        problem = "it may not be executed"
    # Who may write to a folder may put another program there.
    real = path.resolve()
    both = dict.fromkeys((path, *path.parents, real, *real.parents))
    free = tuple(str(one) for one in both if _open_to_others(one))
    return Telling(str(path), problem, free)


def _open_to_others(path: Path) -> bool:
    """Tell whether somebody but root may put something else there."""
    found = path.stat()
    others = found.st_mode & 0o022
    if stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX:
        others = 0  # as in /tmp: only who owns a file may replace it
    return bool(others) or found.st_uid != _ROOT
