"""One message's facts, each worked out when a rule first asks for it."""

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from ringfence.facts.country import parse_address
from ringfence.facts.history import History
from ringfence.facts.network import EMBEDDING_OCTETS, embedded_ipv4, format_address
from ringfence.facts.numbers import Reading, Ruling
from ringfence.facts.targets import Target, dialled
from ringfence.facts.world import Origin, World
from ringfence.packet import Datagram, Segment
from ringfence.sip.address import NameAddr, Via, parse_name_addr, parse_via
from ringfence.sip.message import Message
from ringfence.sip.uri import parse_uri

Value: TypeAlias = str | int | bool | None

MAX_VIAS: Final = 8
"""Via values looked at for foreign addresses; Max-Forwards allows 70, calls show 4."""

TAIL_DIGITS: Final = 7
"""Digits that stay when a guesser changes what stands in front: a subscriber number."""


class Facts:
    """What is true of one message on one packet.

    `value(name)` is what rules use; the properties serve the code that reports.
    """

    __slots__ = (
        "_addresses",
        "_cache",
        "_contacts",
        "_dialled",
        "_origin",
        "_vias",
        "hearsay",
        "history",
        "message",
        "packet",
        "side",
        "source",
        "world",
    )

    def __init__(
        self,
        world: World,
        packet: Datagram | Segment,
        side: str,
        message: Message,
        source: bytes | None = None,
    ) -> None:
        """Tie a message to the packet that completed it and the side it came from."""
        self.world = world
        self.packet = packet
        self.side = side
        """Of `source`."""
        self.message = message
        self.source = packet.src if source is None else source
        """Whom the facts are about: the sender, or the client that an answer is for."""
        self.hearsay = False
        """Anybody may have sent this in the name of `source`; see `facts.standing`."""
        self.history: History | None = None
        """What earlier calls tell of the call that this begins; None where nobody
        remembers any."""
        self._cache: dict[str, Value] = {}
        self._addresses: dict[str, NameAddr | None] = {}
        self._contacts: list[NameAddr] | None = None
        self._vias: list[Via] | None = None
        self._origin: Origin | None = None
        self._dialled: Target | bool | None = False

    def value(self, name: str) -> Value:
        """Return the fact of that name; `VOCABULARY` lists the names."""
        cache = self._cache
        if name in cache:
            return cache[name]
        found = cache[name] = VOCABULARY[name].read(self)
        return found

    def about(self, client: bytes, side: str, account: str) -> "Facts":
        """Return what an answer says of the client that asked."""
        facts = Facts(self.world, self.packet, side, self.message, client)
        facts._cache["account"] = account or None
        return facts

    def counted(self, name: str) -> Value | bytes:
        """Return what a counting rule counts by: a fact, or the source's network.

        What is hearsay counts apart: it must not add to what is known of a network.
        """
        if name != "source":
            return self.value(name)
        return b"?" + self.network if self.hearsay else self.network

    @property
    def network(self) -> bytes:
        """Whom failures are counted for, and who is banned; see `network_key`."""
        return network_key(self.source)

    @property
    def account(self) -> str:
        """Whom the client claims to be, "" for nobody; see `_account`."""
        return str(self.value("account") or "")

    @property
    def origin(self) -> Origin:
        """Country of the source address, and whether it is home."""
        if self._origin is None:
            self._origin = self.world.origin(self.source)
        return self._origin

    @property
    def dialled(self) -> Target | None:
        """The number that this message dials, in its Request-URI or elsewhere."""
        found = self._dialled
        if found is False:
            found = self._dialled = dialled(self.world, self.side, self.message)
        assert not isinstance(found, bool)  # noqa: S101 - tells the type checker
        return found

    @property
    def reading(self) -> Reading | None:
        """How the number that this message dials is read; None if it dials none."""
        found = self.dialled
        return None if found is None else found.reading

    @property
    def number_ruling(self) -> Ruling | None:
        """What the site's lists and the bundle say of the number dialled."""
        found = self.dialled
        return None if found is None else found.ruling

    def placed(self, reason: str) -> str:
        """Say in a reason about the number dialled where that number stands."""
        found = self.dialled
        return reason if found is None else found.says(reason)

    def address(self, name: str) -> NameAddr | None:
        """Return the From or To field, taken apart once."""
        addresses = self._addresses
        if name not in addresses:
            addresses[name] = self.message.name_addr(name)
        return addresses[name]

    @property
    def contacts(self) -> list[NameAddr]:
        """All Contact values."""
        if self._contacts is None:
            values = self.message.values("contact")
            self._contacts = [parse_name_addr(value) for value in values]
        return self._contacts

    @property
    def vias(self) -> list[Via]:
        """The first `MAX_VIAS` Via values, topmost first."""
        if self._vias is None:
            values = self.message.values("via")[:MAX_VIAS]
            self._vias = [parse_via(value) for value in values]
        return self._vias


