"""Who may go on trying passwords: what counting rules make of attempts and answers.

Between the rules' memory, which counts, and the engine, which decides on everything
else. Knows rules that learn from answers, bans and guards; it must not know packets,
flows or the order of judgement.
"""

from collections.abc import Callable
from typing import Final

from ringfence.decision import Ruling, Verdict
from ringfence.facts import Facts
from ringfence.facts.attempts import Kind, Sent
from ringfence.facts.standing import Standing
from ringfence.packet import Instant, Segment
from ringfence.rules import Rule, RuleSet
from ringfence.rules.memory import Memory
from ringfence.rules.outcome import enforced, overridden

_NO_LIMIT: Final = 1 << 30


class SignIns:
    """Judges attempts to sign in, and learns from how they went."""

    def __init__(self) -> None:
        """Start with nothing remembered."""
        self.memory = Memory()
        """What counting rules remember; outlives a reload as far as rules stay."""
        self.standing = Standing()

    def under(self, rules: RuleSet) -> Memory:
        """Return the memory, in step with the rules that are in force."""
        self.memory.use(rules)
        return self.memory

    def may_count(self, facts: Facts, now: Instant) -> bool:
        """Tell whether somebody can be counted, and so banned, at all."""
        return (
            facts.side == "outside"
            and not self.memory.inside(facts.source, now.mono)
            and not facts.world.allowed(facts.source)
        )

    def weigh(self, facts: Facts, now: Instant) -> None:
        """Note of a request from outside whether it is hearsay."""
        facts.hearsay = self.standing.hearsay(facts, now.mono)

    def banned(self, facts: Facts, now: Instant) -> Ruling | None:
        """Drop what a banned source sends, as the kernel does.

        Live, that is what was queued before the ban; in a capture, all of it.
        """
        bans = self.memory.bans
        if bans.none(now.mono):
            return None
        left = bans.left(facts.network, now.mono)
        if not left or not self.may_count(facts, now):
            return None
        reason = f"the source is banned for another {left:.0f} s"
        return Ruling(Verdict.DROP, "banned", reason, "bundle")

    def tried(
        self,
        facts: Facts,
        ruling: Ruling,
        rules: RuleSet,
        now: Instant,
        *,
        monitor: bool,
    ) -> Ruling | None:
        """Hold a password back if it is one too many; note it if it goes on.

        `ruling` is what the rules say of the request that carries it.
        """
        if not rules.learning or facts.message.credentials is None:
            return None
        if not self.may_count(facts, now):
            return None
        memory = self.under(rules)
        self._note_silence(facts, rules, now)
        rule = rules.guessing
        if ruling.source == "builtin":  # an emergency call, whatever else it tries
            memory.attempts.sent(facts, now.mono, _NO_LIMIT)
            return None
        guard = memory.guarded(facts, now.mono)
        if guard is not None:
            why = f"{facts.account} is under attack: only sources known for it"
            return enforced(facts, Verdict.DROP, guard, why, "bundle", monitor=monitor)
        if rule is None or rule.count is None:
            memory.attempts.sent(facts, now.mono, _NO_LIMIT)
            return None
        monitor |= rule.monitor
        failed = memory.failures(rule, facts, now.mono)
        # What waits may fail as well: a guesser that sends on while the first answers
        # come in must not get a new try for each of them.
        left = rule.count.most - failed
        if left <= 0:
            why = rule.explain(facts, "", failed)
        elif memory.attempts.sent(facts, now.mono, left) is Sent.TOO_MANY:
            why = f"{left} sign-ins to {facts.account} still wait for an answer"
        else:
            return None
        held = enforced(facts, rule.verdict, rule.id, why, "bundle", monitor=monitor)
        return self.with_ban(held, rule, facts, now) if left <= 0 else held

    def learnt(
        self,
        facts: Facts,
        rules: RuleSet,
        now: Instant,
        *,
        side: Callable[[bytes, int], str],
        monitor: bool,
    ) -> Ruling | None:
        """Count what an answer says of whom it is for; `facts` are the answer's.

        `side` tells the client's by its address alone, for want of its request.
        """
        memory = self.under(rules)
        if facts.message.status in (401, 407):
            self.standing.challenged(facts, now.mono)
        outcome = memory.attempts.answered(facts, now.mono)
        if outcome is None:
            return None
        seen = outcome.side or side(outcome.client, -1)
        client = facts.about(outcome.client, seen, outcome.account)
        if outcome.kind is Kind.SUCCESS:
            self.standing.welcome(client.network, now.mono)
        elif outcome.side is None or isinstance(facts.packet, Segment):
            client.hearsay = self.standing.told_over(facts, client.network, now.mono)
        else:
            client.hearsay = outcome.hearsay
        if memory.bans.left(client.network, now.mono):
            return None
        if not self.may_count(client, now):
            return None
        first: Ruling | None = None
        for hit in list(memory.learn(outcome, client, now.mono)):
            if overridden(hit.rule, client):
                continue
            held = hit.rule.monitor or monitor
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
                ruling = self.with_ban(ruling, hit.rule, client, now)
                first = ruling if first is None or ruling.ban_s else first
        return first

    def with_ban(
        self, ruling: Ruling, rule: Rule, facts: Facts, now: Instant
    ) -> Ruling:
        """Let a ban begin with a ruling, unless monitoring holds it back.

        Hearsay bans nobody: else whoever forges an address could have it banned.
        """
        if rule.ban is None or ruling.would is not None or facts.hearsay:
            return ruling
        ban_s = self.memory.bans.ban(facts.network, rule.ban, now.mono)
        return ruling._replace(ban_s=ban_s)

    def _note_silence(self, facts: Facts, rules: RuleSet, now: Instant) -> None:
        """Count the attempts that a server left unanswered while it was there."""
        for outcome in self.memory.attempts.late(now.mono):
            side = outcome.side or "outside"
            client = facts.about(outcome.client, side, outcome.account)
            client.hearsay = outcome.hearsay
            if self.may_count(client, now):
                self.under(rules).note(outcome, client, now.mono)
