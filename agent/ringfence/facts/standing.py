"""Whose word counts: addresses that are known here, and requests that prove theirs.

Over UDP anybody can write any source address. What a stranger seems to do is counted
all the same: who forges it harms nobody that we know. An address is known once it has
registered here, or once our side has registered there (a trunk). Against a known one
only a request counts that shows a nonce which was sent to that very address: its
sender receives what is sent there (RFC 7616 section 5.4). The rest is hearsay.

Knows answers and nonces, and must not know rules or bans.
"""

from typing import Final

from ringfence.facts.facts import Facts, network_key
from ringfence.facts.nonces import CHALLENGES, CREDENTIALS, nonces
from ringfence.packet import Segment
from ringfence.state import BoundedTable

MAX_NONCES: Final = 4_096
"""Nonces remembered. A flood of challenges pushes honest ones out: what their owners
send then is hearsay, which harms nobody who knows his password."""

NONCE_AGE: Final = 3_600.0
"""Seconds for which a nonce speaks for its receiver; registrars renew theirs sooner."""

MAX_KNOWN: Final = 4_096
"""Networks known. Only a password, ours or theirs, adds to them."""

KNOWN_FOR: Final = 2_592_000.0
"""Seconds that a network stays known: 30 days."""

MAX_ASKED: Final = 256
"""Registrations of our side that wait for an answer; a site has a trunk or five."""

ANSWER_WITHIN: Final = 32.0
"""Seconds an answer can take: Timer F (RFC 3261 section 17.1.2.2)."""


class Standing:
    """Known networks, and the nonces that were sent to any."""

    def __init__(self) -> None:
        """Start knowing nobody."""
        self._nonces: BoundedTable[int, bytes] = BoundedTable(MAX_NONCES, NONCE_AGE)
        """To which network each nonce was sent; b"" for several. Some registrars give
        everybody the same one for a second."""
        self._known: BoundedTable[bytes, bool] = BoundedTable(MAX_KNOWN, KNOWN_FOR)
        self._asked: BoundedTable[int, bool] = BoundedTable(MAX_ASKED, ANSWER_WITHIN)

    def challenged(self, facts: Facts, now: float) -> None:
        """Note the nonces that an answer of ours sends to a client."""
        network = network_key(facts.packet.dst)
        for nonce in nonces(facts.message, CHALLENGES):
            before = self._nonces.get(hash(nonce), now)
            alone = before is None or before == network
            self._nonces.put(hash(nonce), network if alone else b"", now)

    def welcome(self, network: bytes, now: float) -> None:
        """Know a network that has registered."""
        self._known.put(network, True, now)

    def knows(self, network: bytes, now: float) -> bool:
        """Tell whether a network has registered here, or our side there."""
        return bool(len(self._known)) and self._known.get(network, now) is not None

    def asked(self, facts: Facts, now: float) -> None:
        """Note a request of our side that signs in somewhere outside."""
        if facts.message.method == "REGISTER" and facts.message.credentials is not None:
            self._asked.put(_transaction(facts, facts.packet.dst), True, now)

    def answered(self, facts: Facts, now: float) -> None:
        """Know who accepts a registration of our side; he has to have seen it."""
        if (
            facts.message.status == 200
            and len(self._asked)
            and self._asked.get(_transaction(facts, facts.packet.src), now)
        ):
            self.welcome(network_key(facts.packet.src), now)

    def hearsay(self, facts: Facts, now: float) -> bool:
        """Tell whether a request must not count against the address it shows."""
        if not self.knows(facts.network, now):
            return False
        return not any(
            self._nonces.get(hash(nonce), now) == facts.network
            for nonce in nonces(facts.message, CREDENTIALS)
        )

    def told_over(self, facts: Facts, network: bytes, now: float) -> bool:
        """Tell whether an answer to something without proof counts for its receiver.

        Over TCP it does: somebody completed the handshake. Else as for `hearsay`.
        """
        if isinstance(facts.packet, Segment):
            return False
        return self._known.get(network, now) is not None

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return entries and capacity of every table, by name."""
        return {
            "nonces": (len(self._nonces), self._nonces.capacity),
            "known networks": (len(self._known), self._known.capacity),
            "registrations of ours": (len(self._asked), self._asked.capacity),
        }


def _transaction(facts: Facts, server: bytes) -> int:
    message = facts.message
    return hash((server, message.branch, message.call_id, message.cseq[0]))
