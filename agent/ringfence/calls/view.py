"""Which calls run, told from the messages that pass.

Knows INVITE, its answers, ACK, BYE and CANCEL, and what is repeated of them. It must
not know prices, rules or what is usual. It is given only what was let through: a call
that we refuse is none.

A call is an INVITE without To tag (RFC 3261 section 12), or one abroad with the tag of a
dialog that nobody saw begin: from before our start, or made up. The same call are: the
INVITE sent again, after 401 too; INVITEs of one CSeq that go to several places; all
answers, also 2xx from several phones (section 13.2.2.4), of which the caller ends all
but one. Abroad several carriers that each connect an INVITE are a call each.
Another number, or the same one dialled again, is another call even under the same
Call-ID, From tag and CSeq: who pays would not mind that they are equal.

An answer has to match Call-ID, From tag, CSeq, Via branch and both addresses. A BYE has
to match Call-ID, both tags and both addresses; one from elsewhere counts when an end on
our side sends it, or accepts it. So does an ACK of a caller on our side whose answer
nobody saw. Who knows all of these can end the call itself.
"""

from collections.abc import Sequence
from typing import Final

from ringfence.calls.call import MAX_NAME, Call, Direction, Event, State
from ringfence.calls.identity import (
    asker,
    caller_key,
    dialog_key,
    path_key,
    sequence,
    tag,
)
from ringfence.calls.relations import Relations
from ringfence.calls.stages import TALKS_FOR, Stages
from ringfence.facts import Facts
from ringfence.facts.facts import network_key
from ringfence.packet import Instant
from ringfence.sip.message import Message

REPEATED: Final = frozenset({401, 407, 415, 420, 421, 422, 488, 494})
"""Statuses after which callers try again by themselves (RFC 3261 section 8.1.3.5,
RFC 4028 section 7.3), under the same Call-ID."""

MAX_PATHS: Final = 8
"""INVITEs of one call that are told apart; the oldest is forgotten first."""

MAX_WAITING: Final = 3
"""INVITEs of one call abroad without final answer: a PBX tries its trunks in turn."""

MAX_DIALOGS: Final = 8
"""Phones that answer one call; further ones do not keep it open."""

MAX_HOPS: Final = 4
"""Hops of one call by way of our proxies that are told apart. Answers come back from
the carrier's end, so the hop that costs is the first of them."""

_OK: Final = 200
_UNSEEN: Final = 1
"""Status of an answer that only its ACK tells of."""

_OPEN: Final = frozenset({State.CALLING, State.RINGING})
_ANSWERED: Final = frozenset({State.TALKING, State.QUIET})
_NOTHING: Final[tuple[Event, ...]] = ()


