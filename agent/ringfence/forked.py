"""Work in a process of its own, so that packets need not wait for it.

A process and not a thread: what it allocates goes with it, and no lock of another
thread can be held when the agent forks the next time. Knows nothing of the work. The
agent's memory is shared with it until either writes there.
"""

import contextlib
import os
import select
import signal
from collections.abc import Callable
from typing import Final

from ringfence.errors import RingfenceError

MAX_COMPLAINT: Final = 4_096
"""Bytes of what went wrong: what a pipe takes in one piece."""

_MOST_DESCRIPTORS: Final = 1_024
"""More than the agent ever has open."""


class Forked:
    """Work that is under way; readable when it has come to its end."""

    def __init__(self, work: Callable[[], None], unfinished: str) -> None:
        """Fork; `unfinished` is the complaint if the work is not done for no reason.

        What it raises as a `RingfenceError` or `OSError` is the complaint else.
        Raises `OSError` when there is no process to be had.
        """
        self._answer, sink = os.pipe()
        try:
            self._child = os.fork()
        except OSError:
            os.close(self._answer)
            os.close(sink)
            raise
        if self._child:
            os.close(sink)
            return
        complaint = unfinished
        try:
            detach(sink)
            work()
            complaint = ""
        except (RingfenceError, OSError) as error:
            complaint = str(error) or unfinished
        finally:
            # Whatever becomes of the complaint: an agent that is gone reads none, and
            # a child that came back from here would go on as a second agent.
            try:
                os.write(sink, complaint.encode()[:MAX_COMPLAINT])
            finally:
                os._exit(1 if complaint else 0)

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._answer

    def ended(self, seconds: float = 0.0) -> bool:
        """Tell whether it has come to its end, after so many seconds at most."""
        poll = select.poll()
        poll.register(self._answer, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def stop(self, *, hard: bool = False) -> None:
        """Ask it to end, or end it; its `complaint` has to be read all the same."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._child, signal.SIGKILL if hard else signal.SIGTERM)

    def complaint(self) -> str:
        """Wait for the end; return what went wrong, "" for nothing."""
        with open(self._answer, "rb") as reader:
            complaint = reader.read().decode(errors="replace")
        _, status = os.waitpid(self._child, 0)
        return complaint or ("" if status == 0 else "its process was killed")


def detach(sink: int) -> None:
    """Give up what a forked process shares with its parent, but for one descriptor.

    Above all the queue: while anybody holds it, it has a listener. Standard input,
    output and errors stay.
    """
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.closerange(3, sink)
    os.closerange(sink + 1, _MOST_DESCRIPTORS)
