"""A notice to a program of the owner's: the line on its standard input.

No shell reads its words. Its environment is small and always the same, and it is ended,
with all that it has started, when it has ended itself or its time is over.
"""

import os
from typing import Final

from ringfence.errors import RingfenceError
from ringfence.notifying.notice import Notice
from ringfence.program import last_line, run

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run_command(words: tuple[str, ...], notice: Notice, timeout: float) -> None:
    """Run the program; raises `RingfenceError` unless it ends with 0 in time."""
    environment = {"PATH": PATH, "RINGFENCE_EVENT": notice.event}
    stdin = os.memfd_create("notice")
    try:
        os.write(stdin, notice.line)
        os.lseek(stdin, 0, os.SEEK_SET)
        ended = run(
            list(words),
            timeout=timeout,
            most=None,
            stdin=stdin,
            environment=environment,
        )
    except OSError as error:
        raise RingfenceError(f"{words[0]}: {error.strerror or error}") from None
    finally:
        os.close(stdin)
    if ended.late:
        raise RingfenceError(f"{words[0]}: not at its end after {timeout:g} s")
    if ended.status:
        said = last_line(ended.said)
        if any(len(word) > 3 and word in said for word in words[1:]):
            said = ""  # an argument may be a password, and this goes to the log
        why = f": {said}" if said else ""
        raise RingfenceError(f"{words[0]} ended with {ended.status}{why}")
