"""`bundle build`, `sign` and `keygen`: bundles and keys made.

Knows arguments and files; a bundle's contents are judged by `ringfence.bundle.build`.
"""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ringfence import __version__
from ringfence.errors import BundleError, ConfigError
from ringfence.publishing.merging import merged_files, prefer_option
from ringfence.publishing.words import now, say

if TYPE_CHECKING:
    from ringfence.engine import Settings

Parser = argparse.ArgumentParser

DAYS: Final = 180
"""Days after which a bundle expires when nothing else is said: long enough for a
release that is late, short enough that an old one cannot be passed off for long."""


def build_options(parser: Parser) -> None:
    """Add the options of `build`."""
    parser.add_argument(
        "--from",
        dest="folder",
        type=Path,
        metavar="DIR",
        help="folder of rules; default: the embedded ones",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE")
    parser.add_argument("--channel", default="stable")
    parser.add_argument(
        "--epoch", type=int, default=1, help="raised only when keys are replaced"
    )
    parser.add_argument(
        "--version", type=int, default=1, help="higher than any before in the epoch"
    )
    parser.add_argument(
        "--created",
        metavar="TIME",
        help="such as 2026-11-21T00:00:00Z; default: $SOURCE_DATE_EPOCH, else now",
    )
    parser.add_argument(
        "--expires", metavar="TIME", help=f"default: {DAYS} days after it was created"
    )
    parser.add_argument(
        "--min-agent",
        default=__version__,
        metavar="VERSION",
        help="oldest agent that understands it; default: this one",
    )
    parser.add_argument(
        "--destinations",
        action="append",
        default=[],
        metavar="[NAME=]FILE",
        help="list of destinations in place of the folder's; several are merged",
    )
    prefer_option(parser)


def build(args: argparse.Namespace) -> int:
    """Make a bundle of a folder."""
    from ringfence.bundle import build
    from ringfence.bundle.layout import DESTINATIONS
    from ringfence.bundle.manifest import stamp
    from ringfence.bundle.tables import find_rules_dir
    from ringfence.bundle.writing import write_whole

    created = _created(args.created)
    expires = _time(args.expires, "--expires", created + DAYS * 86_400)
    head = build.Head(
        args.channel, args.epoch, args.version, created, expires, args.min_agent
    )
    files = build.collect(args.folder or find_rules_dir())
    if args.destinations:
        merged = merged_files(args.destinations, args.prefer)
        files[DESTINATIONS] = merged.text.encode("utf-8")
    data = build.build(files, head)
    _prove(data, str(args.out))
    write_whole(args.out, data)
    say(
        f"{args.out}: version {args.version} of epoch {args.epoch}, {len(files)} files, "
        f"{len(data)} bytes, expires {stamp(expires)}; not signed yet"
    )
    return 0


def _created(given: str | None) -> int:
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given is None and epoch:
        if not (epoch.isascii() and epoch.isdigit()):
            raise ConfigError([f"SOURCE_DATE_EPOCH = {epoch!r}: expected seconds"])
        return int(epoch)
    return _time(given, "--created", now())


def _time(text: str | None, option: str, default: int) -> int:
    from ringfence.bundle.manifest import read_stamp

    if text is None:
        return default
    found = read_stamp(text)
    if found is None:
        raise ConfigError(
            [f"{option} {text}: expected a time such as 2026-11-21T00:00:00Z"]
        )
    return found


def _prove(data: bytes, where: str) -> None:
    """Run a bundle's own vectors; `BundleError` with those that fail."""
    from ringfence.bundle.build import check_files
    from ringfence.bundle.checker import unverified
    from ringfence.bundle.layout import VECTORS
    from ringfence.bundle.opening import Archived
    from ringfence.config import assemble, parse_config
    from ringfence.proving import run_vectors

    bundle = unverified(data)
    source = Archived(bundle, where)

    def settings_of(site: str) -> "Settings":
        return assemble(parse_config(site, VECTORS), source)

    problems = run_vectors(check_files(bundle), settings_of, VECTORS)
    if problems:
        raise BundleError("\n".join(problems))


def sign_options(parser: Parser) -> None:
    """Add the options of `sign`."""
    parser.add_argument("file", type=Path, metavar="FILE")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument(
        "--key",
        type=Path,
        metavar="SECRET",
        help="secret key without a passphrase, of signify, usign or bundle keygen",
    )
    how.add_argument(
        "--signature",
        type=Path,
        metavar="SIG",
        help="signature of its MANIFEST that was made elsewhere",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="default: in place of FILE"
    )


def sign(args: argparse.Namespace) -> int:
    """Sign a bundle, or put a signature in."""
    from ringfence.bundle import build, signify
    from ringfence.bundle.opening import read_archive_file, read_capped
    from ringfence.bundle.writing import write_whole

    data = read_archive_file(args.file)
    path: Path = args.key or args.signature
    text = read_capped(path, signify.MOST_BYTES + 1)
    if args.key is not None:
        key = signify.parse_secret(text, str(path))
        signed, number = build.sign(data, key), key.number
    else:
        signature = signify.parse_signature(text, str(path))
        signed, number = build.attach(data, signature), signature.number
    write_whole(args.out or args.file, signed)
    say(f"{args.out or args.file}: signed by key {number.hex()}")
    return 0


def keygen_options(parser: Parser) -> None:
    """Add the options of `keygen`."""
    parser.add_argument(
        "name",
        type=Path,
        metavar="NAME",
        help="makes NAME.sec, to be kept secret, and NAME.pub",
    )


def keygen(args: argparse.Namespace) -> int:
    """Make a pair of keys."""
    import secrets

    from ringfence.bundle import signify
    from ringfence.bundle.writing import write_new

    key = signify.SecretKey(secrets.token_bytes(8), secrets.token_bytes(32))
    name: Path = args.name
    secret, public = (name.with_name(name.name + end) for end in (".sec", ".pub"))
    if public.exists():
        raise BundleError(f"{public}: expected no such file; it is not written over")
    write_new(secret, key.render(), 0o600)
    write_new(public, key.public.render(), 0o644)
    say(
        f"{public}: key {key.number.hex()}; put it into the folder of trusted keys as "
        f"EPOCH/{key.number.hex()}",
        f"{secret}: keep it secret, and off the routers",
    )
    return 0
