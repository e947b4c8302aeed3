"""Checks of what other programs do to the same packets: marks, queues, offload, ALG."""

from collections.abc import Iterator
from typing import Any

from ringfence.doctor.checks.agent import running
from ringfence.doctor.checks.order import steps
from ringfence.doctor.finding import FINE, NOTE, PROBLEM, UNKNOWN, WARNING, Finding
from ringfence.doctor.readings import QueueLine, Readings, Unread
from ringfence.doctor.remedies import configure
from ringfence.doctor.ruleset import ALL, Rule, Ruleset, ends_here
from ringfence.netfilter.nft import HOOKS, TABLE
from ringfence.netfilter.xtables import CHAIN

_ELSEWHERE = 40_000
"""A port of no service, for the other end of a flow."""
_OTHER_MARK = "0x00f00000"
_ALG = ("nf_nat_sip", "nf_conntrack_sip")


def marks(readings: Readings) -> Iterator[Finding]:
    """Look for others that use our four bits of the packet mark."""
    ours = readings.config.kernel_mark
    used: dict[str, None] = {}
    torn: dict[str, None] = {}
    unread = [
        f"{name}: {reading.why}"
        for name, reading in (
            ("the kernel's rules", readings.ruleset),
            ("iptables", readings.saved),
            ("ip rule", readings.ip_rules),
        )
        if isinstance(reading, Unread)
    ]
    if not isinstance(readings.ruleset, Unread):
        _nft_marks(readings, readings.ruleset, used, torn)
    if not isinstance(readings.saved, Unread):
        for saved in readings.saved:
            if any(_shares(*pair, ours) for pair in saved.uses()) and not _ours(
                saved.text
            ):
                used[saved.label] = None
            written = saved.writes()
            if written is not None and saved.table == "security" and written[0] & ours:
                torn[saved.label] = None
            elif written is not None and _sets(*written, ours):
                used[saved.label] = None
    if not isinstance(readings.ip_rules, Unread):
        for mask, value, text in readings.ip_rules:
            if _shares(mask, value, ours):
                used[f"ip rule: {text}"] = None
    free = configure(readings, f"[kernel] mark = {_OTHER_MARK} (four bits nobody uses)")
    if torn:
        yield Finding(
            "marks",
            PROBLEM,
            f"between our steps others write into our bits of the mark (0x{ours:08x}):\n"
            + "\n".join(torn),
            "The verdict travels in those bits: what should be dropped passes.",
            free,
        )
    if used:
        yield Finding(
            "marks",
            PROBLEM,
            f"others use our bits of the mark (0x{ours:08x}):\n" + "\n".join(used),
            "Their packets are taken for judged ones, and may be dropped; ours may be "
            "routed elsewhere.",
            free,
        )
    if unread:
        yield Finding("marks", UNKNOWN, "not seen: " + "; ".join(unread))
    elif not torn and not used:
        yield Finding("marks", FINE, f"nobody else uses 0x{ours:08x} of the mark")


def _nft_marks(
    readings: Readings, rules: Ruleset, used: dict[str, None], torn: dict[str, None]
) -> None:
    ours = readings.config.kernel_mark
    inspect, _, enforce = steps(readings)
    for chain in rules.hooked(*HOOKS, but=TABLE):
        if inspect <= chain.priority <= enforce:
            for rule in rules.reached(chain):
                if any(changed & ours for changed, _ in rule.writes("meta")):
                    torn[rule.label] = None
    for rule in rules.rules:
        if rule.chain.table == TABLE or rule.label in torn:
            continue
        if _ours_by_nft(rule):
            continue
        if any(_shares(*pair, ours) for pair in rule.uses("meta")) or any(
            _sets(*pair, ours) for pair in rule.writes("meta")
        ):
            used[rule.label] = None


def _ours_by_nft(rule: Rule) -> bool:
    """Tell whether a rule is ours, in the table that iptables-nft keeps."""
    return (rule.chain.table, rule.chain.name) == ("security", CHAIN)


def _ours(text: str) -> bool:
    return text.startswith(f"-A {CHAIN} ")


def _shares(mask: int, value: int, ours: int) -> bool:
    """Tell whether a comparison looks at our bits on purpose.

    One of the whole mark with a value that has none of ours does not mean them.
    """
    return bool(mask & ours) if mask != ALL else bool(value & ours) and value != ALL


def _sets(changed: int, set_bits: int, ours: int) -> bool:
    """Tell whether our bits may be set by what somebody writes.

    Nobody knows what is brought back from the connection's mark: its own bits.
    """
    if set_bits == ALL:
        return False
    return bool(set_bits & ours) or (changed != ALL and bool(changed & ours))


