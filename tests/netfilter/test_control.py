"""Installing and removing, in a real kernel: it is left as it was found."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.namespaces import Namespace
from ringfence.errors import KernelError
from ringfence.netfilter import asking, intervals, nft, programs
from ringfence.netfilter.control import Control
from ringfence.netfilter.nft import Plan
from ringfence.netfilter.origins import NOBODY, Networks, Ranges

PLAN = Plan(queue=5060, sip_ports=frozenset({5060}))
OTHER = Plan(queue=5060, sip_ports=frozenset({5060, 5080}), mark=0xF00)

USERS_FIREWALL = """
table inet filter {
    set friends { type ipv4_addr; elements = { 192.0.2.1 }; }
    chain forward {
        type filter hook forward priority filter; policy drop;
        ip saddr @friends accept
    }
}
"""

Beginning = Callable[[Namespace], None]


def nothing(namespace: Namespace) -> None:
    """Begin with an empty kernel."""


def users_firewall(namespace: Namespace) -> None:
    """Begin with a firewall in nft."""
    namespace.run("nft", "-f", "-", stdin=USERS_FIREWALL)


def bare_security(namespace: Namespace) -> None:
    """Begin with the empty table that a look at `security` leaves behind."""
    namespace.run("iptables-nft", "-t", "security", "-L")


def users_rule(namespace: Namespace) -> None:
    """Begin with a rule of somebody else in the table that we use."""
    rule = ("-s", "192.0.2.1", "-j", "DROP")
    namespace.run("iptables-nft", "-t", "security", "-A", "INPUT", *rule)


def users_chain(namespace: Namespace) -> None:
    """Begin with an empty chain of somebody else in the table that we use."""
    namespace.run("ip6tables-nft", "-t", "security", "-N", "USERS")


BEGINNINGS = (nothing, users_firewall, bare_security, users_rule, users_chain)


@pytest.fixture
def first_in_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def put_before(folder: Path, name: str, script: str) -> None:
    """Put a program ahead of the real one, which it may call as "$REAL"."""
    program = folder / name
    program.write_text(f"#!/bin/sh\nREAL={shutil.which(name)}\n{script}\n")
    program.chmod(0o755)


@pytest.mark.netns
@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_whole_life_leaves_no_trace(beginning: Beginning, entered: Namespace) -> None:
    beginning(entered)
    before = entered.ruleset()
    agent = Control()
    agent.install(PLAN)
    assert "table inet ringfence" in entered.ruleset()
    agent.refill(OTHER)
    agent.quiet()
    agent.remove()
    assert entered.ruleset() == before


@pytest.mark.netns
@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_the_next_agent_clears_up_after_a_killed_one(
    beginning: Beginning, entered: Namespace
) -> None:
    beginning(entered)
    before = entered.ruleset()
    Control().install(PLAN)
    killed = entered.ruleset()
    agent = Control()
    agent.install(PLAN)
    assert entered.ruleset() == killed, "installed over itself, nothing twice"
    agent.remove()
    assert entered.ruleset() == before


@pytest.mark.netns
@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_what_a_killed_agent_left_can_be_cleared(
    beginning: Beginning, entered: Namespace
) -> None:
    beginning(entered)
    before = entered.ruleset()
    Control().clear()
    assert entered.ruleset() == before, "nothing of ours is there"
    Control().install(PLAN)
    assert entered.ruleset() != before
    Control().clear()
    assert entered.ruleset() == before


@pytest.mark.netns
def test_that_it_cannot_be_cleared_is_said(
    entered: Namespace, first_in_path: Path
) -> None:
    put_before(
        first_in_path,
        "nft",
        'case "$*" in "-f -") echo "not permitted" >&2; exit 1;; esac; "$REAL" "$@"',
    )
    with pytest.raises(KernelError) as refused:
        Control().clear()
    assert str(refused.value) == "nft did not remove our table: not permitted"


@pytest.mark.netns
def test_what_a_user_adds_while_the_agent_runs_stays(entered: Namespace) -> None:
    agent = Control()
    agent.install(PLAN)
    users_rule(entered)
    agent.remove()
    left = entered.ruleset()
    assert "192.0.2.1" in left
    assert "ringfence" not in left.lower()


@pytest.mark.netns
def test_remove_twice_and_without_install(entered: Namespace) -> None:
    agent = Control()
    agent.remove()
    agent.install(PLAN)
    agent.remove()
    agent.remove()
    assert entered.ruleset() == ""


@pytest.mark.netns
def test_install_after_somebody_deleted_every_table(entered: Namespace) -> None:
    agent = Control()
    agent.install(PLAN)
    installed = entered.ruleset()
    entered.run("nft", "flush", "ruleset")
    agent.install(PLAN)
    assert entered.ruleset() == installed
    agent.remove()
    assert entered.ruleset() == ""


@pytest.mark.netns
def test_refill_changes_ports_and_mark_and_nothing_else(entered: Namespace) -> None:
    agent = Control()
    agent.install(PLAN)
    agent.refill(OTHER)
    refilled = entered.ruleset()
    agent.remove()
    fresh = Control()
    fresh.install(OTHER)
    assert refilled == entered.ruleset()
    assert "5080" in refilled


@pytest.mark.netns
def test_quiet_queues_no_more_but_enforces(entered: Namespace) -> None:
    agent = Control()
    agent.install(PLAN)
    agent.quiet()
    quiet = entered.ruleset()
    assert "jump inspect" not in quiet
    assert quiet.count("jump enforce") == 3


@pytest.mark.netns
def test_statement_says_which_of_the_two_queues(entered: Namespace) -> None:
    agent = Control()
    agent.install(PLAN)
    native = "queue flags bypass" in entered.ruleset()
    assert agent.native_queue is native
    assert agent.statement == ("nft queue" if native else "xtables NFQUEUE")


@pytest.mark.netns
def test_nothing_is_left_when_one_family_of_xtables_refuses(
    entered: Namespace, first_in_path: Path
) -> None:
    # nft must lack the queue statement for xtables to be asked at all.
    put_before(
        first_in_path,
        "nft",
        'text=$(cat); case "$text" in *"queue flags"*) echo "no queue" >&2; exit 1;; '
        'esac; printf "%s\\n" "$text" | "$REAL" "$@"',
    )
    put_before(
        first_in_path, "ip6tables-nft-restore", 'echo "no such target" >&2; exit 2'
    )
    users_firewall(entered)
    before = entered.ruleset()
    with pytest.raises(KernelError) as refused:
        Control().install(PLAN)
    assert str(refused.value) == (
        "this kernel queues packets neither by nft (no queue) nor by xtables "
        "(ip6tables did not take the queue rule: no such target)"
    )
    assert refused.value.exit_code == 3
    assert entered.ruleset() == before


@pytest.mark.netns
def test_nothing_is_left_when_nft_does_not_take_what_it_checked(
    entered: Namespace, first_in_path: Path
) -> None:
    put_before(
        first_in_path,
        "nft",
        'case "$*" in "-f -") text=$(cat); case "$text" in *"chain enforce"*) '
        'echo "disk full" >&2; exit 1;; esac; printf "%s\\n" "$text" | "$REAL" "$@";; '
        '*) exec "$REAL" "$@";; esac',
    )
    with pytest.raises(KernelError) as refused:
        Control().install(PLAN)
    assert str(refused.value) == "nft did not take the ruleset: disk full"
    assert entered.ruleset() == ""


@pytest.mark.netns
def test_a_refused_refill_leaves_the_old_ruleset(
    entered: Namespace, first_in_path: Path
) -> None:
    agent = Control()
    agent.install(PLAN)
    installed = entered.ruleset()
    impossible = Plan(queue=5060, sip_ports=frozenset({70_000}))
    with pytest.raises(KernelError, match="nft did not take the ruleset: "):
        agent.refill(impossible)
    assert entered.ruleset() == installed


@pytest.mark.netns
def test_a_ruleset_that_nft_refuses_is_said_so_and_not_installed(
    entered: Namespace,
) -> None:
    impossible = Plan(queue=5060, sip_ports=frozenset({70_000}))
    with pytest.raises(KernelError, match="nft did not take the ruleset: "):
        Control().install(impossible)
    assert entered.ruleset() == ""


def test_without_nft(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(KernelError) as missing:
        Control()
    assert str(missing.value) == (
        "nft is not in PATH; install the package nftables (and run with /usr/sbin "
        "in PATH)"
    )
    assert missing.value.exit_code == 3


def test_without_xtables_where_nft_lacks_queue(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    put_before(
        tmp_path,
        "nft",
        'case "$(/bin/cat)" in *"queue flags"*) echo "no queue" >&2; exit 1;; esac',
    )
    with pytest.raises(KernelError) as missing:
        Control().install(PLAN)
    assert str(missing.value) == (
        "this kernel queues packets neither by nft (no queue) nor by xtables "
        "(iptables-restore is not in PATH; install the package iptables (and run "
        "with /usr/sbin in PATH))"
    )


def test_a_program_that_hangs_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "TIMEOUT", 0.2)
    put_before(tmp_path, "nft", "exec /bin/sleep 5")
    with pytest.raises(KernelError, match=r"did not answer within 0 s"):
        Control().install(PLAN)


def test_a_program_that_cannot_be_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    program = tmp_path / "nft"
    program.write_text("#!/nowhere/sh\n")
    program.chmod(0o755)
    with pytest.raises(KernelError, match="No such file or directory"):
        Control().install(PLAN)


HOME = Networks(not_foreign=Ranges(((1, 9), (20, 29)), ((1, 9),)))
ELSEWHERE = Networks(not_foreign=Ranges(((30, 39),)))
OFFLOADING = PLAN._replace(
    wan=("lo",), foreign_register=True, networks=lambda: HOME, responses=False
)


def refilled(control: Control, plan: Plan) -> None:
    refill = control.begin_refill(plan)
    refill.finish()


def home4(namespace: Namespace) -> str:
    listed = namespace.run("nft", "list", "set", "inet", "ringfence", "home4")
    return " ".join(listed.partition("elements = {")[2].replace("}", "").split())


def count_fills(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], int]:
    """Count in a file: what fills is another process."""
    tally = tmp_path / "fills"
    fill = intervals.fill

    def counted(*arguments: object) -> None:
        with tally.open("a") as file:
            file.write("+")
        fill(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(intervals, "fill", counted)
    return lambda: len(tally.read_text()) // 2 if tally.exists() else 0


@pytest.mark.netns
def test_home_networks_are_put_in_once(
    entered: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fills = count_fills(monkeypatch, tmp_path)
    control = Control()
    control.install(PLAN)
    refilled(control, OFFLOADING)
    assert home4(entered) == "0.0.0.1-0.0.0.9, 0.0.0.20-0.0.0.29"
    assert fills() == 1

    refilled(control, OFFLOADING._replace(sip_ports=frozenset({5060, 5080})))
    assert (home4(entered), fills()) == ("0.0.0.1-0.0.0.9, 0.0.0.20-0.0.0.29", 1)

    refilled(control, OFFLOADING._replace(networks=lambda: ELSEWHERE))
    assert (home4(entered), fills()) == ("0.0.0.30-0.0.0.39", 2)

    # Not asked for any more, they go, and have to come again.
    refilled(control, PLAN)
    assert (home4(entered), fills()) == ("", 2)
    refilled(control, OFFLOADING._replace(networks=lambda: ELSEWHERE))
    assert (home4(entered), fills()) == ("0.0.0.30-0.0.0.39", 3)

    # Somebody has deleted the table.
    entered.run("nft", "delete", "table", "inet", "ringfence")
    control.install(PLAN)
    refilled(control, OFFLOADING._replace(networks=lambda: ELSEWHERE))
    assert (home4(entered), fills()) == ("0.0.0.30-0.0.0.39", 4)
    control.remove()


@pytest.mark.netns
def test_while_home_networks_are_half_there_no_rule_asks_for_them(
    entered: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    control = Control()
    control.install(PLAN)
    refilled(control, OFFLOADING)
    assert control.home() == asking.home() is not None

    def fails(*arguments: object) -> None:
        assert control.home() is None
        raise KernelError("no memory")

    monkeypatch.setattr(intervals, "fill", fails)
    with pytest.raises(KernelError, match="no memory"):
        refilled(control, OFFLOADING._replace(networks=lambda: ELSEWHERE))
    assert control.home() is None
    monkeypatch.undo()

    # What is in the kernel now is not what was there before.
    refilled(control, OFFLOADING)
    assert home4(entered) == "0.0.0.1-0.0.0.9, 0.0.0.20-0.0.0.29"
    assert control.home() == asking.home() is not None
    control.remove()


@pytest.mark.netns
def test_the_next_agent_finds_the_home_networks_there(
    entered: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At no moment is it without them: nothing makes them anew."""
    fills = count_fills(monkeypatch, tmp_path)
    killed = Control()
    killed.install(PLAN)
    refilled(killed, OFFLOADING)
    whole = entered.ruleset()
    assert fills() == 1

    monkeypatch.setattr(nft, "render_hearing", lambda tells: "no ruleset at all")
    agent = Control()
    agent.install(OFFLOADING._replace(networks=lambda: NOBODY, home_stays=agent.home()))
    assert entered.ruleset() == whole
    refilled(agent, OFFLOADING)
    assert entered.ruleset() == whole
    assert fills() == 1
    monkeypatch.undo()

    # Others than the next agent wants hold on until it has begun to fill its own.
    fills = count_fills(monkeypatch, tmp_path)
    changed = Control()
    wanted = OFFLOADING._replace(networks=lambda: ELSEWHERE)
    changed.install(wanted._replace(networks=lambda: NOBODY, home_stays=agent.home()))
    assert entered.ruleset() == whole
    refilled(changed, wanted)
    assert (home4(entered), fills()) == ("0.0.0.30-0.0.0.39", 2)
    changed.remove()


