"""`report`: what the agent has logged, summed up."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ringfence.commands.parts import Parts
from ringfence.usage import Parser, complain, configured, offline_options

if TYPE_CHECKING:
    from ringfence.bundle.source import Source


def _report_options(parser: Parser) -> None:
    offline_options(parser)
    parser.add_argument(
        "logs",
        nargs="*",
        metavar="LOG",
        help="what the agent has logged, as it is or through syslog; - for standard"
        " input; default what is piped in, else the system's log",
    )
    parser.add_argument(
        "--since",
        metavar="TIME",
        help="how far back from the newest event: 12h, 7d; default everything",
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write one row a call")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write one page with charts"
    )
    parser.add_argument(
        "--lang",
        choices=("en", "ja"),
        help="language of text and page; default as the locale says, else English",
    )
    parser.add_argument(
        "--share",
        type=Path,
        metavar="FILE",
        help="write counts by country code and hour of the week, and nothing of whom",
    )


def _report(args: argparse.Namespace) -> int:
    from ringfence.banning import parse_duration
    from ringfence.config import rules_source
    from ringfence.logged import unnamed

    args.logs = args.logs or [unnamed()]
    since = None
    if args.since is not None:
        since = parse_duration(args.since, "--since")
    config, rules = configured(args)
    source = rules_source(config, rules)
    if args.share is not None:
        if args.csv is not None or args.html is not None:
            complain("--share counts without names: expected without --csv and --html")
            return 2
        return _share(args, source, since)
    from ringfence.config.terms import read_terms
    from ringfence.reporting.making import Wanted, make
    from ringfence.reporting.text import terminal_lines
    from ringfence.wording import language

    lang = args.lang or language(os.environ)
    wanted = Wanted(tuple(args.logs), since, lang, args.csv, args.html)
    made = make(wanted, source, read_terms(config, source))
    for path in (args.csv, args.html):
        if path is not None:
            sys.stdout.write(f"{path}: {made.calls} calls\n")
    if args.csv is None and args.html is None:
        sys.stdout.writelines(f"{line}\n" for line in terminal_lines(made.document))
    _left_out(made.passed_over)
    return 1 if made.found else 0


def _share(args: argparse.Namespace, source: "Source", since: int | None) -> int:
    """Write the counts that may be shared."""
    from ringfence.bundle.embedded import load_destinations
    from ringfence.bundle.writing import write_whole
    from ringfence.logged import Logs
    from ringfence.sharing import Sightings, written

    sightings = Sightings(load_destinations(source))
    with Logs(args.logs, again=False) as logs:
        sightings.read(logs.lines())
    rows = sightings.rows(0.0 if since is None else sightings.newest - since)
    write_whole(args.share, written(rows).encode())
    found = sum(count for _, count in rows)
    sys.stdout.write(f"{args.share}: {found} events in {len(rows)} rows\n")
    _left_out(sightings.passed_over)
    return 0


def _left_out(lines: int) -> None:
    if lines:
        complain(f"{lines} lines were no event and are left out")


PARTS: Final = {"report": Parts(_report_options, _report)}
