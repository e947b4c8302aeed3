"""What `nft -j list ruleset` says, read for the questions that checks ask of it.

Pure. Knows nft's JSON (libnftables-json(5)): which chains are hooked where, and of a
rule which packets it may take, what it does with the mark, whether it ends a packet's
way. Statements it does not know count for nothing, so that a new nft breaks no check.
"""

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

ALL: Final = 0xFFFFFFFF
"""Every bit of a mark."""

_ENDS: Final = ("drop", "reject")
_TERMINAL: Final = ("accept", "drop", "reject", "return", "goto")
_TRANSPORTS: Final = {"tcp": 6, "udp": 17}


class Chain(NamedTuple):
    """A chain; `hook` is "" where it is not hooked."""

    family: str
    table: str
    name: str
    hook: str = ""
    priority: int = 0
    kind: str = ""
    """`filter`, `nat` or `route`; "" where it is not hooked."""
    policy: str = ""

    @property
    def label(self) -> str:
        """Name it as nft's command line does."""
        return f"{self.family} {self.table} {self.name}"


class Rule(NamedTuple):
    """A rule, by its statements."""

    chain: Chain
    handle: int
    expr: tuple[Any, ...]

    @property
    def label(self) -> str:
        """Name it so that a person finds it with `nft -a list ruleset`."""
        return f"{self.chain.label} handle {self.handle}"

    def statements(self, name: str) -> Iterator[Any]:
        """Yield what stands behind a statement's name; {} for one without more."""
        for item in self.expr:
            if isinstance(item, dict) and name in item:
                yield {} if item[name] is None else item[name]

    def has(self, *names: str) -> bool:
        """Tell whether one of those statements is there."""
        return any(
            isinstance(item, dict) and set(names) & set(item) for item in self.expr
        )

    def offloads(self) -> bool:
        """Tell whether it puts flows into a flowtable.

        nft before 1.0.3 writes that statement as text.
        """
        return self.has("flow") or any(
            isinstance(item, str) and item.startswith("flow ") for item in self.expr
        )

    def takes(self, transport: str, sport: int, dport: int) -> bool | None:
        """Tell whether it takes a packet; None where that depends on more."""
        sure: bool | None = True
        for match in self.statements("match"):
            said = _fits(match, transport, sport, dport)
            if said is False:
                return False
            if said is None:
                sure = None
        return None if self.has("limit", "quota", "xt") and sure else sure

    def uses(self, which: str) -> Iterator[tuple[int, int]]:
        """Yield (mask, value) for each comparison of the mark, `meta` or `ct`.

        A value that is not one number counts as all bits of the mask.
        """
        for match in self.statements("match"):
            if isinstance(match, dict):
                mask = _mask_of(match.get("left"), which)
                if mask is not None:
                    right = match.get("right")
                    yield mask, right if isinstance(right, int) else mask
        for vmap in self.statements("vmap"):
            if isinstance(vmap, dict):
                mask = _mask_of(vmap.get("key"), which)
                if mask is not None:
                    yield mask, mask

    def writes(self, which: str) -> Iterator[tuple[int, int]]:
        """Yield (bits that it may change, bits that it may set) of the mark."""
        for mangle in self.statements("mangle"):
            if isinstance(mangle, dict) and _mask_of(mangle.get("key"), which) == ALL:
                yield _written(mangle.get("value"), which)


class Ruleset(NamedTuple):
    """Everything in the kernel that nft shows."""

    chains: tuple[Chain, ...]
    rules: tuple[Rule, ...]
    flowtables: tuple[str, ...] = ()
    """Labels."""
    tables: frozenset[tuple[str, str]] = frozenset()
    """(family, name)."""
    helpers: tuple[str, ...] = ()
    """Labels of connection tracking helpers of type sip."""

    def hooked(self, *hooks: str, but: str = "") -> list[Chain]:
        """List base chains of those hooks, by priority; without those of a table."""
        found = [
            chain
            for chain in self.chains
            if chain.hook in hooks
            and chain.family in ("ip", "ip6", "inet")
            and chain.table != but
        ]
        return sorted(found, key=lambda chain: (chain.hook, chain.priority))

    def of(self, chain: Chain) -> list[Rule]:
        """List the rules of a chain in their order."""
        return [rule for rule in self.rules if rule.chain == chain]

    def reached(self, chain: Chain) -> list[Rule]:
        """List the rules of a chain and of all that it jumps to."""
        by_name = {
            one.name: one
            for one in self.chains
            if (one.family, one.table) == (chain.family, chain.table)
        }
        todo, seen, found = [chain], {chain}, []
        while todo:
            for rule in self.of(todo.pop()):
                found.append(rule)
                for name in _targets(rule.expr):
                    target = by_name.get(name)
                    if target is not None and target not in seen:
                        seen.add(target)
                        todo.append(target)
        return found

    def stops(self, chain: Chain) -> bool:
        """Tell whether a chain drops or rejects anything."""
        return chain.policy == "drop" or any(
            name in _ENDS
            for rule in self.reached(chain)
            for name in _verdicts(rule.expr)
        )