class Fact(NamedTuple):
    """One word of the vocabulary."""

    kind: type
    """`str`, `int` or `bool`; every fact may also be absent (None)."""
    read: Callable[[Facts], Value]
    what: str
    """One line for the catalogue."""
    about: str = "message"
    """What has it: a `message`; `any`, a call too; a `call`; only the `end` of one."""


def _abroad(facts: Facts, host: str) -> bool:
    address = parse_address(host)
    return address is not None and facts.world.abroad(address)


def _tag_spells_user(facts: Facts) -> bool:
    """sipvicious hides what it asked for in the tag: the user name as hex text."""
    sender = facts.address("from")
    if sender is None or not sender.uri.user:
        return False
    tag = facts.value("from_tag")
    return isinstance(tag, str) and tag.startswith(sender.uri.user.encode().hex())


def network_key(address: bytes) -> bytes:
    """Return the part of an address that one person holds.

    IPv4: all of it. IPv6: the /64 that a host can pick addresses from (RFC 4291
    section 2.5.4); all of it where the last bits are an IPv4 address.
    """
    if len(address) == 4:
        return address
    if address[0] in EMBEDDING_OCTETS and address[:2] != b"\x20\x02":
        return address if embedded_ipv4(address) is not None else address[:8]
    return address[:8]


def _account(facts: Facts) -> str | None:
    """Whom a message speaks for: the user that a password would be for.

    The username of credentials, else the user of To in a REGISTER, of From in all
    else. Without its host: an IP address, a name and a made-up one are one PBX.
    """
    message = facts.message
    user = message.auth_user
    if not user:
        method = message.method or message.cseq[1]
        address = facts.address("to" if method == "REGISTER" else "from")
        user = address.uri.user if address is not None else ""
    return user.partition("@")[0].strip().lower() or None


def _called_tail(facts: Facts) -> str | None:
    """The last digits of a number dialled, whatever stands in front of them."""
    called = facts.value("called")
    if not isinstance(called, str):
        return None
    digits = "".join(filter(str.isdecimal, called))
    return digits[-TAIL_DIGITS:] if len(digits) > TAIL_DIGITS else None


