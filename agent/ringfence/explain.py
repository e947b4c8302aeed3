"""What the agent would do with a number or an address, and on whose word.

Asks the engine itself: a number is judged as an INVITE from inside, an address as a
REGISTER that comes from it. In sentences `wording` says it.
"""

from ringfence.decision import Ruling
from ringfence.engine import Engine, Settings
from ringfence.facts import Facts
from ringfence.facts.country import parse_address
from ringfence.facts.numbers import Reading
from ringfence.packet import Datagram
from ringfence.report import Record
from ringfence.rules.durations import duration
from ringfence.sip.message import Message

_INSIDE = bytes([192, 168, 0, 1])
_ROUTER = bytes([192, 168, 0, 254])


class Explainer:
    """Explains one thing after another under the same settings."""

    def __init__(self, settings: Settings) -> None:
        """Make an engine, and the messages that it will be asked about."""
        self._engine = Engine(settings)
        # `rule_on` remembers nothing, so one of each does for all questions.
        self._register = Message(b"REGISTER sip:explain SIP/2.0\r\n\r\n")
        self._invite = Message(b"INVITE sip:explain SIP/2.0\r\n\r\n")
        self._call = Datagram(_INSIDE, _ROUTER, 5060, 5060, self._invite.raw, False)

    def explain(self, what: str) -> Record:
        """Explain one dial string, SIP or tel URI, or IP address.

        Returns CONTRACT's keys; `why` and `detail` besides, for people.
        """
        return self.explain_reading(what)[0]

    def explain_reading(self, what: str) -> tuple[Record, Reading | None]:
        """Explain, and give the reading of what is no address, with all its others."""
        address = parse_address(what)
        if address is not None:
            return self._address(what, address), None
        return self._number(what)

    def _address(self, what: str, address: bytes) -> Record:
        engine, message = self._engine, self._register
        packet = Datagram(address, _ROUTER, 5060, 5060, message.raw, False)
        side = engine.side(address, -1)
        facts = Facts(engine.settings.world, packet, side, message)
        ruling = engine.rule_on(facts)
        source = ruling.source
        if source == "default" and engine.settings.world.allowed(address):
            source = "allow"
        return {
            "input": what,
            "kind": "address",
            "country": facts.origin.country,
            "home": facts.origin.home,
            "verdict": ruling.verdict.word,
            "rule": ruling.rule,
            "source": source,
            "readings": [],
            "side": side,
            "why": ruling.reason,
            "would": _would(ruling),
            "limits": _limits(engine.settings) if _countable(facts) else [],
        }

    def _number(self, what: str) -> tuple[Record, Reading]:
        engine, message = self._engine, self._invite
        message.request_uri = what
        facts = Facts(engine.settings.world, self._call, "inside", message)
        ruling = engine.rule_on(facts)
        reading = facts.reading
        assert reading is not None  # noqa: S101 - an INVITE always dials
        record: Record = {
            "input": what,
            "kind": "number",
            "class": reading.kind,
            "number": reading.number,
            "country": reading.country,
            "verdict": ruling.verdict.word,
            "rule": ruling.rule,
            "source": ruling.source,
            "readings": list(reading.steps),
            "detail": reading.detail,
            "tier": reading.tier,
            "why": ruling.reason,
            "would": _would(ruling),
        }
        return record, reading


def explain(what: str, settings: Settings) -> Record:
    """Explain one thing; see `Explainer.explain`."""
    return Explainer(settings).explain(what)


def _countable(facts: Facts) -> bool:
    return facts.side == "outside" and not facts.world.allowed(facts.source)


def _limits(settings: Settings) -> list[str]:
    """Say how much each rule that counts lets an address do."""
    found: list[str] = []
    for rule in settings.rules.rules:
        count = rule.count
        if count is not None:
            text = f"{rule.id}: {count.over} within {duration(count.within)}"
            if rule.shipped is not None:
                was = rule.shipped
                text += f" (configured; shipped {was.over} within "
                text += f"{duration(was.within)})"
            found.append(text)
    return found


def _would(ruling: Ruling) -> str | None:
    return None if ruling.would is None else ruling.would.word
