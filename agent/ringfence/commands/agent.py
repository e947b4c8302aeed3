"""`run` and `cleanup`: the agent itself, and what a killed one has left."""

import argparse
from typing import Final

from ringfence.commands.parts import Parts
from ringfence.errors import ConfigError
from ringfence.usage import Parser, complain, config_option, rules_options


def _run_options(parser: Parser) -> None:
    rules_options(parser)
    parser.add_argument(
        "--keep-bans",
        action="store_true",
        help="leave the bans in force when the agent stops",
    )


def _run(args: argparse.Namespace) -> int:
    from ringfence.daemon import Daemon

    Daemon(args.config, args.bundle, keep_bans=args.keep_bans).run()
    return 0


def _cleanup(args: argparse.Namespace) -> int:
    from ringfence.banning import cleanup
    from ringfence.config import read_config
    from ringfence.config.read import parse_config

    try:
        config = read_config(args.config)
    except ConfigError as error:  # what is to go does not depend on it
        complain(str(error))
        config = parse_config("", "built-in defaults")
    cleanup(config)
    return 0


PARTS: Final = {
    "run": Parts(_run_options, _run),
    "cleanup": Parts(config_option, _cleanup),
}
