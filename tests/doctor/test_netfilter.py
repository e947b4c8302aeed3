"""The kernel's side, as real nft, iptables and ip show it in a namespace."""

import os
import socket
from pathlib import Path
from typing import Any

import doctoring
import pytest
from doctoring import HEALTHY, one, states
from lab.namespaces import LabError, Namespace
from ringfence.doctor import netfilter
from ringfence.doctor.checks import judge
from ringfence.doctor.gather import Root, gather
from ringfence.doctor.readings import Readings
from ringfence.netfilter.control import Control
from ringfence.netfilter.nft import Plan
from ringfence.netfilter.queue import Queue

pytestmark = pytest.mark.netns

PLAN = Plan(queue=5060, sip_ports=frozenset({5060}))
PROC = Path("/proc/thread-self")

MULTIWAN = """
table inet mwan {
    set voip { type inet_service; elements = { 5060, 5080 }
    }
    chain prerouting {
        type filter hook prerouting priority mangle
        meta mark & 0x3f00 == 0x0 meta mark set meta mark & 0xffffc0ff | 0x100
        ct mark set meta mark and 0x3f00
    }
    chain forward {
        type filter hook forward priority 0; policy drop
        udp dport @voip accept
        udp dport { 5062, 5070-5080 } jump deep
    }
    chain deep { tcp dport 1-1024 reject
    }
}
"""


def read(**changes: Any) -> Readings:
    """Read what the kernel holds, into the readings of a healthy machine."""
    return HEALTHY._replace(
        ruleset=netfilter.ruleset(),
        saved=netfilter.saved(),
        ip_rules=netfilter.ip_rules(),
        **changes,
    )


def installed() -> dict[str, Any]:
    """Put our rules in; return what the agent would say of itself."""
    control = Control()
    control.install(PLAN)
    return doctoring.agent(statement=control.statement)


def test_looking_changes_nothing(entered: Namespace) -> None:
    installed()
    entered.run("nft", "-f", "-", stdin=MULTIWAN)
    before = entered.run("nft", "list", "ruleset")
    gather(None, Root())
    assert entered.run("nft", "list", "ruleset") == before


def test_a_kernel_with_all_it_takes(entered: Namespace) -> None:
    assert netfilter.lacking_features() == {}
    assert netfilter.nft_version()[0].isdigit()
    assert netfilter.ctnetlink()
    assert netfilter.hardware_offload() == ()


