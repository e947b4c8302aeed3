"""What the init system that runs us is told: one word of systemd's protocol.

Knows sd_notify(3): a datagram to the socket that $NOTIFY_SOCKET names. Without the
variable nobody wants to know.
"""

import contextlib
import os
import socket

READY = "READY=1"
"""The queue is bound and the ruleset in force: what waits for us may begin."""


def tell(words: str) -> None:
    """Send one notification; that it cannot be delivered is no reason to end."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    if path[0] == "@":
        path = "\0" + path[1:]
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client,
    ):
        client.sendto(words.encode(), path)
