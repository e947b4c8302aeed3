"""Checks of what leads packets past us, or changes them ahead of us: offload, ALG."""

from collections.abc import Iterator
from typing import Final

from ringfence.doctor.checks.others import flows
from ringfence.doctor.finding import FINE, NOTE, UNKNOWN, WARNING, Finding
from ringfence.doctor.readings import Readings, Unread
from ringfence.doctor.ruleset import Rule, Ruleset, ends_here

_ALG: Final = ("nf_nat_sip", "nf_conntrack_sip")


def offload(readings: Readings) -> Iterator[Finding]:
    """Look for flows that go past the forward hook."""
    rules = readings.ruleset
    if isinstance(rules, Unread):
        yield Finding("offload", UNKNOWN, f"flow offload is not known: {rules.why}")
        return
    open_ones = [rule for rule in rules.rules if rule.offloads()]
    bare = [rule for rule in open_ones if not _spares_sip(readings, rules, rule)]
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
            f"flow offload takes forwarded SIP past us{how}:\n"
            + "\n".join(rule.label for rule in bare),
            "After the first packets of a flow the agent sees no more of it: a phone "
            "behind this router can be attacked through a flow that once was harmless. "
            "What ends on this router is not concerned.",
            _offload_remedy(readings, bare),
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
    for flow in flows(readings):
        if offloading.takes(*flow) is False:
            continue
        if not any(ends_here(rule) and rule.takes(*flow) is True for rule in ahead):
            return False
    return True


def _offload_remedy(readings: Readings, bare: list[Rule]) -> tuple[str, ...]:
    ports = ", ".join(map(str, sorted(readings.config.network_sip_ports)))
    if readings.machine.system == "openwrt":
        return (
            "# leave SIP out of it:",
            "ls /usr/share/nftables.d/ruleset-post/  # the package puts ringfence.nft there",
            "/etc/init.d/firewall reload",
            "# or switch it off:",
            "uci set firewall.@defaults[0].flow_offloading=0; uci commit firewall",
            "/etc/init.d/firewall restart",
        )
    chains = dict.fromkeys(rule.chain.label for rule in bare)
    return (
        "# ahead of the rule that offloads, in the same chain; it takes only what the",
        "# rules behind it have let in once:",
        *(
            f"nft insert rule {chain} meta l4proto {{ tcp, udp }} "
            f"th {end} {{ {ports} }} ct status confirmed accept"
            for chain in chains
            for end in ("sport", "dport")
        ),
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
