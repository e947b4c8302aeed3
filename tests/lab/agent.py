"""The agent as a user runs it: a program with a config file, that prints JSON lines.

Knows its command line and its events (the public contract), nothing of its code.
"""

import json
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from lab.namespaces import LabError, Namespace, wait_until
from lab.network import Lab

START_TIMEOUT: Final = 10.0
"""Seconds to `ready`; generous, since a loaded machine says nothing about it."""

Event = dict[str, Any]
Config = Mapping[str, Mapping[str, Any] | str]


def command() -> list[str]:
    """Return how to call the program: its script, else the module."""
    script = Path(sys.executable).with_name("ringfence")
    return [str(script)] if script.exists() else [sys.executable, "-m", "ringfence"]


def to_toml(config: Config) -> str:
    """Write a config of one level of tables; JSON spells these values like TOML."""
    top = [
        f"{key} = {json.dumps(value)}"
        for key, value in config.items()
        if not isinstance(value, Mapping)
    ]
    for name, table in config.items():
        if isinstance(table, Mapping):
            top += [f"[{name}]"]
            top += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join(top) + "\n"


class Agent:
    """`ringfence run` in a namespace; as a context manager it is ready on entry."""

    def __init__(
        self,
        lab: Lab,
        config: Config | str = "",
        *,
        namespace: Namespace | None = None,
        environment: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
        program: Sequence[str] = (),
    ) -> None:
        """Start it; a plain string is the config file's text as it is.

        `program` takes the place of `ringfence run`.
        """
        # The table, the socket and the file are the lab's own unless the test says otherwise.
        own: dict[str, dict[str, Any]] = {
            "origin": {"table": str(lab.write_countries())},
            "control": {"socket": str(lab.folder / "control.sock")},
            "kernel": {"binding": lab.binding},
            "state": {"file": str(lab.folder / "state.json")},
        }
        if not isinstance(config, str):
            merged: dict[str, Mapping[str, Any] | str] = dict(config)
            for name, table in own.items():
                given = config.get(name, {})
                merged[name] = (
                    {**table, **given} if isinstance(given, Mapping) else given
                )
            config = to_toml(merged)
        elif not config:
            config = to_toml(own)
        self.config = lab.folder / "ringfence.toml"
        self.config.write_text(config)
        self.process = lab.start(
            namespace or lab.router,
            *(program or (*command(), "run")),
            "--config",
            str(self.config),
            *options,
            environment=environment,
        )
        self._lab = lab
        self._namespace = namespace or lab.router
        self._events: list[Event] = []
        self._read = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self.wait_ready()
        return self

    def __exit__(self, *error: object) -> None:
        self.process.stop()

    def events(self, kind: str = "", **fields: object) -> list[Event]:
        """Return what it has said so far, by type and by the fields' values."""
        with self._lock:
            text = self.process.output.read_bytes()[self._read :]
            whole = text[: text.rfind(b"\n") + 1]
            self._read += len(whole)
            for line in whole.splitlines():
                # Standard error, a sentence for people, is in the same file.
                if line.startswith(b"{"):
                    self._events.append(json.loads(line))
            return [
                event
                for event in self._events
                if (not kind or event["type"] == kind)
                and all(event.get(key) == value for key, value in fields.items())
            ]

    def wait_event(
        self, kind: str, *, count: int = 1, timeout: float = 5, **fields: object
    ) -> Event:
        """Wait until `count` such events have been said; return the last."""

        def said() -> bool:
            if self.process.returncode is None:
                return len(self.events(kind, **fields)) >= count
            if len(self.events(kind, **fields)) < count:
                raise LabError(
                    f"ringfence ended with {self.process.returncode} before "
                    f"{kind} {fields}:\n{self.process.text()[-2000:]}"
                )
            return True

        wait_until(said, timeout, f"ringfence says {kind} {fields} ({count})")
        return self.events(kind, **fields)[-1]

    def wait_ready(self) -> Event:
        """Wait until the queue is bound and the ruleset is in place."""
        return self.wait_event("ready", timeout=START_TIMEOUT)

    def wait_offload(self) -> Event:
        """Wait until the kernel has the home networks."""
        return self.wait_event("notice", notice="offload", timeout=START_TIMEOUT)

    def command(self, *words: str) -> tuple[int, str]:
        """Run `ringfence WORDS...` beside it; return the exit code and what it said."""
        process = self._lab.start(
            self._namespace, *command(), *words, "--config", str(self.config)
        )
        return process.wait(20), process.text()

    def status(self) -> Event:
        """Return what `ringfence status --json` says."""
        _, text = self.command("status", "--json")
        return dict(json.loads(text))

    def decisions(self, **fields: object) -> list[Event]:
        """Return its decisions so far."""
        return self.events("decision", **fields)

    def sentences(self) -> list[str]:
        """Return what it printed that is no event."""
        lines = self.process.text().splitlines()
        return [line for line in lines if line and not line.startswith("{")]

    def reload(self) -> None:
        """Send SIGHUP."""
        self.process.signal(signal.SIGHUP)

    def stop(self, timeout: float = 5) -> Event:
        """Send SIGTERM, wait for a clean end, return the final counters."""
        self.process.signal(signal.SIGTERM)
        code = self.process.wait(timeout)
        counters = self.events("counters")
        if code != 0 or not counters or counters[-1]["internal_errors"]:
            raise LabError(f"ringfence ended badly ({code}):\n{self.process.text()}")
        return counters[-1]
