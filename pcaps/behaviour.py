"""Cases of the rules about calls: what a line does within minutes, hours and weeks.

Written like the others by `generate.py`. Each packet has its second, since these rules
are about time. Calls are those from the PBX inside to its trunk; numbers abroad are
those that the United States keep for films (555-01xx), or lie in ranges that nobody has
been assigned.
"""

from collections.abc import Iterator

from counting import talk
from generate import (
    JAPAN,
    JAPAN6,
    TRUNK,
    Fields,
    Frames,
    Timed,
    message,
    udp,
)

OFFICE = "192.168.50.2"
"""The PBX, inside."""
NUMBER = "0312345600"
"""The office's own."""
US, US_TOO = "01012125550123", "01014155550199"
BAHAMAS = "01012423225501"
"""On the watch list."""
SIERRA_LEONE = "01023240123456"
"""On the block list."""
COLOMBIA, POLAND, KENYA = "0105710123456", "01048101234567", "010254211234567"

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
TALK = 180.0

TimedCase = tuple[str, list[Timed]]


def call(
    at: float,
    number: str,
    talked: float | None = TALK,
    *,
    src: str = OFFICE,
    dst: str = TRUNK,
    user: str = NUMBER,
) -> list[Timed]:
    """Call somebody: INVITE, answer and BYE; `talked` None: it only rings."""
    name = f"{at:.0f}{number}"
    uri = f"sip:{number}@{dst}"
    base: Fields = {
        "Via": f"SIP/2.0/UDP {src}:5060;branch=z9hG4bK{name};rport",
        "From": f"<sip:{user}@{src}>;tag=a{name}",
        "To": f"<{uri}>",
        "Call-ID": f"{name}@{src}",
    }
    within: Fields = {**base, "To": f"<{uri}>;tag=b{name}"}

    def request(method: str, fields: Fields, number: int) -> Frames:
        head: Fields = {
            **fields,
            "CSeq": f"{number} {method}",
            "Max-Forwards": "70",
            "Contact": f"<sip:{user}@{src}:5060>",
            "Content-Length": "0",
        }
        return udp(message(f"{method} {uri} SIP/2.0", head), src, dst)

    def answer(status: str, method: str, number: int) -> Frames:
        head: Fields = {
            **within,
            "CSeq": f"{number} {method}",
            "Contact": f"<{uri}>",
            "Content-Length": "0",
        }
        return udp(message(f"SIP/2.0 {status}", head), dst, src)

    turns = [
        (0.0, request("INVITE", base, 1)),
        (1.0, answer("180 Ringing", "INVITE", 1)),
    ]
    if talked is not None:
        turns += [
            (5.0, answer("200 OK", "INVITE", 1)),
            (5.1, request("ACK", within, 1)),
            (5.0 + talked, request("BYE", within, 2)),
            (5.1 + talked, answer("200 OK", "BYE", 2)),
        ]
    return [(at + second, frame) for second, frames in turns for frame in frames]


def then(*parts: list[Timed]) -> list[Timed]:
    """Put calls on one line, in the order of their packets."""
    return sorted((one for part in parts for one in part), key=lambda one: one[0])


def every(seconds: float, *numbers: str, talked: float | None = TALK) -> list[Timed]:
    """Call one number after the other."""
    return then(
        *(call(at * seconds, number, talked) for at, number in enumerate(numbers))
    )


def later(days: float, found: list[Timed]) -> list[Timed]:
    """Let so many days pass before, in which nobody calls abroad."""
    home = call(0.0, "0312345678")
    return home + [(days * DAY + at, frame) for at, frame in found]


