"""Calls of a known length over the trunk: SIPp as a PBX without a proxy, and as carrier.

How long they lasted is read in what SIPp wrote down of its own messages; the agent has
no part in that.
"""

import re
from datetime import datetime
from itertools import count
from typing import Any, Final, NamedTuple

from lab.addresses import PBX, SIP_PORT, TRUNK
from lab.namespaces import Namespace, Process, wait_until
from lab.network import Lab
from lab.peers import HERE

OFFICE: Final = "0312345600"
"""Who calls, as the trunk knows it."""

_PATIENCE: Final = 20
"""Seconds beyond its length within which a call is over; a machine may be busy."""

_ports = count(5_071)

_MESSAGE = re.compile(
    r"^-{20,} (\d{4}-\d\d-\d\d)[ \t]+(\d\d:\d\d:\d\d\.\d+).*\n"
    r"\w+ message (sent|received).*\n\n(.*)",
    re.M,
)
"""When, which way, first line."""


class Said(NamedTuple):
    """A message that a SIPp sent or received."""

    when: float
    """Seconds since 1970."""
    sent: bool
    line: str


class Talk:
    """One call, made by a program that runs beside the test."""

    def __init__(
        self,
        lab: Lab,
        namespace: Namespace,
        address: str,
        server: str,
        number: str,
        *,
        scenario: str = "talk",
        seconds: float = 0.1,
        user: str = OFFICE,
        transport: str = "u1",
    ) -> None:
        """Begin it; `seconds` is how long it is talked, or rings."""
        port = next(_ports)
        self.number = number
        self._seconds = seconds
        self._log = lab.folder / f"{scenario}-{port}.messages"
        self._process = lab.start(
            namespace,
            *_sipp(scenario, address, port, seconds, transport),
            *("-m", "1", "-key", "user", user, "-key", "number", number),
            *("-timeout", str(int(seconds) + _PATIENCE), "-timeout_error"),
            *("-trace_msg", "-message_file", str(self._log)),
            f"[{server}]:{SIP_PORT}" if ":" in server else f"{server}:{SIP_PORT}",
        )

    def said(self) -> list[Said]:
        """Return its messages so far."""
        if not self._log.exists():
            return []
        text = self._log.read_text(errors="replace")
        return [
            Said(
                datetime.fromisoformat(f"{day}T{time[:15]}").timestamp(),
                way == "sent",
                line.strip(),
            )
            for day, time, way, line in _MESSAGE.findall(text)
        ]

    @property
    def answers(self) -> list[int]:
        """Final answers that it heard."""
        lines = [one.line for one in self.said() if not one.sent]
        found = [int(line[8:11]) for line in lines if line.startswith("SIP/2.0 ")]
        return [status for status in found if status >= 200]

    def wait_answer(self) -> None:
        """Wait until somebody has picked up, or it is refused."""
        wait_until(lambda: bool(self.answers), _PATIENCE, f"{self.number} answers")

    def wait(self) -> bool:
        """Wait until it is over; tell whether it went as it should."""
        return self._process.wait(self._seconds + _PATIENCE + 5) == 0

    @property
    def text(self) -> str:
        """What it printed and said."""
        said = "\n".join(map(str, self.said()))
        return f"{self._process.text()[-1000:]}\n{said}"

    @property
    def talked(self) -> float:
        """Seconds from the first 200 to the first BYE, whoever sent them."""
        said = self.said()
        up = next(one.when for one in said if one.line.startswith("SIP/2.0 200"))
        return next(one.when for one in said if one.line.startswith("BYE ")) - up


def out(lab: Lab, number: str, seconds: float = 0.1, **more: Any) -> Talk:
    """Let the PBX inside call over its trunk."""
    server = more.pop("server", TRUNK)
    return Talk(lab, lab.inside, PBX, server, number, seconds=seconds, **more)


def refused(lab: Lab, number: str) -> bool:
    """Let the PBX inside call; tell whether it heard 403 from us and took it."""
    before = lab.outside_wire.position()
    call = out(lab, number, scenario="refused")
    went = call.wait()
    assert went is (call.answers == [403]), call.text
    left = lab.outside_wire.find(
        sent=False, start=b"INVITE ", has=number.encode(), since=before
    )
    return went and not left


def passes(lab: Lab, number: str) -> bool:
    """Let the PBX inside call; tell whether it was answered and hung up."""
    return out(lab, number).wait()


def poland(*tails: int) -> list[str]:
    """Return numbers in Poland, each in another range."""
    return [f"01048{tail}0123456" for tail in tails]


def start_carrier(
    lab: Lab,
    namespace: Namespace,
    address: str,
    scenario: str = "trunk",
    seconds: float = 0.1,
    transport: str = "u1",
) -> Process:
    """Start who takes calls at an address; return when it listens."""
    process = lab.start(
        namespace,
        *_sipp(scenario, address, SIP_PORT, seconds, transport),
        *("-aa", "-nd"),
    )
    kind = "tcp" if transport == "t1" else "udp"
    process.wait_bound(SIP_PORT, address, transport=kind)
    return process


def _sipp(
    scenario: str, address: str, port: int, seconds: float, transport: str
) -> list[str]:
    return [
        *("sipp", "-sf", str(HERE / "scenarios" / f"{scenario}.xml")),
        *("-i", address, "-bind_local", "-p", str(port), "-mi", address),
        *("-d", str(round(seconds * 1000)), "-t", transport, "-nostdin"),
    ]
