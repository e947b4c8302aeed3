"""What lines that call abroad a lot, or oddly, lose to the rules about calls: the table.

    python tests/honest_lines.py [WEEKS]     Markdown, as in the README

Each line begins with an agent that knows nothing of it, in the default configuration,
and again with what its owner is expected to set. What is stopped has no consequences.
Numbers lie in ranges that nobody has been assigned, where that is known.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "pcaps")]

from builders import udp  # noqa: E402
from chance import Chance  # noqa: E402
from office_days import DAY_S, date_of, day_of, midnight  # noqa: E402
from ringfence.calls.events import Incident  # noqa: E402
from ringfence.decision import Verdict  # noqa: E402
from ringfence.engine import Engine  # noqa: E402
from ringfence.packet import Instant  # noqa: E402
from theft_figures import in_japan, site  # noqa: E402

PBX: Final = "192.168.50.2"
TRUNKS: Final = ("198.51.100.100", "198.51.100.101", "198.51.100.102")
FIRST: Final = day_of(2026, 9, 7)
"""A Monday; the days off around the 21st are no matter here."""

STARTS: Final = {
    **{
        "US": "1212",
        "GB": "4420",
        "DE": "4930",
        "FR": "3319",
        "IT": "3906",
        "ES": "3491",
    },
    **{
        "TW": "8862",
        "KR": "8225",
        "CN": "8621",
        "HK": "8525",
        "SG": "6565",
        "TH": "6625",
    },
    **{
        "VN": "8424",
        "ID": "6221",
        "PH": "6325",
        "AU": "6125",
        "IN": "9111",
        "MY": "6035",
    },
    **{
        "CH": "4144",
        "NL": "3120",
        "CA": "1613",
        "BR": "5511",
        "MX": "5255",
        "NZ": "6495",
    },
    **{
        "SE": "4685",
        "FI": "3589",
        "AT": "4315",
        "TR": "9021",
        "NP": "9771",
        "AE": "9714",
    },
    **{"PL": "4822", "ZA": "2711"},
}
COUNTRIES: Final = tuple(STARTS)

SEEDS: Final = 3
"""Lines of each kind."""


class Dialled(NamedTuple):
    """One call to be made."""

    begin: float
    """Seconds since the first midnight."""
    number: str
    """E.164 without its plus; as it is dialled when it begins with 0."""
    talked: float | None = 180.0
    """None: it only rings, for `rings` seconds."""
    rings: float = 12.0
    status: int = 487
    """Of a call that is not answered."""
    trunk: int = 0
    says_bye: bool = True


class Figures(NamedTuple):
    """What became of one line's calls."""

    made: int
    """Abroad."""
    hindered: int
    closures: Counter[str]
    """By rule."""


class Line(NamedTuple):
    """Somebody who telephones."""

    name: str
    calls: Callable[[int, int], Iterator[Dialled]]
    """Given a day from 0, and a seed."""
    owner: str = ""
    """What he sets, as TOML."""
    weeks: float = 1.0
    """Times as many weeks as asked for."""


def to(chance: Chance, country: str, many: int = 40) -> str:
    """Give one of a country's numbers."""
    return f"{STARTS[country]}{chance.whole(0, many - 1) * 110_011 + 5_501_000:07}"


def works(day: int) -> bool:
    """Tell whether a day is one from Monday to Friday."""
    return date_of(FIRST + day).weekday() < 5


def _by_day(
    name: str,
    count: float,
    countries: int,
    hours: tuple[float, float] = (9.0, 18.0),
    median: float = 180.0,
    *,
    weekends: bool = False,
) -> Callable[[int, int], Iterator[Dialled]]:
    """Call some of the first countries, those first most often; two in five call in vain."""

    def calls(day: int, seed: int) -> Iterator[Dialled]:
        chance = Chance(name, seed, day)
        if not (weekends or works(day)):
            return
        for _ in range(chance.times(count)):
            country = chance.favour(COUNTRIES[:countries])
            begin = 3_600 * chance.between(*hours)
            number = to(chance, country)
            for _ in range(3):
                if chance.happens(0.7):
                    talked = chance.around(median, 1.0, 5_400)
                    yield Dialled(begin, number, talked)
                    break
                yield Dialled(begin, number, None, status=486)
                if chance.happens(0.5):
                    break
                begin += chance.between(60, 900)

    return calls


def importer(day: int, seed: int) -> Iterator[Dialled]:
    """One partner, with one number for each of his people."""
    chance = Chance("importer", seed, day)
    if works(day):
        for _ in range(chance.whole(4, 12)):
            number = f"86215550{chance.whole(0, 29):04}"
            begin = 3_600 * chance.between(10, 18)
            yield Dialled(begin, number, chance.around(200, 0.8, 3_000))


def fax(day: int, seed: int) -> Iterator[Dialled]:
    """Orders and invoices, twice a day, each of half a minute to a minute and a half."""
    chance = Chance("fax", seed, day)
    if works(day):
        for hour in (11, 17):
            for at in range(chance.whole(4, 9)):
                country = chance.favour(("TW", "HK", "CN", "US"))
                number = to(chance, country, 6)
                yield Dialled(3_600 * hour + at * 100, number, chance.between(25, 90))


