"""One ruleset after the other into the kernel, each by a process of its own.

Knows which is under way and what follows it. It must not know what is in force: that
is the agent's, which is told when the kernel has taken one, or has not.
"""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from ringfence.config import Config
from ringfence.engine import Settings
from ringfence.errors import KernelError
from ringfence.netfilter.control import Control, Refill
from ringfence.netfilter.nft import Plan

RELOAD: Final = "reload"
OFFLOAD: Final = "offload"
"""The second part of a start: the home networks, for what the kernel judges alone."""


class Filling(NamedTuple):
    """What is in force once the kernel has taken a plan."""

    plan: Plan
    config: Config
    settings: Settings
    why: Literal["reload", "offload"]


class NoProcessError(KernelError):
    """There was no process to be had, which says nothing of the ruleset."""


class Refilling:
    """At most one at a time; readable while `busy`."""

    def __init__(
        self,
        control: Control,
        taken: Callable[[Filling], None],
        refused: Callable[[Filling, KernelError], None],
    ) -> None:
        """`taken` and `refused` are called from `turn` and `begin`, with nothing under
        way any more."""
        self._control = control
        self._taken, self._refused = taken, refused
        self._under_way: tuple[Refill, Filling] | None = None
        self._asked: Callable[[], Filling] | None = None
        """For an offload, that what is under way may undo."""

    @property
    def busy(self) -> bool:
        """Tell whether one is under way."""
        return self._under_way is not None

    def fileno(self) -> int:
        """Return the descriptor to poll, -1 while there is none."""
        return -1 if self._under_way is None else self._under_way[0].fileno()

    def begin(self, filling: Filling) -> None:
        """Begin one; nothing may be under way."""
        try:
            refill = self._control.begin_refill(filling.plan)
        except OSError as error:  # no process to be had: the old ruleset stays
            self._refused(filling, NoProcessError(f"cannot fork: {error.strerror}"))
        else:
            self._under_way = refill, filling

    def offload(self, made: Callable[[], Filling]) -> None:
        """Have the home networks put in, after what is under way if need be."""
        self._asked = made
        self._go_on()

    def turn(self) -> None:
        """Go on with what the kernel has taken, or with the old; waits for the end."""
        if self._under_way is None:
            return
        refill, filling = self._under_way
        self._under_way = None
        try:
            refill.finish()
        except KernelError as error:
            self._refused(filling, error)
        else:
            self._taken(filling)
        self._go_on()

    def close(self) -> None:
        """Wait for what is under way; nobody is told."""
        self._asked = None
        if self._under_way is not None:
            self._under_way[0].complaint()
            self._under_way = None

    def _go_on(self) -> None:
        if self._asked is None or self._under_way is not None:
            return
        made, self._asked = self._asked, None
        filling = made()
        if filling.plan.foreign_register or filling.plan.foreign_tls_ports:
            self.begin(filling)
