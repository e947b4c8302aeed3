"""One run of a machine, from power on to power off, or to a cut of the power.

Knows QEMU and lines on a serial console; not what they mean.
"""

import os
import queue
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from router.machines import Machine
from router.root import Boot

_PREFIX: Final = b"@router "
_MOST_KEPT: Final = 400
"""Lines of the console that are shown when something went wrong."""


class SilenceError(Exception):
    """The machine did not say in time what was expected; holds its last words."""


class Power:
    """A machine that is switched on; as a context manager it is off at the end."""

    def __init__(
        self,
        machine: Machine,
        boot: Boot,
        disk: Path,
        log: Path,
        *words: str,
        memory: int = 0,
    ) -> None:
        """Switch it on; `words` go to the kernel's command line.

        `memory` in MB takes the place of what the machine has.

        What it writes to its disk stays there, whenever the power is cut: the host's
        memory holds it as a drive's would that loses nothing. So nobody has to wait
        until the host has it on a disk of its own (`cache=unsafe`).
        """
        line = (
            f"console={machine.console} root={machine.root} rw quiet loglevel=3 "
            "panic=-1 mitigations=off systemd.show_status=no "
            "systemd.log_level=warning " + " ".join((*words, machine.words))
        )
        initial = () if boot.initial is None else ("-initrd", str(boot.initial))
        self._process = subprocess.Popen(  # noqa: S603
            [
                # Whatever becomes of us, no machine is left running.
                *("setpriv", "--pdeathsig", "KILL"),
                *(machine.emulator, "-accel", "tcg", *machine.options),
                *(
                    "-m",
                    str(memory or machine.memory),
                    "-nographic",
                    "-no-reboot",
                    "-nodefaults",
                ),
                *("-serial", "stdio", "-monitor", "none", "-net", "none"),
                *("-kernel", str(boot.kernel), *initial, "-append", line),
                *("-drive", f"file={disk},if=none,id=disk,format=raw,cache=unsafe"),
                *("-device", machine.disk),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._log = log
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._last: list[str] = []
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Power":
        return self

    def __exit__(self, *error: object) -> None:
        self.cut()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._log.open("ab") as log:
            for line in self._process.stdout:
                log.write(line)
                self._lines.put(line)
        self._lines.put(None)

    def messages(self, patience: float) -> Iterator[bytes]:
        """Yield what the guest's test says; ends when the machine is off.

        Raises `SilenceError` when nothing comes for that many seconds.
        """
        while True:
            try:
                line = self._lines.get(timeout=patience)
            except queue.Empty:
                raise SilenceError(
                    f"nothing for {patience:.0f} s; last words:\n{self.last_words()}"
                ) from None
            if line is None:
                return
            at = line.find(_PREFIX)
            if at < 0:
                self._last.append(line.decode(errors="replace").rstrip())
                del self._last[:-_MOST_KEPT]
            else:
                yield line[at + len(_PREFIX) :].strip()

    def last_words(self) -> str:
        """Return the console's last lines that were no message."""
        return "\n".join(line for line in self._last if line)

    def cut(self) -> None:
        """Cut the power: the process is killed, nothing of it goes on."""
        if self._process.poll() is None:
            os.kill(self._process.pid, 9)
        self._process.wait()
        self._reader.join(5)

    def wait_off(self, patience: float) -> bool:
        """Tell whether it switches itself off within so many seconds."""
        end = time.monotonic() + patience
        while self._process.poll() is None:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True
