"""One machine from its disk to its results: the boots, and the cuts between them."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from router.emulator import Power, SilenceError
from router.machines import Machine
from router.root import Boot

PATIENCE: Final = 200.0
"""Seconds without a word, on amd64, before a router counts as dead."""


class Cut(NamedTuple):
    """When the power goes while a bundle is installed."""

    trigger: str
    """`began`: as the command starts; `writing`: as the store's folder changes."""
    delay: float
    """Seconds after that."""


CUTS: Final = (Cut("writing", 0.0), Cut("writing", 0.02), Cut("writing", 0.08))

FIRST_VERSION: Final = 2
"""Of the bundles; the package's own rules are the first."""


def versions(cuts: int) -> range:
    """Return the versions of the bundles that so many cuts need."""
    return range(FIRST_VERSION, FIRST_VERSION + 2 * cuts + 1)


class Result(NamedTuple):
    """What came of one claim."""

    claim: str
    ok: bool
    why: str
    figures: dict[str, Any]
    took: float


class Trial:
    """All boots of one machine."""

    def __init__(
        self,
        machine: Machine,
        boot: Boot,
        disk: Path,
        log: Path,
        say: Callable[[str], None],
        memory: int = 0,
    ) -> None:
        self._memory = memory
        self._machine, self._boot, self._disk, self._log = machine, boot, disk, log
        self._say = say
        self.results: list[Result] = []
        self.seconds: dict[str, float] = {}
        """By boot, how long it took."""

    def run(self, cuts: tuple[Cut, ...], *, brief: bool = False) -> None:
        """Boot once more than the power is cut; `brief` leaves a working day out."""
        for number in range(len(cuts) + 1):
            last = number == len(cuts)
            newest = FIRST_VERSION + 2 * number
            words = [f"router.install={newest}", f"router.number={number}"]
            words.append(f"router.patience={self._machine.patience}")
            if number == 0:
                words.append("router.phase=first")
            else:
                phase = "last" if last else "again"
                words += [
                    f"router.phase={phase}",
                    f"router.versions={newest - 2},{newest - 1}",
                ]
            if brief:
                words.append("router.brief=1")
            if not last:
                words.append(f"router.cut={newest + 1},{cuts[number].trigger}")
            begin = time.monotonic()
            whole = self._boot_once(words, None if last else cuts[number])
            self.seconds[f"boot_{number + 1}"] = round(time.monotonic() - begin, 1)
            if not whole:
                return

    def _boot_once(self, words: list[str], cut: Cut | None) -> bool:
        """Go through one boot; False when the next one would make no sense."""
        patience = PATIENCE * self._machine.patience
        with Power(
            *(self._machine, self._boot, self._disk, self._log),
            *words,
            memory=self._memory,
        ) as power:
            try:
                for line in power.messages(patience):
                    message = json.loads(line)
                    if "claim" in message:
                        self._keep(message)
                    elif message.get("cut") == "over":
                        self._fail("power_cut", "the installation was over before it")
                        return False
                    elif "cut" in message:
                        assert cut is not None
                        time.sleep(cut.delay * self._machine.patience)
                        power.cut()
                        self._say(
                            f"-- power cut {cut.delay * 1000:.0f} ms after "
                            f"'{cut.trigger}'"
                        )
                        return True
                    elif "up" in message:
                        self._say(f"-- booted, test begins at {message['up']:.1f} s")
                    elif "broken" in message:
                        self._fail("test_program", message["broken"])
                    elif "console" in message:
                        self._say(message["console"])
                    elif message.get("done"):
                        power.wait_off(patience)
                        if cut is not None:
                            self._fail("power_cut", "the boot ended before it")
                        return cut is None
                self._fail("boot", f"switched off half-way:\n{power.last_words()}")
            except SilenceError as silence:
                self._fail("boot", str(silence))
        return False

    def _keep(self, message: dict[str, Any]) -> None:
        result = Result(
            message["claim"],
            message["ok"],
            message["why"],
            message["figures"],
            message["took"],
        )
        self.results.append(result)
        if result.ok:
            figures = ", ".join(
                f"{key} {value}" for key, value in result.figures.items()
            )
            self._say(f"ok {result.claim} ({result.took:.1f} s) {figures}")
        else:
            self._say(f"FAIL {result.claim}: {result.why}")

    def _fail(self, claim: str, why: str) -> None:
        self.results.append(Result(claim, False, why, {}, 0.0))
        self._say(f"FAIL {claim}: {why}")
