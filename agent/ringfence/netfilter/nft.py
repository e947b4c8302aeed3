"""The ruleset as text, and nothing else: no file, no process, no kernel.

Three steps on each of the hooks input, forward and output, as base chains of their
own so that a verdict of one never ends another (priorities in `nft`'s sense):

* inspect (10, behind the firewall's own filter chains): what has to be looked at
  gets ASKED into our four bits of the packet mark;
* queue (150): marked packets go to user space, by nft's own statement, or, where the
  kernel lacks it, by the xtables target in the `security` table, which hooks in at
  150 with iptables-nft and at 50 with the legacy tool;
* enforce (160): the verdict in the mark becomes accept or drop, and the mark is freed.

The table is declared, flushed and refilled in one transaction: deleting a hooked
table would throw away every packet that waits in any queue of the machine.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

TABLE: Final = "ringfence"
CHAIN: Final = "RINGFENCE"
"""Name of our chain in the xtables tables."""

HOOKS: Final = ("input", "forward", "output")
COUNTERS: Final = ("asked", "passed", "rejected", "dropped", "unheard", "untracked")

_INSPECT, _QUEUE, _ENFORCE = 10, 150, 160
_UDP_HEADER_BITS: Final = 64
_KEEPALIVE: Final = 12
"""UDP length (header included) up to which a datagram is a keep-alive: RFC 5626
section 4.4.1 sends CRLF CRLF; others send one or two bytes, or nothing."""


class Code(IntEnum):
    """What our four bits of the mark say."""

    NONE = 0
    ASKED = 1
    PASS = 2
    REJECT = 3
    DROP = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """What the ruleset depends on."""

    queue: int
    sip_ports: frozenset[int]
    mark: int = 0x0F000000
    """Mask of four neighbouring bits of the packet mark that are ours."""
    responses: bool = False
    """Queue SIP responses too; pointless while no rule asks for them."""

    def bits(self, code: Code) -> int:
        """Return a code shifted to its place in the mark."""
        return code * (self.mark & -self.mark)


def _match(text: bytes) -> str:
    """Match the first bytes of a UDP payload."""
    return f"@th,{_UDP_HEADER_BITS},{len(text) * 8} 0x{text.hex()}"


def _hooked(chain: str, hook: str, priority: int, body: str) -> str:
    return (
        f"  chain {chain}_{hook} {{\n"
        f"    type filter hook {hook} priority {priority}; policy accept;\n"
        f"    {body}\n"
        "  }"
    )


def render(plan: Plan, *, native_queue: bool) -> str:
    """Return the whole ruleset for `nft -f`.

    `native_queue` False leaves the queue statement to `render_xtables`.
    """
    mask = f"0x{plan.mark:08x}"
    rest = f"0x{plan.mark ^ 0xFFFFFFFF:08x}"

    def code(value: Code) -> str:
        return f"0x{plan.bits(value):08x}"

    ports = ", ".join(str(port) for port in sorted(plan.sip_ports))
    lines = [
        f"table inet {TABLE} {{",
        "  set sip_ports { type inet_service; }",
        *(f"  counter {name} {{ }}" for name in COUNTERS),
        "}",
        f"flush table inet {TABLE}",
        f"flush set inet {TABLE} sip_ports",
        f"table inet {TABLE} {{",
        f"  set sip_ports {{ type inet_service; elements = {{ {ports} }}; }}",
        "  chain ask {",
        # The ct expression also makes the kernel reassemble fragments for us.
        "    ct state untracked counter name untracked",
        f"    counter name asked meta mark set meta mark & {rest} | {code(Code.ASKED)}",
        "  }",
        "  chain sip_udp {",
        f'    udp length <= {_KEEPALIVE} return comment "keep-alives"',
    ]
    if not plan.responses:
        lines.append(f'    {_match(b"SIP/2.0 ")} return comment "responses"')
    lines += [
        "    goto ask",
        "  }",
        "  chain inspect_udp {",
        "    udp dport @sip_ports goto sip_udp",
        "    udp sport @sip_ports goto sip_udp",
        f'    {_match(b"REGISTER")} goto ask comment "REGISTER on any port"',
        f'    {_match(b"INVITE ")} goto ask comment "INVITE on any port"',
        "  }",
        "  chain inspect {",
        "    meta l4proto udp goto inspect_udp",
        "    tcp dport @sip_ports goto ask",
        "    tcp sport @sip_ports goto ask",
        "  }",
        "  chain unheard {",
        f'    counter name unheard meta mark set meta mark & {rest} comment "nobody '
        'listened"',
        "  }",
        "  chain pass {",
        f"    counter name passed meta mark set meta mark & {rest}",
        "  }",
        "  chain enforce {",
        f"    meta mark & {mask} vmap {{ {code(Code.ASKED)} : goto unheard, "
        f"{code(Code.PASS)} : goto pass }}",
        f"    meta mark & {mask} == {code(Code.REJECT)} counter name rejected drop",
        f"    meta mark & {mask} == {code(Code.DROP)} counter name dropped drop",
        "  }",
    ]
    local = {
        "input": 'iifname "lo" accept\n    ',
        "output": 'oifname "lo" accept\n    ',
    }
    asked = f"meta mark & {mask} == {code(Code.ASKED)} queue flags bypass to "
    for hook in HOOKS:
        inspect = local.get(hook, "") + "jump inspect"
        lines.append(_hooked("inspect", hook, _INSPECT, inspect))
        if native_queue:
            lines.append(_hooked("queue", hook, _QUEUE, f"{asked}{plan.queue}"))
        enforce = f"meta mark & {mask} != 0 jump enforce"
        lines.append(_hooked("enforce", hook, _ENFORCE, enforce))
    lines += ["}", ""]
    return "\n".join(line.rstrip() for line in lines)


def render_quiet() -> str:
    """Return text that stops new packets from being queued; what waits stays."""
    inspect = "\n".join(f"flush chain inet {TABLE} inspect_{hook}" for hook in HOOKS)
    return inspect + "\n"


def render_removal() -> str:
    """Return text that removes the table, present or not."""
    return f"table inet {TABLE} {{ }}\ndelete table inet {TABLE}\n"


def render_xtables(plan: Plan, present: str) -> str:
    """Return the queue statement for `iptables-restore --noflush`.

    `present` is what `iptables-save -t security` printed: a jump that a killed agent
    left is not added again.
    """
    jumps = [f"-A {hook.upper()} -j {CHAIN}" for hook in HOOKS]
    lines = [
        "*security",
        f":{CHAIN} - [0:0]",
        f"-A {CHAIN} -m mark --mark 0x{plan.bits(Code.ASKED):x}/0x{plan.mark:x} "
        f"-j NFQUEUE --queue-num {plan.queue} --queue-bypass",
        *(jump for jump in jumps if jump not in present.splitlines()),
        "COMMIT",
        "",
    ]
    return "\n".join(lines)


def render_xtables_removal(present: str) -> str:
    """Return what takes our chain out again; "" when it is not there."""
    if f":{CHAIN} " not in present:
        return ""
    jumps = [
        f"-D {hook.upper()} -j {CHAIN}"
        for hook in HOOKS
        if f"-A {hook.upper()} -j {CHAIN}" in present.splitlines()
    ]
    return "\n".join(["*security", *jumps, f"-F {CHAIN}", f"-X {CHAIN}", "COMMIT", ""])


def chains_of_others(listing: str) -> frozenset[str]:
    """Name the chains of a table, as nft lists it, that are not there because of us.

    A base chain with our jump and nothing else was made for a killed agent.
    """
    return frozenset(
        name
        for name, rules in _chains(listing).items()
        if name != CHAIN
        and not (len(rules) == 2 and rules[1].endswith(f" jump {CHAIN}"))
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
