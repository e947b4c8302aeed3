"""The one file that its user edits: TOML to a frozen `Config`, then to `Settings`."""

from ringfence.config.assemble import assemble, rules_source
from ringfence.config.kernel import fails_open, first_plan, kernel_plan
from ringfence.config.read import DEFAULT_PATH, parse_config, read_config
from ringfence.config.schema import Config

__all__ = [
    "DEFAULT_PATH",
    "Config",
    "assemble",
    "fails_open",
    "first_plan",
    "kernel_plan",
    "parse_config",
    "read_config",
    "rules_source",
]
