"""The ruleset as text, and nothing else: no file, no process, no kernel.

Four steps, as base chains of their own so that a verdict of one never ends another
(priorities in `nft`'s sense):

* shield (prerouting, raw, -300): what a banned source sends ends here, before
  connection tracking and before anything else of the router looks at it;
* inspect (10 on input, forward and output, behind the firewall's own filter chains):
  what has to be looked at gets ASKED into our four bits of the packet mark; what
  needs no look (`shield.py`) is dropped;
* queue (150): marked packets go to user space, by nft's own statement, or, where the
  kernel lacks it, by `xtables.py` in the `security` table, which hooks in at 150 with
  iptables-nft and at 50 with the legacy tool;
* enforce (160): the verdict in the mark becomes accept, drop or ban, and the mark is
  freed.

What the agent sends itself, to a caller it refuses, it marks: `untrack` (output, raw)
keeps an answer out of connection tracking, and inspect passes it.

The table is declared, flushed and refilled in one transaction: deleting a hooked
table would throw away every packet that waits in any queue of the machine. Flushing
a table leaves its sets alone, so bans outlive a reload and a killed agent.

The home networks, tens of thousands of elements, are no part of that transaction: a
router of 128 MB has no room for one so large. `intervals.py` puts them in, a few at a
time, while no rule asks for them. A rule that no packet comes to (`HOME_MARK`) tells
which are there: it outlives its agent, and the next need not put them in again.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from ringfence.netfilter import shield
from ringfence.netfilter.marks import ANSWER, BAN_STEPS, RESET, Code
from ringfence.netfilter.origins import NOBODY, Networks, Ranges

TABLE: Final = "ringfence"

FW4_SET: Final = ("inet fw4", "ringfence_sip", "type inet_service;")
"""Ports that OpenWrt's firewall keeps out of its flow table; the package's include for
fw4 (`firmware_pkg/files/ringfence.nft`) declares it, and no other system has it."""

HOME_MARK: Final = "home_mark"
"""Chain without a way in; its one rule's comment tells what the home sets hold."""

_WHOLE: Final = "whole "

HOOKS: Final = ("input", "forward", "output")
COUNTERS: Final = (
    *("asked", "passed", "rejected", "dropped", "unheard", "untracked"),
    *("bans", "banned", "foreign", "foreign_tls", "flooded", "sampled", "unsampled"),
    "answers",
)

_SHIELD, _INSPECT, _QUEUE, _ENFORCE = -300, 10, 150, 160
_UDP_HEADER_BITS: Final = 64
_KEEPALIVE: Final = 12
"""UDP length (header included) up to which a datagram is a keep-alive: RFC 5626
section 4.4.1 sends CRLF CRLF; others send one or two bytes, or nothing."""


class Home(NamedTuple):
    """What a rule of `HOME_MARK` tells; another rule has another handle."""

    handle: int
    tells: str

    @property
    def whole(self) -> bool:
        """Whether all the networks are there, and rules ask for them."""
        return self.tells.startswith(_WHOLE)


def whole(home: Ranges) -> str:
    """Say that the home sets hold these networks and no others.

    By Python's hash of numbers, which is the same in every process.
    """
    return f"{_WHOLE}{len(home.ipv4)} {len(home.ipv6)} {hash(home)}"