def queues(readings: Readings) -> Iterator[Finding]:
    """Look for other rules that queue, and for who has our queue."""
    number = readings.config.kernel_queue
    found = [*_queue_rules(readings, number), *_queue_owners(readings, number)]
    yield from found or [Finding("queues", FINE, f"queue {number} is ours alone")]


def _queue_rules(readings: Readings, number: int) -> Iterator[Finding]:
    same, beside = [], []
    if isinstance(readings.ruleset, Unread):
        yield Finding(
            "queues", UNKNOWN, f"other rules are not known: {readings.ruleset.why}"
        )
    else:
        for rule in readings.ruleset.rules:
            if rule.chain.table == TABLE:
                continue
            for queue in rule.statements("queue"):
                first, last = _numbers(queue)
                if first <= number <= last:
                    same.append(rule.label)
                elif _may_be_sip(readings, rule):
                    beside.append(f"{rule.label} (queue {first})")
    if not isinstance(readings.saved, Unread):
        for saved in readings.saved:
            queued = saved.queues()
            if queued is None or _ours(saved.text):
                continue
            if queued[0] <= number <= queued[1]:
                same.append(saved.label)
            elif saved.may_take(readings.config.network_sip_ports):
                beside.append(saved.label)
    if same:
        yield Finding(
            "queues",
            PROBLEM,
            f"others queue packets to our queue {number}:\n" + "\n".join(same),
            "The agent gets packets that are not meant for it, and gives them back "
            "without the other program's verdict.",
            configure(readings, "[kernel] queue = 5070 (one that nobody uses)"),
        )
    if beside:
        yield Finding(
            "queues",
            WARNING,
            "others queue packets of the SIP ports, too:\n" + "\n".join(beside),
            "Each packet waits twice, and is lost where the other program is not "
            "running and its rule has no bypass; the other may give it another mark.",
            ("nft -a list ruleset", "iptables-save | grep NFQUEUE"),
        )


def _numbers(queue: Any) -> tuple[int, int]:
    number = queue.get("num", 0) if isinstance(queue, dict) else 0
    if isinstance(number, dict) and isinstance(number.get("range"), list):
        return number["range"][0], number["range"][1]
    return (number, number) if isinstance(number, int) else (0, 65_535)


def _may_be_sip(readings: Readings, rule: Rule) -> bool:
    return any(
        rule.takes(transport, sport, dport) is not False
        for transport, sport, dport in _flows(readings)
    )


def _flows(readings: Readings) -> Iterator[tuple[str, int, int]]:
    """Yield packets of SIP, there and back."""
    for port in sorted(readings.config.network_sip_ports):
        for transport in ("udp", "tcp"):
            yield transport, _ELSEWHERE, port
            yield transport, port, _ELSEWHERE


def _queue_owners(readings: Readings, number: int) -> Iterator[Finding]:
    agent, lines = running(readings), readings.queues
    if isinstance(lines, Unread):
        if agent is not None:
            yield Finding("queues", UNKNOWN, f"who listens is not known: {lines.why}")
        return
    ours = next((line for line in lines if line.number == number), None)
    pid = None if agent is None else agent.get("pid")
    if agent is not None and ours is None:
        yield Finding(
            "queues",
            PROBLEM,
            f"nobody listens on queue {number} although an agent runs",
            "Packets pass, or are dropped, without a verdict.",
            ("cat /proc/net/netfilter/nfnetlink_queue",),
        )
    elif ours is not None and ours.pid is not None and ours.pid != pid:
        yield Finding(
            "queues",
            PROBLEM,
            f"queue {number} belongs to {_who(ours)}"
            + ("" if agent is None else f", and not to the agent (pid {pid})"),
            "A queue has one listener; ours cannot be it.",
            configure(readings, "[kernel] queue = 5070 (one that nobody uses)"),
        )
    others = [line for line in lines if line.number != number]
    if others:
        named = ", ".join(f"{line.number} ({_who(line)})" for line in others)
        yield Finding(
            "queues",
            NOTE,
            f"other programs listen on queues: {named}",
            "What they drop never gets to us, or never comes out.",
        )


def _who(line: QueueLine) -> str:
    if line.pid is None:
        return "a program that cannot be found"
    return f"{line.name or 'a program'}, pid {line.pid}"


