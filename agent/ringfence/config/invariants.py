"""What no configuration and no bundle may take away: calls to numbers that always pass.

Knows which numbers those are and how they are dialled; asks the pieces that were made
for the engine about each. The engine lets such calls pass whatever a rule says. This is
the second lock: pieces that would have it otherwise are refused, before they judge
anything, with the number named.
"""

from collections.abc import Iterable, Iterator

from ringfence.decision import Verdict
from ringfence.errors import BundleError
from ringfence.facts import Facts, World
from ringfence.facts.numbers.dialplan import Dialplan
from ringfence.facts.numbers.emergency import SPECIAL_FORMS
from ringfence.facts.numbers.forms import parse_form
from ringfence.packet import Datagram
from ringfence.rules import Rule
from ringfence.sip.message import Message

MAX_OF_A_FORM = 200
"""Numbers tried of one form: all of 1XX, a hundred of #XXXX."""

_INSIDE = bytes([192, 168, 0, 1])
_ROUTER = bytes([192, 168, 0, 254])
_OF_A_CALL = ("ACK", "CANCEL", "PRACK", "UPDATE", "BYE")
"""Without these a call that was let pass does not come about, or does not end."""
_REQUEST = b"""%(method)b sip:%(user)b@192.168.0.254 SIP/2.0
Via: SIP/2.0/UDP 192.168.0.1:5060;branch=z9hG4bK1
Max-Forwards: 70
From: <sip:201@192.168.0.254>;tag=1
To: <sip:%(user)b@192.168.0.254>
Call-ID: 1@192.168.0.1
CSeq: 1 %(method)b
Contact: <sip:201@192.168.0.1>
Content-Length: 0

""".replace(b"\n", b"\r\n")


def always_passing(plan: Dialplan) -> Iterator[str]:
    """Give the numbers of a plan's country that nothing may stop.

    All emergency numbers; of each form of special numbers at most `MAX_OF_A_FORM`.
    """
    yield from plan.builtin.emergency
    for text, _ in SPECIAL_FORMS.get(plan.country, ()):
        numbers = [""]
        for place in parse_form(text).places:
            if len(numbers) * len(place) > MAX_OF_A_FORM:
                numbers = [
                    number + place[at % len(place)] for at, number in enumerate(numbers)
                ]
            else:
                numbers = [number + char for number in numbers for char in place]
        yield from numbers


def refuse_what_stops_help(world: World, rules: Iterable[Rule]) -> None:
    """Raise `BundleError` if a call to a number that always passes might be stopped.

    Asked are the numbers as they are, the emergency numbers behind each digit for an
    outside line, and `sip:sos@`. A rule is refused if it would stop a call about which nothing is
    remarkable but the number; what rules count is not asked, as no such call is counted.
    """
    reader = world.reader
    emergency = reader.plan.builtin.emergency
    problems: list[str] = []
    dialled = list(always_passing(reader.plan))
    dialled += [line + number for line in reader.outside_line for number in emergency]
    dialled.append("sos")
    stopping = [rule for rule in rules if _stops_requests(rule)]
    for number in dialled:
        facts = _request("INVITE", number, world)
        ruling = facts.number_ruling
        if ruling is None or ruling.status != "exempt":
            said = "nothing" if ruling is None else ruling.why
            problems.append(f"numbers: {number} would not pass ({said})")
        asked = {"INVITE": facts}
        if number in emergency:
            asked |= {one: _request(one, number, world) for one in _OF_A_CALL}
        for rule in list(stopping):
            for method, about in asked.items():
                if method in (rule.methods or asked) and rule.match(about) is not None:
                    problems.append(
                        f"rules.{rule.id}: would stop {method} of a call to {number};"
                        " expected a rule that leaves emergency and special numbers"
                        " alone"
                    )
                    stopping.remove(rule)  # one number names the problem
                    break
    if problems:
        raise BundleError("\n".join(problems))


def _stops_requests(rule: Rule) -> bool:
    return (
        rule.on == "request"
        and rule.count is None
        and rule.verdict is not Verdict.ACCEPT
    )


def _request(method: str, number: str, world: World) -> Facts:
    """Make the facts of a request from inside."""
    user = number.replace("#", "%23").encode()
    raw = _REQUEST % {b"method": method.encode(), b"user": user}
    packet = Datagram(_INSIDE, _ROUTER, 5060, 5060, raw, False)
    return Facts(world, packet, "inside", Message(raw))
