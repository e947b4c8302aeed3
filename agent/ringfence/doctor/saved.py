"""What `iptables-save` prints and `ip rule` says, read for the same questions.

Pure. nft shows a rule of xtables without what its target does, so the programs of
xtables are asked as well.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from ringfence.doctor.matching import ALL

_NUMBER: Final = r"(0x[0-9a-fA-F]{1,8}|[0-9]{1,10})"
_PAIR: Final = re.compile(_NUMBER + r"(?:/" + _NUMBER + r")?")
_QUEUE: Final = re.compile(r"--queue-(?:num|balance) ([0-9]{1,5})(?::([0-9]{1,5}))?")
_PORTS: Final = re.compile(r"(! )?--(?:[ds]ports?|ports) ([0-9:,]{1,120})")
_SETS: Final = ("--set-xmark ", "--set-mark ", "--set-xmark=", "--or-mark ")
_FWMARK: Final = re.compile(r"fwmark " + _NUMBER + r"(?:/" + _NUMBER + r")?")


class SavedRule(NamedTuple):
    """One line of `iptables-save`."""

    program: str
    table: str
    text: str

    @property
    def target(self) -> str:
        """The target's name, "" for none."""
        _, _, rest = self.text.partition(" -j ")
        return rest.split(" ", 1)[0]

    @property
    def label(self) -> str:
        """Write it as the program takes it."""
        return f"{self.program} -t {self.table} {self.text}"

    def queues(self) -> tuple[int, int] | None:
        """Return the first and last queue of an NFQUEUE target."""
        if self.target != "NFQUEUE":
            return None
        found = _QUEUE.search(self.text)
        first = int(found[1]) if found else 0
        return first, int(found[2]) if found and found[2] else first

    def may_take(self, ports: frozenset[int]) -> bool:
        """Tell whether it may take packets of one of those ports."""
        if " -p " in self.text and not re.search(r" -p (udp|tcp|all)\b", self.text):
            return False
        for inverted, text in _PORTS.findall(self.text):
            within = any(_holds(text, port) for port in ports)
            if within == bool(inverted):
                return False
        return True

    def uses(self) -> Iterator[tuple[int, int]]:
        """Yield (mask, value) of each comparison with the packet's mark."""
        for found in re.finditer(r"-m mark (?:! )?--mark " + _PAIR.pattern, self.text):
            yield _pair(found[1], found[2])

    def writes(self) -> tuple[int, int] | None:
        """Return (bits that may change, bits that may be set) of the packet's mark."""
        if self.target == "MARK":
            for option in _SETS:
                _, there, rest = self.text.partition(option)
                found = _PAIR.match(rest) if there else None
                if found:
                    mask, value = _pair(found[1], found[2])
                    # `--or-mark` has no mask and changes what it sets.
                    return (value if "or" in option[:4] else mask | value), value
            return ALL, ALL
        if self.target == "CONNMARK" and "--restore-mark" in self.text:
            found = re.search(r"--(?:nfmask|mask) " + _NUMBER, self.text)
            mask = _int(found[1]) if found else ALL
            return mask, 0  # it brings back what somebody saved: its own bits
        return None


def parse_saved(program: str, text: str) -> list[SavedRule]:
    """Read what `iptables-save` printed."""
    table, rules = "", []
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith("-A "):
            rules.append(SavedRule(program, table, line.strip()))
    return rules


def parse_rules(text: str) -> list[tuple[int, int, str]]:
    """Read `ip rule`: (mask, value, line) of each rule that asks for a mark."""
    found = []
    for line in text.splitlines():
        match = _FWMARK.search(line)
        if match:
            found.append((*_pair(match[1], match[2]), " ".join(line.split())))
    return found


def _int(text: str) -> int:
    return int(text, 0) & ALL if text.startswith("0x") else int(text) & ALL


def _pair(value: str, mask: str | None) -> tuple[int, int]:
    return (_int(mask) if mask else ALL), _int(value)


def _holds(ports: str, port: int) -> bool:
    for part in ports.split(","):
        low, _, high = part.partition(":")
        if int(low or 0) <= port <= int(high or (low if ":" not in part else 65_535)):
            return True
    return False
