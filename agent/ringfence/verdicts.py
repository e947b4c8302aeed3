"""The one verdict on each queued packet, whatever goes wrong on the way to it.

Knows the queue's packets, the bits of the mark, and what is logged of a decision.
All judgement is the engine's; the clock is the daemon's.
"""

from collections.abc import Callable
from pathlib import Path

from ringfence import report
from ringfence.calls.events import CallOver
from ringfence.decision import Decision, Verdict, Whom
from ringfence.engine import Engine
from ringfence.errors import KernelError
from ringfence.eventlog import EventLog
from ringfence.netfilter import bans
from ringfence.netfilter.answering import Answering
from ringfence.netfilter.marks import BANS, VERDICTS
from ringfence.netfilter.nft import Plan
from ringfence.netfilter.queue import QueuedPacket
from ringfence.netfilter.severing import Severing
from ringfence.packet import LINKTYPE_RAW, Instant, Packet, Segment
from ringfence.probes import Probes
from ringfence.refusals import ABSORBED, next_back, reachable, to_answer
from ringfence.told import told_record, told_text


class Verdicts:
    """Gives verdicts by the mark, and tells the log and the conntrack of them."""

    def __init__(self, engine: Engine, log: EventLog, severing: Severing) -> None:
        """Be ready but for the mark: `speak` has to be called first."""
        self.engine = engine
        self.log = log
        self.full_numbers = False
        """Show telephone numbers whole in the log."""
        self.bans = 0
        """Packets that made the kernel ban somebody."""
        self.internal_errors = 0
        """Packets that met a flaw of ours."""
        self.probes = Probes()
        self.answering: Answering | None = None
        """None while refused callers hear nothing; see `open_answering`."""
        self.notify: Callable[[report.Record, str, Instant], None] | None = None
        """Tells others of incidents and budgets, by a record and a sentence."""
        self._plan: Plan | None = None
        self._severing = severing
        self._mark_rest = 0xFFFFFFFF
        self._verdict_bits: dict[Verdict, int] = {}
        self._ban_bits: dict[tuple[Verdict, int, Whom], int] = {}

    def speak(self, plan: Plan) -> None:
        """Write verdicts into the mark as the ruleset of that plan reads them."""
        self._mark_rest = ~plan.mark & 0xFFFFFFFF
        self._verdict_bits = {
            verdict: plan.bits(code) for verdict, code in VERDICTS.items()
        }
        self._ban_bits = {said: plan.bits(code) for said, code in BANS.items()}
        self._plan = plan
        if self.answering is not None:
            self.answering.speak(plan)

    def open_answering(self, now: Instant) -> None:
        """Become able to answer refused callers, if that is wanted; else say why not.

        Without it they are dropped in silence, which protects as well.
        """
        wanted = self.engine.settings.policy.reject_status
        if not wanted or self.answering is not None or self._plan is None:
            return
        try:
            self.answering = Answering()
        except KernelError as error:
            self.log.event("notice", now, notice="no-answers", error=str(error))
        else:
            self.answering.speak(self._plan)

    def answers(self) -> dict[str, int]:
        """Return what became of refused requests, and of the ACKs of their answers."""
        sender = self.answering
        return {
            "answered": 0 if sender is None else sender.answered,
            "answers_failed": 0 if sender is None else sender.failed,
            "answers_held": 0 if sender is None else sender.held,
            "acks_absorbed": self.engine.refusals.absorbed,
        }

    def close(self) -> None:
        """Give up what `open_answering` opened."""
        if self.answering is not None:
            self.answering.close()

    def give(self, packet: QueuedPacket, now: Instant) -> None:
        """Judge one packet and give it its one verdict."""
        bits = self._verdict_bits[self.engine.settings.policy.internal_error]
        try:
            data = packet.get_payload()
            probes = self.probes
            if probes.expecting and probes.catches(data, packet.indev, now.mono):
                bits = self._verdict_bits[Verdict.DROP]  # it must not get any further
                return
            decision = self.engine.inspect(
                Packet(data, LINKTYPE_RAW, len(data), packet.indev), now
            )
            bits = self._verdict_bits[decision.verdict]
            if decision.ban is not None:
                bits = self._ban(decision, decision.ban, now)
            if report.worst(decision):
                self._tell(decision, now)
            if self.answering is not None and decision.verdict is not Verdict.ACCEPT:
                self._answer(self.answering, decision, data, packet.indev, now)
        except Exception as error:  # our bug: it must not decide over a call
            self._internal_error(error, now)
        finally:
            packet.set_mark(packet.get_mark() & self._mark_rest | bits)
            packet.accept()  # the enforce chain acts on the mark

    def _answer(
        self,
        answering: Answering,
        decision: Decision,
        data: bytes,
        indev: int,
        now: Instant,
    ) -> None:
        """Let a refused caller inside know; nobody else ever hears of us."""
        engine = self.engine
        status = engine.settings.policy.reject_status
        strangers = engine.outside_interfaces
        if not status or not reachable(indev, strangers):
            return
        if decision.reason == "refused-flow":
            answering.reset(data, indev, now)
        refused = to_answer(decision, indev, strangers)
        if refused is None:
            return
        unit, back = refused.facts.packet, None
        if isinstance(unit, Segment):
            back = next_back(engine.intake.streams, unit, now.mono)
        answering.refuse(refused, data, indev, status, now, next_back=back)

    def _ban(self, decision: Decision, whom: Whom, now: Instant) -> int:
        """Return the bits that make the kernel ban, and note what goes with it."""
        ban_s = decision.ban_s
        bits = self._ban_bits.get((decision.verdict, ban_s, whom))
        if bits is None or self.engine.settings.monitor:
            return self._verdict_bits[decision.verdict]
        finding = max(decision.findings, key=lambda finding: finding.ruling.ban_s)
        packet = report.packet_of(finding)
        address = packet.src if whom == "src" else packet.dst
        self.bans += 1
        self._severing.add(address)
        if self.log.admits(now):
            self.log.event(
                "ban",
                now,
                address=bans.network_text(address),
                ban_s=ban_s,
                rule=finding.ruling.rule,
                reason=finding.ruling.reason,
            )
        return bits

    def _tell(self, decision: Decision, now: Instant) -> None:
        """Log what was stopped: messages, or a packet that could not be read."""
        drops = self.engine.counters.drops.get(decision.reason, 0)
        if drops and drops & (drops - 1) == 0:  # 1, 2, 4, 8, …
            reason = decision.reason
            self.log.event(
                "notice", now, notice="packet-dropped", reason=reason, count=drops
            )
        for finding in decision.findings:
            if finding.ruling is ABSORBED:
                continue  # its INVITE is in the log
            if finding.ruling.stops and self.log.admits(now):
                record = report.message_record(finding, full_numbers=self.full_numbers)
                self.log.event("decision", now, **record)

    def tell_calls(self, now: Instant) -> None:
        """Log what became of calls, what was closed or opened, what was spent."""
        currency = self.engine.settings.terms.currency
        for told in self.engine.told():
            if isinstance(told, CallOver) and not self.log.admits(now):
                continue
            record = told_record(told, currency, full_numbers=self.full_numbers)
            kind = str(record.pop("type"))
            self.log.event(kind, now, **record)
            if self.notify is not None and not isinstance(told, CallOver):
                self.notify({"type": kind, **record}, told_text(told, currency), now)

    def _internal_error(self, error: Exception, now: Instant) -> None:
        self.internal_errors += 1
        if self.internal_errors & (self.internal_errors - 1) == 0:  # 1, 2, 4, 8, …
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            where = (
                "?"
                if trace is None
                else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
            )
            self.log.event(
                "notice",
                now,
                notice="internal-error",
                error=f"{type(error).__name__} at {where}",
                count=self.internal_errors,
                verdict=self.engine.settings.policy.internal_error.word,
            )
