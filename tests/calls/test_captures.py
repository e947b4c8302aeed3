"""Calls in captures of others: through a proxy, refreshed, refused, asked for a fax."""

from pathlib import Path

import pytest
from builders import REPOSITORY
from ringfence.calls import CallView, Event
from ringfence.config import assemble, parse_config
from ringfence.engine import Engine
from ringfence.facts import Facts
from ringfence.packet import Instant
from ringfence.pcap import open_capture

CAPTURES = REPOSITORY.parent / "shared/corpus/pcaps"
SETTINGS = assemble(parse_config("", "test"))._replace(monitor=True)


def events(name: str) -> list[Event]:
    path = CAPTURES / name
    if not path.exists():
        pytest.skip(f"no capture at {path}")
    return follow(path)


def follow(path: Path) -> list[Event]:
    """Return all that the calls of a capture come to, a month later."""
    engine, view = Engine(SETTINGS), CallView()
    found: list[Event] = []
    now = Instant(0.0, 0.0)
    with open_capture(path) as capture:
        for _, wall, packet in capture:
            now = Instant(wall, wall)
            for finding in engine.inspect(packet, now).findings:
                assert isinstance(finding.facts, Facts)
                found += view.seen(finding.facts, now)
            found += view.tick(now)
    for days in range(1, 7):
        found += view.tick(Instant(now.mono + days * 100_000, 0.0))
    assert view.bare
    return found


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "ends"),
    [
        # One call at four places: two of a proxy's, one behind a session controller.
        ("ndpi-fax-t38.pcap", [("bye", 76.9)] * 3),
        # Before and behind a proxy that does not ask for the BYE.
        ("sipnab-sip-proxy.pcap", [("bye", 2.2)] * 2),
        ("sipnab-register-invite-reinvite-bye.pcap", [("bye", 2.1)]),
        # Challenged first; one INVITE more than calls.
        ("sipnab-Asterisk_ZFONE_XLITE.pcap", [("bye", 16.0)]),
        ("sipnab-sip-over-tcp.pcap", [("bye", 2.2)]),
        # The capture ends while it runs.
        ("sipnab-h263-over-rtp.pcap", [("lost", 0.0)]),
        # Challenged, cancelled, busy, dialled again: nobody ever answers.
        (
            "ndpi-sip.pcap",
            [("cancelled", 0.0)] + [("refused", 0.0)] * 4,
        ),
    ],
)
def test_calls_in(name: str, ends: list[tuple[str, float]]) -> None:
    found = events(name)
    ended = [call for kind, call in found if kind == "ended"]
    assert sorted((call.why, round(call.talked(0), 1)) for call in ended) == ends
    assert sum(kind == "begun" for kind, _ in found) == len(ends)
