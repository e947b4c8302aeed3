"""Whether strangers reach the SIP port, and whether any phone outside needs it open.

What the agent sees from outside has passed the firewall's own chains, in front of which
it does not sit: so one stranger's request here proves that the port can be reached from
the Internet. If no phone outside signs in for a month, nobody needs that.

* A phone outside is whoever has a request with credentials accepted by our side.
* A peer is whom our side sends a request first, as it does to its trunk, or whose call
  it lets ring without a password, as it does for one that is known by its address.
* Everybody else who begins something is a stranger: at once if we stop it; a REGISTER
  if no accepted one follows; and else if the sender has become neither within an hour,
  since a trunk asks how we are before our side has registered there.

Knows messages and their rulings, counts and days. It must not decide over any of them.
"""

from typing import Any, Final

from ringfence.facts.dating import LATEST, Dating
from ringfence.facts.days import Days, is_count
from ringfence.facts.facts import Facts, network_key
from ringfence.facts.standing import ANSWER_WITHIN, Standing
from ringfence.packet import Instant
from ringfence.state import BoundedTable

BEGINS: Final = frozenset({"REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE", "MESSAGE"})
"""Methods that begin something. The others belong to something that has begun."""

SIGNS_IN: Final = frozenset({"REGISTER", "INVITE"})
"""Methods whose credentials, when they are accepted, show a phone."""

MAX_TRIED: Final = 1_024
"""Requests with credentials that wait for an answer. A flood pushes honest ones out;
their senders come again."""

MAX_SENDERS: Final = 1_024
"""Senders in each of the two tables of those of whom nothing is known yet. If there
are more, the oldest is a stranger: so many are no trunk."""

REGISTERS_WITHIN: Final = 64.0
"""Seconds from a REGISTER to the one that is accepted: twice Timer F (RFC 3261 section
17.1.2.2), for the challenge and for the answer."""

EXPLAINED_WITHIN: Final = 3_900.0
"""Seconds within which our side speaks to its trunk: it registers there every hour at
the latest, if both take what RFC 3261 section 10.2.1.1 proposes, and asks how it is
every minute or so, if it does not register."""

MAX_PEERS: Final = 64
"""Networks that our side spoke to, kept from start to start. A site has a few trunks
with a few addresses each; a phone outside that is called adds one."""

EVERY: Final = 1_800.0
"""Seconds between two writes to the flash, and what a killed agent may forget."""


