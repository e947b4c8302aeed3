"""What the keys of `[notify]` may hold: a command's words, a URL.

Knows the spelling of URLs as far as it must: where a message with a secret in its path
may go, and that every program reads the same host in it.
"""

from typing import Any, Final

from ringfence.config.unfit import Unfit

MAX_WORDS: Final = 32
"""Words of a command."""

MAX_WORD: Final = 1_000
"""Characters of one word."""

MAX_URL: Final = 2_000

_LOOPBACK: Final = ("localhost", "[::1]")
"""Besides 127.0.0.0/8."""


def command(value: Any) -> tuple[str, ...]:
    """Read a program with its arguments; one text is a path without any."""
    words = [value] if isinstance(value, str) else value
    if (
        not isinstance(words, list)
        or len(words) > MAX_WORDS
        or any(type(word) is not str or len(word) > MAX_WORD for word in words)
        or any("\0" in word for word in words)
        or (words and not (words[0].startswith("/") and words[0][-1:] != "/"))
    ):
        raise Unfit(
            "the absolute path of a program, or a list of it and its arguments such as "
            '["/usr/bin/logger", "-t", "phones"]; no shell reads it'
        )
    return tuple(words)


def webhook(value: Any) -> str:
    """Read the URL that notices are posted to; "" for none."""
    if value == "":
        return ""
    if isinstance(value, str) and 0 < len(value) <= MAX_URL and _plain(value):
        scheme, colon, rest = value.partition("://")
        authority = _authority(rest)
        host = _host(authority)
        if colon and host and scheme == "https":
            return value
        # In clear, so to nobody but a program on this machine.
        if colon and scheme == "http" and _is_loopback(host) and "@" not in authority:
            return value
    raise Unfit(
        "a URL that begins with https:// (http:// to a loopback address only), of at "
        f"most {MAX_URL} characters without spaces, quotes and backslashes"
    )


def host_of(url: str) -> str:
    """Return the host of a URL that was read, with its port: no secret."""
    return _authority(url.partition("://")[2]).rpartition("@")[2]


def _plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and not set(url) & set(" \"'\\<>")


def _authority(rest: str) -> str:
    """Return what stands before path, query and fragment (RFC 3986, 3.2)."""
    for mark in "/?#":
        rest = rest.partition(mark)[0]
    return rest


def _host(authority: str) -> str:
    host = authority.rpartition("@")[2]
    if host.startswith("["):
        inner, bracket, port = host.partition("]")
        return f"{inner}]" if bracket and (not port or port[0] == ":") else ""
    return host.partition(":")[0]


def _is_loopback(host: str) -> bool:
    parts = host.split(".")
    numbers = all(part.isdecimal() and len(part) <= 3 for part in parts)
    return host in _LOOPBACK or (len(parts) == 4 and parts[0] == "127" and numbers)
