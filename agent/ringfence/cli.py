"""The command line: the table of subcommands, their exit codes.

0 fine · 1 something was found · 2 usage or configuration · 3 privilege or kernel
feature missing · 4 bundle refused (CONTRACT). What a command takes and does is in
`commands/`, whose modules are imported when they are asked for.
"""

import argparse
import os
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import TYPE_CHECKING, Final, NamedTuple

from ringfence import __version__
from ringfence.errors import RingfenceError

if TYPE_CHECKING:
    from ringfence.commands.parts import Parts


class Command(NamedTuple):
    """One subcommand."""

    what: str
    module: str
    """Of `commands/`."""


COMMANDS: Final = {
    "run": Command("protect this machine until SIGTERM", "agent"),
    "replay": Command("judge captures, show what would be done", "judging"),
    "explain": Command("say what becomes of a number or an address", "judging"),
    "check": Command("check a configuration, all errors at once", "judging"),
    "ruleset": Command("print the nft ruleset that run would install", "judging"),
    "status": Command("show what kernel and agent count, and who is banned", "asking"),
    "doctor": Command("find what weakens the protection, say what to type", "asking"),
    "ban": Command("ban an address, its /64 for IPv6", "asking"),
    "unban": Command("lift a ban and forget its history", "asking"),
    "allow": Command("open calls abroad that were closed, for a time", "asking"),
    "notify": Command("send a test notice, say what came of it", "asking"),
    "cleanup": Command("take out of the kernel what a killed agent has left", "agent"),
    "report": Command("sum up calls, costs, attacks and what was stopped", "summing"),
    "bundle": Command(
        "bundles of rules: build, sign, review, install, go back", "bundles"
    ),
}


def _parts(name: str) -> "Parts":
    """Return what a command takes and does."""
    module = import_module(f"ringfence.commands.{COMMANDS[name].module}")
    parts: Parts = module.PARTS[name]
    return parts


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="ringfence", description="A firewall agent for VoIP routers."
    )
    parser.add_argument(
        "--version", action="version", version=f"ringfence {__version__}"
    )
    argv = sys.argv[1:] if argv is None else argv
    subcommands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        sub = subcommands.add_parser(name, help=command.what, description=command.what)
        if name in argv:  # the others' options cost time, and may cost imports
            parts = _parts(name)
            parts.options(sub)
            sub.set_defaults(run=parts.run)
    args = parser.parse_args(argv)
    _take_any_bytes()
    try:
        code = int(args.run(args))
        sys.stdout.flush()
    except RingfenceError as error:
        from ringfence.usage import complain

        complain(str(error))
        return error.exit_code
    except BrokenPipeError:
        # `replay | head`: nobody reads any more, which is no error of ours. What is
        # still buffered must go somewhere when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _take_any_bytes() -> None:
    """Let no command end over bytes that are not UTF-8, as in a file's name."""
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