def test_a_feature_that_is_missing_is_named(
    entered: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = {"a thing of the future": "chain c { warp 9\n }"}
    monkeypatch.setattr(netfilter, "FEATURES", {**netfilter.FEATURES, **lacking})
    assert list(netfilter.lacking_features()) == ["a thing of the future"]


def test_our_rules_are_whole_until_somebody_changes_them(entered: Namespace) -> None:
    agent = installed()
    assert one("table", read(agent=agent)).state == "fine"
    assert one("order", read(agent=agent)).state == "fine"
    assert states("marks", read(agent=agent)) == ["fine"]
    assert netfilter.ruleset().counted("inet", "ringfence") is not None

    entered.run("nft", "flush chain inet ringfence inspect_forward")
    assert "inspect_forward" in one("table", read(agent=agent)).what
    entered.run("nft", "delete table inet ringfence")
    assert one("table", read(agent=agent)).state == "problem"
    assert netfilter.ruleset().counted("inet", "ringfence") is None


def test_a_firewall_of_others_with_marks_of_its_own(entered: Namespace) -> None:
    agent = installed()
    entered.run("nft", "-f", "-", stdin=MULTIWAN)
    entered.ip("rule add fwmark 0x100/0x3f00 lookup 100")
    readings = read(agent=agent)
    assert [one("order", readings).state, one("marks", readings).state] == ["fine"] * 2
    assert len(readings.ip_rules) == 1

    entered.run(
        "nft", "add rule inet mwan prerouting meta mark & 0xff000000 == 0 accept"
    )
    entered.ip("rule add fwmark 0x1000000/0xff000000 lookup 101")
    said = one("marks", read(agent=agent))
    assert said.state == "problem"
    assert "inet mwan prerouting" in said.what
    assert "ip rule:" in said.what


def test_the_elements_of_a_set_of_ports_are_known(entered: Namespace) -> None:
    entered.run("nft", "-f", "-", stdin=MULTIWAN)
    (accepts,) = [
        rule
        for rule in netfilter.ruleset().rules
        if rule.chain.name == "forward" and rule.has("accept")
    ]
    assert accepts.takes("udp", 1, 5080) is True
    assert accepts.takes("udp", 1, 5081) is False


def test_chains_between_our_steps(entered: Namespace) -> None:
    agent = installed()
    text = (
        "table ip late {\nchain c { type filter hook forward priority 155; policy drop\n"
        "meta mark set 0x7\n}\n}"
    )
    entered.run("nft", "-f", "-", stdin=text)
    assert one("order", read(agent=agent)).state == "warning"
    assert "between our steps" in one("marks", read(agent=agent)).what


def test_xtables_that_mark_and_queue(entered: Namespace) -> None:
    agent = installed()
    rule = ("-p", "udp", "--dport", "5060", "-j")
    mark = ("-j", "MARK", "--set-xmark", "0x1000000/0xff000000")
    entered.run("iptables", "-t", "mangle", "-A", "PREROUTING", *mark)
    entered.run("iptables", "-A", "FORWARD", *rule, "NFQUEUE", "--queue-num", "9")
    entered.run("ip6tables", "-A", "INPUT", *rule, "NFQUEUE", "--queue-num", "5060")
    readings = read(agent=agent, queues=())
    assert "iptables -t mangle" in one("marks", readings).what
    found = states("queues", readings)
    assert found == ["problem", "warning", "problem"]  # ours, beside, nobody listens


def test_rules_of_legacy_xtables_are_seen(entered: Namespace) -> None:
    rule = ("-p", "udp", "--dport", "5060", "-j", "NFQUEUE", "--queue-num", "9")
    entered.run("iptables-legacy", "-A", "FORWARD", *rule)
    assert [one.text for one in netfilter.saved() if one.target == "NFQUEUE"] == [
        "-A FORWARD -p udp -m udp --dport 5060 -j NFQUEUE --queue-num 9"
    ]


def test_the_sip_helper_is_seen(entered: Namespace) -> None:
    text = (
        'table inet fw4 { ct helper siph { type "sip" protocol udp; }\n'
        'chain helpers { udp dport 5060 ct helper set "siph"\n}\n}'
    )
    entered.run("nft", "-f", "-", stdin=text)
    assert one("sip-alg", read()).state == "warning"


def test_who_has_a_queue_is_found_by_its_socket(entered: Namespace) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as first:
        first.bind((0, 0))  # takes our process id as its port
        queue = Queue(77, 16, lambda packet: packet.accept())
        try:
            (line,) = netfilter.queues(Path("/proc"))
        finally:
            queue.close()
    assert (line.number, line.pid) == (77, os.getpid())
    assert line.name


def test_a_flow_table_is_seen_where_the_kernel_has_them(entered: Namespace) -> None:
    text = (
        "table inet fw4 {\nflowtable ft { hook ingress priority 0; devices = { lo }; }\n"
        "chain forward { type filter hook forward priority 0\n"
        "meta l4proto { tcp, udp } flow add @ft\n}\n}"
    )
    try:
        entered.run("nft", "-f", "-", stdin=text)
    except LabError as error:
        if "No such file" not in str(error):
            raise
        pytest.skip(f"this kernel has no flow tables ({str(error).splitlines()[0]})")
    assert one("offload", read()).state == "warning"
    for side in ("sport", "dport"):
        match = f"meta l4proto {{ tcp, udp }} th {side} 5060 ct status confirmed accept"
        entered.run("nft", f"insert rule inet fw4 forward {match}")
    assert one("offload", read()).state == "fine"


def test_on_an_empty_machine_every_check_has_an_answer(entered: Namespace) -> None:
    said = {one.id: one.state for one in judge(gather(None))}
    assert said["agent"] == "problem"
    assert said["wan"] == "problem"
    assert said["kernel"] == "fine"
    assert "flaw" not in " ".join(one.what for one in judge(gather(None)))
