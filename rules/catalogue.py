"""Prints the catalogue of the rules in this folder: `README.md` is its output."""

import sys
from pathlib import Path

from ringfence.bundle.embedded import load_rules, read_toml
from ringfence.rules.catalogue import catalogue

RULES = Path(__file__).resolve().parent


def page(folder: Path = RULES) -> str:
    """Write the page; raises `BundleError` when a rule is not sound."""
    rules = load_rules(folder)
    return catalogue(read_toml(folder, f"{rule.id}.toml") for rule in rules.rules)


if __name__ == "__main__":
    sys.stdout.write(page())
