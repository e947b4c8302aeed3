"""Country of an address: a table of ranges, asked by bisection.

Knows what is asked of a table and how one is made from ranges or from a few lines.
It must not know where tables come from: files are `ringfence.bundle.tables`' business.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from ringfence.errors import BundleError, ConfigError
from ringfence.facts.columns import (
    DIVIDED,
    MOST_NAMES,
    Columns,
    divide,
    read_columns,
)
from ringfence.facts.network import (
    EMBEDDING_OCTETS,
    NetworkSet,
    embedded_ipv4,
    flatten,
    parse_address,
    parse_network,
    scope,
)

if TYPE_CHECKING:
    from mmap import mmap

__all__ = ["ISO_COUNTRIES", "CountryTable", "NetworkSet", "parse_address", "scope"]

ISO_COUNTRIES: Final = frozenset(
    (  # noqa: SIM905 - as a list it is 252 lines
        "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ "
        "BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR "
        "CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR "
        "GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU "
        "ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ "
        "LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ "
        "MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF "
        "PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI "
        "SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR "
        "TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW "
        "AP EU XK"
    ).split()
)
"""The 249 codes of ISO 3166-1 alpha-2, and three that address registries use: AP and
EU (assigned to the region, no country named) and XK (Kosovo)."""


_number: Final = int.from_bytes


class CountryTable:
    """Which country an address belongs to."""

    __slots__ = (
        "_codes4",
        "_codes6",
        "_fine_rows",
        "_names",
        "_octets4",
        "_octets6",
        "_starts4",
        "_starts6",
        "columns",
    )

    def __init__(self, columns: Columns) -> None:
        """Take columns that are known to be in order."""
        self.columns = columns
        # Padded, so that no code is out of range.
        self._names = columns.names + (None,) * (DIVIDED + 1 - len(columns.names))
        self._fine_rows = range(len(columns.fine_codes))
        # What every lookup needs, without a step by way of `columns`.
        self._starts4, self._codes4 = columns.starts4, columns.codes4
        self._starts6, self._codes6 = columns.starts6, columns.codes6
        self._octets4 = _octets(columns.starts4, 24)
        self._octets6 = _octets(columns.starts6, 56)

    @property
    def source(self) -> str:
        """Package and version the table was made from, or the file."""
        return self.columns.source

    @property
    def date(self) -> str:
        """Day of the data, ISO 8601; "" when not known."""
        return self.columns.date

    def country(self, address: bytes) -> str | None:
        """Return the country of an address of 4 or 16 bytes, None when not known.

        An IPv6 address that embeds an IPv4 address (6to4, Teredo, NAT64, mapped) is
        judged by that one.
        """
        octet = address[0]
        if len(address) == 4:
            row = bisect_right(
                self._starts4,
                _number(address),
                self._octets4[octet],
                self._octets4[octet + 1],
            )
            return self._names[self._codes4[row - 1]]
        if octet in EMBEDDING_OCTETS:
            inner = embedded_ipv4(address)
            if inner is not None:
                return self.country(inner)
        row = bisect_right(
            self._starts6,
            _number(address[:8]),
            self._octets6[octet],
            self._octets6[octet + 1],
        )
        code = self._codes6[row - 1]
        if code == DIVIDED:
            columns = self.columns
            row = bisect_right(self._fine_rows, address, key=columns.fine_start)
            code = columns.fine_codes[row - 1]
        return self._names[code]

    def home_ranges(
        self, codes: Collection[str]
    ) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """List the IPv4 and the IPv6 ranges of some countries, as (first, last).

        Numbers of 32 and 128 bits, ascending, with ranges that touch made one. They
        are the table's own rows: that an address embeds IPv4 only `country` sees.
        """
        wanted = {code for code, name in enumerate(self._names) if name in codes}
        return _joined(self._ranges4(wanted)), _joined(self._ranges6(wanted))

    def each_range4(self, codes: Collection[str]) -> Iterator[tuple[int, int]]:
        """Give the IPv4 ranges of some countries, one by one as the table's rows are.

        For who needs a few of them: all take 2 MB.
        """
        wanted = {code for code, name in enumerate(self._names) if name in codes}
        return ((first, end - 1) for first, end in self._ranges4(wanted))

    def _ranges4(self, wanted: set[int]) -> Iterator[tuple[int, int]]:
        starts4 = self.columns.starts4
        for row, code in enumerate(self.columns.codes4):
            if code in wanted:
                end = starts4[row + 1] if row + 1 < len(starts4) else 1 << 32
                yield starts4[row], end

    def _ranges6(self, wanted: set[int]) -> Iterator[tuple[int, int]]:
        columns = self.columns
        starts6 = columns.starts6
        asked = wanted | {DIVIDED}
        for row, code in enumerate(columns.codes6):
            if code not in asked:
                continue
            first = starts6[row] << 64
            end = (starts6[row + 1] if row + 1 < len(starts6) else 1 << 64) << 64
            if code != DIVIDED:
                yield first, end
                continue
            fine = bisect_right(
                self._fine_rows, first.to_bytes(16), key=columns.fine_start
            )
            while first < end:
                stop = end
                if fine < len(self._fine_rows):
                    stop = min(end, int.from_bytes(columns.fine_start(fine)))
                if columns.fine_codes[fine - 1] in wanted:
                    yield first, stop
                first = stop
                fine += 1

    @classmethod
    def build(
        cls,
        ranges4: Iterable[tuple[int, int, str]],
        ranges6: Iterable[tuple[int, int, str]],
        source: str = "",
        date: str = "",
    ) -> "CountryTable":
        """Make a table from ranges (first, last, country) of 32- and 128-bit numbers.

        Where ranges nest, the inner one wins; they must not overlap otherwise.
        """
        starts4, countries4 = flatten(ranges4)
        starts6, countries6 = flatten(ranges6)
        names = (None, *sorted({name for name in countries4 + countries6 if name}))
        if len(names) > MOST_NAMES:
            raise BundleError(
                f"country table with {len(names) - 1} countries: expected at most "
                f"{MOST_NAMES - 1}"
            )
        code = {name: index for index, name in enumerate(names)}
        return cls(
            Columns(
                starts4,
                [code[name] for name in countries4],
                *divide(starts6, [code[name] for name in countries6]),
                names,
                source,
                date,
            )
        )

    @classmethod
    def from_lines(cls, lines: Iterable[str], where: str) -> "CountryTable":
        """Read lines `network,CC`; `#` begins a comment, the longest prefix wins.

        Special-use networks count here: laboratories live in them. Raises
        `ConfigError` with every problem, each as `where:line = "text": …`.
        """
        ranges: dict[int, list[tuple[int, int, str]]] = {32: [], 128: []}
        lines_of: dict[tuple[int, int, int], int] = {}
        problems: list[str] = []
        for number, line in enumerate(lines, 1):
            text = line.partition("#")[0].strip()
            if not text:
                continue
            at = f"{where}:{number}"
            literal, _, country = (part.strip() for part in text.partition(","))
            if country not in ISO_COUNTRIES:
                problems.append(
                    f'{at} = "{text}": expected network,CC with an ISO 3166-1 country '
                    "code in capitals, such as 198.51.100.0/24,NL"
                )
            try:
                network = parse_network(literal, at)
            except ConfigError as error:
                problems += error.problems
                continue
            if network.bits == 128 and _embeds(network.first) and _embeds(network.last):
                problems.append(
                    f'{at} = "{literal}": these addresses are judged by the IPv4 '
                    "address in them; expected that IPv4 network"
                )
            if lines_of.setdefault(network, number) != number:
                problems.append(
                    f'{at} = "{literal}": also on line {lines_of[network]}; '
                    "expected each network once"
                )
            ranges[network.bits].append((network.first, network.last, country))
        if problems:
            raise ConfigError(problems)
        return cls.build(ranges[32], ranges[128], where)

    @classmethod
    def from_buffer(cls, buffer: "bytes | memoryview | mmap") -> "CountryTable":
        """Use a table where it lies, as `columns.write_columns` laid it out.

        Keeps views into the buffer and copies no rows. Raises `BundleError` for
        anything but a whole table of this machine's byte order.
        """
        return cls(read_columns(buffer))


def _octets(starts: Sequence[int], shift: int) -> list[int]:
    # Rows ahead of each first octet: saves a bisection its first eight steps.
    rows = [bisect_right(starts, (octet << shift) - 1) for octet in range(256)]
    return [*rows, len(starts)]


def _embeds(value: int) -> bool:
    return embedded_ipv4(value.to_bytes(16)) is not None


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    # From ascending (first, end) to (first, last), ranges that touch made one.
    joined: list[tuple[int, int]] = []
    for first, end in ranges:
        if joined and joined[-1][1] + 1 == first:
            joined[-1] = (joined[-1][0], end - 1)
        else:
            joined.append((first, end - 1))
    return joined
