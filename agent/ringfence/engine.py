"""One packet in, one decision out: the whole judgement, top to bottom.

decode → stream → SIP message → facts → ruling. The same engine runs on the live
queue and on captures; it reads no clock, opens nothing and knows neither shell.
Order of judgement (DESIGN): bans that run, invariants, the site's own lists, rules by
severity, the malformed policy, accept. What would be accepted is then looked at for
passwords: a request that tries one, an answer that tells how a try went.
"""

from typing import Final, NamedTuple

from ringfence.calls.events import Told
from ringfence.calls.line import Line
from ringfence.calls.terms import Terms
from ringfence.decision import NOT_SIP, Decision, Finding, Ruling, Verdict
from ringfence.errors import Malformed
from ringfence.facts import Facts, NumberRuling, World
from ringfence.facts.exposure import Exposure
from ringfence.intake import Intake, Taken
from ringfence.packet import Datagram, Instant, Packet, Segment
from ringfence.refusals import ABSORBED, Refusals
from ringfence.rules import RuleSet
from ringfence.rules.memory import Memory
from ringfence.rules.outcome import enforced, overridden
from ringfence.signins import SignIns
from ringfence.sip.message import Message

_ACCEPTED: Final = Ruling(Verdict.ACCEPT, None, "no rule matches", "default")

_OF_NO_CALL: Final = frozenset(
    {"REGISTER", "OPTIONS", "SUBSCRIBE", "NOTIFY", "PUBLISH", "MESSAGE", "INFO"}
)
"""Methods that neither begin nor end a call: most of what passes."""


class Policy(NamedTuple):
    """What happens, and is counted, when no rule can say."""

    malformed: Verdict = Verdict.ACCEPT
    state_full: Verdict = Verdict.ACCEPT
    internal_error: Verdict = Verdict.ACCEPT
    reject_status: int = 403
    """Status code that a refused caller inside hears; 0: he hears nothing."""


class Settings(NamedTuple):
    """All that a reload exchanges, in one piece."""

    world: World
    rules: RuleSet
    policy: Policy = Policy()
    sip_ports: frozenset[int] = frozenset({5060})
    monitor: bool = False
    """Judge and log, pass everything."""
    terms: Terms = Terms()
    """Prices, limits and hours of calls abroad."""