class CallView:
    """All calls that run, and those that just ended."""

    def __init__(self) -> None:
        """Start with none."""
        self._paths: dict[int, Call] = {}
        """By all that an answer has of its INVITE."""
        self._dialogs: dict[int, tuple[Call, ...]] = {}
        """By Call-ID and both tags; before and behind a proxy they are the same."""
        self._newest: dict[int, Call] = {}
        """By Call-ID, From tag and caller."""
        self.stages = Stages(self._dropped)
        """The calls themselves, and how many there are at once."""
        self.relations = Relations()
        self._events: list[Event] = []
        self._now = Instant(0.0, 0.0)
        self._serial = 0

    def seen(self, facts: Facts, now: Instant) -> Sequence[Event]:
        """Read a message that was let through; return what it did to calls."""
        message = facts.message
        method = message.method
        self._now = now
        if method is None:
            number, asked = sequence(message)
            if asked == b"INVITE":
                self._answered(facts, message, number)
            elif asked == b"BYE" and _ends(message.status or 0):
                self._parted(facts, message)
        elif method == "INVITE":
            if not tag(message, "to") or self._unknown(facts, message):
                self._invited(facts, message)
            else:
                self._refreshed(facts, message)
        elif method == "ACK":
            if facts.side == "inside":
                self._acknowledged(facts, message)
        elif method == "BYE":
            self._parted(facts, message)
        elif method == "CANCEL":
            self._cancelled(facts, message)
        elif method == "UPDATE":
            self._refreshed(facts, message)
        return self._told() if self._events else _NOTHING

    def known(self, facts: Facts) -> Call | None:
        """Return the call that an INVITE is part of; None if it would begin one.

        One within a dialog is part of a call only if that dialog is known, and if
        either both lead abroad or neither does. A caller abroad is asked again by his
        number, of which our end is the one that was called.
        """
        message = facts.message
        whose, reading = asker(message), facts.reading
        if reading is None:
            return None
        if tag(message, "to"):
            source = network_key(facts.packet.src)
            target = network_key(facts.packet.dst)
            dialog = dialog_key(whose, message)
            for call in self._dialogs.get(dialog, ()):
                ends = call.dialogs[dialog] or ()
                came = call.direction == "in"  # perhaps by another of his addresses
                fits = came or (call.abroad >= reading.abroad and target in ends)
                if fits and source in ends:
                    return call
        number, _ = sequence(message)
        callee, called = network_key(facts.packet.dst), reading.number[:MAX_NAME]
        found = self._paths.get(path_key(whose, message, number, facts.network, callee))
        if found is not None and found.number == called:
            return found
        found = self._newest.get(caller_key(whose, facts.network))
        if found is not None and _joins(found, called, number, callee):
            return found
        return None

    def withdraw(self, call: Call) -> None:
        """Forget a call that has just begun, and is refused after all; nobody hears of
        its end."""
        self.stages.remove(call)
        self._forget(call)

    def stopped(self, facts: Facts, now: Instant) -> Sequence[Event]:
        """Note that we refused a request: it may have been an INVITE repeated."""
        self._now = now
        if facts.message.method == "INVITE":
            key = caller_key(asker(facts.message), facts.network)
            call = self._newest.get(key)
            if call is not None and call.state is State.CHALLENGED:
                self._end(call, "refused")
        return self._told()

    def tick(self, now: Instant) -> Sequence[Event]:
        """End what nobody has heard of for too long; to be called every few seconds."""
        self._now = now
        self.stages.expire(now.mono)
        return self._told()

    def running(self, direction: Direction = "out") -> list[Call]:
        """Return the calls that are answered and not quiet, longest without sign first."""
        return self.stages.talking(direction, self._now.mono)

    @property
    def evicted(self) -> int:
        """Calls forgotten, or given up, for want of room."""
        return self.stages.evicted

    @property
    def bare(self) -> bool:
        """Nothing is remembered by which a message could find a call."""
        return not (self._paths or self._dialogs or self._newest)

    def at_once(self, direction: Direction, country: str | None = None) -> int:
        """Return how many calls ring or talk: to one country, or at all."""
        return self.stages.at_once(direction, country)

    def at_once_by(self, account: str) -> int:
        """Return how many calls of one account ring or talk, either way."""
        return self.stages.at_once_by(account)

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return entries and capacity of every table, by name."""
        return {**self.stages.sizes(), **self.relations.sizes()}

    def _told(self) -> Sequence[Event]:
        events, self._events = self._events, []
        return events

    def _invited(self, facts: Facts, message: Message) -> None:
        """Read an INVITE that begins a call, or is part of one that has begun."""
        whose, (number, _) = asker(message), sequence(message)
        source, callee = facts.network, network_key(facts.packet.dst)
        path = path_key(whose, message, number, source, callee)
        reading = facts.reading
        if reading is None:
            return
        called = reading.number[:MAX_NAME]
        call = self._paths.get(path)
        if call is not None and call.number == called:
            return
        key = caller_key(whose, source)
        call = self._newest.get(key)
        if call is None or not _joins(call, called, number, callee):
            self._serial += 1
            call = Call(facts, reading, self._serial, self._now)
            call.key = key
            self._begin(call)
        elif call.state is State.CHALLENGED:
            call.account = facts.account[:MAX_NAME]
            self.stages.move(call, State.CALLING, self._now.mono)
        call.cseq = number
        if callee not in call.callees:
            call.callees = (*call.callees, callee)[-MAX_PATHS:]
        if len(call.paths) >= MAX_PATHS:
            self._forget_path(next(iter(call.paths)), call)
        call.paths[path] = 0
        self._paths[path] = call

    def _unknown(self, facts: Facts, message: Message) -> bool:
        """Tell whether an INVITE within a dialog begins a call, as far as we know.

        Of a dialog that nobody has seen begin: before we were started, or never. Whom
        it is sent to may take it for a new call (RFC 3261 section 12.2.2).
        """
        reading = facts.reading
        if facts.side != "inside" or reading is None or not reading.abroad:
            return False
        known = self.known(facts)
        return known is None or dialog_key(asker(message), message) not in known.dialogs

    def _begin(self, call: Call) -> None:
        self._newest[call.key] = call
        self.relations.relate(call, self._now.mono)
        self.stages.enter(call, State.CALLING, self._now.mono)
        self._events.append(Event("begun", call))

    def _answered(self, facts: Facts, message: Message, number: bytes) -> None:
        """Read an answer to an INVITE."""
        packet, status = facts.packet, message.status or 0
        client, server = network_key(packet.dst), network_key(packet.src)
        whose = asker(message)
        path = path_key(whose, message, number, client, server)
        call = self._paths.get(path)
        if call is None:
            return
        if 200 <= status < 300:
            self._picked_up(call, dialog_key(whose, message), server, path)
        elif call.state not in _OPEN:
            return
        elif status < 200:
            if call.why != "cancelled":
                call.last = self._now.mono
                self.stages.move(call, State.RINGING, self._now.mono)
        elif not call.paths[path]:
            call.paths[path] = status
            self._refused(call, status)

    def _refused(self, call: Call, status: int) -> None:
        """Note that one INVITE of a call failed; the call does when all have."""
        call.status = status
        if not all(call.paths.values()):
            return
        if status in REPEATED and call.why != "cancelled":
            self.stages.move(call, State.CHALLENGED, self._now.mono)
        else:
            self._end(call, call.why or "refused")

    def _picked_up(self, call: Call, dialog: int, server: bytes, path: int) -> None:
        """Note a 2xx, or an ACK that tells of one."""
        if self._elsewhere(call, dialog, path):
            call = self._revived(call, path)
        elif call.state is State.OVER:
            if call.answered is not None:
                return
            call = self._revived(call)
        if path in call.paths:
            call.paths[path] = _OK
        if dialog not in call.dialogs and len(call.dialogs) < MAX_DIALOGS:
            call.dialogs[dialog] = (call.caller, server)
            hops = self._dialogs.get(dialog, ())
            if len(hops) < MAX_HOPS:
                self._dialogs[dialog] = (*hops, call)
        if call.answered is None:
            call.answered = self._now
            call.last = self._now.mono
            call.status, call.why = 200, ""
            self.stages.move(call, State.TALKING, self._now.mono)
            self._events.append(Event("answered", call))

    @staticmethod
    def _elsewhere(call: Call, dialog: int, path: int) -> bool:
        """Tell whether a call abroad that was answered is so again, by whom another
        INVITE of it went to: he bills it, too."""
        return (
            call.answered is not None
            and call.abroad
            and dialog not in call.dialogs
            and call.paths.get(path) == 0
        )

    def _revived(self, over: Call, only: int = 0) -> Call:
        """Begin a call again that was over too soon, or that two have answered: it
        costs what it costs. `only`: the INVITE that is not of the old one."""
        self._serial += 1
        call = over.again(self._serial, self._now)
        if only:
            call.paths = {only: over.paths.pop(only, 0)}
        else:
            over.paths = {}
        for path in call.paths:
            if self._paths.get(path) is over:
                self._paths[path] = call
        self._begin(call)
        return call

    def _acknowledged(self, facts: Facts, message: Message) -> None:
        """Learn from our side's ACK of an answer that nobody saw, or not from there."""
        whose = asker(message)
        dialog = dialog_key(whose, message)
        known = self._dialogs.get(dialog, ())
        if any(call.caller == facts.network for call in known):
            return
        call = self._newest.get(caller_key(whose, facts.network))
        number, _ = sequence(message)
        if call is None or call.state not in _OPEN or call.cseq != number:
            return
        server = network_key(facts.packet.dst)
        path = path_key(whose, message, number, facts.network, server)
        if path not in call.paths:  # a 2xx: its ACK has a branch of its own
            self._picked_up(call, dialog, server, path)
            if len(call.paths) == 1:  # so it is clear which INVITE was answered
                call.paths = dict.fromkeys(call.paths, _OK)
        elif not call.paths[path]:
            call.paths[path] = _UNSEEN
            self._refused(call, 0)

    def _cancelled(self, facts: Facts, message: Message) -> None:
        """Note a CANCEL; a 2xx may have crossed it."""
        number, _ = sequence(message)
        server = network_key(facts.packet.dst)
        path = path_key(asker(message), message, number, facts.network, server)
        call = self._paths.get(path)
        if call is None or call.state not in _OPEN or call.why == "cancelled":
            return
        others = (failed for at, failed in call.paths.items() if at != path)
        if not all(others):  # it rings on elsewhere
            call.paths[path] = _UNSEEN
        else:
            call.why = "cancelled"
            self.stages.move(call, State.CALLING, self._now.mono)

    def _parted(self, facts: Facts, message: Message) -> None:
        """Read a BYE, or an answer to one: nobody saw it, or it is from elsewhere.

        Of calls that a proxy passes on, each hop has its own BYE, unless our end knows
        the way and sends it past the proxy.
        """
        dialog = dialog_key(asker(message), message)
        calls = self._dialogs.get(dialog)
        if calls is None:
            return
        source, target = network_key(facts.packet.src), network_key(facts.packet.dst)
        hops = [(call, call.dialogs[dialog] or ()) for call in calls]
        ours = facts.side == "inside" and any(source in ends for _, ends in hops)
        for call, ends in hops:
            if (source in ends and target in ends) or (
                ours and (source in ends or target in ends)
            ):
                self._hang_up(call, dialog)

    def _hang_up(self, call: Call, dialog: int) -> None:
        call.dialogs[dialog] = None
        if call.state in _ANSWERED and not any(call.dialogs.values()):
            self._end(call, "bye")

    def _refreshed(self, facts: Facts, message: Message) -> None:
        """Read a request within a call: it lives."""
        dialog = dialog_key(asker(message), message)
        source, target = network_key(facts.packet.src), network_key(facts.packet.dst)
        for call in self._dialogs.get(dialog, ()):
            ends = call.dialogs[dialog] or ()
            if call.state in _ANSWERED and source in ends and target in ends:
                call.last = self._now.mono
                self.stages.move(call, State.TALKING, self._now.mono)

    def _end(self, call: Call, why: str) -> None:
        call.why = why
        quiet = self._now.mono - call.last >= TALKS_FOR  # else there was no room for it
        call.ended = call.last if why == "lost" and quiet else self._now.mono
        self._events.append(Event("ended", call))
        self.stages.move(call, State.OVER, self._now.mono)

    def _dropped(self, _: int, call: Call) -> None:
        """Go on with a call that was in one state for too long, or was one too many."""
        if call.state is State.OVER:
            self._forget(call)
        elif call.state is State.TALKING:
            self.stages.move(call, State.QUIET, self._now.mono)
        elif call.state is State.QUIET:
            self._end(call, "lost")
        elif call.state is State.CHALLENGED:
            self._end(call, "refused")
        else:
            self._end(call, call.why or "unanswered")

    def _forget(self, call: Call) -> None:
        for path in list(call.paths):
            self._forget_path(path, call)
        for dialog in call.dialogs:
            hops = self._dialogs.pop(dialog, ())
            others = tuple(one for one in hops if one is not call)
            if others:
                self._dialogs[dialog] = others
        if self._newest.get(call.key) is call:
            del self._newest[call.key]

    def _forget_path(self, path: int, call: Call) -> None:
        del call.paths[path]
        if self._paths.get(path) is call:
            del self._paths[path]


def _joins(call: Call, called: str, number: bytes, callee: bytes) -> bool:
    """Tell whether an INVITE is part of the newest call of its caller and Call-ID.

    No honest proxy sends one call abroad to one place twice at once.
    """
    if call.number != called:
        return False
    if call.state is State.CHALLENGED:
        return True
    if call.state not in _OPEN or call.cseq != number:
        return False
    if not call.abroad:
        return True
    waiting = sum(not status for status in call.paths.values())
    return callee not in call.callees and waiting < MAX_WAITING


def _ends(status: int) -> bool:
    """Tell whether an answer to BYE says that the dialog is over."""
    return status == 481 or 200 <= status < 300
