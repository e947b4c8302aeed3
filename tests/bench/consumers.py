"""What takes packets out of the queue, each a process of its own.

A consumer reads commands, a line each: `bind` binds the queue, `drain` gives every
packet that waits its verdict and prints `drained WALL USER SYSTEM` in seconds,
`unbind` lets go of the queue. accept.c is the same in C.

Run as `python -m bench.consumers KIND QUEUE LENGTH BUFFER`.
"""

import functools
import operator
import os
import resource
import select
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import netfilterqueue
from ringfence.daemon import Daemon
from ringfence.netfilter.nft import Plan
from ringfence.netfilter.queue import Callback, Queue

_SO_RCVBUFFORCE: Final = 33  # asm-generic/socket.h; not in the socket module


class Consumer(Protocol):
    """Has the queue from when it is made until `close`."""

    def drain(self) -> None: ...

    def close(self) -> None: ...


class Library:
    """netfilterqueue's own loop."""

    def __init__(self, number: int, length: int, buffer: int) -> None:
        self._queue = netfilterqueue.NetfilterQueue()
        self._queue.bind(
            number,
            netfilterqueue.Packet.accept,
            max_len=length,
            range=0xFFFF,
            sock_len=buffer,
        )

    def drain(self) -> None:
        self._queue.run(block=False)

    def close(self) -> None:
        self._queue.unbind()


class Ours:
    """The agent's queue by one of its bindings, read as its loop does."""

    def __init__(
        self,
        number: int,
        length: int,
        buffer: int,
        binding: str,
        callback: Callback = operator.methodcaller("accept"),
    ) -> None:
        self._queue = Queue(number, length, callback, fail_open=False, binding=binding)
        with socket.socket(fileno=os.dup(self._queue.fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer)
        self._poll = select.poll()
        self._poll.register(self._queue, select.POLLIN)

    def drain(self) -> None:
        while self._poll.poll(0):
            self._queue.read()

    def close(self) -> None:
        self._queue.close()


class Agent:
    """The agent from packet to verdict: its defaults, the embedded rules."""

    def __init__(self, binding: str) -> None:
        self._binding = binding
        with tempfile.NamedTemporaryFile(suffix=".toml") as empty:
            self._daemon = Daemon(Path(empty.name), None)
        # What `run` does ahead of its loop, without the ruleset.
        self._daemon._verdicts.speak(Plan(queue=0, sip_ports=frozenset()))
        self._daemon._find_wan()

    def __call__(self, number: int, length: int, buffer: int) -> Consumer:
        return Ours(number, length, buffer, self._binding, self._daemon._packet)


def consumer(kind: str) -> Callable[[int, int, int], Consumer]:
    """Return what binds the queue as that kind does."""
    if kind == "library":
        return Library
    what, _, binding = kind.partition("-")
    if what == "agent":
        return Agent(binding)
    return functools.partial(Ours, binding=binding)


def _cpu() -> tuple[float, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime, used.ru_stime


def main() -> None:
    """Obey until standard input ends."""
    kind, *numbers = sys.argv[1:]
    number, length, buffer = map(int, numbers)
    with (
        os.fdopen(os.dup(1), "w", buffering=1) as answers,
        open(os.devnull, "w") as nul,
    ):
        os.dup2(nul.fileno(), 1)  # the agent's log, written and not kept
        bind = consumer(kind)
        bound: Consumer | None = None
        for command in sys.stdin:
            if command == "bind\n":
                bound = bind(number, length, buffer)
                answers.write("bound\n")
                continue
            assert bound is not None, "bind comes first"
            if command == "drain\n":
                user, system = _cpu()
                begin = time.monotonic()
                bound.drain()
                wall = time.monotonic() - begin
                now_user, now_system = _cpu()
                answers.write(
                    f"drained {wall:.9f} {now_user - user:.6f} "
                    f"{now_system - system:.6f}\n"
                )
            else:
                bound.close()
                answers.write("unbound\n")


if __name__ == "__main__":
    main()
