"""What the configuration makes of the kernel's part."""

import pytest
from builders import RULES
from ringfence.config import assemble, fails_open, first_plan, kernel_plan, parse_config
from ringfence.netfilter.nft import Home, Plan, render


def plan(text: str) -> Plan:
    config = parse_config(text, "test")
    return kernel_plan(config, assemble(config), ("wan",))


def test_defaults() -> None:
    made = plan("")
    assert (made.foreign_register, made.foreign_tls_ports) == (True, frozenset())
    assert (made.source_rate, made.source_burst, made.bypass) == (300, 3000, True)
    assert made.wan == ("wan",)
    assert len(made.networks().not_foreign.ipv4) > 1_000


@pytest.mark.parametrize(
    "text",
    [
        'mode = "monitor"',
        "[offload]\norigin = false",
        '[rules.foreign-registration]\nmode = "monitor"',
        '[rules.foreign-registration]\nmode = "off"',
    ],
)
def test_no_foreign_register(text: str) -> None:
    made = plan(text)
    assert not made.foreign_register
    assert made.networks().not_foreign == ((), ())
    assert made.networks().exempt.ipv4


def test_monitoring_drops_nothing_whatever_else_is_said() -> None:
    text = (
        'mode = "monitor"\n[policy]\nno_listener = "drop"\nqueue_full = "drop"\n'
        "[offload]\ntls_home_only = true\n"
    )
    made = plan(text)
    assert (made.bypass, made.source_rate) == (True, 0)
    assert made.foreign_tls_ports == frozenset()
    assert fails_open(parse_config(text, "test"))


def test_policies() -> None:
    text = '[policy]\nno_listener = "drop"\nqueue_full = "drop"\n'
    assert not plan(text).bypass
    assert not fails_open(parse_config(text, "test"))
    assert fails_open(parse_config("", "test"))


CALLS = sorted(
    path.stem
    for path in RULES.glob("*.toml")
    if 'on = "call-' in path.read_text(encoding="utf-8")
)
NO_LEARNING = "".join(
    f'[rules.{name}]\nmode = "off"\n'
    for name in (
        *("password-guessing", "distributed-guessing", "extension-enumeration"),
        *CALLS,
    )
)


@pytest.mark.parametrize(
    ("text", "responses", "redirections"),
    [
        ("", True, True),
        (NO_LEARNING, False, True),
        (NO_LEARNING + '[rules.blocked-destination]\nmode = "off"', False, False),
    ],
)
def test_answers_are_asked_about_only_as_far_as_rules_want_them(
    text: str, responses: bool, redirections: bool
) -> None:
    made = plan(text)
    assert (made.responses, made.redirections) == (responses, redirections)


def test_tls_needs_the_home_networks_too() -> None:
    made = plan("[offload]\norigin = false\ntls_home_only = true\n")
    assert made.foreign_tls_ports == frozenset({5061})
    assert made.networks().not_foreign.ipv4


def test_the_first_plan_leaves_out_the_home_networks_alone() -> None:
    config = parse_config("[offload]\ntls_home_only = true\n", "test")
    settings = assemble(config)
    whole = kernel_plan(config, settings, ("wan",))
    first = first_plan(whole, settings)
    assert first.networks().not_foreign == ((), ())
    assert first.networks().exempt == whole.networks().exempt
    assert first == whole._replace(
        networks=first.networks,
        foreign_register=False,
        foreign_tls_ports=frozenset(),
    )


HOME = Home(9, "whole 1 1 7")


@pytest.mark.parametrize(
    "text", ["", "[offload]\norigin = false\ntls_home_only = true\n"]
)
def test_home_networks_that_a_killed_agent_left_hold_on(text: str) -> None:
    config = parse_config(text, "test")
    settings = assemble(config)
    whole = kernel_plan(config, settings, ("wan",))
    first = first_plan(whole, settings, HOME)
    assert first.networks().not_foreign == ((), ())
    assert first == whole._replace(networks=first.networks, home_stays=HOME)
    ruleset = render(first, native_queue=True)
    assert "delete set inet ringfence exempt4" in ruleset
    assert "delete set inet ringfence home4" not in ruleset
    assert 'return comment "whole 1 1 7"' in ruleset, "of whom is not known here"
    assert "delete rule inet ringfence home_mark handle 9\n" in ruleset
    asked = "goto register" if not text else "goto tls"
    assert f"{asked}\n" in ruleset or f"{asked} " in ruleset
    without = render(first_plan(whole, settings), native_queue=True)
    assert "goto register" not in without
    assert "goto tls" not in without


def test_home_networks_that_nobody_asks_for_any_more_go() -> None:
    config = parse_config("[offload]\norigin = false\n", "test")
    settings = assemble(config)
    whole = kernel_plan(config, settings, ("wan",))
    assert first_plan(whole, settings, HOME).home_stays is None
