"""What we give OpenWrt's firewall: a rule, which must never keep it from loading, and a
script that it runs afterwards.

`fw4` itself is not here: it is an nft ruleset rendered anew at each load, and the parts
of it that meet ours are written out below.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import ipk
import openwrt
import pytest
import stage
from lab.namespaces import PREFIX, Namespace, run
from openwrtroot import OpenWrt
from ringfence.netfilter.control import Control
from ringfence.netfilter.nft import Plan

INCLUDE = stage.FILES / "ringfence.nft"
OFFLOAD = "meta l4proto { tcp, udp } counter"
"""Where `flow offload @ft` stands in fw4; not every kernel that tests run on has it."""

RULES = """
table inet fw4
flush table inet fw4
table inet fw4 {{
    chain {name} {{
        type filter hook forward priority filter; policy drop;
        {offload}
        ct state vmap {{ established : accept, related : accept }}
        iifname "lan" accept
    }}
}}
include "{include}"
"""


@pytest.fixture
def namespace(_netns: None) -> Iterator[Namespace]:
    made = Namespace(f"{PREFIX}{os.getpid()}-fw4")
    run("ip", "netns", "add", made.name)
    try:
        yield made
    finally:
        made.delete()


def load(
    namespace: Namespace, *, name: str = "forward", offload: str = OFFLOAD
) -> None:
    """Load the firewall as `fw4 reload` does, in one transaction."""
    text = RULES.format(name=name, offload=offload, include=INCLUDE)
    namespace.run("nft", "-f", "-", stdin=text)


def rules(namespace: Namespace, chain: str = "forward") -> list[str]:
    text = namespace.run("nft", "--stateless", "list", "chain", "inet", "fw4", chain)
    lines = [line.strip() for line in text.splitlines()[2:]]
    return [
        line for line in lines if line not in {"}", ""} and "type filter" not in line
    ]


def ports(namespace: Namespace) -> list[str]:
    text = namespace.run("nft", "list", "set", "inet", "fw4", "ringfence_sip")
    return re.findall(r"\d+", text.partition("elements = ")[2])


@pytest.mark.netns
def test_our_rules_come_before_the_offload(namespace: Namespace) -> None:
    load(namespace)
    first, second, third, *_ = rules(namespace)
    assert "th dport @ringfence_sip ct status confirmed accept" in first
    assert "th sport @ringfence_sip ct status confirmed accept" in second
    assert third == OFFLOAD


@pytest.mark.netns
def test_once_however_often_it_loads(namespace: Namespace) -> None:
    load(namespace)
    before = namespace.ruleset()
    load(namespace)
    load(namespace)
    assert namespace.ruleset() == before


@pytest.mark.netns
def test_without_offload(namespace: Namespace) -> None:
    load(namespace, offload="")
    assert rules(namespace)[2].startswith("ct state vmap")


@pytest.mark.netns
def test_a_firewall_of_another_make_loads_too(namespace: Namespace) -> None:
    """Chains of other names: we do nothing for it, and nothing to it."""
    load(namespace, name="forward_filter")
    assert rules(namespace, "forward_filter")[0] == OFFLOAD
    assert len(rules(namespace, "forward_filter")) == 3
    text = namespace.run("nft", "list", "chain", "inet", "fw4", "forward")
    assert "hook" not in text


@pytest.mark.netns
def test_without_a_firewall_it_loads_too(namespace: Namespace) -> None:
    namespace.run("nft", "-f", str(INCLUDE))


@pytest.mark.netns
def test_the_agent_says_which_ports(namespace: Namespace) -> None:
    load(namespace)
    assert ports(namespace) == ["5060"]
    with namespace.entered():
        control = Control()
        plan = Plan(queue=5060, sip_ports=frozenset({5070, 5080}))
        control.install(plan)
        assert ports(namespace) == ["5070", "5080"]
        load(namespace)  # as a reload of the firewall
        assert ports(namespace) == ["5060", "5070", "5080"]
        control.refill(plan._replace(sip_ports=frozenset({5061})))
        assert ports(namespace) == ["5061"]
        control.remove()
    # Nobody looks at SIP any more, but who installs an agent anew should find it.
    assert ports(namespace) == ["5061"]


@pytest.mark.netns
def test_where_there_is_no_such_firewall_the_agent_makes_none(
    namespace: Namespace,
) -> None:
    with namespace.entered():
        control = Control()
        control.install(Plan(queue=5060, sip_ports=frozenset({5060})))
        assert "fw4" not in namespace.ruleset()
        control.remove()


# The script that fw4 runs when it has loaded, in a folder that passes for an OpenWrt.


@pytest.fixture
def router(tmp_path: Path) -> OpenWrt:
    router = OpenWrt(tmp_path)
    router.lay(ipk.package(openwrt.entries(), 0))
    return router


def include(router: OpenWrt) -> list[str]:
    """Run it as fw4 does: sourced, in a shell without uci; return the trace."""
    done = router.run(
        "/bin/sh",
        "-c",
        "config() { exit 1; }; . /usr/share/ringfence/firewall.include",
    )
    assert (done.returncode, done.stderr) == (0, "")
    return router.trace()


SIGNAL = "procd_send_signal ringfence agent HUP"


def test_with_our_table_there_it_changes_nothing(router: OpenWrt) -> None:
    router.service("start")
    router.running(True)
    router.write("table", "")
    router.trace()
    assert include(router) == [
        "nft list set inet ringfence sip_ports",
        "nft list set inet ringfence sip_ports",
    ]


def test_with_our_table_missing_the_agent_is_told(router: OpenWrt) -> None:
    router.service("start")
    router.running(True)
    router.trace()
    assert SIGNAL in include(router)


def test_with_the_agent_down_nothing_is_started(router: OpenWrt) -> None:
    trace = include(router)
    assert not [line for line in trace if line.startswith("procd")]


def test_after_a_restart_of_the_firewall_the_ports_are_back(router: OpenWrt) -> None:
    router.write(
        "table",
        "table inet ringfence {\n\tset sip_ports {\n\t\ttype inet_service\n"
        "\t\telements = { 5060, 5070,\n\t\t\t     5080 }\n\t}\n}\n",
    )
    trace = "\n".join(include(router))
    assert re.sub(r"\s+", " ", trace.partition("nft flush")[2]) == (
        " set inet fw4 ringfence_sip; table inet fw4 { set ringfence_sip { "
        "type inet_service; elements = { 5060, 5070, 5080 }; }; }"
    )


@pytest.mark.netns
def test_real_nft_lists_ports_as_the_script_expects(namespace: Namespace) -> None:
    text = (stage.FILES / "firewall.include").read_text()
    many = frozenset(range(5060, 5090))
    load(namespace)
    with namespace.entered():
        control = Control()
        control.install(Plan(queue=5060, sip_ports=many))
        run("nft", "flush", "set", "inet", "fw4", "ringfence_sip")
        run("sh", "-c", text)
        assert ports(namespace) == [str(port) for port in sorted(many)]
        control.remove()
