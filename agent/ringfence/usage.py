"""What several commands share: options, the configuration they ask for, complaints.

Knows standard error. It must not know which commands there are.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringfence.bundle.source import Source
    from ringfence.config import Config

Parser = argparse.ArgumentParser


def config_option(parser: Parser) -> None:
    """Add what names the configuration."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration; default /etc/ringfence/ringfence.toml if it exists",
    )


def rules_options(parser: Parser) -> None:
    """Add the options of what judges as the agent does."""
    config_option(parser)
    parser.add_argument(
        "--bundle",
        type=Path,
        metavar="FILE",
        help="signed bundle, or folder of rules, to use in place of the installed ones",
    )


def offline_options(parser: Parser) -> None:
    """Add the options of commands that protect nothing, and so may try anything."""
    rules_options(parser)
    parser.add_argument(
        "--keys",
        type=Path,
        metavar="DIR",
        help="trusted keys, in place of the configured bundle.keys",
    )
    parser.add_argument(
        "--unsigned",
        action="store_true",
        help="take a bundle that nobody trusted has signed",
    )


def configured(args: argparse.Namespace) -> "tuple[Config, Source | Path | None]":
    """Return the configuration of an offline command, and the rules it asks for.

    Without any, those that an agent would use, from the store where there is one.
    """
    from ringfence.config import read_config
    from ringfence.stock import find_store

    config = read_config(args.config)
    if args.keys is not None:
        config = config._replace(bundle_keys=str(args.keys.absolute()))
    if args.bundle is None:
        store = find_store(config)
        return config, None if store is None else store.peek()
    if not args.unsigned or not args.bundle.is_file():
        return config, args.bundle
    from ringfence.bundle.opening import open_unverified

    complain(f"warning: {args.bundle}: nobody has checked who made this bundle")
    return config, open_unverified(args.bundle)


def complain(text: str) -> None:
    """Write to standard error, each line by our name."""
    for line in text.splitlines():
        sys.stderr.write(f"ringfence: {line}\n")
