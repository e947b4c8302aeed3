"""One packet in, one decision out: the whole judgement, top to bottom.

decode → stream → SIP message → facts → ruling. The same engine runs on the live
queue and on captures; it reads no clock, opens nothing and knows neither shell.
Order of judgement (DESIGN): bans that run, invariants, the site's own lists, rules by
severity, the malformed policy, accept. What would be accepted is then looked at for
passwords: a request that tries one, an answer that tells how a try went.
"""

from dataclasses import dataclass
from typing import Final

from ringfence.decision import NOT_SIP, Decision, Finding, Ruling, Verdict
from ringfence.decode import Decoder
from ringfence.decode.stream import Flow, Streams
from ringfence.errors import Malformed
from ringfence.facts import Facts, NumberRuling, World
from ringfence.facts.attempts import Sent
from ringfence.packet import Datagram, Instant, Packet, Segment
from ringfence.rules import Rule, RuleSet
from ringfence.rules.memory import Memory
from ringfence.sip.framing import next_message
from ringfence.sip.message import Message, looks_like_sip

_SYN: Final = 0x02
_NO_LIMIT: Final = 1 << 30
_ACCEPTED: Final = Ruling(Verdict.ACCEPT, None, "no rule matches", "default")


@dataclass(frozen=True, slots=True)
class Policy:
    """What happens, and is counted, when no rule can say."""

    malformed: Verdict = Verdict.ACCEPT
    state_full: Verdict = Verdict.ACCEPT
    internal_error: Verdict = Verdict.ACCEPT


@dataclass(frozen=True, slots=True)
class Settings:
    """All that a reload exchanges, in one piece."""

    world: World
    rules: RuleSet
    policy: Policy = Policy()
    sip_ports: frozenset[int] = frozenset({5060})
    monitor: bool = False
    """Judge and log, pass everything."""


class Counters:
    """What the engine did since it was made."""

    __slots__ = (
        "accepted",
        "bans",
        "dropped",
        "held",
        "malformed",
        "messages",
        "packets",
        "rejected",
        "rules",
        "state_full",
    )

    def __init__(self) -> None:
        """Start at zero."""
        self.packets = self.messages = self.malformed = self.state_full = 0
        self.accepted = self.dropped = self.rejected = self.held = self.bans = 0
        self.rules: dict[str, int] = {}
        """Hits by rule id, held-back ones included."""


