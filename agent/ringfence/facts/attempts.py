"""Which sign-in attempts failed: requests with credentials, paired with their answers.

Knows what an authentication failure is (DESIGN): a 401 or 407 that answers a request
with credentials and does not call them stale, or a 403 or 404 that answers one, or a
REGISTER without them. The first challenge of every honest phone is none, nor is a
refusal of a nonce that the same client was let in with before. It must not know rules,
thresholds or bans; who asks says how many attempts may be in the air.

A try is known by client and server address, top Via branch, Call-ID, CSeq number and
the credentials themselves, never by the port: tools take a new port for each try, and
some reuse Call-ID and CSeq. Whatever repeats all of that is a retransmission.
"""

import re
from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import Final, NamedTuple

from ringfence.facts.facts import Facts
from ringfence.facts.nonces import CREDENTIALS, nonces
from ringfence.state import BoundedTable

MAX_OPEN: Final = 8_192
"""Attempts that are remembered: 250 new ones a second for as long as one lives, four
times what a router's SIP line carries. About 450 bytes each, 4 MB when full."""

ANSWER_WITHIN: Final = 32.0
"""Seconds an answer can take: Timer F, 64 * T1 (RFC 3261 section 17.1.2.2)."""

MAX_SAME: Final = 8
"""Different credentials within one transaction. Honest phones send one, tools that
reuse everything a handful."""

MAX_TOLD: Final = 8_192
"""Refused transactions without credentials whose repeated answer is not counted."""

MAX_SERVERS: Final = 1_024
"""Servers whose answers are watched; a site has a few."""

MAX_ACCEPTED: Final = 8_192
"""Nonces that were accepted lately; only who knows a password adds to them."""

ACCEPTED_FOR: Final = 86_400.0
"""Seconds a phone may hold on to a nonce: longer than any registration lasts."""

MAX_OUTDATED: Final = 8
"""Refusals in a row that an accepted nonce excuses: what one phone signs ahead with
it, its registration, a call and some subscriptions."""

SILENCE: Final = 8.0
"""Seconds without any answer after which a server counts as away. A phone repeats a
REGISTER every 4 s at the latest, so a server that lives is heard of within two."""

REFUSABLE: Final = frozenset({"REGISTER", "INVITE", "OPTIONS"})
"""Methods that tell a scanner, by 403 or 404, which extensions exist. A SUBSCRIBE is
none: a PBX without voice mail refuses it to every honest phone."""

_KEY_BITS: Final = (1 << 60) - 1
"""What is kept of a hash: an int of 60 bits takes 32 bytes, a longer one 48."""

_SIGNS_IN: Final = frozenset({"REGISTER", "INVITE"})
# Lenient on purpose: a server that reads it otherwise must not hide a failure.
_STALE = re.compile(rb"\bstale\s*=\s*\"?\s*true", re.IGNORECASE)


class Kind(Enum):
    """What an answer, or its absence, says of a client."""

    FAILURE = "auth-failure"
    """Credentials, or a registration, were refused."""
    REFUSAL = "refusal"
    """A request without credentials was told that it may not, or that nobody is there."""
    SUCCESS = "registered"
    """A REGISTER with credentials was accepted."""


class Outcome(NamedTuple):
    """What was learnt about one client."""

    kind: Kind
    client: bytes
    account: str
    side: str | None
    """Side of the client as its request showed it; None when nobody saw that."""
    refused: bool = False
    """The answer was a 403 or 404, which tells who exists."""
    hearsay: bool = False
    """Its request was, as far as anybody saw it; see `facts.standing`."""


class Sent(Enum):
    """What an attempt is, when it is seen."""

    NEW = 1
    REPEATED = 2
    TOO_MANY = 3
    """As many as allowed wait for an answer; it was not recorded, it must not go on."""


class _Attempt:
    __slots__ = (
        "account",
        "at",
        "client",
        "earlier",
        "heard",
        "hearsay",
        "key",
        "nonce",
        "pair",
        "proof",
        "server",
        "side",
    )

    def __init__(
        self,
        facts: Facts,
        server: bytes,
        key: int,
        proof: int,
        pair: int,
        at: float,
        earlier: "_Attempt | None",
    ) -> None:
        self.client = facts.source
        self.server = server
        self.account = facts.account
        self.side = facts.side
        self.hearsay = facts.hearsay
        self.key = key
        """Of its transaction."""
        self.proof = proof
        self.nonce = _nonce(facts)
        self.pair = pair
        """Under what it is in the air; 0 when it has landed."""
        self.at = at
        self.earlier = earlier
        """The attempt before it in the same transaction."""
        self.heard = 0
        """Class of the latest answer: 0 for none, 1 while another one is to come."""

    @property
    def done(self) -> bool:
        return self.heard > 1


