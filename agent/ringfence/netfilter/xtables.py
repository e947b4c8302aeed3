"""The queue statement for kernels where nft has none: iptables' NFQUEUE, as text.

Only that one statement is xtables' part; marks, bans and verdicts stay nft's. Pure,
like `nft.py`: text in, text out.
"""

from collections.abc import Collection
from typing import Final

from ringfence.netfilter.marks import Code
from ringfence.netfilter.nft import HOOKS, Plan

CHAIN: Final = "RINGFENCE"
"""Name of our chain in the xtables tables."""

FOUND: Final = "RINGFENCE-FOUND-"
"""How the names of empty chains begin that tell the next agent, should this one be
killed, which base chains were there before us: iptables-nft made the others."""


def render_xtables(plan: Plan, present: str, found: Collection[str] = ()) -> str:
    """Return the queue statement for `iptables-restore --noflush`.

    `present` is what `iptables-save -t security` printed: a jump that a killed agent
    left is not added again. `found` names chains that were there before us.
    """
    jumps = [f"-A {hook.upper()} -j {CHAIN}" for hook in HOOKS]
    lines = [
        "*security",
        f":{CHAIN} - [0:0]",
        *(f":{FOUND}{hook.upper()} - [0:0]" for hook in HOOKS if hook.upper() in found),
        _queue(plan, Code.ASKED, bypass=plan.bypass),
        _queue(plan, Code.SAMPLE, bypass=True),
        *(jump for jump in jumps if jump not in present.splitlines()),
        "COMMIT",
        "",
    ]
    return "\n".join(lines)


def _queue(plan: Plan, code: Code, *, bypass: bool) -> str:
    return (
        f"-A {CHAIN} -m mark --mark 0x{plan.bits(code):x}/0x{plan.mark:x} "
        f"-j NFQUEUE --queue-num {plan.queue}{' --queue-bypass' if bypass else ''}"
    )


def render_xtables_removal(present: str) -> str:
    """Return what takes our chain out again; "" when it is not there."""
    if f":{CHAIN} " not in present:
        return ""
    jumps = [
        f"-D {hook.upper()} -j {CHAIN}"
        for hook in HOOKS
        if f"-A {hook.upper()} -j {CHAIN}" in present.splitlines()
    ]
    found = [
        f"-X {FOUND}{hook.upper()}"
        for hook in HOOKS
        if f":{FOUND}{hook.upper()} " in present
    ]
    ours = [f"-F {CHAIN}", f"-X {CHAIN}", *found]
    return "\n".join(["*security", *jumps, *ours, "COMMIT", ""])


def chains_of_others(listing: str) -> frozenset[str]:
    """Name the chains of a table, as nft lists it, that are not there because of us.

    A base chain with our jump and nothing else was made for a killed agent, unless
    that one noted that it found it.
    """
    chains = _chains(listing)
    return frozenset(
        name
        for name, rules in chains.items()
        if name != CHAIN
        and not name.startswith(FOUND)
        and (
            FOUND + name in chains
            or not (len(rules) == 2 and rules[1].endswith(f" jump {CHAIN}"))
        )
    )


def render_bare_removal(family: str, listing: str, others: frozenset[str]) -> str:
    """Return what removes the base chains that iptables-nft made for our jumps.

    Only chains without a rule that accept go, and none of `others`; "" when there is
    nothing to remove.
    """
    chains = _chains(listing)
    bare = [
        name
        for name, rules in chains.items()
        if len(rules) == 1 and "policy accept;" in rules[0] and name not in others
    ]
    if bare and len(bare) == len(chains):
        return f"delete table {family} security\n"
    return "".join(f"delete chain {family} security {name}\n" for name in bare)


def _chains(listing: str) -> dict[str, list[str]]:
    """Read chains off nft's listing of a table; a base chain's first line is its hook."""
    chains: dict[str, list[str]] = {}
    name = ""
    for line in listing.splitlines():
        words = line.split()
        if words[:1] == ["chain"]:
            name = words[1]
            chains[name] = []
        elif words == ["}"]:
            name = ""
        elif name and words:
            chains[name].append(line.strip())
    return chains
