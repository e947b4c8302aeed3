"""Putting the ruleset into the kernel and taking it out again.

Knows the programs `nft`, `iptables` and `ip6tables`; the texts come from `nft.py` and
`xtables.py`.
Each program applies its text in one transaction or not at all, and what one did is
taken back when the next refuses: a failure leaves the kernel as it was.
"""

import os
from typing import Final

from ringfence.errors import KernelError
from ringfence.forked import Forked
from ringfence.netfilter import asking, intervals, nft, xtables
from ringfence.netfilter.nft import Home, Plan
from ringfence.netfilter.origins import Ranges
from ringfence.netfilter.programs import call, find, program
from ringfence.netfilter.shield import HOME_SETS

_TAKEN_OVER: Final = "another process has put its ruleset in meanwhile"

_FAMILIES: Final = {"ip": "iptables", "ip6": "ip6tables"}


class Control:
    """Owns our table, and where nft has no queue statement, our xtables chain."""

    def __init__(self) -> None:
        """Look for the programs; raises `KernelError` when nft is missing."""
        self._nft = program("nft", "nftables")
        self._found: dict[str, frozenset[str]] = {}
        """By family, the chains of the xtables table that were there before us."""
        self.native_queue = True
        """False once the kernel turned out to lack nft's queue statement."""

    @property
    def statement(self) -> str:
        """Which of the two puts packets in the queue, for a person."""
        return "nft queue" if self.native_queue else "xtables NFQUEUE"

    def install(self, plan: Plan) -> None:
        """Put the whole ruleset in place, or raise `KernelError` and change nothing."""
        native = self._try(nft.render_question(plan.queue), check=True)
        self.native_queue = native is None
        if native is not None:
            self._found = {
                family: xtables.chains_of_others(self._listing(family))
                for family in _FAMILIES
            }
            try:
                self._install_xtables(plan)
            except KernelError as error:
                raise KernelError(
                    f"this kernel queues packets neither by nft ({native}) nor by "
                    f"xtables ({error})"
                ) from None
        try:
            self._put_first(plan)
        except KernelError:
            if not self.native_queue:
                self._remove_xtables()
            raise
        self._spare(plan)

    def _put_first(self, plan: Plan) -> None:
        try:
            self._put(nft.render(plan, native_queue=self.native_queue))
        except KernelError:
            home = self.home()
            if plan.home_stays is None or home in (None, plan.home_stays):
                raise
            # What a killed agent had begun has come to its end just now.
            plan = plan._replace(home_stays=home)
            self._put(nft.render(plan, native_queue=self.native_queue))

    def home(self) -> Home | None:
        """Tell of the home networks that are in force; None unless they are whole.

        An agent that was killed has left them, or this one has put them in.
        """
        try:
            told = asking.home()
        except OSError:
            return None
        return told if told is not None and told.whole else None

    def refill(self, plan: Plan) -> None:
        """Replace what an earlier `install` put in; waiting packets stay.

        When it fails the rules are as they were, but that the agent may have to judge
        every REGISTER by itself.
        """
        if plan.foreign_register or plan.foreign_tls_ports:
            networks = plan.networks()
            tells = nft.whole(networks.not_foreign)
            home = self.home()
            if home is None or home.tells != tells:
                home = self._put_home(networks.not_foreign)
            exempt = networks._replace(not_foreign=Ranges())
            plan = plan._replace(
                networks=lambda: exempt, home_stays=home._replace(tells=tells)
            )
        self._put(nft.render(plan, native_queue=self.native_queue))
        if not self.native_queue:
            self._install_xtables(plan)
        self._spare(plan)

    def _put_home(self, home: Ranges) -> Home:
        """Fill the home sets while no rule asks for them; return what is told of it.

        Whoever installs or begins to fill meanwhile makes the sets anew: what goes on
        here, perhaps for an agent that was killed, ends then.
        """
        tells = f"filling {os.urandom(8).hex()}"
        self._put(nft.render_hearing(tells))
        told = _told()
        if told is None or told.tells != tells:
            raise KernelError(_TAKEN_OVER)

        def still_ours() -> None:
            if _told() != told:
                raise KernelError(_TAKEN_OVER)

        name4, name6 = HOME_SETS
        intervals.fill(nft.TABLE, name4, home.ipv4, 4, still_ours)
        intervals.fill(nft.TABLE, name6, home.ipv6, 16, still_ours)
        return told

    def begin_refill(self, plan: Plan) -> "Refill":
        """Do `refill` in a process of its own, so that packets need not wait for it.

        The home networks take a quarter of a second, or seconds on a small router,
        and 6 MB that would stay with the agent.
        """
        return Refill(lambda: self.refill(plan), "the ruleset could not be written")

    def face(self, wan: tuple[str, ...]) -> None:
        """Tell the ruleset which interfaces face strangers now."""
        self._try(nft.render_wan(wan), check=False)

    def quiet(self) -> None:
        """Stop queueing; what already waits can still be judged."""
        self._try(nft.render_quiet(), check=False)

    def remove(self, *, keep_bans: bool = False) -> None:
        """Take everything of ours away, whatever is left of it.

        `keep_bans` leaves the ban sets and the chain that checks them.
        """
        if not self.native_queue:
            self._remove_xtables()
        if keep_bans and self._try(nft.render_only_bans(), check=False) is None:
            return
        self._try(nft.render_removal(), check=False)

    def _spare(self, plan: Plan) -> None:
        """Have OpenWrt's firewall, where it is, not offload what has to be seen."""
        self._try(nft.render_not_offloaded(plan.sip_ports), check=False)

    def clear(self) -> None:
        """Take away what an agent has left that was killed.

        Raises `KernelError` when the kernel does not let us. An agent that still runs
        puts everything back.
        """
        self._found = {
            family: xtables.chains_of_others(self._listing(family))
            for family in _FAMILIES
        }
        self._remove_xtables()
        refusal = self._try(nft.render_removal(), check=False)
        if refusal is not None:
            raise KernelError(f"nft did not remove our table: {refusal}")

    def _put(self, text: str) -> None:
        refusal = self._try(text, check=False)
        if refusal is not None:
            raise KernelError(f"nft did not take the ruleset: {refusal}")

    def _try(self, text: str, *, check: bool) -> str | None:
        """Give text to nft; return its complaint, None when there is none."""
        arguments = [self._nft, *(["-c"] if check else []), "-f", "-"]
        status, _, complaint = call(arguments, text)
        return None if status == 0 else complaint

    def _listing(self, family: str) -> str:
        """What nft sees in the table that iptables-nft works on; "" when not there."""
        return call([self._nft, "list", "table", family, "security"], "")[1]

    def _install_xtables(self, plan: Plan) -> None:
        for family, name in _FAMILIES.items():
            found = self._found.get(family, frozenset())
            text = xtables.render_xtables(plan, _saved(name), found)
            status, _, complaint = call([_restore(name), "--noflush"], text)
            if status != 0:
                self._remove_xtables()
                raise KernelError(f"{name} did not take the queue rule: {complaint}")

    def _remove_xtables(self) -> None:
        for family, name in _FAMILIES.items():
            text = xtables.render_xtables_removal(_saved(name))
            if text:
                call([_restore(name), "--noflush"], text)
            # iptables-nft made the table and its chains if nobody had before.
            found = self._found.get(family, frozenset())
            bare = xtables.render_bare_removal(family, self._listing(family), found)
            if bare:
                self._try(bare, check=False)


class Refill(Forked):
    """A refill that is under way; readable when it has come to its end."""

    def finish(self) -> None:
        """Wait for the end; raises `KernelError` if it went wrong."""
        complaint = self.complaint()
        if complaint:
            raise KernelError(complaint)


def _told() -> Home | None:
    """What the kernel tells of the home networks; `KernelError` if it cannot."""
    try:
        return asking.home()
    except OSError as error:
        raise KernelError(
            f"the kernel does not tell of its home networks: {error.strerror or error}"
        ) from error


def _restore(name: str) -> str:
    """Find iptables-restore; its nft flavour when both are there."""
    found = find(f"{name}-nft-restore") or find(f"{name}-restore")
    return found or program(f"{name}-restore", "iptables")


def _saved(name: str) -> str:
    """What the `security` table of one family holds now."""
    found = find(f"{name}-nft-save") or find(f"{name}-save")
    if found is None:
        return ""
    return call([found, "-t", "security"], "")[1]
