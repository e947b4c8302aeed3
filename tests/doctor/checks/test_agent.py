"""The agent: configured, running, and what it lost."""

import pytest
from doctoring import (
    DEBIAN,
    HEALTHY,
    agent,
    config,
    counting,
    found,
    one,
    ruleset,
    settings,
    states,
)
from ringfence.doctor.readings import Configured, Unread


def test_every_error_of_the_configuration_is_told() -> None:
    broken = Configured(
        "/etc/ringfence/ringfence.toml", settings(""), ("x: mode = 1", "x: y = 2")
    )
    said = one("configuration", configured=broken)
    assert said.state == "problem"
    assert "mode = 1" in said.what
    assert "y = 2" in said.what


def test_no_file_is_a_note() -> None:
    assert states("configuration", configured=Configured(None)) == ["note"]


@pytest.mark.parametrize(
    ("mode", "others", "expected"),
    [
        (0o644, False, ["fine"]),
        (0o600, False, ["fine"]),
        (0o664, False, ["fine", "warning"]),
        (0o646, False, ["fine", "warning"]),
        (0o644, True, ["fine", "warning"]),
    ],
)
def test_who_may_change_the_configuration(
    mode: int, others: bool, expected: list[str]
) -> None:
    there = config("")._replace(mode=mode, others=others)
    assert states("configuration", configured=there) == expected


def test_no_agent_is_a_problem_and_how_to_start_it_depends_on_the_system() -> None:
    assert one("agent", agent=None).state == "problem"
    assert "/etc/init.d/ringfence enable" in "".join(one("agent", agent=None).do)
    there = HEALTHY._replace(machine=DEBIAN)
    assert "systemctl enable" in "".join(one("agent", there, agent=None).do)
    elsewhere = HEALTHY._replace(machine=DEBIAN._replace(system="other"))
    assert one("agent", elsewhere, agent=None).do == ("ringfence run",)


def test_an_agent_that_may_not_be_asked_is_unknown() -> None:
    said = one("agent", agent=Unread("only root may speak to the agent"))
    assert said.state == "unknown"
    assert "only root" in said.what


def test_the_agent_says_what_it_runs_on() -> None:
    assert "version 42 of epoch 1 (a)" in one("agent").what
    embedded = agent(rules_from={"source": "embedded", "problems": []})
    assert "embedded ones" in one("agent", agent=embedded).what


def test_internal_errors_are_a_warning() -> None:
    assert states("agent", agent=agent(internal_errors=2)) == ["fine", "warning"]


def test_monitoring_stops_nothing() -> None:
    said = one("mode", agent=agent(mode="monitor"))
    assert said.state == "note"
    assert "stops nothing" in said.what


def test_a_mode_that_was_not_taken_up_is_a_warning() -> None:
    assert one("mode", configured=config('mode = "monitor"')).state == "warning"


def test_the_configured_mode_counts_without_an_agent() -> None:
    there = config('mode = "monitor"')
    assert one("mode", agent=None, configured=there).state == "note"
    assert one("mode", agent=None).state == "fine"


def test_watching_numbers_is_a_note() -> None:
    watching = config('[numbers]\nprofile = "watch"')
    assert one("mode", configured=watching).state == "note"


def test_packets_that_met_no_agent() -> None:
    assert one("unheard").state == "fine"
    assert one("unheard", agent=agent(unheard_before=3)).state == "note"
    assert one("unheard", agent=agent(lost_before=3)).state == "note"
    assert one("unheard", agent=None, ruleset=counting(unheard=9)).state == "warning"
    assert "9 packets" in one("unheard", agent=None, ruleset=counting(unheard=9)).what
    assert one("unheard", agent=None, ruleset=counting()).state == "note"
    assert found("unheard", agent=None, ruleset=ruleset(own=False)) == []
    assert one("unheard", ruleset=Unread("why")).state == "unknown"


@pytest.mark.parametrize(
    ("queue", "unheard", "state"),
    [
        ({"full": 0, "unsent": 0}, 0, "fine"),
        ({"full": 1, "unsent": 0}, 0, "warning"),
        ({"full": 0, "unsent": 1}, 0, "warning"),
        ({"full": 0, "unsent": 0}, 5, "fine"),
        ({"full": 0, "unsent": 0}, 6, "warning"),
    ],
)
def test_a_full_queue(queue: dict[str, int], unheard: int, state: str) -> None:
    """What passed unheard before this agent listened, 5 here, is not its queue's."""
    running = agent(kernel_queue=queue, unheard_before=5)
    assert (
        one("losses", agent=running, ruleset=counting(unheard=unheard)).state == state
    )


def test_a_log_that_is_not_whole() -> None:
    assert one("log").state == "fine"
    assert one("log", agent=agent(log_suppressed=1)).state == "note"
    assert one("log", agent=agent(log_unwritten=1)).state == "warning"


@pytest.mark.parametrize(
    ("toml", "length", "lines"),
    [
        ("", "queue_length = 16384", "max_per_second = 100"),
        (
            "[kernel]\nqueue_length = 40000\n[log]\nmax_per_second = 5000\n",
            "queue_length = 65535",
            "max_per_second = 10000",
        ),
    ],
)
def test_what_is_too_little_is_never_made_less(
    toml: str, length: str, lines: str
) -> None:
    running = agent(log_suppressed=1, kernel_queue={"full": 1})
    there = HEALTHY._replace(configured=config(toml))
    assert length in "".join(one("losses", there, agent=running).do)
    assert lines in "".join(one("log", there, agent=running).do)
    longest = config("[kernel]\nqueue_length = 65535\n")
    assert "queue_length" not in "".join(
        one("losses", configured=longest, agent=running).do
    )


def test_a_restart_comes_after_a_look_at_the_configuration() -> None:
    """What does not start again protects nobody."""
    said = one("log", agent=agent(log_unwritten=1))
    assert said.do == ("ringfence check && /etc/init.d/ringfence restart",)
