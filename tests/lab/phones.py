"""Many honest phones in one process: they register, repeat themselves and call.

SIPp plays one phone better; these are for offices full of them, whose timers can run
faster than life. Timers are those of RFC 3261 section 17.1, divided by `speed`.
"""

import contextlib
import itertools
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeVar

from lab import digest
from lab.addresses import SIP_PORT
from lab.messages import request
from lab.namespaces import LabError

T1: Final = 0.5
"""Seconds to the first repetition of a request."""
T2: Final = 4.0
"""Longest time between two repetitions of a REGISTER."""
GIVE_UP: Final = 64 * T1
"""Seconds after which a request has failed (timers B and F)."""

_phones = itertools.count()

Found = TypeVar("Found")


class Tried(NamedTuple):
    """How a registration or a call went."""

    status: int | None
    """The final answer; None when there was none."""
    seconds: float
    sent: int
    """Requests that were sent for it, repetitions included."""

    @property
    def ok(self) -> bool:
        return self.status == 200


class Phone:
    """One phone on a UDP socket of its own; used by one thread at a time."""

    def __init__(
        self,
        line: socket.socket,
        user: str,
        password: str,
        registrar: str,
        *,
        speed: float = 1.0,
        give_up: float = GIVE_UP,
    ) -> None:
        self._line = line
        self._address, self._port = line.getsockname()[:2]
        self.user = user
        self.password = password
        self._registrar = registrar
        self._speed = speed
        self._give_up = give_up / speed
        self._name = f"phone-{next(_phones)}"
        self._cseq = itertools.count(1)
        self._known: digest.Challenge | None = None
        self._sent = 0

    @property
    def challenge(self) -> digest.Challenge | None:
        """The last challenge that was met: a phone that keeps it answers unasked."""
        return self._known

    def register(self, *, password: str | None = None, unasked: bool = False) -> Tried:
        """Register; `unasked` sends credentials for the last challenge at once."""
        host = f"[{self._registrar}]" if ":" in self._registrar else self._registrar
        asked = self._known if unasked else None
        return self._timed(
            lambda: self._signed_in("REGISTER", f"sip:{host}", password, asked)
        )

    def call(self, number: str) -> Tried:
        """Call a number through the PBX, hang up at once; timed up to the answer."""
        uri = f"sip:{number}@{self._registrar}"
        return self._timed(lambda: self._signed_in("INVITE", uri, None, None, number))

    def _timed(self, attempt: Callable[[], int | None]) -> Tried:
        self._sent = 0
        self._line.setblocking(False)
        with contextlib.suppress(OSError):
            while True:  # answers that came too late for what went before
                self._line.recv(65_535)
        begin = time.monotonic()
        status = attempt()
        return Tried(status, time.monotonic() - begin, self._sent)

    def _signed_in(
        self,
        method: str,
        uri: str,
        password: str | None,
        challenge: digest.Challenge | None,
        number: str = "",
    ) -> int | None:
        # Once more if the challenge that it knew is a new one by now.
        call_id = self._name
        if method == "INVITE":
            call_id = f"{self._name}-{next(self._cseq)}"
        for _ in range(3 if challenge is not None else 2):
            cseq = next(self._cseq)
            answer = self._ask(method, uri, cseq, call_id, password, challenge, number)
            if answer is None:
                return None
            status = _status(answer)
            if method == "INVITE":
                self._acknowledge(answer, number, call_id, cseq)
            if status not in (401, 407):
                return status
            if challenge == digest.challenge_of(answer):
                return status
            refused = challenge is not None and challenge != self._known
            challenge = self._known = digest.challenge_of(answer)
            if refused:
                return status
        return status

    def _ask(
        self,
        method: str,
        uri: str,
        cseq: int,
        call_id: str,
        password: str | None,
        challenge: digest.Challenge | None,
        number: str,
    ) -> bytes | None:
        """Send a request until it is answered; give the final answer."""
        headers = []
        if challenge is not None:
            word = self.password if password is None else password
            headers = [digest.credentials(challenge, self.user, word, method, uri)]
        branch = f"z9hG4bK-{call_id}-{cseq}"
        text = self._request(method, number, call_id, branch, cseq, headers)
        begin = time.monotonic()
        wait = T1 / self._speed
        again = begin
        proceeding = False
        while (now := time.monotonic()) < begin + self._give_up:
            if now >= again and not proceeding:
                self._line.sendto(text, (self._registrar, SIP_PORT))
                self._sent += 1
                again = now + wait
                longest = T2 / self._speed if method != "INVITE" else self._give_up
                wait = min(2 * wait, longest)
            until = begin + self._give_up if proceeding else again
            self._line.settimeout(max(0.001, until - now))
            try:
                answer = self._line.recv(65_535)
            except OSError:  # nothing yet, or nobody listens over there
                continue
            if branch.encode() not in answer or not answer.startswith(b"SIP/2.0"):
                continue
            if _status(answer) >= 200:
                return answer
            proceeding = method == "INVITE"
        return None

    def _request(
        self,
        method: str,
        number: str,
        call_id: str,
        branch: str,
        cseq: int,
        headers: Sequence[str] = (),
        to_tag: str = "",
    ) -> bytes:
        return request(
            method,
            self._address,
            self._registrar,
            number=number,
            user=self.user,
            call_id=call_id,
            port=self._port,
            branch=branch,
            cseq=cseq,
            headers=headers,
            to_tag=to_tag,
        )

    def _acknowledge(self, answer: bytes, number: str, call_id: str, cseq: int) -> None:
        """Send the ACK, and after a 200 the BYE; its answer is not waited for."""
        tag = re.search(rb"^To:.*;tag=([^\s;]+)", answer, re.M)
        assert tag is not None
        to_tag = tag[1].decode()
        accepted = _status(answer) == 200
        steps = [("ACK", cseq), *([("BYE", next(self._cseq))] if accepted else [])]
        for method, step in steps:
            branch = f"z9hG4bK-{call_id}-{step}"
            if accepted:
                branch += f"-{method}"
            text = self._request(method, number, call_id, branch, step, to_tag=to_tag)
            if accepted and (
                contact := re.search(rb"^Contact: <([^>]*)>", answer, re.M)
            ):
                _, _, rest = text.partition(b"\r\n")
                text = b"%s %s SIP/2.0\r\n%s" % (method.encode(), contact[1], rest)
            self._line.sendto(text, (self._registrar, SIP_PORT))


def at_once(phones: Iterable[Phone], what: Callable[[Phone], Found]) -> list[Found]:
    """Let all phones do the same at the same moment; return what came of it."""
    everybody = list(phones)
    found: dict[int, Found] = {}
    go = threading.Barrier(len(everybody))

    def run(number: int, phone: Phone) -> None:
        go.wait()
        found[number] = what(phone)

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(everybody)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(found) != len(everybody):
        raise LabError("a phone broke down, see above")
    return [found[number] for number in range(len(everybody))]


def _status(answer: bytes) -> int:
    return int(answer[8:11])
