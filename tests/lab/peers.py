"""Real SIP programs for the lab: Kamailio, SIPp and sipvicious.

Knows how each is called and how its answer is read; what it sends is its own.
"""

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from lab.addresses import (
    PBX,
    PBX6,
    SIP_PORT,
    TRUNK,
    TRUNK6,
    WAN,
)
from lab.namespaces import Namespace, Process
from lab.network import Lab

HERE: Final = Path(__file__).parent
PASSWORDS: Final[Mapping[str, str]] = {
    "201": "correct-horse-201",
    "202": "battery-staple-202",
}
"""Two extensions of the PBX, as kamailio.cfg has them."""

OFFICE: Final = range(300, 360)
"""Sixty more, for many phones at once."""

_CALL_SECONDS: Final = 8
"""Longer than Kamailio waits for a callee (fr_timer): the phone hears its answer."""
_SCANNER_PORT: Final = 5070


class Result(NamedTuple):
    """How one run of a SIP program went."""

    ok: bool
    """It got what it wanted: the scenario went through, or the scan found something."""
    answers: list[str]
    """Status codes that a phone received, 100 left out; what a scan found."""
    text: str


def password_of(user: str) -> str:
    """Return the password of an extension, as kamailio.cfg has it."""
    if user in PASSWORDS:
        return PASSWORDS[user]
    assert int(user) in OFFICE
    return f"office-phone-{user}"


Scanner = Callable[[Lab, str, str], Result]
"""svmap or svwar, from an address, at a target."""


def start_registrar(lab: Lab) -> Process:
    """Start Kamailio inside, UDP and TCP, IPv4 and IPv6; return when it listens."""
    advertise = f"/{WAN}:{SIP_PORT}" if lab.nat else ""
    listen = [
        option
        for transport in ("udp", "tcp")
        for address in (f"{PBX}:{SIP_PORT}{advertise}", f"[{PBX6}]:{SIP_PORT}")
        for option in ("-l", f"{transport}:{address}")
    ]
    folder = lab.folder / "kamailio"
    folder.mkdir(exist_ok=True)
    process = lab.start(
        lab.inside,
        *("kamailio", "-DD", "-E", "-m", "16", "-M", "4"),
        *("-f", str(HERE / "kamailio.cfg"), "-w", str(folder), "-Y", str(folder)),
        *("-A", f'TRUNK="{TRUNK}"', "-A", f'TRUNK6="[{TRUNK6}]"'),
        *listen,
    )
    for address in (PBX, PBX6):
        process.wait_bound(SIP_PORT, address)
    return process


def start_trunk(lab: Lab) -> None:
    """Start SIPp outside, IPv4 and IPv6, as the carrier that answers every call."""
    for address in (TRUNK, TRUNK6):
        process = lab.start(
            lab.outside, *_sipp("trunk", address, SIP_PORT), "-aa", "-nd", "-nostdin"
        )
        process.wait_bound(SIP_PORT, address)


def register(
    lab: Lab,
    namespace: Namespace,
    address: str,
    registrar: str,
    *,
    user: str = "201",
    transport: str = "u1",
    timeout: int = _CALL_SECONDS,
) -> Result:
    """Let a phone at `address` register; `timeout` in whole seconds."""
    return _phone(
        lab, namespace, "register", address, registrar, user, "", transport, timeout
    )


def call(
    lab: Lab,
    namespace: Namespace,
    address: str,
    registrar: str,
    number: str,
    *,
    user: str = "201",
    transport: str = "u1",
    timeout: int = _CALL_SECONDS,
) -> Result:
    """Let a phone at `address` call a number through the PBX."""
    return _phone(
        lab, namespace, "call", address, registrar, user, number, transport, timeout
    )


def hear_refusal(
    lab: Lab,
    namespace: Namespace,
    address: str,
    server: str,
    number: str,
    *,
    by_pbx: bool = False,
    user: str = "201",
    transport: str = "u1",
) -> Result:
    """Let a phone call a number; ok when it hears 403 and has acknowledged it."""
    scenario = "refused-by-pbx" if by_pbx else "refused"
    return _phone(
        lab,
        namespace,
        scenario,
        address,
        server,
        user,
        number,
        transport,
        _CALL_SECONDS,
    )


def svmap(lab: Lab, address: str, target: str) -> Result:
    """Look for SIP devices from outside; ok when it found one."""
    return _sipvicious(lab, "svmap", address, target)


def svwar(lab: Lab, address: str, target: str) -> Result:
    """Guess extensions 195 to 209 from outside; ok when it found one."""
    return _sipvicious(lab, "svwar", address, "-e", "195-209", target)


def svcrack(lab: Lab, address: str, target: str, words: Path) -> Result:
    """Try every password of a list for 201 from outside; ok when one fits.

    It goes on for three seconds without any answer (ten, left to itself).
    """
    options = ("--maximumtime", "3", "-u", "201", "-d", str(words))
    return _sipvicious(lab, "svcrack", address, *options, target)


def _sipp(scenario: str, address: str, port: int) -> list[str]:
    return [
        *("sipp", "-sf", str(HERE / "scenarios" / f"{scenario}.xml")),
        *("-i", address, "-bind_local", "-p", str(port), "-mi", address),
    ]


def _phone(
    lab: Lab,
    namespace: Namespace,
    scenario: str,
    address: str,
    registrar: str,
    user: str,
    number: str,
    transport: str,
    timeout: int,
) -> Result:
    log = lab.folder / f"{scenario}-{len(list(lab.folder.iterdir()))}.messages"
    remote = f"[{registrar}]" if ":" in registrar else registrar
    process = lab.start(
        namespace,
        *_sipp(scenario, address, SIP_PORT),
        *("-t", transport, "-m", "1", "-nostdin"),
        *("-key", "user", user, "-key", "number", number or "none"),
        *("-au", user, "-ap", password_of(user)),
        *("-timeout", str(timeout), "-timeout_error"),
        *("-trace_msg", "-message_file", str(log)),
        f"{remote}:{SIP_PORT}",
    )
    code = process.wait(timeout + 10)
    text = log.read_text(errors="replace") if log.exists() else ""
    statuses = re.findall(r"^SIP/2\.0 (\d{3})", text, re.M)
    answers = [status for status in statuses if status != "100"]
    return Result(code == 0, answers, process.text() + text)


def _sipvicious(lab: Lab, tool: str, address: str, *arguments: str) -> Result:
    home = lab.folder / f"home-{len(list(lab.folder.iterdir()))}"
    home.mkdir()
    # svwar 0.3.8 ignores its option for the source address; the route decides then.
    with lab.outside_speaks_as(address):
        process = lab.start(
            lab.outside,
            str(Path(sys.executable).with_name(f"sipvicious_{tool}")),
            *("-x", address, "-P", str(_SCANNER_PORT), "-p", str(SIP_PORT), *arguments),
            environment={"HOME": str(home)},
        )
        process.wait(30)
    rows = re.findall(r"^\| (\S+) +\| ", process.text(), re.M)
    found = [cell for cell in rows if cell[0].isdigit()]
    return Result(bool(found), found, process.text())