class Engine:
    """Judges packets against settings; owns all state that packets leave behind."""

    def __init__(self, settings: Settings) -> None:
        """Start with empty state."""
        self.settings = settings
        """Exchanged whole between two packets by a reload; state stays."""
        self.outside_interfaces: frozenset[int] = frozenset()
        """Interfaces that face strangers; empty when only addresses can tell."""
        self.counters = Counters()
        self.decoder = Decoder()
        self.streams = Streams()
        self.memory = Memory()
        """What counting rules remember; outlives a reload as far as rules stay."""

    def inspect(self, packet: Packet, now: Instant) -> Decision:
        """Judge one packet at one moment; never raises for what a stranger sends."""
        self.counters.packets += 1
        try:
            unit = self.decoder.decode(packet, now)
            if unit is None:
                return NOT_SIP
            if isinstance(unit, Datagram):
                return self._datagram(unit, packet.indev, now)
            return self._segment(unit, packet.indev, now)
        except Malformed as error:
            return self._malformed(error.reason)

    def side(self, source: bytes, indev: int) -> str:
        """Tell on which side of the router a sender is.

        Inside: what this machine sends itself, what comes in on an interface that
        does not face strangers, and addresses that are ours wherever they come in
        (a machine with one interface serves phones and strangers on the same wire).
        """
        if indev == 0 or source in self.settings.world.inside:
            return "inside"
        if indev > 0 and self.outside_interfaces:
            return "outside" if indev in self.outside_interfaces else "inside"
        return "outside"

    def forget(self, address: bytes) -> int:
        """Forget the bans of a source, of its /64 for IPv6, and their history.

        Returns how many entries went.
        """
        return int(self.memory.unban(address))

    def _datagram(self, datagram: Datagram, indev: int, now: Instant) -> Decision:
        payload = datagram.payload
        if not looks_like_sip(payload):
            if payload[:9].upper().startswith((b"INVITE ", b"REGISTER ")) and (
                datagram.dport in self.settings.sip_ports
            ):
                raise Malformed("sip.start-line")
            return NOT_SIP
        message = Message(payload)
        message.check_length(cut=datagram.cut)
        finding = self._judge(message, datagram, indev, now)
        return _decision(finding, (finding,))

    def _segment(self, segment: Segment, indev: int, now: Instant) -> Decision:
        flow = self.streams.find(segment, now)
        if flow is None or segment.flags & _SYN:
            ports = self.settings.sip_ports
            if segment.sport not in ports and segment.dport not in ports:
                # Elsewhere only what begins like SIP is followed.
                if not looks_like_sip(segment.payload):
                    return NOT_SIP
            elif not segment.payload and not segment.flags & _SYN:
                return NOT_SIP
            if flow is None and self.streams.full(now):
                self.counters.state_full += 1
                if self.settings.policy.state_full is Verdict.DROP:
                    return Decision(self._held(Verdict.DROP), "state-full")
            flow = self.streams.open(segment, now)
        stops = bool(segment.payload) and not self.settings.monitor
        if flow.dead and stops:
            return Decision(Verdict.DROP, "refused-flow")
        grown = self.streams.push(flow, segment, now)
        if flow.dead and stops:  # the sender has just contradicted itself
            return Decision(Verdict.DROP, "contradicting-flow")
        return self._messages(flow, segment, indev, now) if grown else NOT_SIP

    def _messages(
        self, flow: Flow, segment: Segment, indev: int, now: Instant
    ) -> Decision:
        """Judge every message that a segment completed."""
        findings: list[Finding] = []
        while flow.data:
            try:
                framed = next_message(flow.data, cut=segment.cut)
            except Malformed as error:
                # The flow stays: its next message begins at the next byte in order,
                # not where a stranger lets the next segment begin.
                flow.data.clear()
                bad = self._malformed(error.reason)
                verdicts = [finding.ruling.verdict for finding in findings]
                worst_of_all = max([bad.verdict, *verdicts])
                flow.dead |= worst_of_all is not Verdict.ACCEPT
                return bad._replace(verdict=worst_of_all, findings=tuple(findings))
            del flow.data[: framed.used]
            flow.skip = framed.skip
            if framed.message is None:
                break
            findings.append(self._judge(framed.message, segment, indev, now))
        if not findings:
            return NOT_SIP
        worst = max(findings, key=lambda finding: finding.ruling.verdict)
        if worst.ruling.verdict is not Verdict.ACCEPT:
            flow.dead = True
        return _decision(worst, tuple(findings))

    def _judge(
        self, message: Message, packet: Datagram | Segment, indev: int, now: Instant
    ) -> Finding:
        facts = Facts(
            self.settings.world, packet, self.side(packet.src, indev), message
        )
        ruling = self._banned(facts, now)
        if ruling is None:
            ruling = self.rule_on(facts, now)
            if ruling.verdict is Verdict.ACCEPT:
                if message.method is None:
                    ruling = self._learnt(facts, indev, now) or ruling
                elif facts.side == "outside":
                    ruling = self._tried(facts, ruling, now) or ruling
                elif packet.src not in self.settings.world.inside:
                    self.memory.seen_inside(packet.src, now.mono)
        if indev < 0 and ruling.verdict is not Verdict.ACCEPT:
            # A capture goes on as if nothing had been stopped: answers to what was
            # stopped never came about.
            self.memory.attempts.stopped(facts, now.mono)
        counters = self.counters
        counters.bans += ruling.ban_s > 0
        counters.messages += 1
        if ruling.rule is not None:
            counters.rules[ruling.rule] = counters.rules.get(ruling.rule, 0) + 1
        if ruling.verdict is Verdict.ACCEPT:
            counters.accepted += 1
            counters.held += ruling.would is not None
        elif ruling.verdict is Verdict.DROP:
            counters.dropped += 1
        else:
            counters.rejected += 1
        return Finding(facts, ruling)

    def rule_on(self, facts: Facts, now: Instant | None = None) -> Ruling:
        """Say what is done with one message, without remembering it.

        Rules that count are asked only if `now` says when: they do remember.
        """
        settings = self.settings
        world = settings.world
        source = facts.packet.src
        number = facts.number_ruling
        if number is not None and self._exempt(facts, number):
            return Ruling(Verdict.ACCEPT, None, number.why, number.source)
        if world.blocked(source) and not world.allowed(source):
            return self._enforced(
                facts,
                Verdict.DROP,
                "local-block",
                "the source is on the site's block list",
                "block",
            )
        if number is not None and (number.status, number.source) == ("listed", "block"):
            return self._enforced(
                facts,
                Verdict.REJECT,
                "local-block",
                number.why,
                "block",
                monitor=world.numbers.only_logs,
            )

        held: Ruling | None = None
        for rule in settings.rules.candidates(facts.message.method):
            signature = rule.match(facts)
            if signature is None or self._overridden(rule, facts):
                continue
            count = 0
            if rule.count is not None:
                if now is None or not self._may_count(facts, now):
                    continue
                count = self._memory().requested(rule, facts, now.mono)
                if not count:
                    continue
            only_logs = rule.judges == "destination" and world.numbers.only_logs
            ruling = self._enforced(
                facts,
                rule.verdict,
                rule.id,
                rule.explain(facts, signature, count),
                "bundle",
                monitor=rule.monitor or only_logs,
            )
            if rule.ban is not None and now is not None:
                ruling = self._with_ban(ruling, rule, facts, now)
            if ruling.would is None:
                return ruling
            held = held or ruling
        if held is not None:
            return held

        anomaly = facts.message.anomaly
        if anomaly is not None and settings.policy.malformed is Verdict.DROP:
            return self._enforced(facts, Verdict.DROP, None, anomaly, "default")
        if number is not None:
            return Ruling(Verdict.ACCEPT, None, number.why, number.source)
        return _ACCEPTED

    def _banned(self, facts: Facts, now: Instant) -> Ruling | None:
        """Drop what a banned source sends, as the kernel does.

        Live, that is what was queued before the ban; in a capture, all of it.
        """
        bans = self.memory.bans
        if bans.none(now.mono) or self.settings.monitor:
            return None
        left = bans.left(facts.network, now.mono)
        if not left or not self._may_count(facts, now):
            return None
        reason = f"the source is banned for another {left:.0f} s"
        return Ruling(Verdict.DROP, "banned", reason, "bundle")

    def _tried(self, facts: Facts, ruling: Ruling, now: Instant) -> Ruling | None:
        """Hold a password back if it is one too many; note it if it goes on."""
        rules = self.settings.rules
        if not rules.learning or facts.message.credentials is None:
            return None
        if not self._may_count(facts, now):
            return None
        memory = self._memory()
        self._note_silence(facts, now)
        rule = rules.guessing
        most = _NO_LIMIT if rule is None or rule.count is None else rule.count.over
        if ruling.source == "builtin":  # an emergency call, whatever else it tries
            memory.attempts.sent(facts, now.mono, _NO_LIMIT)
            return None
        guard = memory.guarded(facts, now.mono)
        if guard is not None:
            reason = f"{facts.account} is under attack: only sources known for it"
            return self._enforced(facts, Verdict.DROP, guard, reason, "bundle")
        if rule is not None and (failed := memory.over(rule, facts, now.mono)):
            held = self._holds(rule, facts, rule.explain(facts, "", failed))
            return self._with_ban(held, rule, facts, now)
        if memory.attempts.sent(facts, now.mono, most) is Sent.TOO_MANY and rule:
            waits = f"{most} sign-ins to {facts.account} still wait for an answer"
            return self._holds(rule, facts, waits)
        return None

    def _holds(self, rule: Rule, facts: Facts, why: str) -> Ruling:
        return self._enforced(
            facts, rule.verdict, rule.id, why, "bundle", monitor=rule.monitor
        )

    def _learnt(self, facts: Facts, indev: int, now: Instant) -> Ruling | None:
        """Count what an answer says of whom it is for.

        Answers from outside say nothing: anybody can write one. In a capture nobody
        knows where a packet came in.
        """
        if not self.settings.rules.learning or (indev > 0 and facts.side == "outside"):
            return None
        memory = self._memory()
        outcome = memory.attempts.answered(facts, now.mono)
        if outcome is None:
            return None
        side = outcome.side or self.side(outcome.client, -1)
        client = facts.about(outcome.client, side, outcome.account)
        if memory.bans.left(client.network, now.mono) or not self._may_count(
            client, now
        ):
            return None
        first: Ruling | None = None
        for hit in list(memory.learn(outcome, client, now.mono)):
            if self._overridden(hit.rule, client):
                continue
            held = hit.rule.monitor or self.settings.monitor
            ruling = Ruling(
                Verdict.ACCEPT,  # the answer itself harms nobody
                hit.rule.id,
                hit.rule.explain(client, "", hit.counted),
                "bundle",
                would=Verdict.DROP if held else None,
            )
            if hit.rule.guard and not held:
                memory.guard(client, hit.rule, now.mono)
            if first is None or not first.ban_s:
                ruling = self._with_ban(ruling, hit.rule, client, now)
                first = ruling if first is None or ruling.ban_s else first
        return first

    def _note_silence(self, facts: Facts, now: Instant) -> None:
        """Count the attempts that a server left unanswered while it was there."""
        for outcome in self.memory.attempts.late(now.mono):
            side = outcome.side or "outside"
            client = facts.about(outcome.client, side, outcome.account)
            if self._may_count(client, now):
                self._memory().note(outcome, client, now.mono)

    def _memory(self) -> Memory:
        self.memory.use(self.settings.rules)
        return self.memory

    def _may_count(self, facts: Facts, now: Instant) -> bool:
        """Tell whether somebody can be counted, and so banned, at all."""
        return (
            facts.side == "outside"
            and not self.memory.inside(facts.source, now.mono)
            and not self.settings.world.allowed(facts.source)
        )

    def _with_ban(
        self, ruling: Ruling, rule: Rule, facts: Facts, now: Instant
    ) -> Ruling:
        """Let a ban begin with a ruling, unless monitoring holds it back."""
        if rule.ban is None or ruling.would is not None:
            return ruling
        ban_s = self.memory.bans.ban(facts.network, rule.ban, now.mono)
        return ruling._replace(ban_s=ban_s)

    @staticmethod
    def _exempt(facts: Facts, number: NumberRuling) -> bool:
        """Tell whether a call passes whatever else is true of it.

        Emergency calls from everywhere; other special numbers (104, 117, …) from our
        side only, since scanners outside try every extension from 100 to 199.
        """
        if number.status != "exempt":
            return False
        reading = facts.reading
        return facts.side == "inside" or (
            reading is not None and reading.kind == "emergency"
        )

    @staticmethod
    def _overridden(rule: Rule, facts: Facts) -> bool:
        """Tell whether the site's own allow lists outrank a rule that matched."""
        if rule.judges == "source":
            return facts.world.allowed(facts.source)
        number = facts.number_ruling
        return number is not None and number.status == "allowed"

    def _enforced(
        self,
        facts: Facts,
        verdict: Verdict,
        rule: str | None,
        reason: str,
        source: str,
        *,
        monitor: bool = False,
    ) -> Ruling:
        """Turn what a rule wants into what is done."""
        if verdict is Verdict.REJECT and facts.side != "inside":
            verdict = Verdict.DROP  # an answer to a stranger would be a reflection
        if monitor or self.settings.monitor:
            return Ruling(Verdict.ACCEPT, rule, reason, source, would=verdict)
        return Ruling(verdict, rule, reason, source)

    def _held(self, verdict: Verdict) -> Verdict:
        return Verdict.ACCEPT if self.settings.monitor else verdict

    def _malformed(self, reason: str) -> Decision:
        self.counters.malformed += 1
        verdict = self._held(self.settings.policy.malformed)
        return Decision(verdict, reason, (), reason)


def _decision(worst: Finding, findings: tuple[Finding, ...]) -> Decision:
    """Make the decision on a packet of what was found in it."""
    ruling = worst.ruling
    for finding in findings:
        if finding.ruling.ban_s:
            facts = finding.facts
            assert isinstance(facts, Facts)  # noqa: S101 - tells the type checker
            return Decision(
                ruling.verdict,
                ruling.reason,
                findings,
                ban="dst" if facts.message.method is None else "src",
                ban_s=finding.ruling.ban_s,
            )
    return Decision(ruling.verdict, ruling.reason, findings)
