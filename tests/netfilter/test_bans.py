"""Bans by hand in a real kernel: what nft then lists."""

import pytest
from lab.namespaces import Namespace
from ringfence.errors import KernelError
from ringfence.facts.network import parse_address
from ringfence.netfilter import bans, intervals
from ringfence.netfilter.control import Control
from ringfence.netfilter.nft import Plan


def address(text: str) -> bytes:
    found = parse_address(text)
    assert found is not None
    return found


V4, V6 = address("192.0.2.1"), address("2001:db8:1:2:3:4:5:6")


@pytest.mark.netns
def test_a_ban_its_new_length_and_its_end(entered: Namespace) -> None:
    control = Control()
    control.install(Plan(queue=5060, sip_ports=frozenset({5060})))
    bans.ban(V4, 3600)
    bans.ban(V6, bans.MAX_BAN)
    listed = {one.address: one.length_s for one in bans.bans()}
    assert listed == {"192.0.2.1": 3600, "2001:db8:1:2::/64": bans.MAX_BAN}
    assert "192.0.2.1 timeout 1h" in entered.run(
        "nft", "list", "set", "inet", "ringfence", "banned4"
    )

    bans.ban(V4, bans.MIN_BAN + 59)
    assert {one.address: one.length_s for one in bans.bans()}["192.0.2.1"] == 60

    assert bans.unban(V4)
    assert not bans.unban(V4)
    assert bans.unban(address("2001:db8:1:2::9"))
    assert bans.bans() == []
    control.remove()


@pytest.mark.netns
def test_a_ban_that_ends_while_it_is_lifted(
    entered: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = Control()
    control.install(Plan(queue=5060, sip_ports=frozenset({5060})))
    monkeypatch.setattr(bans, "bans", lambda: [bans.Ban("192.0.2.1", 60, 1)])
    assert bans.unban(V4)
    control.remove()


@pytest.mark.netns
def test_without_a_set(entered: Namespace) -> None:
    for change in (lambda: bans.ban(V4, 60), lambda: bans.unban(V4)):
        with pytest.raises(KernelError, match="there is no ban set in the kernel"):
            change()


@pytest.mark.netns
def test_a_set_that_is_full(entered: Namespace) -> None:
    entered.run(
        *("nft", "-f", "-"),
        stdin="table inet ringfence { set banned4 {\n"
        "type ipv4_addr; flags timeout,dynamic; size 1; }; }",
    )
    bans.ban(V4, 60)
    with pytest.raises(KernelError, match="the kernel did not take it: "):
        bans.ban(address("192.0.2.2"), 60)


def test_without_the_capability(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*changes: bytes) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(intervals, "perform", refuse)
    with pytest.raises(KernelError, match="needs the capability CAP_NET_ADMIN"):
        bans.ban(V4, 60)
