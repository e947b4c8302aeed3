"""What is asked of this machine: `status`, `doctor`, `ban`, `unban`, `allow`, `notify`."""

import argparse
import json
import sys
from typing import Final

from ringfence.commands.parts import Parts
from ringfence.errors import RingfenceError
from ringfence.usage import Parser, complain, config_option


def _status_options(parser: Parser) -> None:
    config_option(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")


def _status(args: argparse.Namespace) -> int:
    from ringfence.config import read_config
    from ringfence.status import status_record, status_text

    record = status_record(read_config(args.config))
    text = json.dumps(record) if args.json else status_text(record)
    sys.stdout.write(text + "\n")
    return 0 if record["running"] else 1


def _doctor_options(parser: Parser) -> None:
    config_option(parser)
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
    config_option(parser)
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
        complain("no agent is running; the kernel bans by itself")
    return 0


def _unban_options(parser: Parser) -> None:
    config_option(parser)
    parser.add_argument("address", metavar="ADDRESS")


def _unban(args: argparse.Namespace) -> int:
    from ringfence.banning import unban
    from ringfence.config import read_config

    record = unban(args.address, read_config(args.config))
    was = "unbanned" if record["was_banned"] else "was not banned:"
    sys.stdout.write(f"{was} {record['address']}\n")
    if not record["running"]:
        complain("no agent is running, so there is no history to forget")
    return 0


def _allow_options(parser: Parser) -> None:
    config_option(parser)
    parser.add_argument(
        "what",
        nargs="?",
        metavar="WHAT",
        help="first digits of numbers abroad (63), a country (PH), account@address, "
        "all; without it, list what is closed and what open",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--for",
        dest="duration",
        default="2h",
        metavar="TIME",
        help="how long: 30m, 2h, 7d; default 2h, at most 31d",
    )
    how.add_argument(
        "--end",
        action="store_true",
        help="take back what was opened before",
    )


def _allow(args: argparse.Namespace) -> int:
    from ringfence.allowing import allow, calls, take_back
    from ringfence.banning import parse_duration
    from ringfence.config import read_config

    config = read_config(args.config)
    if args.what is None and args.end:
        raise RingfenceError("--end: expected what to take back; all for all of it")
    if args.what is None:
        from ringfence.status import calls_lines

        sys.stdout.writelines(f"{line}\n" for line in calls_lines(calls(config)))
        if config.numbers_allow:
            always = ", ".join(config.numbers_allow)
            sys.stdout.write(f"  open but for the budget, by numbers.allow: {always}\n")
        return 0
    if args.end:
        was = take_back(args.what, config)["was_open"]
        text = f"no longer open: {', '.join(was)}" if was else "was not open"
        sys.stdout.write(f"{text}\n")
        return 0
    seconds = parse_duration(args.duration)
    record = allow(args.what, seconds, config)
    sys.stdout.write(f"open for {args.duration}: {record['what']}\n")
    for ended in record["ended"]:
        sys.stdout.write(f"no longer closed: {ended}\n")
    return 0


def _notify_options(parser: Parser) -> None:
    config_option(parser)
    parser.add_argument(
        "--test",
        action="store_true",
        required=True,
        help="send a test notice now, and say what came of it",
    )


def _notify(args: argparse.Namespace) -> int:
    from ringfence.notifying.trying import try_out

    return try_out(args.config)


PARTS: Final = {
    "status": Parts(_status_options, _status),
    "doctor": Parts(_doctor_options, _doctor),
    "ban": Parts(_ban_options, _ban),
    "unban": Parts(_unban_options, _unban),
    "allow": Parts(_allow_options, _allow),
    "notify": Parts(_notify_options, _notify),
}
