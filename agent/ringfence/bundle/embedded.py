"""Rules, dial plans and destinations from a folder or a bundle.

Knows where each kind lies and turns text into compiled pieces; all problems of all
files come in one `BundleError`. It must not know the live agent.
"""

import tomllib
from pathlib import Path
from typing import Final

from ringfence.bundle.layout import (
    DESTINATIONS,
    DIALPLAN,
    DIALPLANS,
    RULE,
    TOML,
    kind_of,
)
from ringfence.bundle.source import Source, as_source, read
from ringfence.errors import BundleError
from ringfence.facts.numbers import Destinations, Dialplan
from ringfence.rules import Rule, RuleSet, compile_rule

Rules = Source | Path
"""Where they come from; a path is that of a folder."""

MOST_NESTED: Final = 16
"""Tables and lists within each other; ours need five."""


def read_text(rules: Rules, name: str) -> str:
    """Read a UTF-8 file; `BundleError` says which file and why not."""
    source = as_source(rules)
    try:
        return read(source, name).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(
            f"{source.label(name)}: byte {error.start} is not UTF-8: expected text"
        ) from error


def read_toml(rules: Rules, name: str) -> dict[str, object]:
    """Read a TOML file; `BundleError` says which file, where and why not."""
    source = as_source(rules)
    text = read_text(source, name)
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BundleError(f"{source.label(name)}: not valid TOML: {error}") from error
    if _deeper(table, MOST_NESTED):
        raise BundleError(
            f"{source.label(name)}: tables in tables: expected at most {MOST_NESTED}"
        )
    return table


def _deeper(table: object, most: int) -> bool:
    """Tell whether something is nested deeper; what reads it may be recursive."""
    level = [table]
    for _ in range(most + 1):
        inner: list[object] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        if not inner:
            return False
        level = inner
    return True


def rule_names(rules: Rules) -> list[str]:
    """List the names of the files that hold a rule."""
    return [name for name in as_source(rules).names() if kind_of(name) is RULE]


def load_rules(rules: Rules) -> RuleSet:
    """Compile every `*.toml` that lies in no folder of its own.

    The file's stem is the rule's id. Raises `BundleError` with all problems.
    """
    source = as_source(rules)
    problems: list[str] = []
    compiled: list[Rule] = []
    names = rule_names(source)
    if not names:
        raise BundleError(f"{source}: holds no rule; expected *.toml files")
    for name in names:
        try:
            table = read_toml(source, name)
        except BundleError as error:
            problems.append(str(error))
            continue
        rule, found = compile_rule(table, name)
        problems += found
        stem = name.removesuffix(TOML)
        if not found and rule.id != stem:
            problems.append(f"{name}: id = {rule.id!r}: expected {stem!r}")
        compiled.append(rule)
    if problems:
        raise BundleError("\n".join(problems))
    return RuleSet(compiled)


def dialplan_names(rules: Rules) -> list[str]:
    """Names that `numbers.dialplan` may have."""
    return [
        name.removeprefix(DIALPLANS).removesuffix(TOML)
        for name in as_source(rules).names()
        if kind_of(name) is DIALPLAN
    ]


def load_dialplan(rules: Rules, name: str) -> Dialplan:
    """Compile one dial plan by name."""
    table = read_toml(rules, f"{DIALPLANS}{name}{TOML}")
    return Dialplan.from_table(table, f"{name}{TOML}")


def load_destinations(rules: Rules) -> Destinations:
    """Read the table of country codes and their tiers."""
    return Destinations.from_csv(read_text(rules, DESTINATIONS), DESTINATIONS)
