"""The socket by which the command line speaks to the running agent; both its ends.

Datagrams of JSON: one question, one answer, no connection and so nothing that a
client could hold on to. Only root can reach it (file mode 0600 in a folder of mode
0700). It knows neither packets nor rules: what is asked for is done by the daemon.
"""

import contextlib
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ringfence.errors import KernelError, RingfenceError

MAX_QUESTION: Final = 512
"""Bytes of a question; the longest names an IPv6 address."""

MAX_ANSWER: Final = 32_768
"""Bytes of an answer; the counters of a hundred rules fit."""

A_TURN: Final = 4
"""Questions answered before packets have their turn again."""

PATIENCE: Final = 2.0
"""Seconds that the command line waits for an answer."""

Record = dict[str, object]


class ControlSocket:
    """The agent's end; readable when somebody asks."""

    def __init__(self, path: str, answer: Callable[[Record], Record]) -> None:
        """Listen at a path; raises OSError when that is not to be had.

        A socket that a killed agent left is replaced, one that is in use is not.
        """
        self._path = path
        self._answer = answer
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._socket = socket.socket(
            socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
        )
        try:
            if _in_use(path):
                raise OSError(f"{path}: another agent listens there")
            Path(path).unlink(missing_ok=True)
            before = os.umask(0o177)
            try:
                self._socket.bind(path)
            finally:
                os.umask(before)
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._socket.fileno()

    def serve(self) -> None:
        """Answer what was asked, a few questions at most; never waits."""
        for _ in range(A_TURN):
            try:
                data, client = self._socket.recvfrom(MAX_QUESTION + 1)
            except OSError:
                return
            if not client:
                continue  # it has no name, so it wants no answer
            # Whoever asks and does not read gets no answer; we do not wait.
            with contextlib.suppress(OSError):
                self._socket.sendto(self._reply(data), client)

    def _reply(self, data: bytes) -> bytes:
        try:
            if len(data) > MAX_QUESTION:
                raise ValueError("too long")
            question = json.loads(data)
            if not isinstance(question, dict):
                raise ValueError("not an object")
            answer = self._answer(question)
        except (ValueError, RecursionError) as error:
            answer = {"error": f"not a question: {error}"}
        text = json.dumps(answer).encode()
        return text if len(text) <= MAX_ANSWER else b'{"error": "answer too long"}'

    def close(self) -> None:
        """Stop listening and take the socket away."""
        self._socket.close()
        with contextlib.suppress(OSError):
            Path(self._path).unlink()


def ask(path: str, question: Record) -> Record | None:
    """Ask the running agent; None when there is none.

    Raises `KernelError` when one is there but may not be asked, `RingfenceError` when it
    does not answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.bind("")  # a name from the kernel, for the answer
        try:
            client.connect(path)
            client.send(json.dumps(question).encode())
            answer = json.loads(client.recv(MAX_ANSWER))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except PermissionError:
            raise KernelError(
                f"{path}: only root may speak to the agent; run this as root"
            ) from None
        except OSError as error:
            raise RingfenceError(
                f"{path}: the agent does not answer ({error.strerror or error})"
            ) from None
    assert isinstance(answer, dict)  # noqa: S101 - our own other end
    return answer


def _in_use(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        try:
            client.connect(path)
        except OSError:
            return False
    return True
