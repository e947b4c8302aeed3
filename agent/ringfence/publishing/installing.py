"""`bundle install`, `rollback` and `status`: which bundle this router uses.

Knows the order of an installation, the running agent's socket, and whether the clock is
right. What may be installed the checker says, whether it works the self-test, and the
store writes it.
"""

import argparse
import os
import sys
import syslog
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ringfence.errors import BundleError, KernelError, RingfenceError
from ringfence.publishing.words import now, say, warn
from ringfence.usage import config_option

if TYPE_CHECKING:
    from ringfence.bundle.checker import Bundle
    from ringfence.config import Config

Parser = argparse.ArgumentParser

TAKEN_UP: Final = 30.0
"""Seconds that the running agent has to take a bundle up; a small router takes five."""
FROM_STORE: Final = ("factory", "a", "b", "embedded")
"""What the agent says of rules that it was not given by hand."""
_LOOK: Final = 0.1
_TIME_ERROR: Final = 5
"""What adjtimex(2) returns while the clock is not synchronised."""
_TIMEX_BYTES: Final = 512
"""More than `struct timex` has, on any machine."""
_CLOCK_WAS_SET: Final = Path("/var/state/dnsmasqsec")
"""What OpenWrt's dnsmasq writes when ntpd has set the clock for the first time since the
start; in a folder that is empty after each start."""


def install_options(parser: Parser) -> None:
    """Add the options of `install`."""
    parser.add_argument("file", metavar="FILE|-|URL", help="- is standard input")
    parser.add_argument(
        "--allow-downgrade",
        action="store_true",
        help="also an older one, or one that was given up before; root only, logged",
    )
    config_option(parser)


def install(args: argparse.Namespace) -> int:
    """Install a bundle, once it has shown what it has to; 1 if no agent takes it up."""
    from ringfence.config import read_config
    from ringfence.config.storage import open_store
    from ringfence.publishing.selftest import try_out

    if args.allow_downgrade and os.geteuid() != 0:
        raise KernelError("--allow-downgrade is for root: expected to be run as root")
    config = read_config(args.config)
    store = open_store(config)
    data = _read(args.file)
    with store.installing():
        bundle = store.check(
            data, now(), synced=_synced(), downgrade=args.allow_downgrade
        )
        try_out(bundle, config)
        if args.allow_downgrade:
            _note(f"bundle install --allow-downgrade: {_name(bundle)}")
        slot = store.put(data, bundle)
    say(f"{args.file}: {_name(bundle)} is in slot {slot}, on trial")
    return _taken_up(config, bundle.digest)


def rollback_options(parser: Parser) -> None:
    """Add the options of `rollback`."""
    config_option(parser)


def rollback(args: argparse.Namespace) -> int:
    """Give the bundle in use up, and go back to the next best."""
    from ringfence.bundle import choice
    from ringfence.config import read_config
    from ringfence.config.storage import open_store

    config = read_config(args.config)
    store = open_store(config)
    with store.installing():
        state, candidates, _ = store.look()
        used = choice.best(state, candidates)
        if used is None:
            raise BundleError(
                f"{store.places.folder}: expected a bundle to go back from"
            )
        after = choice.best(choice.rejected(state, used.mark.digest), candidates)
        store.reject(used.mark.digest)
    _note(f"bundle rollback of version {used.mark.version} ({used.mark.digest})")
    to = "the embedded rules"
    if after is not None:
        to = f"version {after.mark.version} of epoch {after.mark.epoch}, {after.where}"
    say(f"given up: version {used.mark.version} of epoch {used.mark.epoch}; now {to}")
    return _taken_up(config, None if after is None else after.mark.digest)


def status_options(parser: Parser) -> None:
    """Add the options of `status`."""
    config_option(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")


def status(args: argparse.Namespace) -> int:
    """Say what is in the store and what would be used; 1 when nothing can be."""
    import json

    from ringfence.bundle import choice
    from ringfence.config import read_config
    from ringfence.config.storage import open_store

    store = open_store(read_config(args.config))
    state, candidates, problems = store.look()
    used = choice.best(state, candidates)
    record = {
        "type": "bundles",
        "used": None if used is None else used.where,
        "good": state.good,
        "trial": None if state.trial is None else state.trial._asdict(),
        "bundles": [
            {
                "where": one.where,
                **one.mark._asdict(),
                "bad": one.mark.digest in state.bad,
            }
            for one in candidates
        ],
        "high_water": None if state.high_water is None else state.high_water._asdict(),
        "bad": list(state.bad),
        "problems": problems,
    }
    if args.json:
        sys.stdout.write(json.dumps(record) + "\n")
    else:
        for where, mark, _ in candidates:
            notes = ["used"] if used is not None and used.where == where else []
            notes += ["on trial"] if state.trial and state.trial.slot == where else []
            notes += ["given up"] if mark.digest in state.bad else []
            said = f" ({', '.join(notes)})" if notes else ""
            say(f"{where}: version {mark.version} of epoch {mark.epoch}{said}")
        if used is None:
            say("no bundle can be used: the embedded rules are")
        for problem in problems:
            warn(problem)
    return 1 if problems and used is None else 0


def _read(what: str) -> bytes:
    from ringfence.bundle.archive import MOST_BYTES
    from ringfence.bundle.opening import is_url, read_archive_file

    if is_url(what):
        from ringfence.bundle.download import download  # 1.5 MB

        return download(what, MOST_BYTES)
    if what != "-":
        return read_archive_file(Path(what))
    return sys.stdin.buffer.read(MOST_BYTES + 1)


def _taken_up(config: "Config", digest: str | None) -> int:
    """Have the running agent take the best bundle up, and see it do so."""
    from ringfence.controlsocket import ask

    socket = config.control_socket
    if ask(socket, {"ask": "reload"}) is None:
        say("no agent is running: it is used when one starts")
        return 0
    until = time.monotonic() + TAKEN_UP
    while time.monotonic() < until:
        time.sleep(_LOOK)
        try:
            told = (ask(socket, {"ask": "status"}) or {}).get("rules_from")
        except RingfenceError:
            continue  # it is busy taking it up
        if not isinstance(told, dict):
            continue
        if told["source"] not in FROM_STORE:
            warn(
                f"the agent was started with --bundle {told['source']}: it stays there"
            )
            return 1
        if told.get("digest") == digest:
            say("the agent uses it now")
            return 0
    warn(f"the agent does not use it after {TAKEN_UP:g} s; its log says why")
    return 1


def _name(bundle: "Bundle") -> str:
    manifest = bundle.manifest
    return f"version {manifest.version} of epoch {manifest.epoch}"


def _note(text: str) -> None:
    syslog.openlog("ringfence", syslog.LOG_PID, syslog.LOG_DAEMON)
    syslog.syslog(syslog.LOG_WARNING, text)


def _synced() -> bool:
    """Tell whether NTP has set the clock; False where nobody knows.

    By adjtimex(2), or by the file that OpenWrt has: its Python may lack ctypes.
    """
    try:
        import ctypes
    except ImportError:
        return _CLOCK_WAS_SET.exists()
    try:
        adjtimex = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return False
    # All zeros: `modes` asks for nothing to be changed.
    state: int = adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return 0 <= state < _TIME_ERROR
