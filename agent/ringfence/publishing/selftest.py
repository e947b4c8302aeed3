"""What a bundle has to show before it is activated: its own vectors, and ours.

Knows what no author of a bundle may change: calls for help pass in every way that is
documented, an honest phone registers, everyday calls meet no rule. Runs in a process of
its own with limits (`ringfence.bundle.selftest`), under the site's configuration.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ringfence.bundle.selftest import LIMITS, Limits, run
from ringfence.errors import ConfigError

if TYPE_CHECKING:
    from ringfence.bundle.checker import Bundle
    from ringfence.config import Config
    from ringfence.engine import Settings

EVERYDAY: Final = {
    "JP": ("0312345678", "0612345678", "09012345678", "05012345678", "0120123456"),
    "US": ("2125550123", "12125550123", "18005550123"),
    "CA": ("4165550123", "14165550123", "18005550123"),
    "GB": ("02079460123", "07700900123", "08081570123"),
    "DE": ("03023125123", "015123456789", "08001234567"),
    "FR": ("0142345678", "0612345678", "0800123456"),
    "AU": ("0291234567", "0412345678", "1800123456"),
    "SG": ("61234567", "81234567", "18001234567"),
    "KR": ("0212345678", "01012345678", "0801234567"),
}
"""Numbers that an office dials, by the country of its dial plan."""
_EXTENSION: Final = "201"

_PHONE: Final = "192.168.0.20"
_ROUTER: Final = "192.168.0.254"


def try_out(bundle: "Bundle", config: "Config", limits: Limits = LIMITS) -> None:
    """Try a checked bundle out under a configuration; returns when it has passed.

    Raises `BundleError` with what it failed in, `RingfenceError` when it could not be
    tried.
    """
    run(lambda: trouble(bundle, config), limits)


def trouble(bundle: "Bundle", config: "Config") -> list[str]:
    """Say what a checked bundle fails in; nothing when it may be activated.

    Raises `BundleError` as `assemble` does.
    """
    from ringfence.bundle.embedded import read_text
    from ringfence.bundle.layout import VECTORS
    from ringfence.bundle.opening import Archived
    from ringfence.bundle.vectors import parse_vectors
    from ringfence.config import assemble, parse_config
    from ringfence.proving import run_vectors

    class Candidate(Archived):
        """A bundle whose country table does not go to where the agent's lies."""

        kept = False

    source = Candidate(bundle, "bundle")
    try:
        settings = assemble(config, source)
    except ConfigError as error:
        return [f"does not go with this site: {problem}" for problem in error.problems]
    problems = [*without_help(settings), *without_hits(settings)]
    if problems:
        return problems

    def settings_of(site: str) -> "Settings":
        return assemble(parse_config(site, VECTORS), source)

    vectors = parse_vectors(read_text(source, VECTORS), VECTORS)
    return run_vectors(vectors, settings_of, VECTORS)


def without_help(settings: "Settings") -> Iterator[str]:
    """Say which calls for help would not pass."""
    from ringfence.config.invariants import always_passing

    reader = settings.world.reader
    emergency = reader.plan.builtin.emergency
    numbers = list(always_passing(reader.plan))
    ways = [f"sip:{_escaped(number)}@{_ROUTER}" for number in numbers]
    ways += [
        f"sip:{line}{number}@{_ROUTER}"
        for line in reader.outside_line
        for number in emergency
    ]
    ways += [f"tel:{number};phone-context=+{reader.plan.code}" for number in emergency]
    ways += ["urn:service:sos", "urn:service:sos.fire", f"sip:sos@{_ROUTER}"]
    for uri in ways:
        for method in ("INVITE", "ACK", "CANCEL", "BYE"):
            stopped = _stopped(settings, _request(method, uri), _PHONE)
            if stopped:
                yield f"a call for help: {method} {uri}: {stopped}: expected accept"
                break
    home = _somebody_home(settings)
    for number in emergency if home else ():
        uri = f"sip:{number}@{_ROUTER}"
        stopped = _stopped(settings, _request("INVITE", uri, host=home), home)
        if stopped:
            yield f"a call for help from {home}: INVITE {uri}: {stopped}: expected accept"


def without_hits(settings: "Settings") -> Iterator[str]:
    """Say which everyday messages would meet a rule of the bundle.

    What the site's own lists stop is the site's business.
    """
    for sender, what, message in _everyday(settings):
        hit = _hit(settings, message, sender)
        if hit:
            yield f"everyday {what} from {sender}: {hit}: expected no rule to match"


