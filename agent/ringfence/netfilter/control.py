"""Putting the ruleset into the kernel and taking it out again.

Knows the programs `nft`, `iptables` and `ip6tables`; the texts come from `nft.py` and
`xtables.py`.
Each program applies its text in one transaction or not at all, and what one did is
taken back when the next refuses: a failure leaves the kernel as it was.
"""

import mmap
import struct
from collections.abc import Callable
from typing import Final

from ringfence.errors import KernelError
from ringfence.forked import Forked
from ringfence.netfilter import asking, intervals, nft, xtables
from ringfence.netfilter.nft import Plan
from ringfence.netfilter.origins import Ranges
from ringfence.netfilter.programs import call, find, program
from ringfence.netfilter.shield import HOME_SETS

_TOLD: Final = struct.Struct("=?q")
"""Whether there are home networks in the kernel, and which."""

_FAMILIES: Final = {"ip": "iptables", "ip6": "ip6tables"}


class Control:
    """Owns our table, and where nft has no queue statement, our xtables chain."""

    def __init__(self) -> None:
        """Look for the programs; raises `KernelError` when nft is missing."""
        self._nft = program("nft", "nftables")
        self._found: dict[str, frozenset[str]] = {}
        """By family, the chains of the xtables table that were there before us."""
        self._home: int | None = None
        """Which home networks we know to be in the kernel; None for none."""
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
        self._home = None
        try:
            self._put(nft.render(plan, native_queue=self.native_queue))
        except KernelError:
            if not self.native_queue:
                self._remove_xtables()
            raise
        self._spare(plan)

    def home_is_there(self) -> bool:
        """Tell whether an agent that was killed left the home networks in force."""
        try:
            return asking.asks_home()
        except OSError:
            return False

    def refill(self, plan: Plan) -> None:
        """Replace what an earlier `install` put in; waiting packets stay.

        When it fails the rules are as they were, but that the agent may have to judge
        every REGISTER by itself.
        """
        self._home = self._refill(plan)

    def _refill(self, plan: Plan) -> int | None:
        """Do it; return what tells the home networks from others, None for none."""
        home = None
        if plan.foreign_register or plan.foreign_tls_ports:
            networks = plan.networks()
            home = hash(networks.not_foreign)
            if home != self._home:
                self._put_home(networks.not_foreign)
            exempt = networks._replace(not_foreign=Ranges())
            plan = plan._replace(networks=lambda: exempt, home_stays=True)
        self._put(nft.render(plan, native_queue=self.native_queue))
        if not self.native_queue:
            self._install_xtables(plan)
        self._spare(plan)
        return home

    def _put_home(self, home: Ranges) -> None:
        """Fill the home sets while no rule asks for them."""
        self._put(nft.render_hearing())
        name4, name6 = HOME_SETS
        intervals.fill(nft.TABLE, name4, home.ipv4, 4)
        intervals.fill(nft.TABLE, name6, home.ipv6, 16)

    def begin_refill(self, plan: Plan) -> "Refill":
        """Do `refill` in a process of its own, so that packets need not wait for it.

        The home networks take a quarter of a second, or seconds on a small router,
        and 6 MB that would stay with the agent.
        """
        before, self._home = self._home, None  # until it is known to have worked

        def work() -> int | None:
            self._home = before
            return self._refill(plan)

        return Refill(work, self._refilled)

    def _refilled(self, home: int | None) -> None:
        self._home = home

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

    def __init__(
        self, work: Callable[[], int | None], done: Callable[[int | None], None]
    ) -> None:
        """Begin; raises `OSError` when there is no process to be had.

        `done` gets what the work returned, when that is over.
        """
        self._done = done
        self._told = told = mmap.mmap(-1, _TOLD.size)  # both processes have it

        def tell() -> None:
            home = work()
            _TOLD.pack_into(told, 0, home is not None, home or 0)

        super().__init__(tell, "the ruleset could not be written")

    def finish(self) -> None:
        """Wait for the end; raises `KernelError` if it went wrong."""
        complaint = self.complaint()
        if complaint:
            raise KernelError(complaint)
        known, home = _TOLD.unpack_from(self._told)
        self._done(home if known else None)


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
