"""Two network namespaces and the wire between them: far sends, near has the queue.

Knows how packets get into the kernel's queue and what the kernel counts of them.
Nothing leaves the pair; both go when the context ends, and a pair that a killed
bench left is removed by the next one (or by the lab, which uses the same names).
"""

import json
import os
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple, Self

from lab.namespaces import PREFIX, Closing, LabError, Namespace, remove_stale, run

from bench import traffic
from bench.figures import Skipped

QUEUE: Final = 5060
VERDICTS: Final = ("unmarked", "passed", "rejected", "dropped")
"""What a verdict's mark says; an accept-all consumer leaves it unmarked."""

CHUNK: Final = 256
"""Packets sent between two looks at the queue."""

_STALLED: Final = 5.0
"""Seconds without progress after which the bench gives up on a packet."""

# Marks as the agent's default configuration writes them. Behind the queue, so that
# a packet is counted only when its verdict let it go on; then it is thrown away, for
# delivering it would cost every consumer the same and teach nothing.
_BEHIND: Final = """
table inet bench {
  counter unmarked { }
  counter passed { }
  counter rejected { }
  counter dropped { }
  chain unmarked { counter name unmarked drop; }
  chain passed { counter name passed drop; }
  chain rejected { counter name rejected drop; }
  chain dropped { counter name dropped drop; }
  chain behind {
    type filter hook input priority 160; policy accept;
    udp dport 5060 meta mark & 0x0f000000 vmap { 0x00000000 : goto unmarked, \
0x02000000 : goto passed, 0x03000000 : goto rejected, 0x04000000 : goto dropped }
  }
}
"""


class QueueState(NamedTuple):
    """The kernel's line about one queue (/proc/net/netfilter/nfnetlink_queue)."""

    waiting: int
    full: int
    """Packets that found the queue full."""
    unsent: int
    """Packets that the netlink socket had no room for."""
    last_id: int
    """Packets queued since it was bound."""


class Link(Closing):
    """The pair, as a context manager."""

    def __init__(self) -> None:
        stem = f"{PREFIX}{os.getpid()}-bench"
        self.far = Namespace(f"{stem}-far")
        self.near = Namespace(f"{stem}-near")
        super().__init__()

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise Skipped("network namespaces need root")
        try:
            remove_stale()
            self._build()
        except LabError as error:
            self.close()
            raise Skipped(f"no network namespaces: {error}") from error
        except BaseException:
            self.close()
            raise
        return self

    def _build(self) -> None:
        for namespace in (self.far, self.near):
            self._closing.callback(namespace.delete)
            run("ip", "netns", "add", namespace.name)
            for scope in ("all", "default"):
                namespace.write_sysctl(f"ipv4/conf/{scope}/rp_filter", 0)
        self.near.ip(
            "link set lo up",
            f"link add wan type veth peer name wire netns {self.far.name}",
            f"address add {traffic.SERVER}/24 dev wan",
            "link set wan up",
        )
        self.far.ip(
            "link set lo up",
            f"address add {traffic.GATEWAY}/24 dev wire",
            "link set wire up",
        )
        self.near.ip(f"route add default via {traffic.GATEWAY}")
        with self.far.entered():
            # IPPROTO_RAW: we write the IP header, so any source can be sent.
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._sender = self._closing.enter_context(raw)

    def add_queue_rule(self) -> None:
        """Send SIP to the queue, and count what comes out of it by its mark."""
        try:
            rule = f"-I INPUT -p udp --dport 5060 -j NFQUEUE --queue-num {QUEUE}"
            self.near.run("iptables", *rule.split())
            self.near.run("nft", "-f", "-", stdin=_BEHIND)
        except LabError as error:
            raise Skipped(f"no queue in this kernel: {error}") from error

    def counters(self, table: str) -> dict[str, int]:
        """Return packets by counter name of an nft table."""
        text = self.near.run("nft", "-j", "list", "counters", "table", "inet", table)
        entries = json.loads(text)["nftables"]
        counters = [entry["counter"] for entry in entries if "counter" in entry]
        return {counter["name"]: counter["packets"] for counter in counters}

    def send(self, packets: Sequence[bytes]) -> None:
        """Send as fast as the wire takes them."""
        send = self._sender.sendto
        target = (traffic.SERVER, 0)
        for packet in packets:
            send(packet, target)

    def fill(self, packets: Sequence[bytes], consumer: int) -> QueueState:
        """Put packets into the queue that a process has bound and does not read.

        All of them are in the queue on return, or `RuntimeError`.
        """
        for start in range(0, len(packets), CHUNK):
            self.send(packets[start : start + CHUNK])
            upto = min(start + CHUNK, len(packets))
            state = wait_for(consumer, waiting=upto)
        return state

    def feed(self, packets: Sequence[bytes], consumer: int) -> None:
        """Send no faster than a process reads."""
        for start in range(0, len(packets), CHUNK):
            self.send(packets[start : start + CHUNK])
            wait_for(consumer, waiting=0)


def queue_state(process: int) -> QueueState:
    """Read the state of `QUEUE` in a process's namespace."""
    path = Path(f"/proc/{process}/net/netfilter/nfnetlink_queue")
    for line in path.read_text(encoding="ascii").splitlines():
        # number port waiting mode range full unsent last-id 1
        fields = [int(field) for field in line.split()]
        if fields[0] == QUEUE:
            return QueueState(fields[2], fields[5], fields[6], fields[7])
    raise RuntimeError(f"nobody has queue {QUEUE}")


def wait_for(process: int, waiting: int) -> QueueState:
    """Wait until so many packets are in the queue; the wire takes a moment."""
    end = time.monotonic() + _STALLED
    while True:
        state = queue_state(process)
        if state.waiting == waiting:
            return state
        if time.monotonic() > end:
            raise RuntimeError(f"expected {waiting} packets in the queue: {state}")
        time.sleep(0.0005)