def _everyday(settings: "Settings") -> Iterator[tuple[str, str, str]]:
    reader = settings.world.reader
    home = _somebody_home(settings)
    numbers = (_EXTENSION, *EVERYDAY.get(reader.plan.country, ()))
    yield _PHONE, "REGISTER", _request("REGISTER", f"sip:{_ROUTER}")
    for method in ("OPTIONS", "SUBSCRIBE", "NOTIFY", "PUBLISH", "MESSAGE", "INFO"):
        yield _PHONE, method, _request(method, f"sip:{_EXTENSION}@{_ROUTER}")
    for number in numbers:
        for method in ("INVITE", "ACK", "PRACK", "UPDATE", "CANCEL", "BYE"):
            uri = f"sip:{number}@{_ROUTER}"
            yield _PHONE, f"{method} {uri}", _request(method, uri)
    for status in ("100 Trying", "180 Ringing", "183 Progress", "200 OK", "486 Busy"):
        yield _PHONE, status, _response(status)
    if home:
        uri = f"sip:{_EXTENSION}@{_ROUTER}"
        register = _request("REGISTER", f"sip:{_ROUTER}", host=home)
        yield home, "REGISTER", register
        yield home, "REGISTER with a password", _with_password(register)
        for method in ("INVITE", "ACK", "BYE", "OPTIONS"):
            yield home, f"{method} {uri}", _request(method, uri, host=home)
        for status in ("180 Ringing", "200 OK", "401 Unauthorized", "486 Busy"):
            yield home, status, _response(status)


def _somebody_home(settings: "Settings") -> str:
    """Find an address in a home country; "" when the table has none."""
    from ringfence.facts.network import format_address

    world = settings.world
    for first, last in world.countries.each_range4(world.home):
        address = min(first + 10, last - 1).to_bytes(4)
        if address not in world.inside and not world.blocked(address):
            return format_address(address)
    return ""


def _escaped(number: str) -> str:
    return number.replace("#", "%23")


def _request(method: str, uri: str, *, host: str = _PHONE) -> str:
    return (
        f"{method} {uri} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {host}:5060;branch=z9hG4bK-1;rport\r\n"
        "Max-Forwards: 70\r\n"
        f"From: <sip:{_EXTENSION}@{_ROUTER}>;tag=1\r\nTo: <{uri}>\r\n"
        f"Call-ID: 1@{host}\r\nCSeq: 1 {method}\r\n"
        f"Contact: <sip:{_EXTENSION}@{host}:5060>\r\n"
        "Content-Length: 0\r\n\r\n"
    )


def _with_password(request: str) -> str:
    digest = (
        f'Authorization: Digest username="{_EXTENSION}", realm="pbx", nonce="n1", '
        f'uri="sip:{_ROUTER}", response="0123456789abcdef0123456789abcdef"\r\n'
    )
    return request.replace("Content-Length", digest + "Content-Length", 1)


def _response(status: str) -> str:
    return (
        f"SIP/2.0 {status}\r\n"
        f"Via: SIP/2.0/UDP {_ROUTER}:5060;branch=z9hG4bK-1\r\n"
        f"From: <sip:{_EXTENSION}@{_ROUTER}>;tag=1\r\n"
        f"To: <sip:{_EXTENSION}@{_ROUTER}>;tag=2\r\n"
        f"Call-ID: 1@{_ROUTER}\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
    )


def _stopped(settings: "Settings", message: str, sender: str) -> str:
    """Say what stops a message, also where it would only be logged; "" for nothing."""
    from ringfence.decision import Verdict
    from ringfence.proving import judge

    decision = judge(message, sender, settings)
    for finding in decision.findings:
        ruling = finding.ruling
        if ruling.verdict is not Verdict.ACCEPT or ruling.would is not None:
            return f"stopped by {ruling.rule or ruling.source} ({ruling.reason})"
    if decision.verdict is not Verdict.ACCEPT:
        return f"stopped ({decision.reason})"
    return ""


def _hit(settings: "Settings", message: str, sender: str) -> str:
    from ringfence.proving import judge

    for finding in judge(message, sender, settings).findings:
        ruling = finding.ruling
        if ruling.rule is not None and ruling.source == "bundle":
            return f"{ruling.rule} ({ruling.reason})"
    return ""
