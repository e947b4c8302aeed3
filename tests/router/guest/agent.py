"""The agent as its user sees it: its service, its journal, its socket, its table."""

import contextlib
import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Final

from router.guest.said import SLOWER, NotShownError, expect, wait_for

SERVICE: Final = "ringfence.service"
CONFIG: Final = Path("/etc/ringfence/ringfence.toml")
SOCKET: Final = "/run/ringfence/control.sock"
QUEUES: Final = Path("/proc/net/netfilter/nfnetlink_queue")

LONGEST: Final = 180.0 * SLOWER
"""Seconds for one command; Debian compiles all our modules when it installs them."""

PATIENCE: Final = 60.0
"""Seconds for the agent to start, on amd64, emulated, on a busy host."""

Event = dict[str, Any]


def run(*command: str, fails: bool = False, stdin: str = "") -> str:
    """Run a command; returns what it said. A failure is `NotShownError` unless it may be."""
    try:
        done = subprocess.run(  # noqa: S603 - commands of this test
            command,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        said = late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout
        raise NotShownError(
            f"{' '.join(command)} not at its end after {LONGEST:g} s: {said}\n"
            f"{processes()}{Path('/proc/meminfo').read_text()}"
        ) from None
    if done.returncode != 0 and not fails:
        raise NotShownError(
            f"{' '.join(command)} ended with {done.returncode}: {done.stdout}"
        )
    return done.stdout


def processes() -> str:
    """Tell what runs and what it waits for, to find out why nothing goes on."""
    lines = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if words:
                state = (folder / "stat").read_text().rpartition(")")[2].split()
                ticks = f"{state[11]}+{state[12]} ticks, {state[21]} pages"
                waits = (folder / "wchan").read_text()
                lines.append(f"{folder.name} {state[0]} {ticks}, {waits}: {words}\n")
    return "".join(lines)


def events(kind: str = "", **fields: object) -> list[Event]:
    """Return what the agent has logged since this boot, by type and fields."""
    text = run("journalctl", "-q", "-b", "-u", SERVICE, "-o", "cat", "--no-pager")
    found = []
    for line in text.splitlines():
        if line.startswith("{"):
            event = json.loads(line)
            if (not kind or event["type"] == kind) and all(
                event.get(name) == value for name, value in fields.items()
            ):
                found.append(event)
    return found


def wait_event(
    kind: str, count: int = 1, seconds: float = PATIENCE, **fields: object
) -> Event:
    """Wait until so many events of a kind have been logged; returns the last."""
    wait_for(
        lambda: len(events(kind, **fields)) >= count,
        seconds,
        f"{count} events {kind} {fields}",
    )
    return events(kind, **fields)[-1]


def ask(question: str) -> Event:
    """Ask over the agent's socket; cheaper here than a Python for each question."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.settimeout(20 * SLOWER)
        client.bind("")
        try:
            client.connect(SOCKET)
            client.send(json.dumps({"ask": question}).encode())
            return dict(json.loads(client.recv(65_536)))
        except OSError as error:
            raise NotShownError(f"the agent's socket: {error}") from None


def is_listening() -> bool:
    """Tell whether an agent answers on its socket."""
    try:
        ask("status")
    except NotShownError:
        return False
    return True


def kernel() -> dict[str, int]:
    """Return the packets of each counter of our table.

    As the package reads them: nft would take 23 MB for it, which are not there.
    """
    from ringfence.netfilter import asking

    return asking.counters()


def bans() -> list[str]:
    """Return the IPv4 addresses in the ban set."""
    text = run("nft", "-j", "list", "set", "inet", "ringfence", "banned4")
    return [
        element["elem"]["val"] if isinstance(element, dict) else element
        for entry in json.loads(text)["nftables"]
        for element in entry.get("set", {}).get("elem", [])
    ]


def queue_owner() -> int | None:
    """Return the netlink port of who listens to a queue; None for nobody."""
    lines = QUEUES.read_text().split("\n") if QUEUES.exists() else []
    owners = [int(line.split()[1]) for line in lines if line]
    return owners[0] if owners else None


def main_pid() -> int:
    """Return the process of the service, 0 when it does not run."""
    return int(run("systemctl", "show", "-p", "MainPID", "--value", SERVICE))


def edit(*lines: tuple[str, str]) -> None:
    """Replace lines of the configuration, as an editor does."""
    text = CONFIG.read_text()
    for old, new in lines:
        expect(text.count(f"{old}\n") == 1, f"{CONFIG}: no one line {old!r}")
        text = text.replace(f"{old}\n", f"{new}\n")
    CONFIG.write_text(text)


def reload() -> float:
    """Reload by systemctl; returns the seconds until the agent says it has."""
    before = len(events("reload"))
    begin = time.monotonic()
    run("systemctl", "reload", SERVICE)
    event = wait_event("reload", before + 1)
    expect(bool(event["ok"]), f"reload refused: {event}")
    return time.monotonic() - begin


def memory() -> dict[str, int]:
    """Return what the agent takes, in kB: resident, its share, its own; swapped out."""
    text = Path(f"/proc/{main_pid()}/smaps_rollup").read_text()
    names = {"Rss": "rss", "Pss": "pss", "Anonymous": "anonymous"}
    names["Swap"] = "swapped"
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if name in names:
            found[names[name]] = int(rest.split()[0])
    return found


def available() -> dict[str, int]:
    """Return the memory of the whole router in kB: all, and what is left."""
    names = {"MemTotal": "total", "MemAvailable": "available"}
    found = {}
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in names:
            found[names[name]] = int(rest.split()[0])
    return found
