"""TOML text to `Config`, with every problem it has in one `ConfigError`.

Each problem is one line, `file: path = value: expected …`; a misspelt key gets a
suggestion. Nothing is applied in part: there is a whole `Config` or none.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ringfence.config.schema import KEYS, RULE_MODES, Config, Limits
from ringfence.config.unfit import Unfit
from ringfence.errors import ConfigError
from ringfence.rules.counts import MAX_OVER
from ringfence.rules.durations import DURATION, seconds

_RULE_KEYS: Final = {
    "mode": "one of " + ", ".join(f'"{mode}"' for mode in RULE_MODES),
    "over": f"a whole number from 1 to {MAX_OVER}",
    "within": DURATION,
}
"""What stands in `[rules.ID]`, and what is expected there."""

DEFAULT_PATH: Final = Path("/etc/ringfence/ringfence.toml")

_HIDDEN: Final = "(not shown)"

_TABLES: Final = {path.partition(".")[0] for path in KEYS if "." in path} | {"rules"}


def read_config(path: Path | None) -> Config:
    """Read a configuration file.

    None means `DEFAULT_PATH` if it exists, else every default. Raises `ConfigError`.
    """
    wanted, path = path is not None, path or DEFAULT_PATH
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        if not wanted:
            return parse_config("", "built-in defaults")
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            [f"{path}: byte {error.start} is not UTF-8: expected TOML text"]
        ) from error
    return parse_config(text, str(path))


def parse_config(text: str, where: str) -> Config:
    """Check a whole configuration; `where` names it in messages."""
    try:
        tree = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError([f"{where}: not valid TOML: {error}"]) from error
    problems: list[str] = []
    rules, limits = _rules(tree.pop("rules", {}), problems)
    given = dict(_leaves(tree, problems))
    values: dict[str, Any] = {}
    for path, key in KEYS.items():
        value = given.get(path, key.default)
        try:
            values[path.replace(".", "_")] = key.check(value)
        except Unfit as unfit:
            shown = _HIDDEN if key.secret else _shown(value)
            problems.append(f"{path} = {shown}: expected {unfit}")
        except ConfigError as error:
            problems += [f"{path}{problem}" for problem in error.problems]
    if problems:
        raise ConfigError([f"{where}: {problem}" for problem in problems])
    return Config(rules=rules, limits=limits, **values)


def _leaves(
    tree: Mapping[str, Any], problems: list[str]
) -> Iterator[tuple[str, object]]:
    """Yield known keys as dotted paths; note unknown ones."""
    for name, value in tree.items():
        if name in KEYS:
            yield name, value
        elif name not in _TABLES:
            problems.append(_unknown(name, value))
        elif not isinstance(value, dict):
            problems.append(f"{name} = {_shown(value)}: expected a table, [{name}]")
        else:
            for inner, leaf in value.items():
                path = f"{name}.{inner}"
                if path in KEYS:
                    yield path, leaf
                else:
                    problems.append(_unknown(path, leaf))


def _unknown(path: str, value: object) -> str:
    meant = _meant(path)
    hint = f'; did you mean "{meant}"?' if meant else ""
    secret = path.startswith("notify.") or (meant in KEYS and KEYS[meant].secret)
    shown = _HIDDEN if secret else _shown(value)
    return f"{path} = {shown}: expected a known key{hint}"


def _meant(path: str) -> str | None:
    """Guess the key: its name in another table, or one of its own table like it."""
    table, _, name = path.rpartition(".")
    beside: dict[str, str] = {}
    for known in [*KEYS, *_TABLES]:
        its_table, _, its_name = known.rpartition(".")
        if its_name == name:
            return known
        if its_table == table:
            beside[its_name] = known
    from difflib import get_close_matches  # 0.3 MB, for who mistypes

    close = get_close_matches(name, beside, n=1)
    return beside[close[0]] if close else None


def _rules(
    tree: object, problems: list[str]
) -> tuple[dict[str, str], dict[str, Limits]]:
    """Read the tables of rules: modes and thresholds, each by rule id."""
    modes: dict[str, str] = {}
    limits: dict[str, Limits] = {}
    if not isinstance(tree, dict):
        problems.append(f"rules = {_shown(tree)}: expected tables, [rules.ID]")
        return modes, limits
    for rule_id, table in tree.items():
        path = f"rules.{rule_id}"
        if not isinstance(table, dict):
            problems.append(f"{path} = {_shown(table)}: expected a table, [{path}]")
            continue
        for key, value in table.items():
            limit = limits.get(rule_id, Limits())
            if key == "mode" and value in RULE_MODES:
                modes[rule_id] = value
            elif key == "over" and type(value) is int and 1 <= value <= MAX_OVER:
                limits[rule_id] = limit._replace(over=value)
            elif key == "within" and (found := seconds(value)) is not None:
                limits[rule_id] = limit._replace(within=float(found))
            else:
                expected = _RULE_KEYS.get(key, f"a known key: {', '.join(_RULE_KEYS)}")
                problems.append(f"{path}.{key} = {_shown(value)}: expected {expected}")
    return modes, limits


def _shown(value: object) -> str:
    """Write a value much as TOML does, for people; dates come as text.

    Nothing of a URL but its scheme: it may hold a secret, and this goes to the log.
    """
    text = json.dumps(value, ensure_ascii=False, default=str)
    if "://" in text:
        return f"{text.partition('://')[0][:60]}://..."
    return text if len(text) <= 80 else text[:77] + "..."
