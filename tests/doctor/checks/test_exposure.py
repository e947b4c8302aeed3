"""A port that is open for nobody."""

from typing import Any

import pytest
from doctoring import AGENT, DAY, DEBIAN, HEALTHY, NOW, agent, one
from ringfence.doctor.finding import Finding
from ringfence.doctor.readings import Readings, Unread


def seen(readings: Readings = HEALTHY, **changes: Any) -> Finding:
    record = {**AGENT["exposure"], **changes}
    return one("exposure", readings, agent=agent(exposure=record))


@pytest.mark.parametrize(
    ("strangers", "days", "honest", "state"),
    [
        (0, 30, None, "fine"),
        (0, 3, None, "fine"),
        (5, 29, None, "note"),
        (5, 30, None, "warning"),
        (5, 30, NOW - 30 * DAY, "warning"),
        (5, 30, NOW - 30 * DAY + 1, "fine"),
        (5, 3, NOW - DAY, "fine"),
        (0, 30, NOW - DAY, "fine"),
    ],
)
def test_exposure(strangers: int, days: int, honest: int | None, state: str) -> None:
    said = seen(strangers_30d=strangers, days_watched=days, honest_outside_last=honest)
    assert said.state == state


def test_an_agent_that_does_not_count_is_unknown() -> None:
    old = {name: value for name, value in AGENT.items() if name != "exposure"}
    for found, why in (
        (old, "this agent does not count them"),
        (None, "no agent runs"),
        (Unread("not root"), "not root"),  # there may be one
    ):
        said = one("exposure", agent=found)
        assert said.state == "unknown"
        assert said.what.endswith(f"is not known: {why}")


def test_what_to_type_names_the_sections_of_openwrt() -> None:
    opened = ("firewall.@redirect[0]", "firewall.sip")
    said = seen(HEALTHY._replace(uci_openings=opened), strangers_30d=5)
    for section in opened:
        assert f"uci set {section}.enabled=0" in said.do
    assert "uci commit firewall; /etc/init.d/firewall reload" in said.do
    none_found = seen(strangers_30d=5)
    assert any(command.startswith("uci show firewall") for command in none_found.do)


@pytest.mark.parametrize(
    ("firewall", "word"),
    [
        ("ufw", "ufw delete"),
        ("firewalld", "--remove-port=5060/udp"),
        ("", "nft -a list ruleset"),
    ],
)
def test_what_to_type_elsewhere(firewall: str, word: str) -> None:
    machine = DEBIAN._replace(firewall=firewall)
    said = seen(HEALTHY._replace(machine=machine), strangers_30d=5)
    assert any(word in command for command in said.do)
