"""Rebuild the country table from Debian's `tor-geoipdb` package.

    python rules/geo/rebuild.py [--package FILE.deb]

Takes the package apart without installing it, keeps what can be the address of a
host, and writes `country.tbl` and the figures in `README.md` beside this file. The
same package gives the same table.
"""

import argparse
import email.utils
import ipaddress
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ringfence.bundle.packed import pack, unpack
from ringfence.errors import RingfenceError
from ringfence.facts.country import ISO_COUNTRIES, CountryTable
from ringfence.facts.network import special_ranges

PACKAGE = "tor-geoipdb"
HERE = Path(__file__).resolve().parent
FIGURES = ("<!-- figures, written by rebuild.py -->\n", "<!-- end of figures -->\n")
TOOL_SECONDS = 300
"""Time that one run of apt-get or dpkg-deb may take; the package has 3 MB."""

SAME_AS = {"UK": "GB"}
"""Codes the source uses beside the official one (UK is reserved in ISO 3166-1)."""


class RebuildError(Exception):
    """Why there is no new table, in a sentence."""


class Source(NamedTuple):
    """What the package says: ranges (first, last, code) and where they are from."""

    ranges4: list[tuple[int, int, str]]
    ranges6: list[tuple[int, int, str]]
    package: str
    date: str


