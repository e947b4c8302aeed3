"""One leg of a call: every message from the first INVITE to the last answer.

A call is decided before it is written: its turns show exactly when `Times` says. What
comes between, is repeated or gets lost is left to chance. Must not know how often
calls happen, nor that a call has other legs.
"""

from typing import NamedTuple

from call import BUSY, CROSSED, LINE, UNKNOWN, UNREACHABLE, Call, account
from chance import Chance
from dialogs import Dialog, Timed, branch_of, challenge, credentials

REFUSED = "refused"
_REFUSALS = {
    BUSY: "486 Busy Here",
    UNREACHABLE: "480 Temporarily Unavailable",
    UNKNOWN: "404 Not Found",
    REFUSED: "503 Service Unavailable",
}
T1 = 0.5
"""Seconds until a message is repeated (RFC 3261 section 17.1.1.1); then twice as
long each time."""
REFRESH_S = 900.0
"""Seconds after which a call's session is refreshed (RFC 4028)."""


class Times(NamedTuple):
    """When a call's turns show on one leg."""

    begin: float
    answered: float | None
    ended: float


class Script:
    """Writes one leg's messages in the order in which they come about."""

    __slots__ = (
        *("_call", "_chance", "_cseq", "_dialog", "_distance", "_done", "_outer"),
        "_times",
    )

    def __init__(
        self,
        call: Call,
        times: Times,
        dialog: Dialog,
        chance: Chance,
        *,
        outer: bool = False,
    ) -> None:
        """Prepare; `outer` is the leg between the PBX and a telephone outside."""
        self._call, self._times, self._dialog = call, times, dialog
        self._chance, self._outer = chance, outer
        self._done: list[Timed] = []
        self._cseq = chance.whole(1, 9_000)
        self._distance = chance.between(0.012, 0.04)
        """Seconds from the router to the other end and back."""

    def _put(self, when: float, packet: bytes) -> None:
        self._done.append((round(when, 6), packet))

    def written(self) -> list[Timed]:
        """Write them all."""
        times = self._times
        self._invite()
        outcome = self._call.outcome
        if times.answered is not None:
            if outcome == CROSSED:
                self._cancel(times.answered - 0.005, crossed=True)
            self._answer(times.answered)
            self._talk(times.answered, times.ended)
            self._bye(times.ended)
        elif outcome in _REFUSALS:
            self._refuse(times.ended, _REFUSALS[outcome])
        else:
            self._cancel(times.ended)
        return self._done

    def _fields(self) -> str:
        fields = "Supported: replaces, timer\r\nSession-Expires: 1800\r\nMin-SE: 90\r\n"
        if self._call.diverted and not self._outer:
            fields += f"Diversion: <sip:{LINE.user}@{LINE.realm}>;reason=no-answer\r\n"
        if self._call.direction == "in" and not self._outer and self._call.number:
            number = self._call.number
            fields += f"P-Asserted-Identity: <sip:{number}@{LINE.realm}>\r\n"
        return fields

    def _invite(self) -> None:
        """Ask, with the password if that is wanted, until something rings."""
        chance, dialog = self._chance, self._dialog
        begin, distance = self._times.begin, self._distance
        fields, body = self._fields(), dialog.offer()
        asks = self._call.direction == "out"
        if asks:
            line, kind = LINE, "Proxy-Auth"
            if self._outer:
                line, kind = account(self._call.who), "Auth"
            nonce = chance.hex(32)
            # A nonce that is still good is used again, without being asked.
            known = not chance.happens(0.3)
            if not known:
                asked = begin - 3 * distance if self._outer else begin
                self._challenged(asked, kind, line.realm, nonce)
                begin = asked + 1.5 * distance
            used = chance.whole(2, 60) if known else 1
            fields = fields + credentials(
                f"{kind}orization", line, "INVITE", dialog.uri, nonce, used
            )
        cseq = self._cseq
        invite = dialog.request("INVITE", cseq, fields=fields, body=body)
        trying = dialog.answer("100 Trying", cseq, "INVITE", tag="")
        self._put(begin, invite)
        self._put(begin + distance / 2, trying)
        until = self._times.answered or self._times.ended
        if chance.happens(0.006) and until > begin + 2 * T1:
            self._put(begin + T1, invite)  # the 100 got lost
            self._put(begin + T1 + distance / 2, trying)
        self._ring(begin, until)

    def _challenged(self, when: float, kind: str, realm: str, nonce: str) -> None:
        """Ask without a password, and be asked for it."""
        dialog, cseq = self._dialog, self._cseq
        body, tag = dialog.offer(), self._chance.hex(8)
        status, field = "407 Proxy Authentication Required", "Proxy-Authenticate"
        if kind == "Auth":
            status, field = "401 Unauthorized", "WWW-Authenticate"
        asks = challenge(field, realm, nonce)
        self._put(
            when, dialog.request("INVITE", cseq, fields=self._fields(), body=body)
        )
        later = when + self._distance
        answer = dialog.answer(status, cseq, "INVITE", tag=tag, fields=asks)
        self._put(later, answer)
        branch = branch_of(cseq, "INVITE")
        ack = dialog.request("ACK", cseq, branch=branch, tag=tag)
        self._put(later + 0.001, ack)
        self._cseq += 1

    def _ring(self, begin: float, until: float) -> None:
        chance, dialog, cseq = self._chance, self._dialog, self._cseq
        if self._call.outcome in (UNKNOWN, REFUSED) or until - begin < 0.4:
            return
        abroad = self._call.country not in ("JP", "")
        delay = chance.between(2.5, 5.0) if abroad else chance.between(0.6, 1.8)
        ringing = begin + min(delay, 0.7 * (until - begin))
        early = self._call.direction == "out" and chance.happens(0.5 if abroad else 0.2)
        if early and chance.happens(0.3):
            # An announcement answers first, then the telephone: two ends, two tags.
            self._put(
                ringing - 0.05,
                dialog.answer(
                    "183 Session Progress",
                    cseq,
                    "INVITE",
                    tag=chance.hex(12),
                    body=dialog.accepted(),
                ),
            )
            early = False
        status = "183 Session Progress" if early else "180 Ringing"
        body = dialog.accepted() if early else ""
        self._put(ringing, dialog.answer(status, cseq, "INVITE", body=body))

    def _answer(self, when: float) -> None:
        dialog, cseq, times = self._dialog, self._cseq, self._times
        body = dialog.accepted()
        fields = "Require: timer\r\nSession-Expires: 1800;refresher=uac\r\n"
        ok = dialog.answer("200 OK", cseq, "INVITE", fields=fields, body=body)
        ack = dialog.request("ACK", cseq, within=True)
        self._put(when, ok)
        self._put(when + self._distance / 2, ack)
        if times.ended - when > 3 * T1 and self._chance.happens(0.006):
            self._put(when + T1, ok)  # the ACK got lost
            self._put(when + T1 + self._distance / 2, ack)

    def _talk(self, answered: float, ended: float) -> None:
        """Put a long call on hold perhaps, and refresh its session."""
        chance, lasts = self._chance, ended - answered
        turns = {
            answered + REFRESH_S * at: ""
            for at in range(1, 1 + int(lasts // REFRESH_S))
        }
        if lasts > 60 and chance.happens(0.1):
            held = answered + chance.between(0.2, 0.5) * lasts
            turns[held] = "sendonly"
            turns[held + chance.between(0.1, 0.4) * lasts] = "sendrecv"
        version, direction = 1, "sendrecv"
        for when in sorted(turns):
            if turns[when]:
                version, direction = version + 1, turns[when]
            if when < ended - 1:
                self._renew(when, version, direction)

    def _renew(self, when: float, version: int, direction: str) -> None:
        """Send an INVITE within the dialog; the caller does, it refreshes."""
        dialog, distance = self._dialog, self._distance
        self._cseq += 1
        cseq = self._cseq
        body = dialog.offer(version, direction)
        answer = dialog.accepted(
            version, "recvonly" if direction == "sendonly" else direction
        )
        timer = "Session-Expires: 1800;refresher=uac\r\n"
        self._put(
            when,
            dialog.request("INVITE", cseq, within=True, fields=timer, body=body),
        )
        self._put(
            when + distance,
            dialog.answer(
                "200 OK",
                cseq,
                "INVITE",
                fields=f"Require: timer\r\n{timer}",
                body=answer,
            ),
        )
        self._put(when + 1.5 * distance, dialog.request("ACK", cseq, within=True))

    def _refuse(self, when: float, status: str) -> None:
        dialog, cseq = self._dialog, self._cseq
        self._put(when, dialog.answer(status, cseq, "INVITE"))
        self._put(when + self._distance / 2, self._ack_to_refusal())

    def _ack_to_refusal(self) -> bytes:
        branch = branch_of(self._cseq, "INVITE")
        tag = self._dialog.to_tag
        return self._dialog.request("ACK", self._cseq, branch=branch, tag=tag)

    def _cancel(self, when: float, *, crossed: bool = False) -> None:
        """Give up; `crossed`: the call is answered before the other end hears it."""
        dialog, cseq, distance = self._dialog, self._cseq, self._distance
        branch = branch_of(cseq, "INVITE")
        self._put(when, dialog.request("CANCEL", cseq, branch=branch))
        ok = dialog.answer("200 OK", cseq, "CANCEL", branch=branch)
        self._put(when + distance, ok)
        if not crossed:
            gone = dialog.answer("487 Request Terminated", cseq, "INVITE")
            self._put(when + distance + 0.002, gone)
            self._put(when + 1.5 * distance + 0.002, self._ack_to_refusal())

    def _bye(self, when: float) -> None:
        dialog, chance = self._dialog, self._chance
        if not self._call.ended_by:
            return
        back = self._call.ended_by == "called"
        cseq = 1 if back else self._cseq + 1
        bye = dialog.request("BYE", cseq, within=True, back=back)
        ok = dialog.answer("200 OK", cseq, "BYE", back=back)
        self._put(when, bye)
        what = chance.between(0, 1)
        if what < 0.002:  # the other end is gone: repeated until timer F
            wait, again = T1, when
            while again + wait < when + 64 * T1:
                again += wait
                self._put(again, bye)
                wait = min(2 * wait, 4.0)
            return
        if what < 0.012:  # lost behind the router, or its answer was
            if what < 0.007:
                self._put(when + self._distance, ok)
            self._put(when + T1, bye)
            when += T1
        self._put(when + self._distance, ok)