def offload(readings: Readings) -> Iterator[Finding]:
    """Look for flows that go past the forward hook."""
    rules = readings.ruleset
    if isinstance(rules, Unread):
        yield Finding("offload", UNKNOWN, f"flow offload is not known: {rules.why}")
        return
    open_ones = [rule for rule in rules.rules if rule.offloads()]
    bare = [rule.label for rule in open_ones if not _spares_sip(readings, rules, rule)]
    hardware = [
        name
        for name in rules.flowtables
        if name.split()[-1] in readings.hardware_offload
    ]
    if bare:
        how = " (in hardware: " + ", ".join(hardware) + ")" if hardware else ""
        yield Finding(
            "offload",
            WARNING,
            f"flow offload takes forwarded SIP past us{how}:\n" + "\n".join(bare),
            "After the first packets of a flow the agent sees no more of it: a phone "
            "behind this router can be attacked through a flow that once was harmless. "
            "What ends on this router is not concerned.",
            _offload_remedy(readings, rules, open_ones[0]),
        )
    elif open_ones:
        yield Finding("offload", FINE, "flow offload is on, and leaves SIP to us")
    elif readings.uci_offload:
        yield Finding(
            "offload",
            NOTE,
            "OpenWrt is told to offload flows; the kernel does not do it now",
            "The next start of the firewall may change that.",
            ("uci get firewall.@defaults[0].flow_offloading",),
        )
    else:
        yield Finding("offload", FINE, "no flow goes past the forward hook")


def _spares_sip(readings: Readings, rules: Ruleset, offloading: Rule) -> bool:
    """Tell whether no packet of SIP gets to a rule that offloads."""
    ahead = []
    for rule in rules.of(offloading.chain):
        if rule == offloading:
            break
        ahead.append(rule)
    for flow in _flows(readings):
        if offloading.takes(*flow) is False:
            continue
        if not any(ends_here(rule) and rule.takes(*flow) is True for rule in ahead):
            return False
    return True


def _offload_remedy(readings: Readings, rules: Ruleset, rule: Rule) -> tuple[str, ...]:
    ports = ", ".join(map(str, sorted(readings.config.network_sip_ports)))
    if readings.machine.system == "openwrt":
        return (
            "# leave SIP out of it:",
            "fw4 reload  # runs ringfence's include, /usr/share/ringfence/firewall.include",
            "# or switch it off:",
            "uci set firewall.@defaults[0].flow_offloading=0; uci commit firewall",
            "/etc/init.d/firewall restart",
        )
    chain = rule.chain.label
    return (
        "# ahead of the rule that offloads, in the same chain:",
        f"nft insert rule {chain} meta l4proto {{ tcp, udp }} th sport {{ {ports} }} accept",
        f"nft insert rule {chain} meta l4proto {{ tcp, udp }} th dport {{ {ports} }} accept",
        "# `accept` ends that chain: give it the conditions of your firewall",
    )


def alg(readings: Readings) -> Iterator[Finding]:
    """Look for the kernel's SIP helper, which rewrites what we judge."""
    modules, rules = readings.modules, readings.ruleset
    if isinstance(modules, Unread):
        yield Finding("sip-alg", UNKNOWN, f"modules are not known: {modules.why}")
        return
    loaded = [name for name in _ALG if name in modules]
    assigned = []
    if not isinstance(rules, Unread):
        assigned = [
            rule.label
            for rule in rules.rules
            for name in rule.statements("ct helper")
            if f"{rule.chain.family} {rule.chain.table} {name}" in rules.helpers
        ]
    if not isinstance(readings.saved, Unread):
        assigned += [
            rule.label for rule in readings.saved if "--helper sip" in rule.text
        ]
    if loaded and readings.helper_sysctl == 1:
        assigned.append("net.netfilter.nf_conntrack_helper = 1")
    if assigned:
        yield Finding(
            "sip-alg",
            WARNING,
            "the SIP ALG works on connections:\n" + "\n".join(assigned),
            "It rewrites addresses in messages ahead of us, breaks calls of phones that "
            "know NAT themselves, and opens ports that a message asks for.",
            _alg_remedy(readings),
        )
    elif "nf_nat_sip" in loaded:
        yield Finding(
            "sip-alg",
            NOTE,
            "the SIP ALG is loaded (" + ", ".join(loaded) + "); nothing assigns it",
            "A firewall's reload may assign it; nobody here needs it.",
            _alg_remedy(readings),
        )
    elif isinstance(rules, Unread):
        yield Finding("sip-alg", UNKNOWN, f"what is assigned is not known: {rules.why}")
    else:
        yield Finding("sip-alg", FINE, "no SIP ALG works on connections")


def _alg_remedy(readings: Readings) -> tuple[str, ...]:
    unload = "rmmod nf_nat_sip; rmmod nf_conntrack_sip"
    if readings.machine.system == "openwrt":
        return (
            "uci set firewall.@defaults[0].auto_helper=0; uci commit firewall",
            "/etc/init.d/firewall restart",
            unload,
            "sed -i '/sip/d' /etc/modules.d/nf-nathelper-extra",
        )
    keep_out = "printf 'install %s /bin/false\\n' nf_nat_sip nf_conntrack_sip"
    sysctl = ("sysctl -w net.netfilter.nf_conntrack_helper=0",)
    return (
        *(sysctl if readings.helper_sysctl else ()),
        unload,
        f"{keep_out} > /etc/modprobe.d/no-sip-alg.conf",
    )
