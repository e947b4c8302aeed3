"""`ringfence bundle`: what a person does with bundles, from building to reviewing.

Knows the table of subcommands. What a bundle is, is `ringfence.bundle`'s business; each
subcommand imports that when it runs.
"""

import argparse
from collections.abc import Callable
from typing import Final

from ringfence.publishing import installing, making, merging, showing

Parser = argparse.ArgumentParser
Run = Callable[[argparse.Namespace], int]


def options(parser: Parser) -> None:
    """Add the subcommands."""
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    for name, (what, add, action) in ACTIONS.items():
        sub = actions.add_parser(name, help=what, description=what)
        add(sub)
        sub.set_defaults(bundle_action=action)


def run(args: argparse.Namespace) -> int:
    """Run the subcommand that was asked for."""
    action: Run = args.bundle_action
    return action(args)


ACTIONS: Final[dict[str, tuple[str, Callable[[Parser], None], Run]]] = {
    "build": ("make a bundle of a folder of rules", making.build_options, making.build),
    "sign": ("sign a bundle", making.sign_options, making.sign),
    "keygen": ("make a key to sign bundles with", making.keygen_options, making.keygen),
    "verify": (
        "check who signed it, and that it is whole",
        showing.verify_options,
        showing.verify,
    ),
    "show": (
        "say what is in a bundle, or what changes",
        showing.show_options,
        showing.show,
    ),
    "merge": (
        "make one list of destinations of several",
        merging.merge_options,
        merging.merge,
    ),
    "install": (
        "use a bundle on this router, if it proves to be sound",
        installing.install_options,
        installing.install,
    ),
    "rollback": (
        "give the bundle in use up, and go back to the one before",
        installing.rollback_options,
        installing.rollback,
    ),
    "status": (
        "say which bundles this router has, and which it uses",
        installing.status_options,
        installing.status,
    ),
}
