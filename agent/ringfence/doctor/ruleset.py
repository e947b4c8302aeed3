"""What `nft -j list ruleset` says, read for the questions that checks ask of it.

Pure. Knows nft's JSON (libnftables-json(5)): which chains are hooked where, and of a
rule which packets it may take, what it does with the mark, whether it ends a packet's
way. Statements it does not know count for nothing, so that a new nft breaks no check.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from ringfence.doctor.matching import ALL, compared, fits, mask_of, written

SetName = tuple[str, str, str]
"""Family, table and name of a set."""

_ENDS: Final = ("drop", "reject")
_TERMINAL: Final = ("accept", "drop", "reject", "return", "goto")


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
            said = fits(match, transport, sport, dport)
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
                mask = mask_of(match.get("left"), which)
                if mask is not None:
                    yield compared(mask, match.get("right"))
        for vmap in self.statements("vmap"):
            if isinstance(vmap, dict):
                mask = mask_of(vmap.get("key"), which)
                if mask is not None:
                    yield mask, mask

    def writes(self, which: str) -> Iterator[tuple[int, int]]:
        """Yield (bits that it may change, bits that it may set) of the mark."""
        for mangle in self.statements("mangle"):
            if isinstance(mangle, dict) and mask_of(mangle.get("key"), which) == ALL:
                yield written(mangle.get("value"), which)


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
    counters: Mapping[str, int] = {}
    """Packets by label of a named counter."""

    def counted(self, family: str, table: str) -> dict[str, int] | None:
        """Return packets by counter name of one table; None where it is not there."""
        if (family, table) not in self.tables:
            return None
        start = f"{family} {table} "
        return {
            label.removeprefix(start): packets
            for label, packets in self.counters.items()
            if label.startswith(start)
        }

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


def parse_ruleset(text: str, sets: Mapping[SetName, list[Any]] = {}) -> Ruleset:
    """Read nft's JSON; raises `ValueError` for what is none.

    `sets` are the elements of named sets, as far as they are known.
    """
    chains: dict[tuple[str, str, str], Chain] = {}
    rules: list[tuple[tuple[str, str, str], dict[str, Any]]] = []
    flowtables, helpers = [], []
    counters: dict[str, int] = {}
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
            elif kind == "counter":
                counters[f"{family} {table} {name}"] = int(what.get("packets", 0))
            elif kind == "flowtable":
                flowtables.append(f"{family} {table} {name}")
            elif kind == "ct helper" and what.get("type") == "sip":
                helpers.append(f"{family} {table} {name}")
    return Ruleset(
        tuple(chains.values()),
        tuple(
            Rule(
                chains.get(key, Chain(*key)),
                what.get("handle", 0),
                _filled(what["expr"], key[:2], sets),
            )
            for key, what in rules
            if isinstance(what.get("expr"), list)
        ),
        tuple(flowtables),
        frozenset(tables),
        tuple(helpers),
        counters,
    )


def _filled(
    expr: list[Any], where: tuple[str, str], sets: Mapping[SetName, list[Any]]
) -> tuple[Any, ...]:
    """Put the elements of named sets where comparisons name them."""
    filled = []
    for item in expr:
        match = item.get("match") if isinstance(item, dict) else None
        right = match.get("right") if isinstance(match, dict) else None
        elements = None
        if isinstance(right, str) and right.startswith("@"):
            elements = sets.get((*where, right[1:]))
        if elements is not None:
            item = {"match": {**item["match"], "right": {"set": elements}}}
        filled.append(item)
    return tuple(filled)


def port_sets(rules: Ruleset) -> set[SetName]:
    """Name the sets by which rules compare ports."""
    found = set()
    for rule in rules.rules:
        for match in rule.statements("match"):
            left, right = match.get("left"), match.get("right")
            payload = left.get("payload") if isinstance(left, dict) else None
            if (
                isinstance(payload, dict)
                and payload.get("field") in ("sport", "dport")
                and isinstance(right, str)
                and right.startswith("@")
            ):
                found.add((rule.chain.family, rule.chain.table, right[1:]))
    return found


def elements(text: str) -> list[Any]:
    """Read what `nft -j list set` prints; a set with none has no elements."""
    for item in json.loads(text).get("nftables", []):
        if "set" in item:
            return list(item["set"].get("elem", []))
    return []


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
