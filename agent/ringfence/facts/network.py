"""What an IP address says by itself: its text, its scope, the networks it is in.

Addresses are `bytes` in network order, 4 or 16, as in `ringfence.packet`. Knows the
IANA special-purpose registries (RFC 6890 and what was added since) and nothing of
countries, configuration or packets. Every lookup is a bisection over numbers: no
object of `ipaddress` is made per packet, only IPv6 literals in messages cost one.
"""

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple, TypeVar

from ringfence.errors import ConfigError

Scope = Literal["local", "special", "global"]

T = TypeVar("T")

LONGEST_LITERAL: Final = 45
"""Characters of the longest IPv6 literal, `ffff:…:255.255.255.255`; longer text in
a message is not worth a look."""

_OCTETS: Final = {str(value): value for value in range(256)}
"""Decimal octets as inet_pton(3) takes them: no sign, no leading zero."""


class Network(NamedTuple):
    """A block of addresses, as numbers."""

    bits: int
    """32 for IPv4, 128 for IPv6."""
    first: int
    last: int

    def __str__(self) -> str:
        """Write as address/length, the way it would be configured."""
        size = self.last - self.first
        address = format_address(self.first.to_bytes(self.bits // 8))
        return f"{address}/{self.bits - size.bit_length()}"


def parse_address(text: str) -> bytes | None:
    """Read an address as inet_pton(3) does, without brackets or zone; None: not one."""
    if len(text) > LONGEST_LITERAL:
        return None
    if ":" not in text:
        octets = text.split(".")
        if len(octets) != 4:
            return None
        try:
            return bytes([_OCTETS[octet] for octet in octets])
        except KeyError:
            return None
    if "%" in text:
        return None
    try:
        return ipaddress.IPv6Address(text).packed
    except ValueError:
        return None


def format_address(address: bytes) -> str:
    """Write an address the way people do (RFC 5952 for IPv6)."""
    if len(address) == 4:
        return ".".join(map(str, address))
    return str(ipaddress.IPv6Address(address))


def parse_network(text: str, where: str) -> Network:
    """Read `address/length`, or an address alone as the network of just itself.

    Raises `ConfigError` with one problem that begins with `where`.
    """
    literal, slash, length_text = text.partition("/")
    address = parse_address(literal)
    if address is None:
        raise ConfigError(
            [
                f'{where} = "{text}": expected an address or a network '
                "such as 192.0.2.0/24 or 2001:db8::/32"
            ]
        )
    bits = len(address) * 8
    length = bits
    if slash:
        if not (length_text.isascii() and length_text.isdigit()) or (
            len(length_text) > 3 or int(length_text) > bits
        ):
            raise ConfigError(
                [f'{where} = "{text}": expected a length from 0 to {bits} after "/"']
            )
        length = int(length_text)
    value = int.from_bytes(address)
    hosts = (1 << (bits - length)) - 1
    network = Network(bits, value & ~hosts, value | hosts)
    if value != network.first:
        raise ConfigError(
            [
                f'{where} = "{text}": host bits are set; expected {network} '
                f"for the network or {literal} for the one address"
            ]
        )
    return network


def flatten(
    ranges: Iterable[tuple[int, int, T]],
) -> tuple[list[int], list[T | None]]:
    """Cut ranges (first, last, label) into one sorted partition of all numbers.

    Where ranges nest, the inner one wins; they must not overlap otherwise (networks
    never do). Entry i of the result says that `labels[i]` holds from `starts[i]` up
    to the next start; the first start is 0, and None means that no range is there.
    """
    starts: list[int] = [0]
    labels: list[T | None] = [None]
    around: list[tuple[int, T]] = []

    def cut(at: int, label: T | None) -> None:
        if at == starts[-1]:
            labels[-1] = label
            if len(labels) > 1 and labels[-2] == label:
                starts.pop()
                labels.pop()
        elif labels[-1] != label:
            starts.append(at)
            labels.append(label)

    def close_innermost() -> None:
        last, _ = around.pop()
        cut(last + 1, around[-1][1] if around else None)

    for first, last, label in sorted(ranges, key=lambda item: (item[0], -item[1])):
        while around and around[-1][0] < first:
            close_innermost()
        around.append((last, label))
        cut(first, label)
    while around:
        close_innermost()
    return starts, labels


class NetworkSet:
    """IPv4 and IPv6 networks, asked with `address in networks`.

    Addresses are taken as they are: 2002:c633:6401::1 is not in 198.51.100.0/24.
    """

    __slots__ = ("_bounds4", "_bounds6", "networks")

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        """Compile the networks; they may repeat, touch and nest."""
        self.networks = tuple(sorted(set(networks)))
        self._bounds4 = self._bounds(32)
        self._bounds6 = self._bounds(128)

    @classmethod
    def parse(cls, texts: Iterable[str], where: str) -> "NetworkSet":
        """Read networks as `address/length` or single addresses.

        Raises `ConfigError` with every problem, each as `where[index] = "text": …`.
        """
        networks: list[Network] = []
        problems: list[str] = []
        for index, text in enumerate(texts):
            try:
                networks.append(parse_network(text, f"{where}[{index}]"))
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(problems)
        return cls(networks)

    def _bounds(self, bits: int) -> list[int]:
        # Alternately the first number inside and the first one outside again.
        starts, inside = flatten(
            (network.first, network.last, True)
            for network in self.networks
            if network.bits == bits
        )
        return starts if inside[0] else starts[1:]

    def __contains__(self, address: bytes) -> bool:
        """Tell whether any of the networks holds the address."""
        bounds = self._bounds4 if len(address) == 4 else self._bounds6
        return bisect_right(bounds, int.from_bytes(address)) & 1 == 1

    def __bool__(self) -> bool:
        """False when there is no network at all."""
        return bool(self.networks)

    def __eq__(self, other: object) -> bool:
        """Equal when made of the same networks."""
        return isinstance(other, NetworkSet) and self.networks == other.networks

    def __hash__(self) -> int:
        """Agree with `==`."""
        return hash(self.networks)

    def __repr__(self) -> str:
        """Name the networks, for whoever reads a failed assertion."""
        return f"NetworkSet({', '.join(map(str, self.networks))})"


_SPECIAL_USE: Final[tuple[tuple[str, Scope], ...]] = (
    ("0.0.0.0/8", "special"),  # this network, RFC 791
    ("10.0.0.0/8", "local"),  # private use, RFC 1918
    ("100.64.0.0/10", "local"),  # shared address space, RFC 6598
    ("127.0.0.0/8", "local"),  # loopback, RFC 1122
    ("169.254.0.0/16", "local"),  # link-local, RFC 3927
    ("172.16.0.0/12", "local"),  # private use, RFC 1918
    ("192.0.0.0/24", "special"),  # IETF protocol assignments, RFC 6890
    ("192.0.2.0/24", "special"),  # documentation, RFC 5737
    ("192.88.99.0/24", "special"),  # 6to4 relay anycast, withdrawn by RFC 7526
    ("192.168.0.0/16", "local"),  # private use, RFC 1918
    ("198.18.0.0/15", "special"),  # benchmarks, RFC 2544
    ("198.51.100.0/24", "special"),  # documentation, RFC 5737
    ("203.0.113.0/24", "special"),  # documentation, RFC 5737
    ("224.0.0.0/4", "special"),  # multicast, RFC 5771
    ("240.0.0.0/4", "special"),  # reserved, RFC 1112; broadcast, RFC 919
    # IPv6: only 2000::/3 is global unicast (RFC 4291 section 2.4), the rest is not
    # given out: unspecified, mapped, NAT64, discard-only, segment routing, multicast.
    ("::/0", "special"),
    ("::1/128", "local"),  # loopback, RFC 4291
    ("2000::/3", "global"),
    ("2001::/23", "special"),  # Teredo, benchmarks, ORCHID, anycast, RFC 2928
    ("2001:db8::/32", "special"),  # documentation, RFC 3849
    ("2002::/16", "special"),  # 6to4, RFC 3056
    ("3fff::/20", "special"),  # documentation, RFC 9637
    ("fc00::/7", "local"),  # unique local, RFC 4193
    ("fe80::/10", "local"),  # link-local, RFC 4291
)

_MAPPED: Final = bytes(10) + b"\xff\xff"  # ::ffff:0:0/96, RFC 4291 section 2.5.5.2
_NAT64: Final = b"\x00\x64\xff\x9b" + bytes(8)  # 64:ff9b::/96, RFC 6052
_NAT64_LOCAL: Final = b"\x00\x64\xff\x9b\x00\x01"  # 64:ff9b:1::/48, RFC 8215
_TEREDO: Final = b"\x20\x01\x00\x00"  # 2001::/32, RFC 4380
_SIX_TO_FOUR: Final = b"\x20\x02"  # 2002::/16, RFC 3056

EMBEDDING_OCTETS: Final = (0x20, 0x00)
"""First octets that an address with an IPv4 address in it can have."""


def embedded_ipv4(address: bytes) -> bytes | None:
    """Return the IPv4 address that a 16-byte address stands for, None for a native one.

    - 6to4 (RFC 3056 section 2): the 32 bits behind 2002::/16.
    - Teredo (RFC 4380 section 4): the client's mapped address, the last 32 bits
      inverted. The server's, in bits 32 to 63, says nothing about the sender.
    - mapped (RFC 4291) and 64:ff9b::/96 (RFC 6052 section 2.2): the last 32 bits.
    - 64:ff9b:1::/48 (RFC 8215): the translator uses a prefix within it whose length
      the address does not tell. Read as a /96, or as a /64 when only the zeros
      behind one would be left; as 0.0.0.0 when it may be a shorter one still.
    """
    first = address[0]
    if first == 0x20:
        if address[:2] == _SIX_TO_FOUR:
            return address[2:6]
        if address[:4] == _TEREDO:
            return bytes([octet ^ 0xFF for octet in address[12:]])
    elif first == 0:
        if address[:12] in (_MAPPED, _NAT64):
            return address[12:]
        if address[:6] == _NAT64_LOCAL:
            if address[13:] != bytes(3):
                return address[12:]
            return address[9:13] if address[12] else bytes(4)
    return None


def _compile(bits: int) -> tuple[list[int], list[Scope]]:
    found = [
        (network.first, network.last, scope)
        for network, scope in (
            (parse_network(text, "special use"), scope) for text, scope in _SPECIAL_USE
        )
        if network.bits == bits
    ]
    starts, scopes = flatten(found)
    return starts, [scope or "global" for scope in scopes]


def _by_first_octet(
    starts: list[int], scopes: list[Scope], bits: int
) -> list[Scope | None]:
    # None where one octet is not enough to tell.
    table: list[Scope | None] = []
    for octet in range(256):
        low = bisect_right(starts, octet << (bits - 8)) - 1
        high = bisect_right(starts, (octet + 1 << (bits - 8)) - 1) - 1
        table.append(scopes[low] if low == high else None)
    return table


_STARTS4, _SCOPES4 = _compile(32)
_STARTS6, _SCOPES6 = _compile(128)
_OCTET4: Final = _by_first_octet(_STARTS4, _SCOPES4, 32)
_OCTET6: Final = _by_first_octet(_STARTS6, _SCOPES6, 128)


def scope(address: bytes) -> Scope:
    """Say how far an address reaches.

    - "local": nobody across the Internet can send from it and get an answer
      (private, shared, loopback, link-local, unique local).
    - "special": no host has it (documentation, multicast, reserved, unspecified).
    - "global": anybody.

    An address that embeds IPv4 is judged by that address, with one exception: where
    the IPv6 form crosses the Internet by itself (6to4, Teredo, 64:ff9b::/96), it must
    not carry a local one (RFC 3964, RFC 4380, RFC 6052 section 3.1); it is "special"
    then, so that 2002:a00:1::1 cannot pass for 10.0.0.1.
    """
    if len(address) == 4:
        known = _OCTET4[address[0]]
        if known is not None:
            return known
        return _SCOPES4[bisect_right(_STARTS4, int.from_bytes(address)) - 1]
    known = _OCTET6[address[0]]
    if known is not None:
        return known
    inner = embedded_ipv4(address)
    if inner is None:
        return _SCOPES6[bisect_right(_STARTS6, int.from_bytes(address)) - 1]
    reach = scope(inner)
    if reach == "local" and not (
        address.startswith(_MAPPED) or address.startswith(_NAT64_LOCAL)
    ):
        return "special"
    return reach


def special_ranges(bits: int) -> list[tuple[int, int]]:
    """List what is not global unicast, as (first, last), sorted.

    `bits` is 32 or 128. Addresses that embed IPv4 are in it: a country table has
    no say about them.
    """
    starts, scopes = (_STARTS4, _SCOPES4) if bits == 32 else (_STARTS6, _SCOPES6)
    ends = [*starts[1:], 1 << bits]
    return [
        (first, end - 1)
        for first, end, reach in zip(starts, ends, scopes, strict=True)
        if reach != "global"
    ]
