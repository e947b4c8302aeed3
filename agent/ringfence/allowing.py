"""`allow`: the running agent opens calls abroad for a time, or no longer."""

from collections.abc import Mapping
from typing import Any

from ringfence.calls.closures import readable
from ringfence.config import Config
from ringfence.controlsocket import ask
from ringfence.errors import RingfenceError
from ringfence.replies import MAX_OPEN

Record = dict[str, Any]


def allow(what: str, seconds: int, config: Config) -> Record:
    """Open a number, country, account or all calls abroad for some seconds.

    Raises `RingfenceError` for what cannot be opened, and when no agent runs: what is
    closed is known to it alone.
    """
    if seconds > MAX_OPEN:
        raise RingfenceError(
            f"expected at most {MAX_OPEN // 86_400}d; numbers.allow is for longer"
        )
    name = _named(what)
    answer = _asked(config, {"ask": "allow", "what": name, "for_s": seconds})
    return {"type": "allow", "what": name, "for_s": seconds, "ended": answer["ended"]}


def take_back(what: str, config: Config) -> Record:
    """Let nothing be open any more that was opened as `what`, or anything for `all`.

    Raises `RingfenceError` as `allow` does.
    """
    name = _named(what)
    answer = _asked(config, {"ask": "take-back", "what": name})
    return {"type": "take-back", "what": name, "was_open": answer["was_open"]}


def calls(config: Config) -> Mapping[str, Any]:
    """Return what `status` says of calls abroad: spent, closed, open.

    Raises `RingfenceError` when no agent runs.
    """
    found = _asked(config, {"ask": "status"}).get("calls")
    return found if isinstance(found, dict) else {}


def _named(what: str) -> str:
    name = readable(what)
    if name is None:
        raise RingfenceError(
            f"{what}: expected the first digits of numbers such as 63 or 6327, a "
            "country such as PH, account@address, or all"
        )
    return name


def _asked(config: Config, question: Record) -> Record:
    answer = ask(config.control_socket, question)
    if answer is None:
        raise RingfenceError("no agent is running; nothing is closed")
    if "error" in answer:
        raise RingfenceError(str(answer["error"]))
    return answer
