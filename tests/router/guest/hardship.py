"""What goes wrong on a router: the agent is killed, flows are offloaded. And the end:
the package is removed.
"""

import os
import threading
import time
from pathlib import Path
from typing import Final

from router import places
from router.guest import agent
from router.guest.people import Phone, Server
from router.guest.said import NotShownError, claim, expect, wait_for

TABLE: Final = """
table inet fw4 {{
  flowtable ft {{
    hook ingress priority filter
    devices = {{ wan0, lan0 }}
  }}
  chain forward {{
    type filter hook forward priority filter; policy accept;
    {remedy}
    meta l4proto {{ tcp, udp }} flow add @ft
    ct state vmap {{ established : accept, related : accept }}
  }}
}}
"""
"""The firewall of a router that forwards without looking: as OpenWrt's writes it."""

REMEDY: Final = (
    "meta l4proto { tcp, udp } th dport { 5060 } ct state established accept",
    "meta l4proto { tcp, udp } th sport { 5060 } ct state established accept",
)
"""Ahead of the statement that offloads: SIP is never offloaded."""


def respawns() -> dict[str, object]:
    """Killed outright: phones go on, the ban stands, systemd starts it again."""
    before = agent.main_pid()
    agent.run("ringfence", "ban", places.GUESSER_JP, "--for", "1h")
    sent: list[str] = []
    ended = threading.Event()

    with Server(places.INSIDE, places.PBX) as pbx:

        def calls() -> None:
            with Phone(places.OUTSIDE, places.PHONE_JP) as phone:
                while not ended.is_set():
                    sent.append(phone.send("OPTIONS", places.PBX))
                    time.sleep(0.1)

        caller = threading.Thread(target=calls)
        caller.start()
        try:
            wait_for(lambda: len(sent) > 5, 5, "calls under way")
            begin = time.monotonic()
            os.kill(before, 9)
            at_kill = len(sent)
            down = wait_for(
                lambda: agent.queue_owner() is None, 5, "the queue is nobody's"
            )
            bans_alone = agent.bans()
            wait_for(agent.is_listening, agent.PATIENCE, "an agent answers again")
            back = time.monotonic() - begin
            without = len(sent) - at_kill
            time.sleep(0.5)
        finally:
            ended.set()
            caller.join()
        time.sleep(1)
        lost = [call_id for call_id in sent if not pbx.has(call_id)]
    expect(places.GUESSER_JP in bans_alone, "the ban went with the agent")
    expect(places.GUESSER_JP in agent.bans(), "the new agent lifted the ban")
    # What waited in the queue at that moment dies with it.
    expect(len(lost) <= 2, f"{len(lost)} of {len(sent)} calls were lost")
    expect(without > 2, "no call came while there was no agent")
    expect(agent.main_pid() not in (0, before), "the same process as before")
    passed = agent.ask("status")["unheard_before"]
    expect(passed > 0, "the agent does not know what passed without it")
    return {
        "back_after_s": round(back, 1),
        "queue_free_after_s": round(down, 2),
        "calls_meanwhile": without,
        "lost": len(lost),
        "unheard": passed,
    }


class Offload:
    """Software flow offload, what it does to SIP, and what helps."""

    def __init__(self, trunk: Server) -> None:
        self._trunk = trunk
        self._port = 5070

    def show(self) -> None:
        """Show three routers: without offload, with it, with it and the remedy."""
        claim("second_message_of_a_flow_judged", self.without)
        claim("offload_hides_sip_from_us", self.hidden)
        claim("remedy_rule_keeps_sip_in_sight", self.remedied)

    def _flow(self) -> tuple[int, bool, int]:
        """Three messages of one UDP flow, the last one a blocked call.

        Returns the status of the call, whether it arrived, and how many messages the
        agent saw.
        """
        self._port += 1
        before = agent.ask("status")["messages"]
        with Phone(places.INSIDE, places.PHONE, self._port) as phone:
            for _ in range(2):
                expect(phone.asks("OPTIONS", places.TRUNK) == 200, "no answer at all")
                time.sleep(0.1)
            call_id = phone.send("INVITE", places.TRUNK, number=places.BLOCKED)
            answer = phone.answer(call_id)
        status = int(answer.split(b" ")[1]) if answer else 0
        seen = agent.ask("status")["messages"] - before
        return status, self._trunk.has(call_id), seen

    def without(self) -> dict[str, object]:
        """Every message is judged, whatever went before it."""
        status, arrived, seen = self._flow()
        expect(status == 403 and not arrived, f"{status}, arrived: {arrived}")
        return {"status": status, "messages_seen": seen}

    def hidden(self) -> dict[str, object]:
        """The blocked call gets through: this is what is to be known, and mended."""
        agent.run("nft", "-f", "-", stdin=TABLE.format(remedy=""))
        status, arrived, seen = self._flow()
        expect(
            arrived and status == 200, f"{status}, arrived: {arrived}: not offloaded"
        )
        return {"status": status, "messages_seen": seen, **self._banned()}

    def _banned(self) -> dict[str, object]:
        """Tell whether a ban reaches a flow that is offloaded."""
        with (
            Server(places.INSIDE, places.PBX) as pbx,
            Phone(places.OUTSIDE, places.CALLER_JP, self._port) as phone,
        ):
            for _ in range(3):
                phone.asks("OPTIONS", places.PBX)
            agent.run("ringfence", "ban", places.CALLER_JP, "--for", "60s")
            time.sleep(0.5)
            call_id = phone.send("OPTIONS", places.PBX)
            time.sleep(0.5)
            arrived = pbx.has(call_id)
        agent.run("ringfence", "unban", places.CALLER_JP)
        return {"banned_source_still_arrives": arrived}

    def remedied(self) -> dict[str, object]:
        """The same firewall with two rules ahead; and something else is offloaded."""
        agent.run("nft", "delete table inet fw4")
        remedy = "\n    ".join(REMEDY)
        agent.run("nft", "-f", "-", stdin=TABLE.format(remedy=remedy))
        status, arrived, seen = self._flow()
        banned = self._banned()
        agent.run("nft", "delete table inet fw4")
        expect(status == 403 and not arrived, f"{status}, arrived: {arrived}")
        expect(not banned["banned_source_still_arrives"], "a ban does not hold")
        return {"status": status, "messages_seen": seen, **banned}


def doctor() -> dict[str, object]:
    """What the doctor finds here; the command must come to its end and be readable."""
    text = agent.run("ringfence", "doctor", fails=True)
    expect(bool(text.strip()), "it says nothing")
    if "invalid choice" in text:
        raise NotShownError("this package has no doctor")
    return {"lines": len(text.splitlines())}


def is_removed() -> dict[str, object]:
    """Removed, nothing of it is left in the kernel; purged, nothing on the disk."""
    agent.run("dpkg", "-r", "ringfence")
    tables = agent.run("nft", "list", "tables")
    expect("ringfence" not in tables, f"left in the kernel: {tables}")
    expect(agent.queue_owner() is None, "somebody still listens to the queue")
    expect(agent.CONFIG.exists(), "the edited configuration is gone already")
    agent.run("dpkg", "-P", "ringfence")
    left = [
        str(path)
        for path in (Path("/etc/ringfence"), Path("/var/lib/ringfence"))
        if path.exists()
    ]
    expect(not left, f"left on the disk: {left}")
    return {}
