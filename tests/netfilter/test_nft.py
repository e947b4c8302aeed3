"""The ruleset's text, against golden files and, where there is one, a kernel."""

from pathlib import Path

import golden
import pytest
from lab.namespaces import LabError, Namespace
from ringfence.netfilter import nft, shield, xtables
from ringfence.netfilter.marks import Code
from ringfence.netfilter.nft import Plan
from ringfence.netfilter.origins import Networks, Ranges

GOLDEN = Path(__file__).parent / "golden"

PLAN = Plan(queue=5060, sip_ports=frozenset({5060}))
WIDE = Plan(
    queue=7,
    sip_ports=frozenset({5080, 5060, 65535, 1}),
    mark=0x00000F00,
    responses=True,
    bypass=False,
    wan=("wan", "pppoe-wan"),
    networks=lambda: Networks(
        Ranges(((10 << 24, (11 << 24) - 1),), ((0xFC << 120, (0xFE << 120) - 1),)),
        Ranges(
            ((1 << 24, (1 << 24) + 255), (10 << 24, (11 << 24) - 1)),
            ((0x2001_0DB8 << 96, (0x2001_0DB9 << 96) - 1),),
        ),
    ),
    foreign_register=True,
    foreign_tls_ports=frozenset({5061}),
    source_rate=300,
    source_burst=3000,
)
OURS = "\n".join(
    [
        "*security",
        ":INPUT ACCEPT [0:0]",
        ":FORWARD ACCEPT [0:0]",
        ":OUTPUT ACCEPT [0:0]",
        ":RINGFENCE - [0:0]",
        "-A INPUT -j RINGFENCE",
        "-A FORWARD -j RINGFENCE",
        "-A OUTPUT -j RINGFENCE",
        "-A RINGFENCE -m mark --mark 0x1000000/0xf000000 -j NFQUEUE --queue-num 5060 "
        "--queue-bypass",
        "COMMIT",
        "",
    ]
)
"""What iptables-save prints of a table that holds our chain and nothing else."""
EMPTY = (
    "*security\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
    "COMMIT\n"
)

CASES = {
    "native.nft": nft.render(PLAN, native_queue=True),
    "xtables.nft": nft.render(PLAN, native_queue=False),
    "native-wide.nft": nft.render(WIDE, native_queue=True),
    "xtables-wide.nft": nft.render(WIDE, native_queue=False),
    "quiet.nft": nft.render_quiet(),
    "removal.nft": nft.render_removal(),
    "only-bans.nft": nft.render_only_bans(),
    "wan.nft": nft.render_wan(("wan", "pppoe-wan")),
    "no-wan.nft": nft.render_wan(()),
    "install.xtables": xtables.render_xtables(PLAN, EMPTY),
    "install-wide.xtables": xtables.render_xtables(WIDE, EMPTY),
    "install-over-a-killed-agent.xtables": xtables.render_xtables(PLAN, OURS),
    "install-where-others-are.xtables": xtables.render_xtables(
        PLAN, EMPTY, {"INPUT", "OUTPUT", "USERS"}
    ),
    "removal-where-others-are.xtables": xtables.render_xtables_removal(
        OURS.replace(":RINGFENCE -", ":RINGFENCE-FOUND-INPUT - [0:0]\n:RINGFENCE -")
    ),
    "removal.xtables": xtables.render_xtables_removal(OURS),
}


@pytest.mark.parametrize("name", CASES)
def test_the_text_is_the_golden_one(name: str) -> None:
    golden.check(GOLDEN / name, CASES[name])


def responses_left_out(plan: Plan) -> list[bytes]:
    """Say how datagrams begin that are taken for answers and not asked about."""
    lines = nft.render(plan, native_queue=True).splitlines()
    return [
        bytes.fromhex(line.split("0x")[1].split()[0])
        for line in lines
        if 'return comment "responses"' in line
    ]


def test_answers_that_no_rule_asks_for_are_left_alone() -> None:
    assert responses_left_out(PLAN) == [b"SIP/2.0 "]
    assert responses_left_out(PLAN._replace(responses=True, redirections=True)) == []
    # All but 3xx, and what is no class of answers (RFC 3261 section 7.2).
    left_out = responses_left_out(PLAN._replace(redirections=True))
    assert left_out == [b"SIP/2.0 %d" % digit for digit in (1, 2, 4, 5, 6)]


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(CASES)


