"""Phones, a PBX and a trunk around the router: real sockets, made in the namespaces."""

import contextlib
import select
import threading
import time
from typing import Final, NamedTuple, Self

from lab import digest
from lab.messages import request
from lab.namespaces import Namespace

from router.guest.said import SLOWER

PASSWORDS: Final = {"201": "the right one"}
REALM: Final = "pbx"
ANSWER: Final = 2.0
"""Seconds that a phone waits for an answer, on amd64."""


def status_of(answer: bytes) -> int:
    """Return the status of an answer, 0 for anything else."""
    words = answer.split(b" ", 2)
    return int(words[1]) if words[0] == b"SIP/2.0" and len(words) > 2 else 0


def header(message: bytes, name: str) -> str:
    """Return the value of a header field, "" when there is none."""
    for line in message.split(b"\r\n"):
        if line.lower().startswith(name.lower().encode() + b":"):
            return line.partition(b":")[2].decode().strip()
    return ""


class Heard(NamedTuple):
    """A request that has come in."""

    method: str
    source: str
    port: int
    call_id: str
    password: bool
    """It tries a password."""


class Server:
    """A PBX or a trunk: challenges registrations, takes every call."""

    def __init__(self, namespace: str, address: str) -> None:
        """Listen at once."""
        self._socket = Namespace(namespace).udp(address, 5060)
        self._ended = False
        self.heard: list[Heard] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._ended = True
        self._thread.join()
        self._socket.close()

    def heard_from(self, source: str, method: str = "", port: int = 0) -> list[Heard]:
        """Return what came from somebody; of one method, one port if given."""
        return [
            one
            for one in self.heard
            if one.source == source
            and method in ("", one.method)
            and port in (0, one.port)
        ]

    def has(self, call_id: str) -> bool:
        """Tell whether a request of this Call-ID has come in."""
        return any(one.call_id == call_id for one in self.heard)

    def _run(self) -> None:
        while not self._ended:
            if not select.select([self._socket], [], [], 0.1)[0]:
                continue
            message, peer = self._socket.recvfrom(65_535)
            method = message.split(b" ", 1)[0].decode(errors="replace")
            proof = header(message, "Authorization")
            self.heard.append(
                Heard(method, peer[0], peer[1], header(message, "Call-ID"), bool(proof))
            )
            if method == "REGISTER":
                self._socket.sendto(self._registration(message, proof), peer)
            elif method in ("INVITE", "OPTIONS", "BYE"):
                self._socket.sendto(_answer(message, "200 OK"), peer)

    def _registration(self, message: bytes, proof: str) -> bytes:
        if not proof:
            nonce = f"{time.monotonic_ns():032x}"
            challenge = f'Digest realm="{REALM}", nonce="{nonce}", algorithm=MD5'
            return _answer(
                message, "401 Unauthorized", f"WWW-Authenticate: {challenge}"
            )
        parts = {
            name.strip(): value.strip('"')
            for name, _, value in (
                part.partition("=") for part in proof.removeprefix("Digest ").split(",")
            )
        }
        user = parts["username"]
        right = digest.proof(
            digest.Challenge(REALM, parts["nonce"], proxy=False),
            *(user, PASSWORDS.get(user, ""), "REGISTER", parts["uri"]),
        )
        return _answer(
            message, "200 OK" if parts["response"] == right else "403 Forbidden"
        )


def _answer(message: bytes, status: str, *more: str) -> bytes:
    lines = [f"SIP/2.0 {status}"]
    for line in message.decode(errors="replace").split("\r\n"):
        name = line.partition(":")[0].lower()
        if name in ("via", "from", "call-id", "cseq"):
            lines.append(line)
        elif name == "to":
            lines.append(line if "tag=" in line else f"{line};tag=server")
    return "\r\n".join([*lines, *more, "Content-Length: 0", "", ""]).encode()


class Phone:
    """One phone, or somebody who acts as one; each call has a Call-ID of its own."""

    def __init__(self, namespace: str, address: str, port: int = 5060) -> None:
        """Take an address and a port."""
        self._socket = Namespace(namespace).udp(address, port)
        self.address = address
        self._port = port
        self._sent = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def send(
        self, method: str, to: str, *, number: str = "", headers: tuple[str, ...] = ()
    ) -> str:
        """Send one request and do not wait; returns its Call-ID."""
        self._sent += 1
        call_id = f"{self.address}-{self._port}-{time.monotonic_ns()}"
        self._socket.sendto(
            request(
                *(method, self.address, to),
                number=number,
                call_id=call_id,
                port=self._port,
                cseq=self._sent,
                headers=headers,
            ),
            (to, 5060),
        )
        return call_id

    def answer(self, call_id: str, seconds: float = ANSWER) -> bytes:
        """Return the first answer to a request; b"" when there is none in time."""
        end = time.monotonic() + seconds * SLOWER
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            with contextlib.suppress(TimeoutError, ConnectionError):
                answer = self._socket.recv(65_535)
                if header(answer, "Call-ID") == call_id:
                    return answer
        return b""

    def asks(
        self, method: str, to: str, *, number: str = "", seconds: float = ANSWER
    ) -> int:
        """Send a request; returns the status of the answer, 0 for none."""
        return status_of(self.answer(self.send(method, to, number=number), seconds))

    def signs_in(self, to: str, password: str) -> tuple[int, int]:
        """Register with a password; returns the status of both answers, 0 for none."""
        first = self.answer(self.send("REGISTER", to))
        challenge = digest.challenge_of(first)
        if challenge is None:
            return status_of(first), 0
        proof = digest.credentials(challenge, "201", password, "REGISTER", f"sip:{to}")
        second = self.answer(self.send("REGISTER", to, headers=(proof,)))
        return status_of(first), status_of(second)
