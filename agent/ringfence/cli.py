"""The command line: a table of subcommands and their exit codes.

0 fine · 1 something was found · 2 usage or configuration · 3 privilege or kernel
feature missing · 4 bundle refused (CONTRACT). Each command imports what it needs
when it runs: the agent on the router must not pay for what only replay uses.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ringfence import __version__
from ringfence.errors import ConfigError, RingfenceError

if TYPE_CHECKING:
    from ringfence.bundle.source import Source
    from ringfence.config import Config
    from ringfence.engine import Settings
    from ringfence.facts.numbers import Reading
    from ringfence.report import Record

Parser = argparse.ArgumentParser
Run = Callable[[argparse.Namespace], int]


class Command(NamedTuple):
    """One subcommand."""

    what: str
    options: Callable[[Parser], None]
    run: Run


def _config_option(parser: Parser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration; default /etc/ringfence/ringfence.toml if it exists",
    )


def _common(parser: Parser) -> None:
    _config_option(parser)
    parser.add_argument(
        "--bundle",
        type=Path,
        metavar="FILE",
        help="signed bundle, or folder of rules, to use in place of the installed ones",
    )


def _offline(parser: Parser) -> None:
    """Add the options of commands that protect nothing, and so may try anything."""
    _common(parser)
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


def _configured(args: argparse.Namespace) -> "tuple[Config, Source | Path | None]":
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

    _complain(f"warning: {args.bundle}: nobody has checked who made this bundle")
    return config, open_unverified(args.bundle)


def _run_options(parser: Parser) -> None:
    _common(parser)
    parser.add_argument(
        "--keep-bans",
        action="store_true",
        help="leave the bans in force when the agent stops",
    )


def _run(args: argparse.Namespace) -> int:
    from ringfence.daemon import Daemon

    Daemon(args.config, args.bundle, keep_bans=args.keep_bans).run()
    return 0


def _replay_options(parser: Parser) -> None:
    _offline(parser)
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

    settings = assemble(*_configured(args), tuple(args.inside))
    errors = replay(
        args.files,
        settings,
        sys.stdout,
        jsonl=args.format == "jsonl",
        hits_only=args.hits,
    )
    for error in errors:
        _complain(str(error))
    return 2 if errors else 0


def _explain_options(parser: Parser) -> None:
    _offline(parser)
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

    config, rules = _configured(args)
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

    settings = assemble(*_configured(args))
    sys.stdout.write(
        f"configuration is fine: {len(settings.rules)} rules, home "
        f"{', '.join(sorted(settings.world.home))}\n"
    )
    return 0


def _ruleset(args: argparse.Namespace) -> int:
    from ringfence.config import assemble, kernel_plan
    from ringfence.netfilter.nft import render
    from ringfence.netfilter.notices import default_route_interfaces

    config, rules = _configured(args)
    wan = config.network_wan or tuple(default_route_interfaces())
    plan = kernel_plan(config, assemble(config, rules), wan)
    sys.stdout.write(render(plan, native_queue=True))
    return 0


def _status_options(parser: Parser) -> None:
    _config_option(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")


def _status(args: argparse.Namespace) -> int:
    from ringfence.config import read_config
    from ringfence.status import status_record, status_text

    record = status_record(read_config(args.config))
    text = json.dumps(record) if args.json else status_text(record)
    sys.stdout.write(text + "\n")
    return 0 if record["running"] else 1


def _doctor_options(parser: Parser) -> None:
    _config_option(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument(
        "--no-probe",
        action="store_true",
        help="send no test INVITE to the running agent",
    )


def _doctor(args: argparse.Namespace) -> int:
    from ringfence.doctor import diagnose, json_lines, text_lines
    from ringfence.doctor.finding import FOUND

    findings, machine = diagnose(args.config, live=not args.no_probe)
    lines = json_lines(findings, machine) if args.json else text_lines(findings)
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 1 if any(finding.state in FOUND for finding in findings) else 0


def _ban_options(parser: Parser) -> None:
    _config_option(parser)
    parser.add_argument("address", metavar="ADDRESS")
    parser.add_argument(
        "--for",
        dest="duration",
        default="1h",
        metavar="TIME",
        help="how long: 90s, 5m, 1h, 2d; default 1h",
    )


def _ban(args: argparse.Namespace) -> int:
    from ringfence.banning import ban, parse_duration
    from ringfence.config import read_config

    record = ban(args.address, parse_duration(args.duration), read_config(args.config))
    sys.stdout.write(f"banned {record['address']} for {record['ban_s']} s\n")
    if not record["running"]:
        _complain("no agent is running; the kernel bans by itself")
    return 0


def _unban_options(parser: Parser) -> None:
    _config_option(parser)
    parser.add_argument("address", metavar="ADDRESS")


def _unban(args: argparse.Namespace) -> int:
    from ringfence.banning import unban
    from ringfence.config import read_config

    record = unban(args.address, read_config(args.config))
    was = "unbanned" if record["was_banned"] else "was not banned:"
    sys.stdout.write(f"{was} {record['address']}\n")
    if not record["running"]:
        _complain("no agent is running, so there is no history to forget")
    return 0


def _allow_options(parser: Parser) -> None:
    _config_option(parser)
    parser.add_argument(
        "what",
        metavar="WHAT",
        help="first digits of numbers abroad (63), a country (PH), account@address, all",
    )
    parser.add_argument(
        "--for",
        dest="duration",
        default="2h",
        metavar="TIME",
        help="how long: 30m, 2h, 7d; default 2h",
    )


def _allow(args: argparse.Namespace) -> int:
    from ringfence.allowing import allow
    from ringfence.banning import parse_duration
    from ringfence.config import read_config

    seconds = parse_duration(args.duration)
    record = allow(args.what, seconds, read_config(args.config))
    sys.stdout.write(f"open for {record['for_s']} s: {record['what']}\n")
    return 0


def _notify_options(parser: Parser) -> None:
    from ringfence.notifying import trying

    trying.options(parser)


def _notify(args: argparse.Namespace) -> int:
    from ringfence.notifying import trying

    return trying.run(args)


def _cleanup(args: argparse.Namespace) -> int:
    from ringfence.banning import cleanup
    from ringfence.config import read_config
    from ringfence.config.read import parse_config

    try:
        config = read_config(args.config)
    except ConfigError as error:  # what is to go does not depend on it
        _complain(str(error))
        config = parse_config("", "built-in defaults")
    cleanup(config)
    return 0


def _report_options(parser: Parser) -> None:
    _offline(parser)
    parser.add_argument(
        "logs",
        nargs="*",
        default=["-"],
        metavar="LOG",
        help="what the agent has logged, as it is or through syslog; - for standard"
        " input",
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

    since = None
    if args.since is not None:
        since = parse_duration(args.since, "--since")
    source = rules_source(*_configured(args))
    if args.share is not None:
        if args.csv is not None or args.html is not None:
            _complain("--share counts without names: expected without --csv and --html")
            return 2
        return _share(args, source, since)
    from ringfence.reporting.making import Wanted, make
    from ringfence.reporting.text import terminal_lines
    from ringfence.wording import language

    lang = args.lang or language(os.environ)
    made = make(Wanted(tuple(args.logs), since, lang, args.csv, args.html), source)
    for path in (args.csv, args.html):
        if path is not None:
            sys.stdout.write(f"{path}: {made.calls} calls\n")
    if args.csv is None and args.html is None:
        sys.stdout.writelines(f"{line}\n" for line in terminal_lines(made.document))
    _left_out(made.passed_over)
    return 0


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
        _complain(f"{lines} lines were no event and are left out")


def _bundle_options(parser: Parser) -> None:
    from ringfence import publishing

    publishing.options(parser)


def _bundle(args: argparse.Namespace) -> int:
    from ringfence import publishing

    return publishing.run(args)


COMMANDS = {
    "run": Command("protect this machine until SIGTERM", _run_options, _run),
    "replay": Command(
        "judge captures, show what would be done", _replay_options, _replay
    ),
    "explain": Command(
        "say what becomes of a number or an address", _explain_options, _explain
    ),
    "check": Command("check a configuration, all errors at once", _offline, _check),
    "ruleset": Command(
        "print the nft ruleset that run would install", _offline, _ruleset
    ),
    "status": Command(
        "show what kernel and agent count, and who is banned", _status_options, _status
    ),
    "doctor": Command(
        "find what weakens the protection, say what to type",
        _doctor_options,
        _doctor,
    ),
    "ban": Command("ban an address, its /64 for IPv6", _ban_options, _ban),
    "unban": Command("lift a ban and forget its history", _unban_options, _unban),
    "allow": Command(
        "open calls abroad that were closed, for a time", _allow_options, _allow
    ),
    "notify": Command(
        "send a test notice, say what came of it", _notify_options, _notify
    ),
    "cleanup": Command(
        "take out of the kernel what a killed agent has left", _config_option, _cleanup
    ),
    "report": Command(
        "sum up calls, costs, attacks and what was stopped", _report_options, _report
    ),
    "bundle": Command(
        "bundles of rules: build, sign, review, install, go back",
        _bundle_options,
        _bundle,
    ),
}


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = Parser(prog="ringfence", description="A firewall agent for VoIP routers.")
    parser.add_argument(
        "--version", action="version", version=f"ringfence {__version__}"
    )
    argv = sys.argv[1:] if argv is None else argv
    subcommands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        sub = subcommands.add_parser(name, help=command.what, description=command.what)
        if name in argv:  # the others' options cost time, and may cost imports
            command.options(sub)
        sub.set_defaults(run=command.run)
    args = parser.parse_args(argv)
    _take_any_bytes()
    try:
        code = int(args.run(args))
        sys.stdout.flush()
    except ConfigError as error:
        for problem in error.problems:
            _complain(problem)
        return error.exit_code
    except RingfenceError as error:
        _complain(str(error))
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


def _complain(text: str) -> None:
    for line in text.splitlines():
        sys.stderr.write(f"ringfence: {line}\n")