@pytest.mark.parametrize("mark", [0x0F000000, 0xF, 0x00003C00, 0xF0000000])
def test_codes_stay_within_the_mask(mark: int) -> None:
    plan = Plan(1, frozenset({5060}), mark)
    bits = [plan.bits(code) for code in Code]
    assert len(set(bits)) == len(Code)
    assert all(value & ~mark == 0 for value in bits)


def test_every_path_into_the_queue_frees_the_mark_again() -> None:
    # ASKED meets `unheard`, PASS and a ban's destination `pass`; the rest goes nowhere.
    text = CASES["native.nft"]
    for chain in ("enforce_unheard", "enforce_pass"):
        body = text.partition(f"chain {chain} {{")[2].partition("}")[0]
        assert "meta mark set meta mark & 0xf0ffffff" in body


def test_removal_of_nothing_is_no_text() -> None:
    assert xtables.render_xtables_removal(EMPTY) == ""
    assert xtables.render_xtables_removal("") == ""


def test_removal_takes_only_the_jumps_that_are_there() -> None:
    partly = OURS.replace("-A FORWARD -j RINGFENCE\n", "")
    text = xtables.render_xtables_removal(partly)
    assert "-D FORWARD" not in text
    assert text.count("-D ") == 2


def listing(**chains: list[str]) -> str:
    """Write a table as `nft list table` does; built-in chains are in capitals."""
    lines = ["table ip security {"]
    for name, rules in chains.items():
        lines.append(f"\tchain {name} {{")
        if name in ("INPUT", "FORWARD", "OUTPUT") and rules[:1] != [DROPS]:
            lines.append(
                f"\t\ttype filter hook {name.lower()} priority 150; policy accept;"
            )
        lines += [*(f"\t\t{rule}" for rule in rules), "\t}", ""]
    return "\n".join([*lines, "}", ""])


JUMP = "counter packets 7 bytes 4096 jump RINGFENCE"
USERS_RULE = "ip saddr 192.0.2.1 counter packets 0 bytes 0 drop"
DROPS = "type filter hook forward priority 150; policy drop;"
QUEUE = "meta mark & 0x0f000000 == 0x01000000 counter packets 0 bytes 0 queue num 5060"


@pytest.mark.parametrize(
    ("table", "others"),
    [
        ("", set()),
        (listing(INPUT=[], FORWARD=[]), {"INPUT", "FORWARD"}),
        (listing(INPUT=[JUMP], FORWARD=[JUMP], RINGFENCE=[QUEUE]), set()),
        (listing(INPUT=[USERS_RULE, JUMP], OUTPUT=[JUMP]), {"INPUT"}),
        (
            listing(
                **{"INPUT": [JUMP], "OUTPUT": [JUMP], "RINGFENCE-FOUND-INPUT": []},
                RINGFENCE=[QUEUE],
            ),
            {"INPUT"},
        ),
        (listing(INPUT=[USERS_RULE], USERS=[]), {"INPUT", "USERS"}),
        (listing(USERS=["counter packets 0 bytes 0 jump RINGFENCED"]), {"USERS"}),
    ],
)
def test_which_chains_are_not_ours(table: str, others: set[str]) -> None:
    assert xtables.chains_of_others(table) == others


@pytest.mark.parametrize(
    ("table", "others", "gone"),
    [
        ("", [], []),
        (listing(INPUT=[], FORWARD=[]), [], ["table ip security"]),
        (listing(INPUT=[], FORWARD=[]), ["INPUT"], ["chain ip security FORWARD"]),
        (listing(INPUT=[], FORWARD=[]), ["INPUT", "FORWARD"], []),
        (listing(INPUT=[USERS_RULE], OUTPUT=[]), [], ["chain ip security OUTPUT"]),
        (listing(FORWARD=[DROPS], OUTPUT=[]), [], ["chain ip security OUTPUT"]),
        (listing(USERS=[], OUTPUT=[]), [], ["chain ip security OUTPUT"]),
        (listing(INPUT=[JUMP], RINGFENCE=[QUEUE]), [], []),
    ],
)
def test_only_empty_chains_that_we_caused_go(
    table: str, others: list[str], gone: list[str]
) -> None:
    text = xtables.render_bare_removal("ip", table, frozenset(others))
    assert text == "".join(f"delete {what}\n" for what in gone)