def country_surge() -> Iterator[TimedCase]:
    """One country, again and again."""
    yield "hit-four-in-half-an-hour", every(7 * MINUTE, *[US] * 5)
    numbers = [f"0101212555010{at}" for at in range(5)]
    yield "hit-nobody-answers", every(MINUTE, *numbers, talked=None)
    yield (
        "near-miss-the-same-again-when-nobody-answers",
        every(6 * MINUTE, *[US] * 5, talked=None),
    )
    yield "near-miss-three-in-half-an-hour", every(11 * MINUTE, *[US] * 6)
    yield (
        "near-miss-as-many-as-on-a-usual-day",
        then(
            *(call(at * 2 * HOUR, US) for at in range(8)),
            *(call(40 * HOUR + at * 5 * MINUTE, US) for at in range(4)),
        ),
    )


def country_surge_watch() -> Iterator[TimedCase]:
    """One country of the watch list."""
    yield "hit-three-in-an-hour", every(20 * MINUTE, *[BAHAMAS] * 3)
    yield "near-miss-two-in-an-hour", every(31 * MINUTE, *[BAHAMAS] * 4)


def country_rotation() -> Iterator[TimedCase]:
    """A country that was never called, and another, and another."""
    four = US, COLOMBIA, POLAND, KENYA
    yield "hit-four-in-a-day", later(7, every(3 * HOUR, *four))
    yield (
        "near-miss-three-in-a-day",
        later(7, every(3 * HOUR, *four[:3], *four[:3])),
    )
    yield "near-miss-four-in-two-days", later(7, every(9 * HOUR, *four))
    yield "near-miss-four-in-the-first-week", later(6, every(3 * HOUR, *four))


def first_week() -> Iterator[TimedCase]:
    """Many countries at once, on a line that nobody knows yet."""
    codes = (1212, 44207, 4930, 331, 3906, 3491, 8862, 8225, 6565)
    nine = [f"010{code}5550123" for code in codes]
    yield "hit-nine-in-an-hour", every(5 * MINUTE, *nine)
    yield "near-miss-eight-in-an-hour", every(8 * MINUTE, *nine)
    yield "near-miss-conference", every(1.0, *nine[:8])


def sequential_destinations() -> Iterator[TimedCase]:
    """One number of a range after the other."""
    numbers = [f"0101212555010{at}" for at in range(1, 6)]
    yield "hit-five-numbers", every(11 * MINUTE, *numbers)
    yield "near-miss-four-numbers", every(11 * MINUTE, *numbers[:4], *numbers[:2])
    yield "near-miss-one-number", every(11 * MINUTE, *[US] * 5)


def short_call_burst() -> Iterator[TimedCase]:
    """Calls of half a minute."""
    eight = [US] * 8
    yield "hit-half-a-minute", later(7, every(16 * MINUTE, *eight, talked=30.0))
    yield "near-miss-a-minute", later(7, every(16 * MINUTE, *eight, talked=61.0))
    yield "near-miss-nobody-answers", later(7, every(16 * MINUTE, *eight, talked=None))
    yield "near-miss-the-first-week", later(6, every(16 * MINUTE, *eight, talked=30.0))


def budget() -> Iterator[TimedCase]:
    """A call that is too dear; the cases' site has 5,000 yen a day."""
    yield (
        "hit-used-up",
        then(call(0.0, COLOMBIA, 40 * MINUTE), call(41 * MINUTE, US)),
    )
    yield (
        "near-miss-not-used-up",
        then(call(0.0, COLOMBIA, 20 * MINUTE), call(41 * MINUTE, US)),
    )
    yield (
        "near-miss-used-up-and-a-call-at-home",
        then(call(0.0, COLOMBIA, 40 * MINUTE), call(41 * MINUTE, "0312345678")),
    )


def dormant_international() -> Iterator[TimedCase]:
    """Nobody has called abroad for weeks."""
    yield "hit-nine-weeks", then(call(0.0, US), call(63 * DAY, POLAND))
    yield "near-miss-eight-weeks", then(call(0.0, US), call(56 * DAY, POLAND))
    yield "near-miss-whom-it-called-before", then(call(0.0, US), call(63 * DAY, US))
    yield "near-miss-never-before", call(63 * DAY, US)


