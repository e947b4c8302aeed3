"""`bundle verify` and `show`: bundles checked and put into words.

Knows arguments and words; what differs is found by `ringfence.bundle.difference`.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from ringfence.publishing.words import now, say, warn
from ringfence.usage import config_option

if TYPE_CHECKING:
    from ringfence.bundle.checker import Bundle
    from ringfence.bundle.manifest import Manifest

Parser = argparse.ArgumentParser


def _keys_option(parser: Parser, what: str) -> None:
    parser.add_argument("--keys", type=Path, metavar="DIR", help=what)


def verify_options(parser: Parser) -> None:
    """Add the options of `verify`."""
    parser.add_argument("file", type=Path, metavar="FILE")
    config_option(parser)
    _keys_option(parser, "trusted keys, in place of the configured bundle.keys")


def verify(args: argparse.Namespace) -> int:
    """Check a bundle against the trusted keys."""
    from ringfence.bundle.opening import open_bundle, read_keys
    from ringfence.config import read_config

    keys = args.keys or Path(read_config(args.config).bundle_keys)
    bundle = open_bundle(args.file, read_keys(keys)).bundle
    say(f"{args.file}: {_headline(bundle.manifest)}", *_trust(bundle))
    if bundle.stale(now()):
        warn(f"{args.file}: it has expired: it cannot be installed any more")
    return 0


def _headline(manifest: "Manifest") -> str:
    return (
        f"version {manifest.version} of epoch {manifest.epoch}, "
        f"channel {manifest.channel}"
    )


def _trust(bundle: "Bundle") -> list[str]:
    from ringfence.bundle.manifest import stamp

    manifest = bundle.manifest
    by = (
        f"signed by key {bundle.key}"
        if bundle.key
        else "nobody has checked who made it"
    )
    return [
        f"  {by}",
        f"  created {stamp(manifest.created)}, expires {stamp(manifest.expires)}, "
        f"needs agent {manifest.min_agent} or newer",
        f"  {len(bundle.files)} files, SHA-256 of MANIFEST {bundle.digest}",
    ]


def show_options(parser: Parser) -> None:
    """Add the options of `show`."""
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument(
        "--diff",
        type=Path,
        metavar="OLD",
        help="say what changes from that bundle to FILE",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    _keys_option(parser, "check the signatures, by these keys")


def show(args: argparse.Namespace) -> int:
    """Say what is in a bundle, or what changes."""
    from ringfence.bundle.difference import compare

    bundle = _opened(args.file, args.keys)
    record = _record(bundle, str(args.file))
    lines = [f"{args.file}: {_headline(bundle.manifest)}", *_trust(bundle)]
    if args.diff is None:
        lines += _contents(record)
    else:
        changes = compare(_opened(args.diff, args.keys), bundle)
        record["changes"] = [change._asdict() for change in changes]
        lines += [str(change) for change in changes] or ["no change"]
    if args.json:
        sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
    else:
        say(*lines)
    return 0


def _opened(path: Path, keys: Path | None) -> "Bundle":
    from ringfence.bundle.opening import open_bundle, open_unverified, read_keys

    if keys is None:
        return open_unverified(path).bundle
    return open_bundle(path, read_keys(keys)).bundle


def _record(bundle: "Bundle", where: str) -> dict[str, object]:
    """Return what a bundle holds, for people and for scripts."""
    from ringfence.bundle.embedded import (
        dialplan_names,
        load_destinations,
        load_rules,
        read_text,
    )
    from ringfence.bundle.layout import COUNTRIES, VECTORS
    from ringfence.bundle.manifest import stamp
    from ringfence.bundle.opening import Archived
    from ringfence.bundle.packed import read_prelude
    from ringfence.bundle.vectors import parse_vectors

    source, manifest = Archived(bundle, where), bundle.manifest
    found = load_destinations(source)
    rows = [found.find(code) for code in found.codes()]
    table = read_prelude(bundle.files[COUNTRIES], COUNTRIES)
    return {
        "file": where,
        "verified": bool(bundle.key),
        "key": bundle.key or None,
        "manifest": {
            **{key: getattr(manifest, key) for key in ("format", "channel")},
            **{key: getattr(manifest, key) for key in ("epoch", "version")},
            "created": stamp(manifest.created),
            "expires": stamp(manifest.expires),
            "min-agent": manifest.min_agent,
            "sha256": bundle.digest,
        },
        "rules": [
            {"id": r.id, "rev": r.rev, "severity": r.severity, "does": r.verdict.word}
            for r in load_rules(source).rules
        ],
        "dialplans": dialplan_names(source),
        "destinations": Counter(row.tier for row in rows if row is not None),
        "countries": {
            "source": table.source.rstrip(b"\0").decode("ascii", "backslashreplace"),
            "date": table.date.rstrip(b"\0").decode("ascii", "backslashreplace"),
            "names": table.n_names - 1,
        },
        "vectors": len(parse_vectors(read_text(source, VECTORS), VECTORS)),
        "files": {name: file.size for name, file in manifest.files.items()},
    }


def _contents(record: dict[str, object]) -> list[str]:
    """Write the record's inner part for a person."""
    rules, tiers = record["rules"], record["destinations"]
    plans, table = record["dialplans"], record["countries"]
    assert isinstance(rules, list)  # noqa: S101 - made above
    assert isinstance(plans, list)  # noqa: S101
    assert isinstance(tiers, Counter)  # noqa: S101
    assert isinstance(table, dict)  # noqa: S101
    return [
        f"{len(rules)} rules:",
        *(f"  {r['id']} (revision {r['rev']}, {r['severity']})" for r in rules),
        f"dial plans: {', '.join(plans)}",
        f"destinations: {', '.join(f'{n} {tier}' for tier, n in sorted(tiers.items()))}",
        f"country table: {table['source']} of {table['date']}, "
        f"{table['names']} countries",
        f"vectors: {record['vectors']}",
    ]