class Taken:
    """Fills as it is done, but that after one set another agent is installed."""

    def __init__(self, name: str, fill: Callable[..., None]) -> None:
        self._name, self._fill = name, fill

    def __call__(self, table: str, name: str, *rest: object) -> None:
        self._fill(table, name, *rest)
        if name == self._name:
            Control().install(OTHER)


@pytest.mark.netns
@pytest.mark.parametrize(
    ("after", "complaint"),
    [
        ("home4", "another process has put its ruleset in meanwhile"),
        ("home6", "nft did not take the ruleset: "),
    ],
)
def test_what_an_agent_left_under_way_does_not_outdo_the_next(
    entered: Namespace, monkeypatch: pytest.MonkeyPatch, after: str, complaint: str
) -> None:
    """Its sets are gone; rules that ask for new ones would drop the home country."""
    control = Control()
    control.install(OTHER)
    others = entered.ruleset()
    monkeypatch.setattr(intervals, "fill", Taken(after, intervals.fill))
    with pytest.raises(KernelError, match=complaint):
        refilled(control, OFFLOADING)
    assert entered.ruleset() == others
    assert asking.home() is None
    control.remove()


@pytest.mark.netns
def test_home_networks_filled_by_two_at_once(
    entered: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The later one has its way, and whole."""
    control = Control()
    control.install(PLAN)
    fill = intervals.fill

    def other_begins(*arguments: object) -> None:
        monkeypatch.setattr(intervals, "fill", fill)
        other = Control()
        other.native_queue = control.native_queue
        other.refill(OFFLOADING._replace(networks=lambda: ELSEWHERE))
        fill(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(intervals, "fill", other_begins)
    with pytest.raises(KernelError, match="another process has put"):
        control.refill(OFFLOADING)
    assert home4(entered) == "0.0.0.30-0.0.0.39"
    assert asking.home() == control.home() is not None
    control.remove()


@pytest.mark.netns
def test_a_refill_that_ends_while_the_next_agent_is_installed(
    entered: Namespace,
) -> None:
    killed = Control()
    killed.install(PLAN)
    killed.refill(OFFLOADING)
    agent = Control()
    found = agent.home()
    killed.refill(OFFLOADING)
    assert agent.home() != found
    first = OFFLOADING._replace(networks=lambda: NOBODY, home_stays=found)
    whole = entered.ruleset()
    agent.install(first._replace(source_rate=9, wan=("lo",)))
    assert "limit rate over 9/second" in entered.ruleset()
    agent.install(first)
    assert entered.ruleset() == whole

    # There are none any more: whatever asked for them would drop the home country.
    killed.refill(PLAN)
    without = entered.run("nft", "list", "table", "inet", "ringfence")
    with pytest.raises(KernelError, match="nft did not take the ruleset: "):
        agent.install(first)
    assert entered.run("nft", "list", "table", "inet", "ringfence") == without
    agent.remove()


@pytest.mark.netns
def test_bans_outlive_all_that_is_made_anew(entered: Namespace) -> None:
    control = Control()
    control.install(PLAN)
    ban = "{ 192.0.2.1 timeout 1h }"
    entered.run("nft", "add", "element", "inet", "ringfence", "banned4", ban)
    refilled(control, OFFLOADING)
    refilled(control, OFFLOADING._replace(networks=lambda: ELSEWHERE))
    refilled(control, PLAN)
    assert "192.0.2.1" in entered.run(
        "nft", "list", "set", "inet", "ringfence", "banned4"
    )
    control.remove()
