"""The configuration file that packages install: complete, true, and all defaults."""

import re
import tomllib
from pathlib import Path

from ringfence.config.read import parse_config
from ringfence.config.schema import KEYS

FILE = Path(__file__).parents[2] / "firmware_pkg" / "files" / "ringfence.toml"
EXAMPLES = "origin.table", "budget.rates", "notify.ca"
"""Keys without a default: their lines show how they are written."""


def uncommented(text: str) -> str:
    """Turn every `#key = value` and `#[table]` into what it would say."""
    return re.sub(r"^#(?=[a-z_]+ = |\[)", "", text, flags=re.MULTILINE)


def leaves(tree: dict[str, object], path: str = "") -> dict[str, object]:
    """Return values by dotted path."""
    found: dict[str, object] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            found |= leaves(value, f"{path}{name}.")
        else:
            found[path + name] = value
    return found


def test_it_names_every_key_and_no_other() -> None:
    named = leaves(tomllib.loads(uncommented(FILE.read_text(encoding="utf-8"))))
    assert {key for key in named if not key.startswith("rules.")} == set(KEYS)


def test_what_it_says_of_defaults_is_true() -> None:
    named = leaves(tomllib.loads(uncommented(FILE.read_text(encoding="utf-8"))))
    for path, key in KEYS.items():
        if path not in EXAMPLES:
            assert key.check(named[path]) == key.check(key.default), path


def test_as_installed_it_changes_nothing() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert parse_config(text, "packaged") == parse_config("", "none")
