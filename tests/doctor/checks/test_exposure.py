"""A port that is open for nobody."""

from typing import Any

import pytest
from doctoring import AGENT, DAY, DEBIAN, HEALTHY, NOW, agent, config, one
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
    ("firewall", "opens", "closes"),
    [
        ("ufw", "ufw allow from $net to any port 5080", "ufw delete allow 5080"),
        ("firewalld", "--add-rich-rule", "--remove-port=5080/tcp"),
        ("", "# ip saddr { INSIDE", "delete rule"),
    ],
)
def test_elsewhere_phones_inside_are_let_in_before_anything_is_closed(
    firewall: str, opens: str, closes: str
) -> None:
    """Behind one interface, the rule for strangers is the phones' own, too."""
    machine = DEBIAN._replace(firewall=firewall)
    there = HEALTHY._replace(
        machine=machine,
        configured=config(
            '[network]\nsip_ports = [5060, 5080]\ninside = ["203.0.113.0/24"]\n'
        ),
    )
    typed = list(seen(there, strangers_30d=5).do)
    first = next(at for at, command in enumerate(typed) if opens in command)
    provider = max(at for at, one in enumerate(typed) if "PROVIDER" in one)
    shut = min(at for at, command in enumerate(typed) if closes in command)
    assert first <= provider < shut
    for command in typed:
        assert command.startswith("#") or "PROVIDER" not in command, "not to be typed"
    if firewall:
        assert "192.168.0.0/16" in typed[first]
        assert "203.0.113.0/24" in typed[first]
    assert any("TLS" in command and "5061" in command for command in typed)


def test_a_phone_counts_where_the_date_is_not_known() -> None:
    blind = HEALTHY._replace(clock=Unread("no files"))
    said = seen(blind, strangers_30d=5, honest_outside_last=NOW - DAY)
    assert said.state == "fine"
