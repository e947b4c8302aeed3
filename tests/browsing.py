"""A real browser, told by pipe what to open, asked what happened.

Chromium without a window, by its DevTools protocol: JSON with a zero byte behind it, on
descriptors 3 and 4. It keeps a folder of its own, and no packet of it leaves the
machine: names are not looked up and the proxy is a port where nobody listens.
"""

import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_S: Final = 60.0
_FLAGS: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    "--disable-dev-shm-usage",  # a container's /dev/shm may be small
    *("--no-first-run", "--disable-background-networking", "--disable-sync"),
    *("--disable-component-update", "--remote-debugging-pipe"),
    *("--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=http://127.0.0.1:9"),
)
_BECOME: Final = (
    "import os, sys\n"
    "os.dup2(int(sys.argv[1]), 3)\n"
    "os.dup2(int(sys.argv[2]), 4)\n"
    "os.execv(sys.argv[3], sys.argv[3:])\n"
)
_BAD: Final = ("error", "warning", "assert")

Message = dict[str, Any]


class Browser:
    """One page of a running browser."""

    def __init__(self, process: subprocess.Popen[bytes], write: int, read: int) -> None:
        """Attach to a new page and listen to all that it says."""
        self._process, self._write, self._read = process, write, read
        self._buffer = b""
        self._asked = 0
        self._session = ""
        self._events: list[Message] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask(
            "Target.attachToTarget", targetId=target, flatten=True
        )["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, /, **params: object) -> Message:
        """Have something done; returns what came of it."""
        self._asked += 1
        message: Message = {"id": self._asked, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE_S
        while True:
            answer = self._next(deadline)
            if answer.get("id") == self._asked:
                assert "error" not in answer, answer
                result: Message = answer["result"]
                return result
            self._events.append(answer)

    def _next(self, deadline: float) -> Message:
        while b"\0" not in self._buffer:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._read], [], [], max(left, 0))
            assert ready, "the browser does not answer"
            data = os.read(self._read, 1 << 16)
            assert data, "the browser has ended"
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: Message = json.loads(line)
        return message

    def open(self, path: Path, width: int, *, dark: bool = False) -> None:
        """Load a file at a width in CSS pixels, and wait until all is there."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1}
        self.ask("Emulation.setDeviceMetricsOverride", **size, mobile=width < 600)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self._events.clear()
        self.ask("Page.navigate", url=path.as_uri())
        deadline = time.monotonic() + PATIENCE_S
        while not self._said("Page.loadEventFired"):
            self._events.append(self._next(deadline))
        self.value("new Promise(done => requestAnimationFrame(() => done(0)))")

    def value(self, expression: str) -> Any:
        """Return what a JavaScript expression is, from outside the page's policy."""
        answer = self.ask(
            "Runtime.evaluate",
            expression=expression,
            returnByValue=True,
            awaitPromise=True,
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def _said(self, method: str) -> list[Message]:
        return [one["params"] for one in self._events if one.get("method") == method]

    def requests(self) -> list[str]:
        """List what the page asked for since it was opened, itself included."""
        return [
            one["request"]["url"] for one in self._said("Network.requestWillBeSent")
        ]

    def complaints(self) -> list[str]:
        """List errors and warnings on the console since the page was opened."""
        found = [one["entry"] for one in self._said("Log.entryAdded")]
        texts = [str(one["text"]) for one in found if one["level"] in _BAD]
        texts += [str(one) for one in self._said("Runtime.exceptionThrown")]
        calls = self._said("Runtime.consoleAPICalled")
        return texts + [str(one["args"]) for one in calls if one["type"] in _BAD]


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """Start a browser in an empty folder, and end it; skips where there is none.

    With RINGFENCE_LIVE=required (CI) that is a failure instead.
    """
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        if os.environ.get("RINGFENCE_LIVE") == "required":
            pytest.fail("RINGFENCE_LIVE=required, but Chromium is missing")
        pytest.skip("needs Chromium (Debian's package chromium)")
    descriptors: list[int] = []
    for _ in range(2):
        for end in os.pipe():  # away from 3 and 4, which are the browser's ends
            descriptors.append(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20))
            os.close(end)
    its_read, our_write, our_read, its_write = descriptors
    command = [program, *_FLAGS, f"--user-data-dir={folder}"]
    process = subprocess.Popen(  # noqa: S603 - the browser found above
        [sys.executable, "-c", _BECOME, str(its_read), str(its_write), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(its_read, its_write),
        env={
            **os.environ,
            "HOME": str(folder),
            "DBUS_SESSION_BUS_ADDRESS": "disabled:",
        },
    )
    os.close(its_read)
    os.close(its_write)
    try:
        yield Browser(process, our_write, our_read)
    finally:
        os.close(our_write)  # it ends when its pipe does
        os.close(our_read)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