class Plan(NamedTuple):
    """What the ruleset depends on."""

    queue: int
    sip_ports: frozenset[int]
    mark: int = 0x0F000000
    """Mask of four neighbouring bits of the packet mark that are ours."""
    responses: bool = False
    """Queue SIP responses too; pointless while no rule asks for them."""
    redirections: bool = False
    """Queue 3xx responses, where other responses are not."""
    bypass: bool = True
    """Pass what nobody listens for; else the kernel drops it."""
    wan: tuple[str, ...] = ()
    """Interfaces that face strangers; only what comes in there is limited or foreign,
    so none of it is while no interface is known."""
    networks: Callable[[], Networks] = lambda: NOBODY
    """Asked for when the text is made: they are thousands, and needed only then."""
    home_stays: Home | None = None
    """Told of the home networks that are in the kernel already; they stay.

    The kernel takes nothing if this rule is not there any more."""
    foreign_register: bool = False
    """Drop REGISTER over UDP from everybody else here, but for a sample."""
    foreign_tls_ports: frozenset[int] = frozenset()
    """TCP ports that everybody else cannot reach."""
    source_rate: int = 0
    """SIP packets a second that one source may send, IPv6 by /64; 0 for no limit."""
    source_burst: int = 1
    """SIP packets that one source may send at once."""

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

    `native_queue` False leaves the queue statement to `xtables.render_xtables`.
    """
    networks = plan.networks()
    told = plan.home_stays
    if told is not None:
        seen = [f"delete rule inet {TABLE} {HOME_MARK} handle {told.handle}"]
        tells = told.tells
    else:
        seen = []
        asked = plan.foreign_register or plan.foreign_tls_ports
        tells = whole(networks.not_foreign) if asked else ""
    lines = [
        f"table inet {TABLE} {{",
        *(f"  set {name} {{ {kind} }}" for name, kind in shield.SETS.items()),
        *(f"  counter {name} {{ }}" for name in COUNTERS),
        f"  chain {HOME_MARK} {{ }}",
        "}",
        *seen,
        f"flush table inet {TABLE}",
        # Not flushed: the kernel would take half a kilobyte for each element, at once,
        # which a router may not have.
        *(
            f"delete set inet {TABLE} {name}"
            for name in shield.REFILLED
            if told is None or name not in shield.HOME_SETS
        ),
        f"table inet {TABLE} {{",
        *shield.elements(
            sip_ports=plan.sip_ports,
            tls_ports=plan.foreign_tls_ports,
            wan=plan.wan,
            networks=networks,
        ),
        f"  chain {HOME_MARK} {{",
        *([f"    {_mark(tells)}"] if tells else []),
        "  }",
        *shield.ban_check(),
        *_inspection(plan),
        *_enforcement(plan),
        _hooked("shield", "prerouting", _SHIELD, "jump shield"),
    ]
    mask = f"0x{plan.mark:08x}"
    answer, reset = f"0x{plan.bits(ANSWER):08x}", f"0x{plan.bits(RESET):08x}"
    lines.append(
        _hooked("untrack", "output", _SHIELD, f"meta mark & {mask} == {answer} notrack")
    )
    local = {
        "input": 'iifname "lo" accept\n    ',
        "output": f"meta mark & {mask} == {{ {answer}, {reset} }} goto own\n    "
        'oifname "lo" accept\n    ',
    }
    queue = "\n    ".join(
        f"meta mark & {mask} == 0x{plan.bits(code):08x} "
        f"queue {'flags bypass ' if bypass else ''}to {plan.queue}"
        for code, bypass in ((Code.ASKED, plan.bypass), (Code.SAMPLE, True))
    )
    for hook in HOOKS:
        inspect = local.get(hook, "") + "jump inspect"
        lines.append(_hooked("inspect", hook, _INSPECT, inspect))
        if native_queue:
            lines.append(_hooked("queue", hook, _QUEUE, queue))
        enforce = f"meta mark & {mask} != 0 jump enforce"
        lines.append(_hooked("enforce", hook, _ENFORCE, enforce))
    lines += ["}", ""]
    return "\n".join(lines)


def base_chains(*, native_queue: bool) -> dict[str, tuple[str, int]]:
    """Return hook and priority of every chain of ours that is hooked, by its name."""
    steps = {"inspect": _INSPECT, "enforce": _ENFORCE}
    if native_queue:
        steps["queue"] = _QUEUE
    return {
        "shield_prerouting": ("prerouting", _SHIELD),
        "untrack_output": ("output", _SHIELD),
        **{
            f"{step}_{hook}": (hook, priority)
            for step, priority in steps.items()
            for hook in HOOKS
        },
    }


def _mark(tells: str) -> str:
    return f'return comment "{tells}"'


def render_hearing(tells: str) -> str:
    """Return text that leaves every REGISTER to the agent, and empties the home sets.

    What comes from abroad to the TLS ports passes, until the networks are back.
    `tells` is what `HOME_MARK` then has to say.
    """
    return "\n".join(
        [
            f"flush chain inet {TABLE} register",
            f"add rule inet {TABLE} register goto by_source",
            f"flush chain inet {TABLE} tls",
            *(f"delete set inet {TABLE} {name}" for name in shield.HOME_SETS),
            *(
                f"add set inet {TABLE} {name} {{ {shield.SETS[name]} }}"
                for name in shield.HOME_SETS
            ),
            f"flush chain inet {TABLE} {HOME_MARK}",
            f"add rule inet {TABLE} {HOME_MARK} {_mark(tells)}",
            "",
        ]
    )


def render_question(queue: int) -> str:
    """Return text that only a kernel with nft's queue statement takes.

    Its chain has no hook: when a check takes back a hook that it has set, the kernel
    drops whatever waits in any queue.
    """
    return (
        f"table inet {TABLE} {{\n  chain question {{\n"
        f"    queue flags bypass to {queue}\n  }}\n}}\n"
    )


def _inspection(plan: Plan) -> list[str]:
    """Say what is looked at, and what is dropped without a look."""
    rest = f"0x{plan.mark ^ 0xFFFFFFFF:08x}"

    def marked(code: Code) -> str:
        return f"meta mark set meta mark & {rest} | 0x{plan.bits(code):08x}"

    register = "register" if plan.foreign_register else "by_source"
    lines = [
        "  chain ask {",
        # The ct expression also makes the kernel reassemble fragments for us.
        "    ct state untracked counter name untracked",
        f"    counter name asked {marked(Code.ASKED)}",
        "  }",
        *shield.limit(plan.source_rate, plan.source_burst),
        "  chain sample {",
        f"    counter name sampled {marked(Code.SAMPLE)}",
        "  }",
        "  chain own {",
        f"    counter name answers {marked(Code.NONE)} accept",
        "  }",
        *shield.foreign(),
        "  chain sip_udp {",
        f'    udp length <= {_KEEPALIVE} return comment "keep-alives"',
    ]
    if not plan.responses:
        # Left out one by one, so that an odd way to write a 3xx is not left out.
        classes = (b"1", b"2", b"4", b"5", b"6") if plan.redirections else (b"",)
        lines += [
            f'    {_match(b"SIP/2.0 " + digit)} return comment "responses"'
            for digit in classes
        ]
    if plan.foreign_register:
        lines.append(f"    {_match(b'REGISTER ')} goto register")
    lines += [
        "    goto by_source",
        "  }",
        "  chain inspect_udp {",
        "    udp dport @sip_ports goto sip_udp",
        "    udp sport @sip_ports goto sip_udp",
        f'    {_match(b"REGISTER")} goto {register} comment "REGISTER on any port"',
        f'    {_match(b"INVITE ")} goto by_source comment "INVITE on any port"',
        *(_calls_on_any_port() if plan.responses else ()),
        "  }",
        "  chain inspect {",
        "    meta l4proto udp goto inspect_udp",
        "    tcp dport @sip_ports goto by_source",
        "    tcp sport @sip_ports goto by_source",
    ]
    if plan.foreign_tls_ports:
        lines.append("    tcp dport @tls_ports goto tls")
    return [*lines, "  }"]


def _calls_on_any_port() -> list[str]:
    """What tells when a call on another port is answered and over.

    No RTP begins like that: its first byte is 128 or more (RFC 3550 section 5.1).
    """
    return [
        f'    {_match(start)} goto by_source comment "{start.decode()}on any port"'
        for start in (b"SIP/2.0 ", b"BYE ", b"CANCEL ", b"ACK ")
    ]


def _enforcement(plan: Plan) -> list[str]:
    """Turn the code in the mark into what happens."""
    mask = f"0x{plan.mark:08x}"
    rest = f"0x{plan.mark ^ 0xFFFFFFFF:08x}"
    ends = {
        Code.ASKED: "unheard",
        Code.PASS: "pass",
        Code.REJECT: "reject",
        Code.DROP: "drop",
        Code.SAMPLE: "unsampled",
    }
    for step in range(len(BAN_STEPS)):
        ends[Code(Code.BAN_SOURCE_5M + step)] = f"ban_source_{step}"
        ends[Code(Code.BAN_DESTINATION_5M + step)] = f"ban_destination_{step}"
    jumps = ", ".join(
        f"0x{plan.bits(code):08x} : goto enforce_{end}"
        for code, end in sorted(ends.items())
    )
    lines = [
        "  chain enforce_unheard {",
        f"    counter name unheard meta mark set meta mark & {rest}",
        "  }",
        "  chain enforce_pass {",
        f"    counter name passed meta mark set meta mark & {rest}",
        "  }",
        "  chain enforce_reject {",
        "    counter name rejected drop",
        "  }",
        "  chain enforce_drop {",
        "    counter name dropped drop",
        "  }",
        "  chain enforce_unsampled {",
        "    counter name unsampled drop",
        "  }",
    ]
    for step, seconds in enumerate(BAN_STEPS):
        for whom, side, end in (
            ("source", "saddr", "drop"),
            ("destination", "daddr", "pass"),
        ):
            lines += [
                f"  chain enforce_ban_{whom}_{step} {{",
                *shield.ban(side, seconds, f"goto enforce_{end}"),
                "  }",
            ]
    return [
        *lines,
        "  chain enforce {",
        f"    meta mark & {mask} vmap {{ {jumps} }}",
        "  }",
    ]


def render_wan(names: tuple[str, ...]) -> str:
    """Return text that exchanges the interfaces that face strangers."""
    return _exchange(
        f"inet {TABLE}", "wan", shield.SETS["wan"], shield.interfaces(names)
    )


def _exchange(table: str, name: str, kind: str, elements: str) -> str:
    """Write other elements into a set, which must be there.

    Declared with them and not by `add element`, for which nft loads the elements of
    every set of the machine.
    """
    lines = [f"flush set {table} {name}"]
    if elements:
        filled = f"set {name} {{ {kind} elements = {{ {elements} }}; }}"
        lines.append(f"table {table} {{ {filled}; }}")
    return "\n".join([*lines, ""])


def render_not_offloaded(ports: frozenset[int]) -> str:
    """Return text that tells fw4 which ports must not be offloaded."""
    elements = ", ".join(str(port) for port in sorted(ports))
    return _exchange(*FW4_SET, elements)


def render_quiet() -> str:
    """Return text that stops new packets from being queued; what waits stays."""
    inspect = "\n".join(f"flush chain inet {TABLE} inspect_{hook}" for hook in HOOKS)
    return inspect + "\n"


def render_removal() -> str:
    """Return text that removes the table, present or not."""
    return f"table inet {TABLE} {{ }}\ndelete table inet {TABLE}\n"


def render_only_bans() -> str:
    """Return text that removes everything but the ban sets and their check."""
    hooked = [
        f"{step}_{hook}" for step in ("inspect", "queue", "enforce") for hook in HOOKS
    ]
    hooked.append("untrack_output")
    ours = [name for name in _chains() if name not in shield.KEPT_CHAINS]
    chains = [*hooked, *ours]
    # Declared first, since what is not there cannot be deleted: without nft's own
    # statement there are no queue chains.
    lines = [
        f"table inet {TABLE} {{",
        *(f"  set {name} {{ {kind} }}" for name, kind in shield.SETS.items()),
        *(f"  counter {name} {{ }}" for name in COUNTERS),
        *(f"  chain {name} {{ }}" for name in chains),
        "}",
        *(f"flush chain inet {TABLE} {name}" for name in chains),
        *(f"delete chain inet {TABLE} {name}" for name in chains),
    ]
    lines += [
        f"delete set inet {TABLE} {name}"
        for name in shield.SETS
        if name not in shield.KEPT_SETS
    ]
    lines += [
        f"delete counter inet {TABLE} {name}"
        for name in COUNTERS
        if name != shield.KEPT_COUNTER
    ]
    return "\n".join([*lines, ""])


def _chains() -> list[str]:
    """Name every chain without a hook that any plan makes."""
    plan = Plan(0, frozenset({1}))
    words = [*shield.ban_check(), *_inspection(plan), *_enforcement(plan)]
    named = [line.split()[1] for line in words if line.startswith("  chain ")]
    return [*named, HOME_MARK]