def hours() -> Iterator[TimedCase]:
    """Calls on a Saturday; the cases' site calls abroad from Monday to Friday."""
    yield "hit-saturday", call(3 * DAY, US)
    yield "near-miss-wednesday", call(0.0, US)
    yield "near-miss-saturday-at-home", call(3 * DAY, "0312345678")


def call_through() -> Iterator[TimedCase]:
    """Calls that come in, and go on abroad."""

    def through(number: str, *, inbound: bool = True) -> list[Timed]:
        calls: list[list[Timed]] = []
        for at in range(4):
            begin = at * 16 * MINUTE
            if inbound:
                calls.append(
                    call(begin, NUMBER, src=TRUNK, dst=OFFICE, user="0612345671")
                )
            calls.append(call(begin + 20.0, number))
        return then(*calls)

    yield "hit-four-calls", through(US)
    yield "near-miss-nobody-called", through(US, inbound=False)
    yield "near-miss-on-to-a-number-at-home", through("0312345678")


def stopped_calls() -> Iterator[TimedCase]:
    """Calls that the block list stops, one after the other."""

    def refused(number: str) -> list[Timed]:
        return call(0.0, number)[:1]

    def in_turn(seconds: float, count: int) -> list[Timed]:
        return then(
            *(
                [(at * seconds, frame) for _, frame in refused(f"01023240{at:06d}")]
                for at in range(count)
            )
        )

    yield "hit-five-in-an-hour", in_turn(10 * MINUTE, 7)
    yield "near-miss-four-in-an-hour", in_turn(16 * MINUTE, 8)
    again = [(at * 8.0, frame) for at in range(4) for _, frame in refused(SIERRA_LEONE)]
    yield "near-miss-one-that-is-repeated", again
    yield "near-miss-calls-that-pass", every(16 * MINUTE, *[US] * 6)


def unusual_source() -> Iterator[TimedCase]:
    """An account whose password is used from elsewhere."""
    right = "right"

    def signed_in(at: float, src: str) -> list[Timed]:
        frames = talk(int(at) + 1, 200, src=src, password=right)
        return [(at + step / 50, frame) for step, frame in enumerate(frames)]

    def asked(at: float, src: str, status: int | None = 403) -> list[Timed]:
        pbx = "2001:db8:50::1" if ":" in src else "203.0.113.1"
        host = f"[{pbx}]" if ":" in pbx else pbx
        frames = talk(
            int(at) + 1,
            status,
            src=src,
            password=right,
            method="INVITE",
            uri=f"sip:{US}@{host}",
        )
        return [(at + step / 50, frame) for step, frame in enumerate(frames)]

    usual = signed_in(0.0, JAPAN)
    yield (
        "hit-another-network",
        then(usual, signed_in(26 * HOUR, JAPAN6), asked(27 * HOUR, JAPAN6, None)),
    )
    yield "near-miss-the-usual-network", then(usual, asked(27 * HOUR, JAPAN, 200))
    yield "near-miss-nobody-with-a-password", then(usual, asked(27 * HOUR, JAPAN6, 200))
    yield (
        "near-miss-a-country-that-is-called",
        then(
            usual,
            call(MINUTE, US_TOO),
            signed_in(26 * HOUR, JAPAN6),
            asked(27 * HOUR, JAPAN6, 200),
        ),
    )


RULES = {
    "budget": budget,
    "call-through": call_through,
    "country-rotation": country_rotation,
    "country-rotation-first-week": first_week,
    "country-surge": country_surge,
    "country-surge-watch": country_surge_watch,
    "dormant-international": dormant_international,
    "hours": hours,
    "sequential-destinations": sequential_destinations,
    "short-call-burst": short_call_burst,
    "stopped-calls": stopped_calls,
    "unusual-source": unusual_source,
}