class Counters:
    """What the engine did since it was made."""

    __slots__ = (
        "accepted",
        "bans",
        "dropped",
        "drops",
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
        self.drops: dict[str, int] = {}
        """Packets stopped for what they are, not for a message in them, by reason: a
        `Malformed` one, or one of `Taken.stop`."""


class Engine:
    """Judges packets against settings; owns all state that packets leave behind."""

    def __init__(self, settings: Settings) -> None:
        """Start with empty state."""
        self.settings = settings
        """Exchanged whole between two packets by a reload; state stays."""
        self.outside_interfaces: frozenset[int] = frozenset()
        """Interfaces that face strangers; empty when only addresses can tell."""
        self.counters = Counters()
        self.intake = Intake()
        self.signins = SignIns()
        self.refusals = Refusals()
        self.exposure = Exposure()
        self.line = Line(self.memory.knows)
        """Calls, their cost, and what is closed."""
        self.memory.welcomed = self.line.signed_in

    @property
    def memory(self) -> Memory:
        """What counting rules remember."""
        return self.signins.memory

    def inspect(self, packet: Packet, now: Instant) -> Decision:
        """Judge one packet at one moment; never raises for what a stranger sends."""
        settings, counters = self.settings, self.counters
        counters.packets += 1
        if self.line.due(now.mono):
            self.tick(now)
        try:
            taken = self.intake.take(
                packet,
                now,
                settings.sip_ports,
                enforcing=not settings.monitor,
                refuse_full=settings.policy.state_full is Verdict.DROP,
                outside=self.outside_interfaces,
            )
        except Malformed as error:
            taken = Taken(malformed=error.reason)
        counters.state_full = self.intake.full
        unit = taken.unit
        findings: tuple[Finding, ...] = ()
        if taken.messages and unit is not None:
            findings = tuple(
                [
                    self._judge(message, unit, packet.indev, now)
                    for message in taken.messages
                ]
            )
        elif taken.malformed is None and taken.stop is None:
            return NOT_SIP
        return self._decision(taken, findings)

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

    def tick(self, now: Instant) -> None:
        """Let time pass for calls and closures; to be called every few seconds."""
        self._use_line()
        self.line.tick(now)

    def told(self) -> list[Told]:
        """Return what is to be told of calls since the last time."""
        return self.line.told()

    def forget(self, address: bytes) -> int:
        """Forget the bans of a source, of its /64 for IPv6, and their history.

        Returns how many entries went.
        """
        return int(self.memory.unban(address))

    def _decision(self, taken: Taken, findings: tuple[Finding, ...]) -> Decision:
        """Make the decision on a packet of what was found in it; count it."""
        decision = NOT_SIP
        if findings:
            worst = max(findings, key=lambda finding: finding.ruling.verdict).ruling
            decision = Decision(worst.verdict, worst.reason, findings)
            for finding in findings:
                if finding.ruling.ban_s:
                    facts = finding.facts
                    assert isinstance(facts, Facts)  # noqa: S101 - tells the type checker
                    decision = decision._replace(
                        ban="dst" if facts.message.method is None else "src",
                        ban_s=finding.ruling.ban_s,
                    )
                    break
        stop, wanted = taken.stop, Verdict.DROP
        if taken.malformed is not None:
            self.counters.malformed += 1
            stop, wanted = taken.malformed, self.settings.policy.malformed
            decision = decision._replace(malformed=stop)
        if stop is not None:
            decision = decision._replace(reason=stop)
            if wanted > decision.verdict and not self.settings.monitor:
                drops = self.counters.drops
                drops[stop] = drops.get(stop, 0) + 1
                decision = decision._replace(verdict=wanted)
        if taken.flow is not None and decision.verdict is not Verdict.ACCEPT:
            taken.flow.dead = True
        return decision

    def _judge(
        self, message: Message, packet: Datagram | Segment, indev: int, now: Instant
    ) -> Finding:
        """Judge one message, and let it leave behind what it has to."""
        settings = self.settings
        facts = Facts(settings.world, packet, self.side(packet.src, indev), message)
        if facts.side == "outside" and message.method is not None:
            self.signins.weigh(facts, now)
        ruling = None if settings.monitor else self._from_before(facts, now)
        if ruling is None:
            ruling = self.rule_on(facts, now)
            if ruling.verdict is Verdict.ACCEPT:
                ruling = self._learn(facts, ruling, indev, now) or ruling
            ruling = self._on_the_line(facts, ruling, now)
            if settings.policy.reject_status:
                self.refusals.ruled(facts, ruling, now.mono)
        if indev < 0 and ruling.verdict is not Verdict.ACCEPT:
            # A capture goes on as if nothing had been stopped: answers to what was
            # stopped never came about.
            self.memory.attempts.stopped(facts, now.mono)
        self._count(ruling)
        if message.method is None:
            self.exposure.answered(facts, now.mono)
        else:
            self.exposure.requested(
                facts, self.signins.standing, now.mono, stopped=ruling.stops
            )
        return Finding(facts, ruling)

    def _from_before(self, facts: Facts, now: Instant) -> Ruling | None:
        """Rule by what is in force from earlier messages: bans and refusals."""
        if self.refusals.absorbs(facts, now.mono):
            return ABSORBED
        return self.signins.banned(facts, now)

    def _on_the_line(self, facts: Facts, ruling: Ruling, now: Instant) -> Ruling:
        """Show a message to whoever knows the calls; he may stop what would pass."""
        if facts.message.method in _OF_NO_CALL:
            return ruling
        line = self._use_line()
        if ruling.verdict is not Verdict.ACCEPT:
            line.stopped(facts, ruling, now)
            return ruling
        judged = line.asked(facts, ruling, now) or ruling
        if judged.verdict is not Verdict.ACCEPT:
            # No answer comes to a password in it, which says nothing of whose it is.
            self.memory.attempts.stopped(facts, now.mono)
        return judged

    def _use_line(self) -> Line:
        """Return the line, judged by the settings in force."""
        world, rules, _, _, monitor, terms = self.settings
        self.line.use(world, rules, terms, monitor=monitor)
        return self.line

    def _learn(
        self, facts: Facts, ruling: Ruling, indev: int, now: Instant
    ) -> Ruling | None:
        """Look at what passes for passwords, and for how they were answered."""
        settings, signins = self.settings, self.signins
        rules, monitor = settings.rules, settings.monitor
        if facts.message.method is not None:
            if facts.side == "outside":
                return signins.tried(facts, ruling, rules, now, monitor=monitor)
            if facts.source not in settings.world.inside:
                self.memory.seen_inside(facts.source, now.mono)
            signins.standing.asked(facts, now.mono)
            return None
        # Of clients, answers from outside say nothing: anybody can write one. In a
        # capture nobody knows where a packet came in.
        if facts.side == "outside":
            signins.standing.answered(facts, now.mono)
        if not rules.learning or (indev > 0 and facts.side == "outside"):
            return None
        return signins.learnt(facts, rules, now, side=self.side, monitor=monitor)

    def _count(self, ruling: Ruling) -> None:
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

    def rule_on(self, facts: Facts, now: Instant | None = None) -> Ruling:
        """Say what is done with one message, without remembering it.

        Rules that count are asked only if `now` says when: they do remember.
        """
        settings = self.settings
        world = settings.world
        source = facts.packet.src
        number = facts.number_ruling
        if number is not None and self._exempt(facts, number):
            why = facts.placed(number.why)
            return Ruling(Verdict.ACCEPT, None, why, number.source)
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
                facts.placed(number.why),
                "block",
                monitor=world.numbers.only_logs,
            )

        held: Ruling | None = None
        message = facts.message
        for rule in settings.rules.candidates(message.method, message.status):
            signature = rule.match(facts)
            if signature is None or overridden(rule, facts):
                continue
            if (
                rule.judges == "destination"
                and now is not None
                and self.line.opened(facts, now.mono)
            ):
                continue
            count = 0
            if rule.count is not None:
                if now is None or facts.hearsay:
                    continue
                if not self.signins.may_count(facts, now):
                    continue
                memory = self.signins.under(settings.rules)
                count = memory.requested(rule, facts, now.mono)
                if not count:
                    continue
            only_logs = rule.judges == "destination" and world.numbers.only_logs
            why = rule.explain(facts, signature, count)
            ruling = self._enforced(
                facts,
                rule.verdict,
                rule.id,
                facts.placed(why) if rule.judges == "destination" else why,
                "bundle",
                monitor=rule.monitor or only_logs,
            )
            if rule.ban is not None and now is not None:
                ruling = self.signins.with_ban(ruling, rule, facts, now)
            if ruling.would is None:
                return ruling
            held = held or ruling
        if held is not None:
            return held

        anomaly = facts.message.anomaly
        if anomaly is not None and settings.policy.malformed is Verdict.DROP:
            return self._enforced(facts, Verdict.DROP, None, anomaly, "default")
        if number is not None:
            why = facts.placed(number.why)
            return Ruling(Verdict.ACCEPT, None, why, number.source)
        return _ACCEPTED

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
        monitor |= self.settings.monitor
        return enforced(facts, verdict, rule, reason, source, monitor=monitor)
