"""`replay`, `explain`, `check` and `ruleset`: what an agent would do, and none runs."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ringfence.commands.parts import Parts
from ringfence.usage import Parser, complain, configured, offline_options

if TYPE_CHECKING:
    from ringfence.bundle.source import Source
    from ringfence.engine import Settings
    from ringfence.facts.numbers import Reading
    from ringfence.report import Record


def _replay_options(parser: Parser) -> None:
    offline_options(parser)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "--inside",
        action="append",
        default=[],
        metavar="CIDR",
        help="a network on our side, besides the private and local ones",
    )
    parser.add_argument("--format", choices=("text", "jsonl"), default="text")
    parser.add_argument(
        "--hits", action="store_true", help="show only what was or would be stopped"
    )


def _replay(args: argparse.Namespace) -> int:
    from ringfence.config import assemble
    from ringfence.replay import replay

    settings = assemble(*configured(args), tuple(args.inside))
    errors = replay(
        args.files,
        settings,
        sys.stdout,
        jsonl=args.format == "jsonl",
        hits_only=args.hits,
    )
    for error in errors:
        complain(str(error))
    return 2 if errors else 0


def _explain_options(parser: Parser) -> None:
    offline_options(parser)
    parser.add_argument(
        "what",
        nargs="*",
        default=["-"],
        metavar="WHAT",
        help="dial string, SIP or tel URI, IP address; - reads one a line",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument(
        "--lang",
        choices=("en", "ja"),
        help="language of the text; default as the locale says, else English",
    )


def _explain(args: argparse.Namespace) -> int:
    from ringfence.config import assemble, rules_source
    from ringfence.explain import Explainer

    config, rules = configured(args)
    source = rules_source(config, rules)
    settings = assemble(config, source)
    explainer = Explainer(settings)
    if args.json:
        as_json = json.JSONEncoder(ensure_ascii=False).encode
        for what in _words(args.what):
            sys.stdout.write(as_json(explainer.explain(what)) + "\n")
        return 0
    write = _wording(args, config.numbers_dialplan, settings, source)
    for what in _words(args.what):
        sys.stdout.write(write(*explainer.explain_reading(what)) + "\n")
    return 0


def _wording(
    args: argparse.Namespace,
    dialplan: str,
    settings: "Settings",
    source: "Source",
) -> Callable[["Record", "Reading | None"], str]:
    """Return what writes records for people; scripts have no use for it."""
    from ringfence.bundle.notes import load_notes
    from ringfence.wording import language
    from ringfence.wording.explanation import Explanation

    notes = load_notes(source, dialplan)
    return Explanation(settings, notes, args.lang or language(os.environ)).text


def _words(given: list[str]) -> Iterable[str]:
    for word in given:
        if word == "-":
            yield from (line.strip() for line in sys.stdin if line.strip())
        else:
            yield word


def _check(args: argparse.Namespace) -> int:
    from ringfence.config import assemble

    settings = assemble(*configured(args))
    sys.stdout.write(
        f"configuration is fine: {len(settings.rules)} rules, home "
        f"{', '.join(sorted(settings.world.home))}\n"
    )
    return 0


def _ruleset(args: argparse.Namespace) -> int:
    from ringfence.config import assemble, kernel_plan
    from ringfence.netfilter.nft import render
    from ringfence.netfilter.notices import default_route_interfaces

    config, rules = configured(args)
    wan = config.network_wan or tuple(default_route_interfaces())
    plan = kernel_plan(config, assemble(config, rules), wan)
    sys.stdout.write(render(plan, native_queue=True))
    return 0


PARTS: Final = {
    "replay": Parts(_replay_options, _replay),
    "explain": Parts(_explain_options, _explain),
    "check": Parts(offline_options, _check),
    "ruleset": Parts(offline_options, _ruleset),
}
