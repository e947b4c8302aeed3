"""The live agent: the queue in, verdicts out, the kernel left as it was found.

The only module that reads clocks and the only one that issues verdicts; both happen
in `_packet`, once for each packet, whatever goes wrong in between. Everything it
knows of SIP is the engine.
"""

import os
import select
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Final

import netfilterqueue

from ringfence import report
from ringfence.config import Config, assemble, read_config
from ringfence.decision import Finding, Verdict
from ringfence.engine import Engine, Settings
from ringfence.errors import KernelError, RingfenceError
from ringfence.eventlog import EventLog
from ringfence.netfilter import notices
from ringfence.netfilter.control import Control
from ringfence.netfilter.nft import Code, Plan
from ringfence.netfilter.queue import Queue, losses
from ringfence.packet import LINKTYPE_RAW, Instant, Packet

COUNTERS_EVERY: Final = 300.0
"""Seconds between two `counters` events; each costs a line in the router's log."""

DRAIN: Final = 1.0
"""Seconds that packets still in the queue get to be judged when the agent stops."""

_CAP_NET_ADMIN: Final = 12
_CODES: Final = {
    Verdict.ACCEPT: Code.PASS,
    Verdict.REJECT: Code.REJECT,
    Verdict.DROP: Code.DROP,
}


def _now() -> Instant:
    return Instant(time.monotonic(), time.time())  # noqa: TID251 - the one clock


def require_privilege(status: Path = Path("/proc/self/status")) -> None:
    """Raise `KernelError` unless this process may administer the network."""
    for line in status.read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff" and int(value, 16) >> _CAP_NET_ADMIN & 1:
            return
    raise KernelError(
        "this needs the capability CAP_NET_ADMIN; run it as root or give it to the "
        "service"
    )


def _plan(config: Config, settings: Settings) -> Plan:
    return Plan(
        queue=config.kernel_queue,
        sip_ports=config.network_sip_ports,
        mark=config.kernel_mark,
        responses=settings.rules.wants_responses,
    )