def run(tool: str, *arguments: str, cwd: Path | None = None) -> str:
    """Run a tool of the system and return its output."""
    path = shutil.which(tool)
    if path is None:
        raise RebuildError(f"{tool} not found: this needs a Debian-family machine")
    try:
        done = subprocess.run(  # noqa: S603 - fixed tools, no shell
            [path, *arguments],
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=TOOL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RebuildError(f"{tool}: no answer in {TOOL_SECONDS} s") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise RebuildError(
            f"{tool} {arguments[0]} failed: {said[-1] if said else done.returncode}"
        )
    return done.stdout


def download(folder: Path, version: str | None = None) -> Path:
    """Fetch the package file from the machine's own archive; nothing is installed."""
    wanted = PACKAGE if version is None else f"{PACKAGE}={version}"
    # apt's own user cannot write to a private folder, and apt would complain.
    run("apt-get", "download", "-o", "APT::Sandbox::User=root", wanted, cwd=folder)
    return next(folder.glob(f"{PACKAGE}_*.deb"))


def read_package(package: Path, folder: Path) -> Source:
    """Take the package apart below `folder` and read its two tables."""
    if not package.is_file():
        raise RebuildError(f"{package}: no such file")
    name, version = (
        run("dpkg-deb", "--field", str(package), field).strip()
        for field in ("Package", "Version")
    )
    if name != PACKAGE:
        raise RebuildError(f"{package}: holds {name}; expected {PACKAGE}")
    run("dpkg-deb", "--extract", str(package), str(folder / "taken-apart"))
    data = folder / "taken-apart" / "usr" / "share" / "tor"
    ranges4, date4 = read_ranges(data / "geoip", 32)
    ranges6, date6 = read_ranges(data / "geoip6", 128)
    return Source(ranges4, ranges6, f"{PACKAGE} {version}", max(date4, date6))


def read_day(text: str, where: str) -> str:
    """Turn `Thu, 25 Jun 2026 04:33:59 GMT` into `2026-06-25`."""
    try:
        return email.utils.parsedate_to_datetime(text).date().isoformat()
    except ValueError as error:
        raise RebuildError(f"{where}: {text.strip()!r}: expected a date") from error


def read_ranges(path: Path, bits: int) -> tuple[list[tuple[int, int, str]], str]:
    """Read lines `first,last,CC`: numbers for IPv4, addresses for IPv6.

    Returns the ranges and the day in the comment `# Generated: …`.
    """
    ranges: list[tuple[int, int, str]] = []
    date = ""
    before = -1
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RebuildError(f"{path.name}: cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        if line.startswith("#"):
            if line.startswith("# Generated:"):
                date = read_day(line.partition(":")[2], f"{path.name}:{number}")
            continue
        try:
            low, high, code = line.split(",")
            first, last = (
                (int(low), int(high))
                if bits == 32
                else (int(ipaddress.IPv6Address(low)), int(ipaddress.IPv6Address(high)))
            )
        except ValueError as error:
            raise RebuildError(
                f"{path.name}:{number}: {line!r}: expected first,last,CC"
            ) from error
        if not before < first <= last < 1 << bits:
            raise RebuildError(
                f"{path.name}:{number}: {line!r}: expected ascending, separate ranges"
            )
        before = last
        ranges.append((first, last, code))
    if not ranges or not date:
        raise RebuildError(f"{path.name}: expected ranges and a line '# Generated: …'")
    return ranges, date


def kept(
    ranges: Iterable[tuple[int, int, str]], bits: int, dropped: Counter[str]
) -> Iterator[tuple[int, int, str]]:
    """Keep global unicast space with a country; count the other codes' ranges."""
    special = special_ranges(bits)
    for first, last, code in ranges:
        country = SAME_AS.get(code, code)
        if country not in ISO_COUNTRIES:
            dropped[code] += 1
            continue
        at = first
        for low, high in special:
            if high < at or low > last:
                continue
            if at < low:
                yield at, low - 1, country
            at = high + 1
        if at <= last:
            yield at, last, country


def make_table(source: Source) -> tuple[CountryTable, Counter[str]]:
    """Make the table, and count the ranges dropped for their code."""
    dropped: Counter[str] = Counter()
    table = CountryTable.build(
        kept(source.ranges4, 32, dropped),
        kept(source.ranges6, 128, dropped),
        source.package,
        source.date,
    )
    return table, dropped


def figures(table: CountryTable, packed: int, unpacked: int) -> str:
    """Say in Markdown what the table holds."""
    columns = table.columns
    home4, home6 = table.home_ranges({"JP"})
    return "\n".join(
        (
            "| | |",
            "| --- | --- |",
            f"| made from | {table.source} |",
            f"| date of the data | {table.date} |",
            f"| `country.tbl` | {packed:,} bytes |",
            f"| unpacked | {unpacked:,} bytes |",
            f"| countries and regions | {len(columns.names) - 1} |",
            f"| IPv4 ranges, gaps included | {len(columns.starts4):,} |",
            f"| IPv6 ranges, gaps included | {len(columns.starts6):,} |",
            f"| ranges within divided /64s | {len(columns.fine_codes):,} |",
            f"| of Japan | {len(home4):,} IPv4, {len(home6):,} IPv6 |",
            "",
        )
    )


def rewrite_figures(text: str, found: str) -> str:
    """Put new figures in place of the old ones."""
    before, opening, rest = text.partition(FIGURES[0])
    _, closing, after = rest.partition(FIGURES[1])
    if not (opening and closing):
        raise RebuildError(f"README.md: expected the line {FIGURES[0].strip()}")
    return before + opening + found + closing + after


def main(arguments: list[str] | None = None, out: Path = HERE) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--package", type=Path, metavar="FILE.deb", help="use this, download nothing"
    )
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            source = read_package(options.package or download(folder), folder)
        table, dropped = make_table(source)
        packed = pack(table.columns)
        found = figures(table, len(packed), len(unpack(packed, "country.tbl")))
        readme = out / "README.md"
        text = rewrite_figures(readme.read_text(encoding="utf-8"), found)
    except (RebuildError, RingfenceError, OSError) as error:
        sys.stderr.write(f"rebuild: {error}\n")
        return 2
    for path, content in (
        (out / "country.tbl", packed),
        (readme, text.encode("utf-8")),
    ):
        temporary = path.with_name(path.name + ".new")
        temporary.write_bytes(content)
        temporary.replace(path)
    counted = ", ".join(f"{code} ({count})" for code, count in sorted(dropped.items()))
    sys.stdout.write(f"{found}\nranges dropped for their code: {counted or 'none'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
