"""Registrations that pass the router: the PBX at its trunk, telephones at the PBX.

And the OPTIONS with which the PBX sees whether the trunk is there. Times are a grid
over all days, so that any part of the year has what the whole has. Knows no calls.
"""

from collections.abc import Iterator
from typing import NamedTuple

from call import LINE, PBX, TRUNK, account
from chance import Chance
from dialogs import Agent, Dialog, Line, Timed, branch_of, challenge, credentials
from office_days import midnight, worked

EXPIRES_S = 3_600
REFRESH_S = 1_800
"""Registrations are refreshed at half time."""
KEEP_ALIVE_S = 3_600
DESK, SOFT = "208", "209"
"""The accounts with a telephone outside: on a desk at home, on a mobile."""
HOME_DESK = Agent("198.51.100.81", 5060, "192.168.1.20", 5060, "Desk Phone 1.0")
_SOFT_HOURS = 8.25, 19.5


class Registration(NamedTuple):
    """One account's, for as long as its telephone stays where it is."""

    phone: Agent
    registrar: Agent
    line: Line
    first: float
    until: float
    """Seconds since 1970; the last one is before."""
    name: str
    """What makes its Call-ID, tags and nonces."""


def soft_phone(day: int) -> Agent:
    """Tell where the soft phone is on a day: at home, or with a mobile carrier."""
    chance = Chance("soft phone", day)
    if chance.happens(0.6):
        return Agent("198.51.100.93", 40_209, "192.168.0.7", 5062, "Softphone 3.1")
    address = f"198.51.100.{chance.whole(128, 159)}"
    port = chance.whole(20_000, 60_000)
    return Agent(address, port, "100.64.9.7", 5062, "Softphone 3.1")


def office(day: int, seed: int) -> Iterator[Timed]:
    """Write a day's registrations and keep-alives, in no order."""
    begin = midnight(day)
    end = midnight(day + 1)
    yield from registered(
        Registration(PBX, TRUNK, LINE, begin + 11.0, end, f"trunk/{seed}/{day}")
    )
    yield from registered(
        Registration(
            HOME_DESK, PBX, account(DESK), begin + 412.0, end, f"desk/{seed}/{day}"
        )
    )
    if worked(day):
        first, last = (begin + hour * 3_600 for hour in _SOFT_HOURS)
        yield from registered(
            Registration(
                soft_phone(day), PBX, account(SOFT), first, last, f"soft/{seed}/{day}"
            )
        )
    yield from _keep_alives(begin + 300.0, end, Chance("options", seed, day))


def registered(what: Registration) -> Iterator[Timed]:
    """Write one account's registrations: every fourth time its nonce is outdated."""
    chance = Chance("registration", what.name)
    host = what.line.realm
    dialog = Dialog(
        what.phone,
        what.registrar,
        uri=f"sip:{host}",
        from_=f"<sip:{what.line.user}@{host}>",
        to=f"<sip:{what.line.user}@{host}>",
        call_id=f"{chance.hex(20)}@{what.phone.host}",
        contacts=(what.line.user, ""),
        chance=chance,
    )
    when, cseq, turn, used, nonce = what.first, 1, 0, 0, ""
    while when < what.until:
        now = when + chance.between(0.0, 20.0)
        distance = chance.between(0.012, 0.04)
        if turn % 4 == 0:
            outdated = used > 0
            fields = _wish(what.line, dialog.uri, nonce, used + 1) if outdated else ""
            nonce, used = chance.hex(32), 0
            yield from _refused(dialog, now, cseq, fields, distance, nonce, host)
            now += 1.5 * distance
            cseq += 1
        used += 1
        yield from _accepted(
            dialog, now, cseq, _wish(what.line, dialog.uri, nonce, used), distance
        )
        cseq += 1
        turn += 1
        when += REFRESH_S


def _wish(line: Line, uri: str, nonce: str, used: int) -> str:
    return credentials("Authorization", line, "REGISTER", uri, nonce, used)


def _refused(
    dialog: Dialog,
    when: float,
    cseq: int,
    fields: str,
    distance: float,
    nonce: str,
    realm: str,
) -> Iterator[Timed]:
    expires = f"Expires: {EXPIRES_S}\r\n"
    yield when, dialog.request("REGISTER", cseq, fields=expires + fields)
    asks = challenge("WWW-Authenticate", realm, nonce, stale=bool(fields))
    yield (
        when + distance,
        dialog.answer("401 Unauthorized", cseq, "REGISTER", fields=asks),
    )


def _accepted(
    dialog: Dialog, when: float, cseq: int, fields: str, distance: float
) -> Iterator[Timed]:
    expires = f"Expires: {EXPIRES_S}\r\n"
    yield when, dialog.request("REGISTER", cseq, fields=expires + fields)
    binding = f"Contact: <{dialog.caller_contact}>;expires={EXPIRES_S}\r\n"
    yield when + distance, dialog.answer("200 OK", cseq, "REGISTER", fields=binding)


def _keep_alives(first: float, until: float, chance: Chance) -> Iterator[Timed]:
    """Write the PBX's OPTIONS; once in a while one is lost and repeated."""
    host = LINE.realm
    when = first
    while when < until:
        dialog = Dialog(
            PBX,
            TRUNK,
            uri=f"sip:{host}",
            from_=f"<sip:{LINE.user}@{host}>",
            to=f"<sip:{host}>",
            call_id=f"{chance.hex(20)}@{PBX.host}",
            contacts=(LINE.user, ""),
            chance=chance,
        )
        asked = dialog.request("OPTIONS", 1)
        yield when, asked
        answered = when + chance.between(0.012, 0.04)
        if chance.happens(0.02):
            yield when + 0.5, asked
            answered += 0.5
        branch = branch_of(1, "OPTIONS")
        yield answered, dialog.answer("200 OK", 1, "OPTIONS", branch=branch)
        when += KEEP_ALIVE_S
