"""`Config` and rules, of a folder or a bundle, to the `Settings` of an engine."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ringfence.bundle.embedded import (
    dialplan_names,
    load_destinations,
    load_dialplan,
    load_rules,
)
from ringfence.bundle.source import Folder, Source
from ringfence.bundle.tables import (
    find_rules_dir,
    open_country_table,
    read_country_lines,
)
from ringfence.config.invariants import refuse_what_stops_help
from ringfence.config.schema import Config, Limits
from ringfence.config.terms import read_terms
from ringfence.engine import Policy, Settings
from ringfence.errors import ConfigError
from ringfence.facts import World
from ringfence.facts.country import CountryTable, NetworkSet
from ringfence.facts.numbers import Dialplan, NumberPolicy, NumberReader
from ringfence.facts.world import INSIDE_ALWAYS
from ringfence.rules import Rule, RuleSet
from ringfence.rules.counts import most_over

T = TypeVar("T")


def assemble(
    config: Config, rules: Source | Path | None = None, inside: tuple[str, ...] = ()
) -> Settings:
    """Load everything that a configuration asks for.

    `rules` may be the path of a folder, or of a bundle that one of the configured keys
    has signed; None means the embedded rules. `inside` adds networks to the
    configured ones. Raises `ConfigError` for what the file asks and does not exist,
    `BundleError` for rules or tables that are not sound, or that would stop a call to
    an emergency number.
    """
    source = rules_source(config, rules)
    shipped = load_rules(source)
    names = dialplan_names(source)
    problems = [
        f"rules.{rule_id}: expected the id of a rule{_hint(rule_id, shipped)}"
        for rule_id in {**config.rules, **config.limits}
        if rule_id not in {rule.id for rule in shipped.rules}
    ]
    limited = RuleSet(_limited(rule, config.limits, problems) for rule in shipped.rules)
    if config.numbers_dialplan not in names:
        problems.append(
            f'numbers.dialplan = "{config.numbers_dialplan}": '
            f"expected one of {', '.join(names)}"
        )
    plan = None
    if config.numbers_dialplan in names:
        plan = _attempt(problems, lambda: _dialplan(config, source))
    countries = _attempt(problems, lambda: _countries(config, source))
    networks = _attempt(problems, lambda: _inside(config, inside))
    numbers = _attempt(problems, lambda: _numbers(config))
    terms = _attempt(problems, lambda: read_terms(config, source))
    if (
        plan is None
        or countries is None
        or networks is None
        or numbers is None
        or terms is None
        or problems
    ):
        raise ConfigError(problems)
    lines = config.numbers_outside_line

    world = World(
        countries=countries,
        home=config.origin_home,
        inside=networks,
        reader=NumberReader(
            plan,
            load_destinations(source),
            outside_line=plan.outside_line if lines is None else lines,
            idd=config.numbers_idd,
            area_code=config.numbers_area_code,
        ),
        numbers=numbers,
        allow_networks=config.origin_allow.networks,
        allow_countries=config.origin_allow.countries,
        block_networks=config.origin_block.networks,
        block_countries=config.origin_block.countries,
    )
    refuse_what_stops_help(world, shipped.rules)
    return Settings(
        world=world,
        rules=_with_modes(limited, config.rules),
        policy=Policy(
            malformed=config.policy_malformed,
            state_full=config.policy_state_full,
            internal_error=config.policy_internal_error,
            reject_status=config.policy_reject_status,
        ),
        sip_ports=config.network_sip_ports,
        monitor=config.mode == "monitor",
        terms=terms,
    )


def _attempt(problems: list[str], make: Callable[[], T]) -> T | None:
    """Make one piece, or note why not and give None: all errors come at once."""
    try:
        return make()
    except ConfigError as error:
        problems += error.problems
        return None


def _inside(config: Config, more: tuple[str, ...]) -> NetworkSet:
    always = NetworkSet.parse(INSIDE_ALWAYS, "always inside")
    configured = NetworkSet.parse(config.network_inside, "network.inside")
    added = NetworkSet.parse(more, "--inside")
    return NetworkSet([*always.networks, *configured.networks, *added.networks])


def _dialplan(config: Config, source: Source) -> Dialplan:
    plan = load_dialplan(source, config.numbers_dialplan)
    plan.choose(config.numbers_options)
    return plan


def _numbers(config: Config) -> NumberPolicy:
    return NumberPolicy(
        profile=config.numbers_profile,
        allow=config.numbers_allow,
        block=config.numbers_block,
    )


def rules_source(config: Config, rules: Source | Path | None) -> Source:
    """Find what to judge by; see `assemble`."""
    if rules is None:
        return Folder(find_rules_dir())
    if not isinstance(rules, Path):
        return rules
    if rules.is_file():
        # Here and not above: most agents run on the rules of a folder.
        from ringfence.bundle.opening import open_bundle, read_keys

        return open_bundle(rules, read_keys(Path(config.bundle_keys)))
    return Folder(rules)


def _countries(config: Config, source: Source) -> CountryTable:
    if config.origin_table is not None:
        return read_country_lines(Path(config.origin_table))
    return open_country_table(source)


def _with_modes(rules: RuleSet, modes: dict[str, str]) -> RuleSet:
    return RuleSet(
        rule._replace(monitor=modes.get(rule.id) == "monitor")
        for rule in rules.rules
        if modes.get(rule.id) != "off"
    )


def _limited(rule: Rule, limits: dict[str, Limits], problems: list[str]) -> Rule:
    """Give a rule the site's threshold, or note why that cannot be."""
    limit, count = limits.get(rule.id), rule.count
    if limit is None:
        return rule
    if count is None:
        problems.append(f"rules.{rule.id}: expected no threshold; it counts nothing")
        return rule
    most = most_over(count.distinct, rule.on)
    if limit.over is not None and limit.over > most:
        problems.append(
            f"rules.{rule.id}.over = {limit.over}: "
            f"expected a whole number from 1 to {most}"
        )
    changed = count._replace(
        over=limit.over or count.over, within=limit.within or count.within
    )
    return rule._replace(count=changed, shipped=None if changed == count else count)


def _hint(rule_id: str, rules: RuleSet) -> str:
    from difflib import get_close_matches  # 0.3 MB, for who mistypes

    close = get_close_matches(rule_id, [rule.id for rule in rules.rules], n=1)
    if close:
        return f'; did you mean "{close[0]}"?'
    return ": " + ", ".join(rule.id for rule in rules.rules)