class Daemon:
    """One running agent."""

    def __init__(self, config_path: Path | None, rules_dir: Path | None) -> None:
        """Read and check everything; nothing is in the kernel yet."""
        self._config_path = config_path
        self._rules_dir = rules_dir
        self._config = read_config(config_path)
        require_privilege()
        self._control = Control()
        self.engine = Engine(assemble(self._config, rules_dir))
        self._log = EventLog(sys.stdout.fileno(), self._config.log_max_per_second)
        self._mark_rest = ~self._config.kernel_mark & 0xFFFFFFFF
        self._codes: dict[Verdict, int] = {}
        self._stop = False
        self._reload = False
        self._internal_errors = 0
        self._wan: list[str] = []
        self._queue: Queue

    def run(self) -> None:
        """Protect until SIGTERM or SIGINT; raises `KernelError` if it cannot begin."""
        config = self._config
        wake, waker = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._signalled)

        links = notices.LinkNotices()
        tables = notices.TableNotices()
        self._queue = Queue(
            config.kernel_queue, config.kernel_queue_length, self._packet
        )
        plan = _plan(config, self.engine.settings)
        self._speak(plan)
        self._watch_links()
        try:
            self._control.install(plan)
        except KernelError:
            self._queue.close()
            raise
        tables.deleted()
        self._ready("ready")
        try:
            self._loop(wake, links, tables)
        finally:
            self._leave()
            links.close()
            tables.close()

    def _loop(
        self, wake: int, links: notices.LinkNotices, tables: notices.TableNotices
    ) -> None:
        poll = select.poll()
        for source in (wake, self._queue, links, tables):
            poll.register(source, select.POLLIN)
        due = time.monotonic() + COUNTERS_EVERY
        while not self._stop:
            ready = {fd for fd, _ in poll.poll(max(0.0, due - time.monotonic()) * 1000)}
            if wake in ready:
                os.read(wake, 4096)
            if self._queue.fileno() in ready:
                self._queue.read()
            if links.fileno() in ready:
                links.drain()
                self._watch_links()
            if tables.fileno() in ready and tables.deleted():
                self._reinstall()
            if self._reload:
                self._reload = False
                self._reconfigure()
            if time.monotonic() >= due:
                due += COUNTERS_EVERY
                self._counters()

    def _packet(self, packet: netfilterqueue.Packet) -> None:
        """Judge one packet and give it its one verdict."""
        verdict = self.engine.settings.policy.internal_error
        try:
            now = _now()
            data = packet.get_payload()
            decision = self.engine.inspect(
                Packet(data, LINKTYPE_RAW, len(data), packet.indev), now
            )
            verdict = decision.verdict
            if report.worst(decision):
                self._log_decision(decision.findings, now)
        except Exception as error:  # our bug: it must not decide over a call
            self._internal_error(error)
        finally:
            packet.set_mark(packet.get_mark() & self._mark_rest | self._codes[verdict])
            packet.accept()  # the enforce chain acts on the mark

    def _log_decision(self, findings: tuple[Finding, ...], now: Instant) -> None:
        for finding in findings:
            if finding.ruling.stops and self._log.admits(now):
                full = self._config.log_full_numbers
                record = report.message_record(finding, full_numbers=full)
                self._log.event("decision", now, **record)

    def _internal_error(self, error: Exception) -> None:
        self._internal_errors += 1
        if self._internal_errors & (self._internal_errors - 1) == 0:  # 1, 2, 4, 8, …
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            where = (
                "?"
                if trace is None
                else f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
            )
            self._log.event(
                "notice",
                _now(),
                notice="internal-error",
                error=f"{type(error).__name__} at {where}",
                count=self._internal_errors,
                verdict=self.engine.settings.policy.internal_error.word,
            )

    def _speak(self, plan: Plan) -> None:
        """Write verdicts into the mark as the ruleset of that plan reads them."""
        self._mark_rest = ~plan.mark & 0xFFFFFFFF
        self._codes = {verdict: plan.bits(code) for verdict, code in _CODES.items()}

    def _watch_links(self) -> None:
        """Learn again which interfaces face strangers."""
        names = list(self._config.network_wan) or notices.default_route_interfaces()
        self.engine.outside_interfaces = notices.interface_indexes(names)
        if names != self._wan:
            self._wan = names
            self._log.event("notice", _now(), notice="wan", wan=names)

    def _reinstall(self) -> None:
        """Put the ruleset back after somebody deleted it (`fw4 stop` deletes all)."""
        try:
            self._control.install(_plan(self._config, self.engine.settings))
            self._log.event("notice", _now(), notice="table-reinstalled")
        except KernelError as error:
            self._log.event("notice", _now(), notice="table-lost", error=str(error))

    def _reconfigure(self) -> None:
        """Take the configuration anew; keep the old one when it has a flaw."""
        try:
            config = read_config(self._config_path)
            if config.kernel_queue != self._config.kernel_queue:
                raise KernelError("kernel.queue can only be changed by a restart")
            settings = assemble(config, self._rules_dir)
            plan = _plan(config, settings)
            self._control.refill(plan)
        except RingfenceError as error:
            self._log.event(
                "reload", _now(), ok=False, problems=str(error).splitlines()
            )
            return
        self._speak(plan)
        self.engine.settings = settings
        self._config = config
        self._log.limit(config.log_max_per_second)
        self._watch_links()
        self._ready("reload", ok=True)

    def _ready(self, kind: str, **fields: object) -> None:
        settings = self.engine.settings
        self._log.event(
            kind,
            _now(),
            **fields,
            mode=self._config.mode,
            queue=self._config.kernel_queue,
            statement=self._control.statement,
            wan=self._wan,
            home=sorted(settings.world.home),
            rules=[rule.id for rule in settings.rules.rules],
        )

    def _counters(self) -> None:
        self._log.event(
            "counters",
            _now(),
            **report.summary_record(self.engine.counters),
            internal_errors=self._internal_errors,
            log_suppressed=self._log.suppressed,
            log_unwritten=self._log.unwritten,
            queue_overruns=self._queue.overruns,
            kernel_queue=losses(self._queue.number),
        )

    def _leave(self) -> None:
        """Judge what still waits, then take everything out of the kernel."""
        self._control.quiet()
        poll = select.poll()
        poll.register(self._queue, select.POLLIN)
        until = time.monotonic() + DRAIN
        while time.monotonic() < until and poll.poll(0):
            self._queue.read()
        self._counters()
        self._control.remove()
        self._queue.close()

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reload = True
        else:
            self._stop = True