def parse_ruleset(text: str) -> Ruleset:
    """Read nft's JSON; raises `ValueError` for what is none."""
    chains: dict[tuple[str, str, str], Chain] = {}
    rules: list[tuple[tuple[str, str, str], dict[str, Any]]] = []
    flowtables, helpers = [], []
    tables = set()
    found = json.loads(text)
    items = found.get("nftables") if isinstance(found, dict) else None
    if not isinstance(items, list):
        raise ValueError("not a list of nftables")
    for item in items:
        for kind, what in item.items():
            family, name = str(what.get("family")), str(what.get("name"))
            table = str(what.get("table"))
            if kind == "table":
                tables.add((family, name))
            elif kind == "chain":
                chains[family, table, name] = Chain(
                    family,
                    table,
                    name,
                    what.get("hook", ""),
                    _priority(what.get("prio", 0)),
                    what.get("type", ""),
                    what.get("policy", ""),
                )
            elif kind == "rule":
                rules.append(((family, table, str(what.get("chain"))), what))
            elif kind == "flowtable":
                flowtables.append(f"{family} {table} {name}")
            elif kind == "ct helper" and what.get("type") == "sip":
                helpers.append(f"{family} {table} {name}")
    return Ruleset(
        tuple(chains.values()),
        tuple(
            Rule(
                chains.get(key, Chain(*key)), what.get("handle", 0), tuple(what["expr"])
            )
            for key, what in rules
            if isinstance(what.get("expr"), list)
        ),
        tuple(flowtables),
        frozenset(tables),
        tuple(helpers),
    )


def _priority(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _targets(expr: Any) -> Iterator[str]:
    """Yield the chains that jumps go to, those of verdict maps too."""
    if isinstance(expr, dict):
        for name, value in expr.items():
            if name in ("jump", "goto") and isinstance(value, dict):
                yield str(value.get("target"))
            else:
                yield from _targets(value)
    elif isinstance(expr, list | tuple):
        for item in expr:
            yield from _targets(item)


def _verdicts(expr: Any) -> Iterator[str]:
    if isinstance(expr, dict):
        for name, value in expr.items():
            if name in _TERMINAL or name == "queue":
                yield name
            if name in ("vmap", "set", "data"):
                yield from _verdicts(value)
    elif isinstance(expr, list | tuple):
        for item in expr:
            yield from _verdicts(item)


def ends_here(rule: Rule) -> bool:
    """Tell whether a packet that the rule takes goes no further in its chain."""
    return rule.has(*_TERMINAL)


def _mask_of(side: Any, which: str) -> int | None:
    """Return which bits of the mark an expression looks at; None for no mark."""
    if not isinstance(side, dict):
        return None
    if isinstance(side.get(which), dict) and side[which].get("key") == "mark":
        return ALL
    both = side.get("&")
    if isinstance(both, list) and len(both) == 2 and isinstance(both[1], int):
        inner = _mask_of(both[0], which)
        return None if inner is None else inner & both[1]
    return None


def _written(value: Any, which: str) -> tuple[int, int]:
    """Return (bits that may change, bits that may be set) of a new mark."""
    if isinstance(value, int):
        return ALL, value
    if isinstance(value, dict):
        for operator in ("|", "^", "&"):
            both = value.get(operator)
            if not (isinstance(both, list) and len(both) == 2):
                continue
            rest, number = both
            if not isinstance(number, int):
                return ALL, ALL
            changed, set_bits = (
                (0, 0) if _mask_of(rest, which) == ALL else _written(rest, which)
            )
            if operator == "&":
                return changed | ALL ^ number, set_bits & number
            return changed | number, set_bits | number
    return ALL, ALL


def _fits(match: Any, transport: str, sport: int, dport: int) -> bool | None:
    """Tell whether a packet passes one comparison; None where nobody can tell."""
    if not isinstance(match, dict):
        return None
    left, right = match.get("left"), match.get("right")
    if not isinstance(left, dict):
        return None
    payload, meta = left.get("payload"), left.get("meta")
    got: bool | None = None
    if isinstance(payload, dict):
        protocol, field = payload.get("protocol"), payload.get("field")
        if protocol in _TRANSPORTS and protocol != transport:
            return False
        if protocol in (*_TRANSPORTS, "th") and field in ("sport", "dport"):
            got = _within(sport if field == "sport" else dport, right)
        elif (protocol, field) in (("ip", "protocol"), ("ip6", "nexthdr")):
            got = _protocol(transport, right)
    elif isinstance(meta, dict) and meta.get("key") == "l4proto":
        got = _protocol(transport, right)
    if got is None:
        return None
    return not got if match.get("op") == "!=" else got


def _protocol(transport: str, right: Any) -> bool | None:
    named = _within(transport, right)
    numbered = _within(_TRANSPORTS[transport], right)
    return None if named is None else named or numbered


def _within(value: int | str, right: Any) -> bool | None:
    """Tell whether a value is in a number, range or set; None for a set by name."""
    if isinstance(right, dict):
        if isinstance(right.get("range"), list):
            low, high = right["range"]
            if (
                isinstance(low, int)
                and isinstance(high, int)
                and isinstance(value, int)
            ):
                return low <= value <= high
            return False
        if isinstance(right.get("set"), list | str | int | dict):
            right = right["set"]
    if isinstance(right, list):
        return any(_within(value, item) for item in right)
    if isinstance(right, str) and right.startswith("@"):
        return None
    return bool(value == right)
