"""What a person does to the kernel by hand: `ban`, `unban`, `cleanup`.

The kernel's set comes first, then the running agent is told.
"""

import re
from typing import Final

from ringfence.config import Config, assemble
from ringfence.controlsocket import ask
from ringfence.errors import KernelError, RingfenceError
from ringfence.facts.network import parse_address
from ringfence.netfilter import bans
from ringfence.netfilter.conntrack import end_connections
from ringfence.netfilter.control import Control
from ringfence.netfilter.privilege import require_privilege

Record = dict[str, object]

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_duration(text: str, option: str = "--for") -> int:
    """Read `90s`, `5m`, `1h` or `2d` as seconds; raises `RingfenceError`."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text, re.ASCII)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not bans.MIN_BAN <= seconds <= bans.MAX_BAN:
        raise RingfenceError(
            f"{option} {text}: expected a time such as 90s, 5m, 1h or 2d, up to 365d"
        )
    return seconds


def _address(text: str) -> bytes:
    address = parse_address(text)
    if address is None:
        raise RingfenceError(f"{text}: expected an IPv4 or IPv6 address")
    return address


def ban(text: str, seconds: int, config: Config) -> Record:
    """Ban an address, IPv6 with its /64; what it covers is in the record.

    Raises `RingfenceError` for an address that cannot be banned, `KernelError` when
    there is no ban set.
    """
    address = _address(text)
    world = assemble(config).world
    if address in world.inside:
        raise RingfenceError(
            f"{text} is on our side (network.inside or a private network); "
            "it cannot be banned"
        )
    if world.allowed(address):
        raise RingfenceError(f"{text} is on origin.allow; it cannot be banned")
    bans.ban(address, seconds)
    covers = bans.network_text(address)
    question: Record = {"ask": "banned", "address": text, "ban_s": seconds}
    agent = ask(config.control_socket, question)
    return {
        "type": "ban",
        "address": covers,
        "ban_s": seconds,
        "running": agent is not None,
        "connections": _ended(address),
    }


def unban(text: str, config: Config) -> Record:
    """Lift a ban and have the agent forget what led to it; errors as for `ban`."""
    address = _address(text)
    lifted = bans.unban(address)
    agent = ask(config.control_socket, {"ask": "forget", "address": text})
    return {
        "type": "unban",
        "address": bans.network_text(address),
        "was_banned": lifted,
        "running": agent is not None,
        "forgotten": None if agent is None else agent.get("forgotten"),
    }


def _ended(address: bytes) -> int | None:
    """End the connections of an address; None when this machine cannot."""
    try:
        return end_connections([address])
    except KernelError:  # no connection tracking: the ban stands anyway
        return None


def cleanup(config: Config) -> None:
    """Take out of the kernel what a killed agent has left.

    Raises `RingfenceError` while one runs: it would put its table back, without the
    bans; `KernelError` without the privilege.
    """
    require_privilege()
    agent = ask(config.control_socket, {"ask": "status"})
    if agent is not None:
        raise RingfenceError(
            f"an agent is running (process {agent['pid']}): stop it, and nothing of it "
            "is left"
        )
    Control().clear()
