"""`bundle merge`: lists of destinations of several origins made one.

Knows arguments and files; what the lists say is weighed by `ringfence.bundle.merge`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ringfence.errors import BundleError
from ringfence.publishing.words import warn

if TYPE_CHECKING:
    from ringfence.bundle.merge import Conflict, Merged

Parser = argparse.ArgumentParser


def prefer_option(parser: Parser) -> None:
    """Add the option that settles conflicts."""
    parser.add_argument(
        "--prefer",
        metavar="NAME",
        help="the list with the last word where lists differ; else the strictest counts",
    )


def merge_options(parser: Parser) -> None:
    """Add the options of `merge`."""
    parser.add_argument(
        "lists",
        nargs="+",
        metavar="[NAME=]FILE",
        help="destinations.csv of somebody; the first ones first",
    )
    prefer_option(parser)
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="default: standard output"
    )


def merge(args: argparse.Namespace) -> int:
    """Merge lists; 1 when they conflict and no preferred list settles it."""
    from ringfence.bundle.writing import write_whole

    merged = merged_files(args.lists, args.prefer)
    if args.out is None:
        sys.stdout.write(merged.text)
    else:
        write_whole(args.out, merged.text.encode("utf-8"))
    return 1 if any(not conflict.settled for conflict in merged.conflicts) else 0


def merged_files(given: Sequence[str], prefer: str | None) -> "Merged":
    """Merge lists from files; every conflict goes to standard error."""
    from ringfence.bundle.layout import DESTINATION
    from ringfence.bundle.merge import merge, read_listing
    from ringfence.bundle.opening import read_capped

    listings = []
    for text in given:
        name, equals, rest = text.partition("=")
        path = Path(rest if equals else text)
        data = read_capped(path, DESTINATION.most + 1)
        if len(data) > DESTINATION.most:
            raise BundleError(f"{path}: expected at most {DESTINATION.most} bytes")
        try:
            csv = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BundleError(
                f"{path}: byte {error.start} is not UTF-8: expected text"
            ) from error
        listings.append(read_listing(csv, name if equals else path.stem, str(path)))
    merged = merge(listings, prefer)
    for conflict in merged.conflicts:
        warn(_conflict(conflict))
    return merged


def _conflict(conflict: "Conflict") -> str:
    return f"{'settled' if conflict.settled else 'conflict'}: {conflict.text}"