def family(day: int, seed: int) -> Iterator[Dialled]:
    """The grandparents, on a Sunday every month, and once after a summer without."""
    if day % 28 == 6 and not 60 < day < 130:
        yield Dialled(20 * 3_600, "63255501234", 2_400.0)


def redialling(day: int, seed: int) -> Iterator[Dialled]:
    """A PBX that calls again by itself, every half minute, whom it finds busy."""
    chance = Chance("redial", seed, day)
    if works(day):
        for _ in range(3):
            begin = 3_600 * chance.between(9, 17)
            number = to(chance, chance.favour(COUNTRIES[:4]))
            for _ in range(chance.whole(1, 12)):
                yield Dialled(begin, number, None, 2.0, 486)
                begin += 32
            yield Dialled(begin, number, 240.0)


def conference(day: int, seed: int) -> Iterator[Dialled]:
    """Ten people in six countries, called at once every Tuesday."""
    if date_of(FIRST + day).weekday() == 1:
        chance = Chance("who confers", seed)
        for at in range(10):
            number = to(chance, COUNTRIES[at % 6])
            yield Dialled(16 * 3_600 + at * 0.3, number, 3_000.0)


def failover(day: int, seed: int) -> Iterator[Dialled]:
    """An office whose trunks are out on Wednesdays; each call is tried on all three."""
    chance = Chance("failover", seed, day)
    if works(day):
        for _ in range(5):
            begin = 3_600 * chance.between(9, 17)
            number = to(chance, chance.favour(COUNTRIES[:4]), 8)
            if date_of(FIRST + day).weekday() == 2 and begin < 13 * 3_600:
                for again in range(2):
                    for trunk in range(3):
                        late = again * 90 + trunk * 5.0
                        yield Dialled(begin + late, number, None, 4.0, 503, trunk)
            else:
                yield Dialled(begin, number, 240.0)


def restarting(day: int, seed: int) -> Iterator[Dialled]:
    """An office whose PBX is restarted on Fridays while people talk; all call again."""
    chance = Chance("restart", seed, day)
    if works(day):
        for at in range(4):
            country = COUNTRIES[at % 4]
            number = to(chance, country, 8)
            if date_of(FIRST + day).weekday() == 4:
                begin = 14 * 3_600 + 40.0 * at
                yield Dialled(begin, number, 300.0, says_bye=False)
                yield Dialled(15 * 3_600 + 20.0 * at, number, 300.0)
            else:
                yield Dialled(3_600 * chance.between(9, 17), number, 300.0)


def closed(days: range) -> Callable[[int, int], Iterator[Dialled]]:
    """An office with partners in four countries, closed for some days."""
    open_ = _by_day("closed", 4, 4)
    return lambda day, seed: iter(()) if day in days else open_(day, seed)


def _budget(day: int, month: int) -> str:
    return f"[budget]\nday = {day}\nmonth = {month}\n"


_BUSY: Final = "[rules.country-surge]\nover = 8\n"
_FAX: Final = _BUSY + '[rules.short-call-burst]\nmode = "monitor"\n'
_CENTRE: Final = (
    _budget(200_000, 4_000_000)
    + "[rules.country-surge]\nover = 30\n[rules.country-rotation-first-week]\nover = 32\n"
)

LINES: Final = (
    Line("importer, one partner with numbers in a row", importer),
    Line(
        "trading house, 25 calls a day to 2 countries", _by_day("trade", 25, 2), _BUSY
    ),
    Line("fax gateway, 13 faxes a day", fax, _FAX),
    Line("family, one call a month", family, weeks=14),
    Line("office, PBX redials the busy", redialling),
    Line("weekly conference, 10 calls at once to 6 countries", conference),
    Line("office, trunks fail on Wednesdays", failover),
    Line("office, PBX restarts on Fridays", restarting),
    Line("office, closed for 12 days (Golden Week)", closed(range(14, 26)), weeks=2),
    Line("office, closed for 40 days", closed(range(14, 54)), weeks=4),
    Line("office, closed for 70 days", closed(range(14, 84)), weeks=5),
    Line(
        "hotel, 12 guests' calls to 32 countries",
        _by_day("hotel", 12, 32, (7, 23.5), 150, weekends=True),
        _budget(30_000, 400_000) + "[rules.country-rotation]\nover = 10\n",
    ),
    Line(
        "travel agency, 40 calls to 16 countries",
        _by_day("agency", 40, 16),
        _budget(60_000, 900_000) + "[rules.country-rotation-first-week]\nover = 16\n",
    ),
    Line(
        "call centre, 300 calls to 12 countries",
        _by_day("centre", 300, 12, (8, 22), 120),
        _CENTRE,
    ),
)