class Exposure:
    """What has been seen from outside, of earlier runs too."""

    name = "exposure"
    version = 1
    every = EVERY

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.dating = Dating()
        self.days = Days()
        self.changed = False
        """Something was seen that is worth a write to the flash."""
        self.pressing = False
        """Nothing here ever has to be written at once."""
        self.seeing = False
        """Answers are shown to us; else nobody could be seen to sign in, and the time
        is not counted as watched."""
        self._tried: BoundedTable[int, bool] = BoundedTable(MAX_TRIED, ANSWER_WITHIN)
        self._registering: BoundedTable[bytes, tuple[int, float]] = BoundedTable(
            MAX_SENDERS, REGISTERS_WITHIN, self._unexplained
        )
        """Requests by sender, and when the latest came."""
        self._asking: BoundedTable[bytes, tuple[int, float]] = BoundedTable(
            MAX_SENDERS, EXPLAINED_WITHIN, self._unexplained
        )
        self._peers: dict[bytes, None] = {}
        """The longest known first."""
        # What was seen and not yet dated.
        self._strangers = 0
        self._stranger_at = 0.0
        self._honest_at: float | None = None
        self._watched = 0.0
        self._turned: float | None = None
        """When `turn` was called last."""
        self._foreign: int | None = None

    # On the way of every message.

    def requested(
        self, facts: Facts, standing: Standing, mono: float, *, stopped: bool
    ) -> None:
        """Note a request, and whether it was stopped, or would have been."""
        message = facts.message
        method = message.method
        if method not in BEGINS:
            return
        if facts.side != "outside":
            network = network_key(facts.packet.dst)
            if network not in self._peers:
                self._befriend(facts, network)
            return
        network = facts.network
        if stopped:
            if network not in self._peers and not standing.knows(network, mono):
                self._stranger(1, mono)
            return
        if message.credentials is not None and method in SIGNS_IN:
            packet = facts.packet
            self._tried.put(_transaction(facts, packet.src, packet.dst), True, mono)
        if network in self._peers or standing.knows(network, mono):
            return
        table = self._registering if method == "REGISTER" else self._asking
        before = table.get(network, mono)
        if before is not None:
            table.replace(network, (before[0] + 1, mono))
        elif not (facts.source in facts.world.allow_networks or _within_dialog(facts)):
            table.put(network, (1, mono), mono)

    def answered(self, facts: Facts, mono: float) -> None:
        """Note an answer: our side's say who is welcome."""
        message = facts.message
        status = message.status or 0
        if not 100 < status < 300 or facts.side == "outside":
            return
        method = message.cseq[1]
        if method not in SIGNS_IN or (method == "REGISTER" and status < 200):
            return
        client = facts.packet.dst
        key = _transaction(facts, client, facts.packet.src)
        if len(self._tried) and self._tried.get(key, mono):
            self._honest_at = mono
            self.changed = True
            self._explain(network_key(client))
        elif method == "INVITE" and network_key(client) not in self._peers:
            self._befriend(facts, network_key(client))

    # Now and then.

    def foreign(self, packets: int | None, mono: float) -> None:
        """Take how many foreign REGISTERs the kernel has dropped by itself in all.

        The first number is what there was before us; None is not known. A smaller one
        than before begins anew: somebody deleted the table.
        """
        if packets is None:
            return
        before = self._foreign
        self._foreign = packets
        if before is not None and packets != before:
            self._stranger(packets if packets < before else packets - before, mono)

    def turn(self, now: Instant) -> None:
        """Count the time, and date what was seen: to be called every few minutes."""
        mono = now.mono
        self._registering.expire(mono)
        self._asking.expire(mono)
        if self._turned is not None and self.seeing:
            self._watched += mono - self._turned
        self._turned = mono
        moment = self.dating.moment(mono, now.wall)
        if moment is not None:
            self._date(moment, mono)

    def record(self, now: Instant) -> dict[str, int | None]:
        """Return what `status` says; see `Days.record` for its keys."""
        self.turn(now)
        record = self.days.record(self.dating.latest)
        # While the clock is not known to be right there is no day to put them to.
        record["strangers_30d"] = (record["strangers_30d"] or 0) + self._strangers
        return record

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return entries and capacity of every table, by name."""
        return {
            "sign-ins that wait": (len(self._tried), self._tried.capacity),
            "unknown registering": (len(self._registering), self._registering.capacity),
            "unknown asking": (len(self._asking), self._asking.capacity),
            "peers": (len(self._peers), MAX_PEERS),
        }

    # From start to start.

    def dump(self, now: Instant) -> dict[str, object]:
        """Return what is worth keeping, as JSON has it."""
        self.turn(now)
        latest = self.dating.latest
        if latest and self.dating.moment(now.mono, now.wall) is None:
            # A later run cannot date it either: it was at the latest known, or after.
            self._date(latest, now.mono)
        return {
            "latest": int(latest),
            **self.days.dump(),
            "peers": [network.hex() for network in self._peers],
        }

    def load(self, data: object) -> None:
        """Take what `dump` returned; `ValueError` for anything else, and no change."""
        if not isinstance(data, dict):
            raise ValueError("expected a table")
        latest: Any = data.get("latest")
        if not is_count(latest, LATEST):
            raise ValueError("expected the latest moment")
        peers = _networks(data.get("peers"))
        self.days.load(data)
        self.dating.latest = float(latest)
        self._peers = dict.fromkeys(peers)

    def _date(self, moment: float, mono: float) -> None:
        """Put what was seen to the days."""
        days = self.days
        days.arrive(moment)
        seconds = int(self._watched)
        if days.watched(moment, seconds):
            self.changed = True
        self._watched -= seconds
        if self._strangers:
            days.strangers(moment - (mono - self._stranger_at), self._strangers)
            self._strangers = 0
        if self._honest_at is not None:
            days.signed_in(moment - (mono - self._honest_at))
            self._honest_at = None

    def _stranger(self, requests: int, mono: float) -> None:
        self._strangers += requests
        self._stranger_at = mono
        self.changed = True

    def _unexplained(self, network: bytes, seen: tuple[int, float]) -> None:
        """Take for a stranger whom nobody has vouched for in time."""
        requests, mono = seen
        self._strangers += requests
        self._stranger_at = max(self._stranger_at, mono)
        self.changed = True

    def _befriend(self, facts: Facts, network: bytes) -> None:
        """Know whom our side speaks to."""
        if facts.packet.dst in facts.world.inside:
            return
        self._explain(network)
        self._peers[network] = None
        self.changed = True
        if len(self._peers) > MAX_PEERS:
            del self._peers[next(iter(self._peers))]

    def _explain(self, network: bytes) -> None:
        """Let a sender's requests until now be no stranger's."""
        self._registering.pop(network)
        self._asking.pop(network)


def _transaction(facts: Facts, client: bytes, server: bytes) -> int:
    message = facts.message
    # Who answers copies all three; a phone counts on for its credentials.
    return hash((client, server, message.call_id, message.cseq[0]))


def _within_dialog(facts: Facts) -> bool:
    """Tell whether a request says that it belongs to a call that has begun."""
    # Not taken apart: nobody gains by a display name that says so.
    return any(b";tag=" in value.lower() for value in facts.message.raw_values("to"))


def _networks(found: Any) -> list[bytes]:
    if not isinstance(found, list) or len(found) > MAX_PEERS:
        raise ValueError(f"expected at most {MAX_PEERS} networks")
    networks = [bytes.fromhex(one) if isinstance(one, str) else b"" for one in found]
    if not all(len(network) in (4, 8, 16) for network in networks):
        raise ValueError("expected networks")
    return networks
