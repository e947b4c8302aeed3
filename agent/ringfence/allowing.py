"""`allow`: the running agent opens calls abroad for a time."""

from ringfence.calls.closures import readable
from ringfence.config import Config
from ringfence.controlsocket import ask
from ringfence.errors import RingfenceError
from ringfence.replies import MAX_OPEN

Record = dict[str, object]


def allow(what: str, seconds: int, config: Config) -> Record:
    """Open a number, country, account or all calls abroad for some seconds.

    Raises `RingfenceError` for what cannot be opened, and when no agent runs: what is
    closed is known to it alone.
    """
    name = readable(what)
    if name is None:
        raise RingfenceError(
            f"{what}: expected the first digits of numbers such as 63 or 6327, a "
            "country such as PH, account@address, or all"
        )
    if seconds > MAX_OPEN:
        raise RingfenceError(
            f"expected at most {MAX_OPEN // 86_400}d; numbers.allow is for longer"
        )
    question: Record = {"ask": "allow", "what": name, "for_s": seconds}
    answer = ask(config.control_socket, question)
    if answer is None:
        raise RingfenceError("no agent is running; nothing is closed")
    if "error" in answer:
        raise RingfenceError(str(answer["error"]))
    return {"type": "allow", "what": name, "for_s": seconds, "ended": answer["ended"]}
