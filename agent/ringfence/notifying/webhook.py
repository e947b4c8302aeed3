"""A notice to a web service: one POST by the program that the system has for that.

Knows the programs' arguments and what their answers look like. The agent has no TLS of
its own: OpenWrt's python3-light does not, and its process would be larger with it.

The URL may hold a secret. curl and wget read it from standard input; uclient-fetch can
only take it as an argument, where every user of the machine may see it for as long as
the request runs (on OpenWrt that is root alone). No complaint repeats it.

A redirection is no success. uclient-fetch follows it all the same, up to ten times and
without the body; and it sends the body in chunks (RFC 9112, 7.1), which a few services
do not take. Where curl is installed, too, that is used.
"""

import os
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from ringfence.config.notify import host_of
from ringfence.errors import KernelError, RingfenceError
from ringfence.netfilter.programs import find
from ringfence.program import Ended, last_line, run

MAX_ANSWER: Final = 65_536
"""Bytes of an answer that are read; nobody looks at them."""

PROGRAMS: Final = ("curl", "uclient-fetch", "wget")
"""First found, first used. What is named wget on OpenWrt may be uclient-fetch."""

_JSON: Final = "Content-Type: application/json"
_STATUS: Final = re.compile(rb"HTTP/[0-9.]+ ([0-9]{3})")


class _Post(NamedTuple):
    """What a program is to do."""

    path: str
    url: str
    body: str
    """Path of a file."""
    ca: str | None
    timeout: int
    keep: tuple[int, ...]
    """Descriptors that it needs."""

    @property
    def local(self) -> bool:
        """The server is on this machine, so no proxy leads there."""
        return self.url.startswith("http://")


def find_program() -> str | None:
    """Return the path of what would be used."""
    return next((path for name in PROGRAMS if (path := find(name))), None)


def post(url: str, line: bytes, ca: str | None, timeout: int) -> None:
    """Post one line of JSON; raises `RingfenceError` unless the answer is 2xx.

    `ca` is a file of the certificates to believe the server by, None for the system's.
    """
    name = next((name for name in PROGRAMS if find(name)), "")
    path = find(name)
    if path is None:
        raise KernelError(
            f"nothing to post with: expected one of {', '.join(PROGRAMS)}"
        )
    body = os.memfd_create("notice")
    try:
        os.write(body, line)
        what = _Post(path, url, f"/proc/self/fd/{body}", ca, timeout, (body,))
        complaint = _BY[name](what)
    except OSError as error:
        complaint = error.strerror or str(error)
    finally:
        os.close(body)
    if complaint:
        raise RingfenceError(f"{host_of(url)}: {complaint}")


def _curl(what: _Post) -> str:
    quoted = {
        "url": what.url,
        "data-binary": f"@{what.body}",
        "proto": "=http" if what.local else "=https",
        "max-time": str(what.timeout),
    }
    if what.ca is not None:
        quoted["cacert"] = what.ca
    if what.local:
        quoted["noproxy"] = "*"
    lines = [f'{name} = "{_escaped(value)}"' for name, value in quoted.items()]
    lines += [f'header = "{_JSON}"', 'header = "Expect:"']
    lines += ["globoff", "silent", "show-error", "include", "suppress-connect-headers"]
    # Without what root's own .curlrc says.
    ended = _run([what.path, "-q", "--config", "-"], what, "\n".join(lines))
    status = _answered(ended.output)
    if status is None:
        return _why(ended, what)
    return "" if 200 <= status < 300 else _refused(status)


def _wget(what: _Post) -> str:
    seconds = what.timeout
    words = [what.path, "--no-verbose", "--tries=1", "--max-redirect=0", "--no-hsts"]
    words += [f"--timeout={seconds}", f"--header={_JSON}", f"--post-file={what.body}"]
    words += ["--output-document=-", "--input-file=-"]
    if what.ca is not None:
        words.append(f"--ca-certificate={what.ca}")
    if what.local:
        words.append("--no-proxy")
    ended = _run(words, what, what.url)
    if ended.status == 0 or len(ended.output) > MAX_ANSWER:
        return ""  # it puts out no page but of a 2xx
    refused = re.search(rb"ERROR ([0-9]{3})", ended.said)
    if refused is not None:
        return _refused(int(refused[1]))
    if b"redirections exceeded" in ended.said:
        return "the server answered with a redirection"
    return _why(ended, what)


def _uclient(what: _Post) -> str:
    words = [what.path, "-T", str(what.timeout), "-O", "-"]
    words.append(f"--post-file={what.body}")
    if what.ca is not None:
        words.append(f"--ca-certificate={what.ca}")
    if what.local:
        words.append("--no-proxy")
    ended = _run([*words, f"--header={_JSON}", what.url], what)
    if ended.status and b"Usage:" in ended.said:
        # OpenWrt 23.05's takes no header, and says that the line is a form.
        ended = _run([*words, what.url], what)
    if b"Redirected to" in ended.said:
        return "the server answered with a redirection"
    # To it only 200 and 204 are none.
    refused = re.search(rb"HTTP error ([0-9]{3})", ended.said)
    if refused is not None:
        status = int(refused[1])
        return "" if 200 <= status < 300 else _refused(status)
    if ended.status == 0 or len(ended.output) > MAX_ANSWER:
        return ""
    return _why(ended, what)


_BY: Final[dict[str, Callable[[_Post], str]]] = {
    "curl": _curl,
    "uclient-fetch": _uclient,
    "wget": _wget,
}


def _run(words: list[str], what: _Post, told: str = "") -> Ended:
    """Run a program; `told` is what it reads."""
    stdin = os.memfd_create("told")
    try:
        os.write(stdin, told.encode() + b"\n")
        os.lseek(stdin, 0, os.SEEK_SET)
        return run(
            words,
            timeout=what.timeout + 1.0,  # its own limit names the reason
            most=MAX_ANSWER,
            stdin=stdin,
            keep=what.keep,
            environment={**os.environ, "LC_ALL": "C"},
        )
    finally:
        os.close(stdin)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _answered(output: bytes) -> int | None:
    """Return the status of an answer; those of 1xx come before it (RFC 9110, 15.2)."""
    while (line := _STATUS.match(output)) is not None:
        if line[1][:1] != b"1":
            return int(line[1])
        output = output.partition(b"\r\n\r\n")[2]
    return None


def _refused(status: int) -> str:
    if 300 <= status < 400:
        return f"the server answered with a redirection ({status})"
    return f"the server answered {status}"


def _why(ended: Ended, what: _Post) -> str:
    """Say why there was no answer, and nothing of the URL but its host."""
    if ended.late:
        return f"no answer within {what.timeout} s"
    name = what.path.rpartition("/")[2]
    said = last_line(ended.said).replace(what.url, "URL")
    secrets = re.split(r"[^0-9A-Za-z]+", what.url.replace(host_of(what.url), " "))
    if not said or any(len(one) > 3 and one in said for one in secrets[1:]):
        return f"{name} ended with {ended.status}"
    return said