@pytest.mark.netns
@pytest.mark.parametrize("name", ["xtables.nft", "xtables-wide.nft"])
def test_nft_accepts_it(name: str, namespace: Namespace) -> None:
    namespace.run("nft", "-c", "-f", "-", stdin=CASES[name])
    assert namespace.ruleset() == ""


@pytest.mark.netns
@pytest.mark.parametrize("name", ["native.nft", "native-wide.nft"])
def test_nft_accepts_its_own_queue_statement_or_nothing_at_all(
    name: str, namespace: Namespace
) -> None:
    try:
        namespace.run("nft", "-c", "-f", "-", stdin=CASES[name])
    except LabError as refusal:
        assert "queue flags bypass" in str(refusal)  # noqa: PT017 - nothing else is
    assert namespace.ruleset() == ""


@pytest.mark.netns
def test_the_text_can_be_applied_over_itself(namespace: Namespace) -> None:
    namespace.run("nft", "-f", "-", stdin=CASES["xtables.nft"])
    once = namespace.ruleset()
    namespace.run("nft", "-f", "-", stdin=CASES["xtables-wide.nft"])
    namespace.run("nft", "-f", "-", stdin=CASES["xtables.nft"])
    assert namespace.ruleset() == once
    namespace.run("nft", "-f", "-", stdin=CASES["removal.nft"])
    assert namespace.ruleset() == ""


@pytest.mark.netns
def test_quiet_leaves_the_verdicts_in_force(namespace: Namespace) -> None:
    namespace.run("nft", "-f", "-", stdin=CASES["xtables.nft"])
    namespace.run("nft", "-f", "-", stdin=CASES["quiet.nft"])
    left = namespace.ruleset()
    for hook in nft.HOOKS:
        body = left.partition(f"chain inspect_{hook} {{")[2].partition("\t}")[0]
        assert "jump inspect" not in body
        body = left.partition(f"chain enforce_{hook} {{")[2].partition("\t}")[0]
        assert "jump enforce" in body


@pytest.mark.netns
@pytest.mark.parametrize("name", ["xtables.nft", "xtables-wide.nft"])
def test_only_bans_leaves_what_checks_them(name: str, namespace: Namespace) -> None:
    namespace.run("nft", "-f", "-", stdin=CASES[name])
    namespace.run("nft", "add element inet ringfence banned4 { 192.0.2.1 timeout 9m }")
    namespace.run("nft", "-f", "-", stdin=CASES["only-bans.nft"])
    left = namespace.ruleset()
    assert "192.0.2.1 timeout 9m" in left
    chains = [line.split()[1] for line in left.splitlines() if "chain " in line]
    assert chains == ["banned", "shield", "shield_prerouting"]
    sets = [line.split()[1] for line in left.splitlines() if "set " in line]
    assert sorted(sets) == sorted(shield.KEPT_SETS)
    namespace.run("nft", "-f", "-", stdin=CASES["only-bans.nft"])
    namespace.run("nft", "-f", "-", stdin=CASES["xtables.nft"])
    assert "192.0.2.1 timeout 9m" in namespace.ruleset(), "taken over"


@pytest.mark.netns
def test_bans_outlive_a_refill_and_nothing_else_does(namespace: Namespace) -> None:
    namespace.run("nft", "-f", "-", stdin=CASES["xtables-wide.nft"])
    add = "add element inet ringfence"
    namespace.run("nft", f"{add} banned6 {{ 2001:db8:: timeout 9m }}")
    namespace.run("nft", f"{add} home4 {{ 192.0.2.0/24 }}")
    namespace.run("nft", "-f", "-", stdin=CASES["xtables.nft"])
    left = namespace.ruleset()
    assert "2001:db8:: timeout 9m" in left
    for gone in ("192.0.2.0/24", "10.0.0.0/8", "5061", "pppoe-wan"):
        assert gone not in left


def test_a_name_that_nft_cannot_write_is_left_out() -> None:
    assert nft.render_wan(('a"b', "wan")).endswith('elements = { "wan" }; }; }\n')
