"""Work in a process of its own: how it ends, and what it does not hold on to."""

import os
import signal
import time

from ringfence.errors import KernelError
from ringfence.forked import MAX_COMPLAINT, Forked


def fail(error: Exception) -> None:
    raise error


def test_work_that_is_done() -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    work = Forked(lambda: None, "not done")
    assert work.ended(5.0)
    assert work.complaint() == ""
    os.close(reader)
    os.close(writer)


def test_what_went_wrong_is_told() -> None:
    assert Forked(lambda: fail(KernelError("no room")), "?").complaint() == "no room"
    broken = Forked(lambda: fail(OSError(28, "No space left on device")), "?")
    assert broken.complaint() == "[Errno 28] No space left on device"
    assert Forked(lambda: fail(ValueError()), "not done").complaint() == "not done"
    long = Forked(lambda: fail(KernelError("x" * 100_000)), "?").complaint()
    assert long == "x" * MAX_COMPLAINT


def test_a_process_that_is_killed() -> None:
    work = Forked(lambda: time.sleep(60), "not done")
    assert not work.ended()
    os.kill(work._child, signal.SIGKILL)
    assert work.ended(5.0)
    assert work.complaint() == "its process was killed"


def test_it_ends_even_when_nobody_is_left_to_be_told() -> None:
    def late() -> None:
        time.sleep(0.3)
        raise KernelError("no room")

    try:
        work = Forked(late, "not done")
    except OSError:
        os._exit(99)  # the child came back, into what was the agent's stack
    os.close(work.fileno())  # as the kernel does when the agent is killed
    _, status = os.waitpid(work._child, 0)
    assert os.waitstatus_to_exitcode(status) == 1


def test_it_holds_none_of_the_agent_s_descriptors() -> None:
    """Above all not the queue, which would have a listener for that long."""
    reader, writer = os.pipe()
    work = Forked(lambda: time.sleep(60), "not done")
    os.close(writer)
    os.set_blocking(reader, False)
    deadline = time.monotonic() + 5.0
    while True:
        try:
            assert os.read(reader, 1) == b"", "closed at the other end"
            break
        except BlockingIOError:
            assert time.monotonic() < deadline, "somebody holds it"
            time.sleep(0.01)
    assert not work.ended()
    os.kill(work._child, signal.SIGKILL)
    work.complaint()
    os.close(reader)
