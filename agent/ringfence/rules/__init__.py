"""Rules: TOML tables compiled to predicates over facts; no code comes with them."""

from ringfence.rules.compile import compile_rule
from ringfence.rules.model import Rule, RuleSet

__all__ = ["Rule", "RuleSet", "compile_rule"]
