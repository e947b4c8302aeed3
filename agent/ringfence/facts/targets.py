"""Which number a message dials, and the field that says so.

Knows the fields by which a call is started, forwarded or transferred, and which of
them counts. How a number is read and what the lists say of it is asked of the world.

* INVITE: the Request-URI is where the next hop sends the call (RFC 3261 section 16.5).
  Is it a number at home, an extension, an emergency number or one in `numbers.allow`,
  nothing else counts: a call that was forwarded keeps the To, the History-Info and the
  Diversion of its first destination, and is honest wherever that lies. The rest counts
  in a call from our side only, and only to list it. From outside these fields tell how
  a call came to us: a partner abroad whose phone is forwarded to this office.
  - To, unless it has a tag (then it names the other party of a call that exists), and
    the newest of History-Info (RFC 7044): a PBX or trunk that is addressed by its own
    name (`sip:trunk.example`) finds the number there.
  - Diversion (RFC 5806) names who forwarded and never where to. It counts only in a
    call that we send abroad: then we pay for somebody in a listed country.
* REFER: every Refer-To (RFC 3515), from either side; who gets it will dial it. Embedded
  header fields (`?Replaces=`) and a `method` do not matter: PBXs ignore both and dial.
* A redirection (3xx to INVITE): every Contact (RFC 3261 section 8.1.3.4), from either
  side. From inside it makes the carrier forward a call at our cost. From outside it
  makes our PBX dial again, perhaps over a line that this router does not see.

Of several targets a listed one counts; else the first.
"""

from typing import Final, NamedTuple

from ringfence.facts.numbers import Reading, Ruling
from ringfence.facts.numbers.reading import (
    DOMESTIC,
    EMERGENCY,
    EXTENSION,
    SPECIAL,
)
from ringfence.facts.world import World
from ringfence.sip.address import NameAddr, parse_name_addr, split_values
from ringfence.sip.message import Message

REQUEST_URI: Final = "Request-URI"
FIELDS: Final = (
    *(REQUEST_URI, "To", "History-Info", "Diversion", "Refer-To", "Contact"),
)
"""Where a number can stand."""

REDIRECTIONS: Final = range(300, 400)
"""Statuses of answers that name other places to call (RFC 3261 section 21.3)."""

MAX_TARGETS: Final = 16
"""Numbers read of one Refer-To or redirection, about 0.2 ms of work; phones that
forward name one or two. A message with more is flagged `sip.too-many-values`."""

MAX_HISTORY: Final = 2
"""Newest entries of History-Info that count: the last is the Request-URI once more
(RFC 7044 section 9.2), the one before is what that was made of."""

MIN_USER: Final = 7
"""Characters of a user part that may name a number abroad; fewer are an extension."""

_AT_HOME: Final = frozenset({DOMESTIC, EXTENSION, EMERGENCY, SPECIAL})
_UNREADABLE: Final = frozenset({"domestic_unknown", "private_number"})
"""Details of readings that give digits a class for want of any meaning."""


class Target(NamedTuple):
    """One number that a message asks somebody to call."""

    field: str
    """One of `FIELDS`."""
    reading: Reading
    ruling: Ruling

    def says(self, reason: str) -> str:
        """Put the field in front of a reason, unless it is where numbers belong."""
        return reason if self.field == REQUEST_URI else f"{self.field}: {reason}"


def dialled(world: World, side: str, message: Message) -> Target | None:
    """Return the number that decides about a message; None if it dials none.

    `side` is where the sender is, `outside` or `inside`.
    """
    method = message.method
    if method == "INVITE":
        return _called(world, side, message)
    if method == "REFER":
        return _worst(world, "Refer-To", _referred(message))
    status = message.status
    if status in REDIRECTIONS and message.cseq[1].upper() == "INVITE":
        return _worst(world, "Contact", _redirected(message))
    return None


def _target(world: World, field: str, uri: str) -> Target:
    reading = world.reader.read_uri(uri)
    return Target(field, reading, world.numbers.rule_on(reading))


def _called(world: World, side: str, message: Message) -> Target:
    """Choose among the fields of an INVITE."""
    first = _target(world, REQUEST_URI, message.request_uri or "")
    if side != "inside" or first.ruling.status != "unlisted":
        return first
    reading = first.reading
    if reading.kind in _AT_HOME and reading.detail not in _UNREADABLE:
        return first
    for field, address in _beside(message, abroad=reading.abroad):
        if len(address.uri.user) >= MIN_USER or not address.uri.user:
            other = _target(world, field, address.uri_text)
            if other.ruling.status == "listed":
                return other
    return first


def _beside(message: Message, *, abroad: bool) -> list[tuple[str, NameAddr]]:
    """Return the fields of an INVITE that may say where it goes."""
    found: list[tuple[str, NameAddr]] = []
    text = message.field("to") or ""
    if not text.startswith(f"<{message.request_uri}>"):  # most say the same twice
        to = parse_name_addr(text)
        if not to.tag:
            found.append(("To", to))
    for age, value in enumerate(reversed(message.values("history-info"))):
        address = parse_name_addr(value)
        # A target that the call has left says why (RFC 7044 section 9.2).
        left = "?reason=" in address.uri_text.lower().replace("&", "?")
        if not (age and left):
            found.append(("History-Info", address))
        if age + 1 == MAX_HISTORY:
            break
    if abroad:
        for value in message.values("diversion")[:1]:  # the newest (section 5.3.1)
            found.append(("Diversion", parse_name_addr(value)))  # noqa: PERF401
    return found


def _worst(world: World, field: str, uris: list[str]) -> Target | None:
    """Choose among targets that weigh the same."""
    first: Target | None = None
    for uri in uris:
        target = _target(world, field, uri)
        if target.ruling.status == "listed":
            return target
        first = first or target
    return first


def _referred(message: Message) -> list[str]:
    """Return the URI of each Refer-To; there should be one."""
    uris: list[str] = []
    for raw in message.raw_values("refer-to")[: MAX_TARGETS + 1]:
        text = raw.decode("utf-8", "replace")
        uris.append(parse_name_addr(text).uri_text)
        if "," in text:  # no list (RFC 3515 section 2.1), but some read it as one
            values = split_values(text, MAX_TARGETS + 1)
            uris += [parse_name_addr(value).uri_text for value in values]
    return _bounded(message, uris)


def _redirected(message: Message) -> list[str]:
    """Return the URI of each Contact."""
    return _bounded(
        message,
        [parse_name_addr(value).uri_text for value in message.values("contact")],
    )


def _bounded(message: Message, uris: list[str]) -> list[str]:
    """Leave out repetitions, and what is too much."""
    uris = list(dict.fromkeys(uris))
    if len(uris) > MAX_TARGETS:
        message.flag("sip.too-many-values")
    return uris[:MAX_TARGETS]
