"""Rules, dial plans and destinations from a folder of files.

Knows where each kind lies in the folder and turns text into compiled pieces; all
problems of all files come in one `BundleError`. It must not know the live agent.
"""

from pathlib import Path

import tomli

from ringfence.errors import BundleError
from ringfence.facts.numbers import Destinations, Dialplan
from ringfence.rules import Rule, RuleSet, compile_rule


def read_text(path: Path) -> str:
    """Read a UTF-8 file; `BundleError` says which file and why not."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BundleError(
            f"{path}: byte {error.start} is not UTF-8: expected text"
        ) from error


def read_toml(path: Path) -> dict[str, object]:
    """Read a TOML file; `BundleError` says which file, where and why not."""
    try:
        return tomli.loads(read_text(path))
    except tomli.TOMLDecodeError as error:
        raise BundleError(f"{path}: not valid TOML: {error}") from error


def load_rules(rules_dir: Path) -> RuleSet:
    """Compile every `*.toml` directly in the folder.

    The file's stem is the rule's id. Raises `BundleError` with all problems.
    """
    problems: list[str] = []
    rules: list[Rule] = []
    paths = sorted(rules_dir.glob("*.toml"))
    if not paths:
        raise BundleError(f"{rules_dir}: holds no rule; expected *.toml files")
    for path in paths:
        try:
            table = read_toml(path)
        except BundleError as error:
            problems.append(str(error))
            continue
        rule, found = compile_rule(table, path.name)
        problems += found
        if not found and rule.id != path.stem:
            problems.append(f"{path.name}: id = {rule.id!r}: expected {path.stem!r}")
        rules.append(rule)
    if problems:
        raise BundleError("\n".join(problems))
    return RuleSet(rules)


def dialplan_names(rules_dir: Path) -> list[str]:
    """Names that `numbers.dialplan` may have."""
    return sorted(path.stem for path in (rules_dir / "dialplans").glob("*.toml"))


def load_dialplan(rules_dir: Path, name: str) -> Dialplan:
    """Compile one dial plan by name."""
    path = rules_dir / "dialplans" / f"{name}.toml"
    return Dialplan.from_table(read_toml(path), path.name)


def load_destinations(rules_dir: Path) -> Destinations:
    """Read the table of country codes and their tiers."""
    path = rules_dir / "destinations.csv"
    return Destinations.from_csv(read_text(path), path.name)