def packets(call: Dialled, name: str) -> Iterator[tuple[float, bytes]]:
    """Write a call's messages between the PBX and its trunk: when, and what."""
    trunk = TRUNKS[call.trunk]
    dialled = call.number if call.number[0] == "0" else f"010{call.number}"
    uri = f"sip:{dialled}@{trunk}"
    common = (
        f"Via: SIP/2.0/UDP {PBX}:5060;branch=z9hG4bK{name}{{0}}\r\n"
        f"From: <sip:0312345600@{PBX}>;tag=a{name}\r\n"
        f"To: <{uri}>{{1}}\r\nCall-ID: {name}@{PBX}\r\nCSeq: {{2}}\r\n"
        "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
    tag = f";tag=b{name}"

    def say(when: float, start: str, *rest: str) -> tuple[float, bytes]:
        text = f"{start}\r\n{common.format(*rest)}".encode()
        ends = (trunk, PBX) if start.startswith("SIP") else (PBX, trunk)
        return when, udp(text, *ends).data

    begin, answered = call.begin, call.begin + call.rings
    yield say(begin, f"INVITE {uri} SIP/2.0", "", "", "1 INVITE")
    yield say(begin + 0.1, "SIP/2.0 100 Trying", "", "", "1 INVITE")
    if call.talked is None:
        if call.status == 487:
            yield say(answered, f"CANCEL {uri} SIP/2.0", "", "", "1 CANCEL")
        yield say(answered + 0.1, f"SIP/2.0 {call.status} No", "", tag, "1 INVITE")
        yield say(answered + 0.2, f"ACK {uri} SIP/2.0", "", tag, "1 ACK")
        return
    yield say(
        begin + min(3.0, call.rings / 2), "SIP/2.0 180 Ringing", "", tag, "1 INVITE"
    )
    yield say(answered, "SIP/2.0 200 OK", "", tag, "1 INVITE")
    yield say(answered + 0.1, f"ACK {uri} SIP/2.0", "ack", tag, "1 ACK")
    if call.says_bye:
        end = answered + call.talked
        yield say(end, f"BYE {uri} SIP/2.0", "bye", tag, "2 BYE")
        yield say(end + 0.1, "SIP/2.0 200 OK", "bye", tag, "2 BYE")


def figures(engine: Engine, line: Line, days: int, seed: int) -> Figures:
    """Let a line's calls pass an agent, and count what became of them."""
    closures: Counter[str] = Counter()
    stopped: set[str] = set()
    made = 0
    start = midnight(FIRST)
    later: list[tuple[float, str, bytes]] = []
    for day in range(days):
        found = later
        for at, call in enumerate(line.calls(day, seed)):
            made += call.number[0] != "0"
            name = f"{day}x{at}"
            one = call._replace(begin=call.begin + day * DAY_S)
            found += [(when, name, data) for when, data in packets(one, name)]
        found.sort()
        later = [one for one in found if one[0] >= (day + 1) * DAY_S]
        # The agent ticks by itself, too, while nothing passes.
        found = found[: len(found) - len(later)]
        found += [(day * DAY_S + 900.0 * at, "", b"") for at in range(96)]
        for when, name, data in sorted(found):
            now = Instant(when, start + when)
            if not data:
                engine.tick(now)
            elif name not in stopped:
                packet = udp(b"")._replace(data=data, length=len(data))
                if engine.inspect(packet, now).verdict is not Verdict.ACCEPT:
                    stopped.add(name)
            closures.update(
                one.closure.rule
                for one in engine.told()
                if isinstance(one, Incident) and one.event == "opened"
            )
    return Figures(made, len(stopped), closures)


def run(line: Line, toml: str, weeks: float, seed: int = 0) -> Figures:
    """Run a line from its first day."""
    with tempfile.TemporaryDirectory() as folder, in_japan():
        engine = site(Path(folder), toml)
        return figures(engine, line, int(7 * weeks * line.weeks), seed)


def main() -> None:
    """Print the table."""
    weeks = float(sys.argv[1]) if sys.argv[1:] else 3.0
    rows = [
        f"| {SEEDS} of each, from its first day | weeks | calls abroad | hindered by default | closures "
        "| hindered as its owner sets it | closures |",
        "|---|---:|---:|---:|---|---:|---|",
    ]
    for line in LINES:
        cells = [line.name, f"{weeks * line.weeks:g}"]
        for toml in ("", line.owner) if line.owner else ("",):
            closures: Counter[str] = Counter()
            made = hindered = 0
            for seed in range(SEEDS):
                found = run(line, toml, weeks, seed)
                made, hindered = made + found.made, hindered + found.hindered
                closures += found.closures
            if not toml:
                cells.append(f"{made:,}")
            which = (f"{count} {rule}" for rule, count in closures.most_common())
            cells += [f"{hindered:,}", ", ".join(which) or "none"]
        cells += [""] * (7 - len(cells))
        rows.append(f"| {' | '.join(cells)} |")
    print("\n".join(rows))  # noqa: T201 - what it is for


if __name__ == "__main__":
    main()