def _number(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 10:
        return None
    return int(text)


def _of(name: str, read: Callable[[NameAddr], str]) -> Callable[[Facts], Value]:
    def fact(facts: Facts) -> Value:
        found = facts.address(name)
        return None if found is None else read(found)

    return fact


def _contact(read: Callable[[NameAddr], str]) -> Callable[[Facts], Value]:
    def fact(facts: Facts) -> Value:
        found = facts.contacts
        return read(found[0]) if found else None

    return fact


def _via(read: Callable[[Via], str]) -> Callable[[Facts], Value]:
    def fact(facts: Facts) -> Value:
        found = facts.vias
        return read(found[0]) if found else None

    return fact


def _target(read: Callable[[Target], Value]) -> Callable[[Facts], Value]:
    def fact(facts: Facts) -> Value:
        found = facts.dialled
        return None if found is None else read(found)

    return fact


RANGE_DIGITS: Final = 4
"""Last digits in which numbers of one range differ: a company's extensions, or what
somebody has rented to be paid for calls to it."""


def zone(reading: Reading) -> str:
    """Return where a number abroad leads: its country, or its first digits with `+`."""
    return reading.country or f"+{reading.e164[:3]}"


def number_range(reading: Reading) -> str | None:
    """Return all digits of a number but the last `RANGE_DIGITS`; None for a short one."""
    digits = reading.e164
    return digits[:-RANGE_DIGITS] if len(digits) > 2 * RANGE_DIGITS else None


def _abroad_only(read: Callable[[Reading], Value]) -> Callable[[Facts], Value]:
    def fact(facts: Facts) -> Value:
        reading = facts.reading
        return read(reading) if reading is not None and reading.abroad else None

    return fact


def _history(read: Callable[[History], Value]) -> Callable[[Facts], Value]:
    def fact(facts: Facts) -> Value:
        return None if facts.history is None else read(facts.history)

    return fact


VOCABULARY: Final[dict[str, Fact]] = {
    "method": Fact(str, lambda f: f.message.method, "method of a request"),
    "status": Fact(int, lambda f: f.message.status, "status code of a response"),
    "side": Fact(
        str, lambda f: f.side, "where the sender is: outside or inside", "any"
    ),
    "transport": Fact(
        str,
        lambda f: "udp" if isinstance(f.packet, Datagram) else "tcp",
        "udp or tcp",
    ),
    "anomaly": Fact(
        str, lambda f: f.message.anomaly, "first flaw in the message's form"
    ),
    "request_uri": Fact(str, lambda f: f.message.request_uri, "Request-URI, whole"),
    "user_agent": Fact(
        str, lambda f: f.message.field("user-agent"), "User-Agent, whole"
    ),
    "call_id": Fact(str, lambda f: f.message.call_id, "Call-ID, whole"),
    "cseq_number": Fact(
        int, lambda f: _number(f.message.cseq[0]), "sequence number of CSeq"
    ),
    "max_forwards": Fact(
        int, lambda f: _number(f.message.field("max-forwards")), "Max-Forwards"
    ),
    "source_home": Fact(
        bool, lambda f: f.origin.home, "registrations may come from the source", "any"
    ),
    "source_country": Fact(
        str, lambda f: f.origin.country, "country of the source address", "any"
    ),
    "source": Fact(
        str,
        lambda f: format_address(f.source),
        "address that the message comes from, or that an answer is for",
        "any",
    ),
    "receiver": Fact(
        str, lambda f: format_address(f.packet.dst), "address that the message goes to"
    ),
    "account": Fact(str, _account, "user who is to be signed in, without host", "any"),
    "called": Fact(
        str,
        lambda f: parse_uri(f.message.request_uri or "").user or None,
        "user part of the Request-URI",
    ),
    "called_tail": Fact(
        str, _called_tail, "last seven digits of a longer number in the Request-URI"
    ),
    "via_host": Fact(str, _via(lambda v: v.host), "top Via: host"),
    "via_branch": Fact(str, _via(lambda v: v.branch), "top Via: branch"),
    "from_display": Fact(str, _of("from", lambda a: a.display), "From: display name"),
    "from_user": Fact(str, _of("from", lambda a: a.uri.user), "From: user"),
    "from_host": Fact(str, _of("from", lambda a: a.uri.host), "From: host"),
    "from_tag": Fact(str, _of("from", lambda a: a.tag), "From: tag"),
    "from_tag_spells_user": Fact(
        bool, _tag_spells_user, "the From tag begins with the user, as hex text"
    ),
    "to_display": Fact(str, _of("to", lambda a: a.display), "To: display name"),
    "to_user": Fact(str, _of("to", lambda a: a.uri.user), "To: user"),
    "to_host": Fact(str, _of("to", lambda a: a.uri.host), "To: host"),
    "contact_user": Fact(str, _contact(lambda a: a.uri.user), "first Contact: user"),
    "contact_host": Fact(str, _contact(lambda a: a.uri.host), "first Contact: host"),
    "contact_abroad": Fact(
        bool,
        lambda f: any(_abroad(f, contact.uri.host) for contact in f.contacts),
        "a Contact names a public address known to be abroad",
    ),
    "via_abroad": Fact(
        bool,
        lambda f: any(_abroad(f, via.host) for via in f.vias),
        "a Via names a public address known to be abroad",
    ),
    "destination_status": Fact(
        str,
        _target(lambda dialled: dialled.ruling.status),
        "the number dialled is listed, allowed, unlisted or exempt",
        "any",
    ),
    "destination_class": Fact(
        str,
        _target(lambda dialled: dialled.reading.kind),
        "class of the number dialled, such as international",
        "any",
    ),
    "destination_country": Fact(
        str,
        _target(lambda dialled: dialled.reading.country),
        "country of the number dialled",
        "any",
    ),
    "destination_number": Fact(
        str,
        _target(lambda dialled: dialled.reading.number),
        "number dialled: E.164 digits abroad, national form at home",
        "any",
    ),
    "destination_field": Fact(
        str,
        _target(lambda dialled: dialled.field),
        "where the number dialled stands: Request-URI, To, History-Info, Diversion, "
        "Refer-To or Contact",
    ),
    "destination_tier": Fact(
        str,
        _abroad_only(lambda reading: reading.tier),
        "list that the number abroad is on: block, watch or normal (no list)",
        "any",
    ),
    "destination_zone": Fact(
        str,
        _abroad_only(zone),
        "country of the number abroad, or its first three digits such as +882",
        "any",
    ),
    "destination_range": Fact(
        str, _abroad_only(number_range), "number abroad without its last four", "any"
    ),
    "follows_inbound": Fact(
        bool,
        _history(lambda history: history.follows_inbound()),
        "another call came in, within the last two minutes, to where this one is from",
        "call",
    ),
    "redials": Fact(
        bool,
        _history(lambda history: history.redials()),
        "the same number was called within half an hour before, and nobody answered; "
        "each such call is the reason for one more",
        "call",
    ),
    "in_hours": Fact(
        bool,
        _history(lambda history: history.in_hours()),
        "it is one of the hours for calls abroad; absent where none are configured, and "
        "while the clock was not set",
        "call",
    ),
    "destination_new": Fact(
        bool,
        _history(lambda history: history.is_new()),
        "the country had not been called until a day ago, as far as anybody remembers",
        "call",
    ),
    "usual_calls": Fact(
        int,
        _history(lambda history: history.usual_calls()),
        "calls to the country on a usual day, rounded up",
        "call",
    ),
    "days_since_international": Fact(
        int,
        _history(lambda history: history.days_since_international()),
        "whole days since the last call abroad; absent if there was none",
        "call",
    ),
    "days_watched": Fact(
        int,
        _history(lambda history: history.days_watched()),
        "whole days in which it was learnt what is usual on this line, in all runs",
        "call",
    ),
    "source_unusual": Fact(
        bool,
        _history(lambda history: history.source_unusual()),
        "the account has signed in from usual networks and countries, and this source "
        "is in another network or country",
        "call",
    ),
    "budget_left": Fact(
        int,
        _history(lambda history: history.budget_left()),
        "what may still be spent on calls abroad, in whole units of the currency; "
        "absent without a limit",
        "call",
    ),
    "call_seconds": Fact(
        int,
        _history(lambda history: history.call_seconds()),
        "how long the call was talked",
        "end",
    ),
    "call_answered": Fact(
        bool,
        _history(lambda history: history.call_answered()),
        "the call was answered",
        "end",
    ),
}
"""All facts, the cheapest first: rules are held against a message in this order."""