class _Server:
    __slots__ = ("back", "client", "last", "others")

    def __init__(self, client: bytes, now: float) -> None:
        self.client = client
        self.last = now
        """When it last answered anybody, which was `client`."""
        self.others = -SILENCE
        """When it last answered anybody else."""
        self.back = now
        """When it first answered after a silence."""


class Attempts:
    """All attempts that wait for an answer, and the servers that owe it."""

    def __init__(self) -> None:
        """Start with none."""
        self._queue: deque[_Attempt] = deque()
        """All of them, the oldest first."""
        self._open: dict[int, _Attempt] = {}
        """The newest attempt of each transaction."""
        self.evicted = 0
        """Attempts forgotten for want of room."""
        self._waiting: dict[bytes, int] = {}
        """Attempts by client, so that other answers cost one look-up."""
        self._in_air: dict[int, int] = {}
        """Unanswered attempts by pair of source and account."""
        self._told: BoundedTable[int, bool] = BoundedTable(MAX_TOLD, ANSWER_WITHIN)
        self._accepted: BoundedTable[int, int] = BoundedTable(
            MAX_ACCEPTED, ACCEPTED_FOR
        )
        """Refusals that a nonce still excuses, by pair and nonce."""
        self._servers: BoundedTable[bytes, _Server] = BoundedTable(MAX_SERVERS, 3600.0)
        self._late: list[Outcome] = []
        self._now = 0.0

    def __len__(self) -> int:
        """Attempts remembered."""
        return len(self._queue)

    @property
    def capacity(self) -> int:
        """Attempts remembered at most."""
        return MAX_OPEN

    def sent(self, facts: Facts, now: float, most: int) -> Sent:
        """Note a request with credentials; `most` may be in the air for its pair.

        `now` in seconds, monotonic. An attempt that is TOO_MANY must not be passed.
        """
        self._expire(now)
        packet = facts.packet
        key = self._key(facts, packet.src, packet.dst)
        proof = hash(facts.message.credentials) & _KEY_BITS
        newest = self._open.get(key)
        same = 0
        for attempt in _chain(newest):
            if attempt.proof == proof:
                return Sent.REPEATED
            same += 1
        pair = hash((facts.counted("source"), facts.account)) & _KEY_BITS
        flying = self._in_air.get(pair, 0)
        if flying >= most or same >= MAX_SAME:
            return Sent.TOO_MANY
        server = packet.dst
        if self._queue and self._queue[-1].server == server:
            server = self._queue[-1].server  # one object for all: there are few
        attempt = _Attempt(facts, server, key, proof, pair, now, newest)
        self._in_air[pair] = flying + 1
        self._waiting[packet.src] = self._waiting.get(packet.src, 0) + 1
        self._open[key] = attempt
        self._queue.append(attempt)
        if len(self._queue) > MAX_OPEN:
            self.evicted += 1
            self._over(self._queue.popleft())
        return Sent.NEW

    def answered(self, facts: Facts, now: float) -> Outcome | None:
        """Read an answer; None when it says nothing about anybody's sign-in."""
        self._now = now
        packet, message = facts.packet, facts.message
        client, status = packet.dst, message.status or 0
        self._spoke(packet.src, client, now)
        attempt: _Attempt | None = None
        if client in self._waiting:
            key = self._key(facts, client, packet.src)
            attempt = self._unanswered(key, now)
        if attempt is None:
            return self._unasked(facts, status, now) if status in (403, 404) else None
        attempt.heard = status // 100
        if status < 200:
            if status > 100:  # it rings: whatever was in doubt, the password is not
                self._land(attempt)
            return None
        self._land(attempt)
        method = message.cseq[1]
        refused = status in (403, 404)
        if refused and method in _SIGNS_IN:
            failed = True
        else:
            failed = (
                status in (401, 407)
                and not _stale(facts)
                and not self._outdated(attempt.nonce, now)
            )
        about = attempt.client, attempt.account, attempt.side
        if failed:
            return Outcome(Kind.FAILURE, *about, refused, attempt.hearsay)
        if not 200 <= status < 300:
            return None
        self._accepted.put(attempt.nonce, MAX_OUTDATED, now)
        return Outcome(Kind.SUCCESS, *about) if method == "REGISTER" else None

    def _outdated(self, nonce: int, now: float) -> bool:
        """Tell whether a refused nonce was right for its pair before.

        A PBX that was restarted knows none of its nonces, and Kamailio does not say
        stale=true then: the phones of a whole office, which sign ahead with the nonce
        they have, must not be taken for guessers. Who never signed in has no such nonce.
        """
        left = self._accepted.get(nonce, now)
        if not left:
            return False
        self._accepted.put(nonce, left - 1, now)
        return True

    def stopped(self, facts: Facts, now: float) -> None:
        """Expect no answer to a request, and believe none that comes."""
        if facts.message.method in REFUSABLE:
            packet = facts.packet
            self._told.put(self._key(facts, packet.src, packet.dst), True, now)

    def late(self, now: float) -> list[Outcome]:
        """Return the failures that silence told since the last call."""
        self._expire(now)
        late, self._late = self._late, []
        return late

    @staticmethod
    def _key(facts: Facts, client: bytes, server: bytes) -> int:
        # A hash instead of the texts: a stranger decides how long those are.
        message = facts.message
        number, _ = message.cseq
        found = hash((client, server, message.branch, message.call_id, number))
        return found & _KEY_BITS

    def _unanswered(self, key: int, now: float) -> _Attempt | None:
        """Return the newest attempt of a transaction that waits for its answer."""
        for attempt in _chain(self._open.get(key)):
            if not attempt.done and now - attempt.at <= ANSWER_WITHIN:
                return attempt
        return None

    def _unasked(self, facts: Facts, status: int, now: float) -> Outcome | None:
        """Read a 403 or 404 to a request without credentials, once a transaction."""
        method = facts.message.cseq[1]
        if method not in REFUSABLE:
            return None
        client = facts.packet.dst
        key = self._key(facts, client, facts.packet.src)
        if self._told.get(key, now) or key in self._open:
            return None
        self._told.put(key, True, now)
        kind = Kind.FAILURE if method == "REGISTER" else Kind.REFUSAL
        return Outcome(kind, client, facts.account, None, refused=True)

    def _spoke(self, server: bytes, client: bytes, now: float) -> None:
        known = self._servers.get(server, now)
        if known is None:
            self._servers.put(server, _Server(client, now), now)
            return
        if now - known.last > SILENCE:
            known.back = now
        if client != known.client:
            known.others = known.last
            known.client = client
        known.last = now

    def _land(self, attempt: _Attempt) -> None:
        """Take an attempt out of the air."""
        left = self._in_air.get(attempt.pair, 0)
        if attempt.pair and left > 1:
            self._in_air[attempt.pair] = left - 1
        elif attempt.pair:
            self._in_air.pop(attempt.pair, None)
        attempt.pair = 0

    def _expire(self, now: float) -> None:
        """Take out what is too old to be answered."""
        self._now = now
        queue = self._queue
        while queue and now - queue[0].at > ANSWER_WITHIN:
            self._over(queue.popleft())

    def _over(self, oldest: _Attempt) -> None:
        """Judge the oldest attempt, and forget it."""
        if self._open[oldest.key] is oldest:
            del self._open[oldest.key]
        else:
            for attempt in _chain(self._open[oldest.key]):
                if attempt.earlier is oldest:
                    attempt.earlier = None
        client = oldest.client
        left = self._waiting[client] - 1
        if left:
            self._waiting[client] = left
        else:
            del self._waiting[client]
        self._land(oldest)
        if not oldest.heard and self._ignored(oldest):
            about = client, oldest.account, oldest.side
            late = Outcome(Kind.FAILURE, *about, hearsay=oldest.hearsay)
            self._late.append(late)

    def _ignored(self, attempt: _Attempt) -> bool:
        """Tell whether a server that was there all the time gave no answer.

        It has to have answered before and after the attempt without a silence between,
        and somebody else at that: while a PBX is away nobody has failed.
        """
        if self._now - attempt.at <= ANSWER_WITHIN:
            return False  # evicted, not overdue
        known = self._servers.get(attempt.server, self._now)
        if known is None or known.back > attempt.at:
            return False
        after = known.last if known.client != attempt.client else known.others
        return after > attempt.at and self._now - known.last <= SILENCE


def _chain(newest: _Attempt | None) -> Iterator[_Attempt]:
    """Yield the attempts of a transaction, the newest first."""
    while newest is not None:
        yield newest
        newest = newest.earlier


def _nonce(facts: Facts) -> int:
    found = tuple(nonces(facts.message, CREDENTIALS))
    return hash((facts.network, facts.account, found)) & _KEY_BITS


def _stale(facts: Facts) -> bool:
    message = facts.message
    return any(
        _STALE.search(value)
        for name in ("www-authenticate", "proxy-authenticate")
        for value in message.raw_values(name)
    )
