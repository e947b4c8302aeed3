"""Messages of calls, as `CallView` is given them: facts of what passed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from builders import settings, sip
from ringfence.calls import CallView, Event
from ringfence.facts import Facts
from ringfence.facts.country import parse_address
from ringfence.packet import Datagram, Instant
from ringfence.sip.message import Message

PBX: Final = "192.168.50.2"
PHONE: Final = "192.168.50.20"
TRUNK: Final = "198.51.100.100"
TRUNK2: Final = "198.51.100.200"
STRANGER: Final = "192.0.2.66"
ABROAD: Final = "0106391234567"
"""The Philippines."""
SIERRA: Final = "01023276123456"
HOME: Final = "0312345678"

WORLD: Final = settings().world
WALL: Final = 1_795_000_000.0


def octets(address: str) -> bytes:
    found = parse_address(address)
    assert found is not None
    return found


def at(seconds: float) -> Instant:
    return Instant(1000.0 + seconds, WALL + seconds)


def facts(payload: bytes, src: str, dst: str) -> Facts:
    message = Message(payload)
    packet = Datagram(octets(src), octets(dst), 5060, 5060, payload, False)
    inside = octets(src) in WORLD.inside
    return Facts(WORLD, packet, "inside" if inside else "outside", message)


@dataclass
class Line:
    """Two ends of one call, and what they send each other."""

    number: str = ABROAD
    caller: str = PBX
    callee: str = TRUNK
    call_id: str = "c1@pbx"
    tag: str = "from1"
    user: str = "201"
    cseq: int = 1
    branch: str = "b1"
    host: str = "trunk.example"
    extra: dict[str, str] = field(default_factory=dict)

    def request(
        self,
        method: str,
        *,
        to_tag: str = "",
        back: bool = False,
        src: str = "",
        dst: str = "",
        cseq: int | None = None,
        branch: str = "",
        tag: str = "",
        **fields: str,
    ) -> Facts:
        """Write a request; `back` lets the callee send it."""
        mine = f"<sip:{self.user}@pbx.example>;tag={tag or self.tag}"
        theirs = f"<sip:{self.number}@{self.host}>"
        theirs += f";tag={to_tag}" if to_tag else ""
        ends = (self.callee, self.caller) if back else (self.caller, self.callee)
        branch = branch or (
            self.branch if method in ("INVITE", "CANCEL") else f"{self.branch}{method}"
        )
        cseq = self.cseq if cseq is None else cseq
        head: dict[str, str | None] = {
            "Via": f"SIP/2.0/UDP {ends[0]}:5060;branch=z9hG4bK{branch};rport",
            "From": theirs if back else mine,
            "To": mine if back else theirs,
            "Call-ID": self.call_id,
            "CSeq": f"{cseq} {method}",
            **self.extra,
            **fields,
        }
        uri = f"sip:{self.number}@{self.host}"
        return facts(sip(method, uri, head), src or ends[0], dst or ends[1])

    def invite(self, **more: str) -> Facts:
        return self.request("INVITE", **more)  # type: ignore[arg-type]

    def answer(
        self,
        status: int,
        to_tag: str = "to1",
        *,
        method: str = "INVITE",
        src: str = "",
        dst: str = "",
        cseq: int | None = None,
        branch: str = "",
        back: bool = False,
        tag: str = "",
    ) -> Facts:
        """Write an answer to a request; `back` answers one of the callee's."""
        branch = branch or (self.branch if method == "INVITE" else self.branch + method)
        mine = f"<sip:{self.user}@pbx.example>;tag={tag or self.tag}"
        theirs = f"<sip:{self.number}@{self.host}>;tag={to_tag}"
        ends = (self.caller, self.callee) if back else (self.callee, self.caller)
        cseq = self.cseq if cseq is None else cseq
        head: dict[str, str | None] = {
            "Via": f"SIP/2.0/UDP {ends[1]}:5060;branch=z9hG4bK{branch};rport",
            "From": theirs if back else mine,
            "To": mine if back else theirs,
            "Call-ID": self.call_id,
            "CSeq": f"{cseq} {method}",
        }
        text = sip("OPTIONS", "sip:x", head)
        text = text.replace(b"OPTIONS sip:x SIP/2.0", b"SIP/2.0 %d Any" % status, 1)
        return facts(text, src or ends[0], dst or ends[1])


class Watched:
    """A view, with all that it has told."""

    def __init__(self) -> None:
        self.view = CallView()
        self.events: list[Event] = []

    def see(self, what: Facts, seconds: float) -> list[str]:
        """Show it a message; return the kinds of events."""
        return self._note(self.view.seen(what, at(seconds)))

    def tick(self, seconds: float) -> list[str]:
        return self._note(self.view.tick(at(seconds)))

    def _note(self, events: Sequence[Event]) -> list[str]:
        self.events += events
        return [event.kind for event in events]

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    def up(self, line: Line, seconds: float, to_tag: str = "to1") -> None:
        """Let a call be answered two seconds after it began."""
        self.see(line.invite(), seconds)
        self.see(line.answer(180, to_tag), seconds + 1)
        self.see(line.answer(200, to_tag), seconds + 2)
        self.see(line.request("ACK", to_tag=to_tag), seconds + 2)
