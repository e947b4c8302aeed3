"""What goes wrong on a router: the agent is killed, flows are offloaded. And the end:
the package is removed.
"""

import json
import os
import threading
import time
from pathlib import Path
from typing import Final, Self

from router import places
from router.guest import agent
from router.guest.people import Phone, Server, status_of
from router.guest.said import SLOWER, NotShownError, claim, expect, pause, wait_for

REQUESTS: Final = 10
"""Of one flow."""

FIREWALL: Final = """
table inet fw4
flush table inet fw4
table inet fw4 {{
    flowtable ft {{
        hook ingress priority 0
        devices = {{ "lan0", "wan0" }}
    }}
    chain forward {{
        type filter hook forward priority filter; policy drop;
        meta l4proto {{ tcp, udp }} flow offload @ft
        ct state vmap {{ established : accept, related : accept }}
        iifname "lan0" accept
        iifname "wan0" udp dport 5060 accept
    }}
}}
{includes}
"""
"""OpenWrt's firewall with flow offloading on, as fw4 renders it where it meets ours.

It lets those inside out, and SIP to those inside.
"""
INCLUDES: Final = f'include "{places.INCLUDES}/*.nft"'
"""How fw4 reads, at its end, what packages have put there: ours among them."""


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
            pause(0.5)
        finally:
            ended.set()
            caller.join()
        pause(1)
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


class Firewall:
    """OpenWrt's firewall in the kernel; as a context manager it is gone at the end."""

    def __init__(self, *, include: bool) -> None:
        """Load it, with or without the package's own file at its end."""
        text = FIREWALL.format(includes=INCLUDES if include else "")
        agent.run("nft", "-f", "-", stdin=text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        agent.run("nft", "delete", "table", "inet", "fw4")

    @staticmethod
    def ports() -> set[int]:
        """Return the ports that it does not offload."""
        text = agent.run("nft", "-j", "list", "set", "inet", "fw4", "ringfence_sip")
        return {
            port
            for entry in json.loads(text)["nftables"]
            for port in entry.get("set", {}).get("elem", [])
        }


class Offload:
    """Software flow offload, what it does to SIP, and what helps."""

    def __init__(self, trunk: Server) -> None:
        self._trunk = trunk
        self._port = 5070

    def show(self) -> None:
        """Show three routers: with offload and what the package ships for fw4, with
        offload alone, and without; and what the doctor says to the first two.

        The first agent starts under that firewall, as it does on OpenWrt.
        """
        with Firewall(include=True):
            claim("killed_agent_respawns_traffic_flows", respawns)
            claim("shipped_fw4_include_keeps_sip_in_sight", self.remedied)
            claim("doctor_content_with_the_include", lambda: doctor("fine"))
        with Firewall(include=False):
            claim("offload_hides_sip_from_us", self.hidden)
            claim("doctor_warns_of_offload", lambda: doctor("warning"))
        claim("every_message_of_a_flow_judged", self.without)

    def _flow(self) -> dict[str, object]:
        """Requests of one UDP flow that are answered, and then a blocked call in it.

        Returns the status of the call, whether it arrived, and how many messages the
        agent saw, with the answers.
        """
        self._port += 1
        before = agent.ask("status")["messages"]
        with Phone(places.INSIDE, places.PHONE, self._port) as phone:
            for _ in range(REQUESTS):
                expect(phone.asks("OPTIONS", places.TRUNK) == 200, "no answer at all")
            seen = self._seen_since(before, 2 * REQUESTS)
            call_id = phone.send("INVITE", places.TRUNK, number=places.BLOCKED)
            status = status_of(phone.answer(call_id))
        return {
            "answered_seen": f"{seen} of {2 * REQUESTS}",
            "call": status,
            "call_arrived": self._trunk.has(call_id),
        }

    def _unanswered(self) -> str:
        """Requests of one UDP flow that nobody answers; returns how many were seen."""
        self._port += 1
        before = agent.ask("status")["messages"]
        with Phone(places.INSIDE, places.PHONE, self._port) as phone:
            sent = []
            for _ in range(REQUESTS):
                sent.append(phone.send("MESSAGE", places.TRUNK))
                time.sleep(0.05)
            arrived = sum(map(self._trunk.has, sent))
            expect(arrived >= REQUESTS - 1, f"only {arrived} of {REQUESTS} arrived")
        return f"{self._seen_since(before, REQUESTS)} of {REQUESTS}"

    @staticmethod
    def _seen_since(before: int, most: int) -> int:
        """Return how many messages the agent has seen, as soon as that is `most`; else
        after a second, when it has been through all.
        """
        end = time.monotonic() + SLOWER
        while (seen := agent.ask("status")["messages"] - before) < most:
            if time.monotonic() > end:
                break
            time.sleep(0.05)
        return int(seen)

    def _judged(self) -> dict[str, object]:
        """See that nothing of any flow gets past the agent."""
        found = {**self._flow(), "unanswered_seen": self._unanswered()}
        wanted = {
            "answered_seen": f"{2 * REQUESTS} of {2 * REQUESTS}",
            "call": 403,
            "call_arrived": False,
            "unanswered_seen": f"{REQUESTS} of {REQUESTS}",
        }
        expect(found == wanted, f"{found}, expected {wanted}")
        return found

    def without(self) -> dict[str, object]:
        """Every message is judged, whatever went before it."""
        return self._judged()

    def hidden(self) -> dict[str, object]:
        """The blocked call gets through: this is what is to be known, and mended."""
        found = {**self._flow(), "unanswered_seen": self._unanswered()}
        passed = found["call_arrived"] and found["call"] == 200
        expect(bool(passed), f"{found}: not offloaded")
        return {**found, **self._banned()}

    def _banned(self) -> dict[str, object]:
        """Tell whether a ban reaches a flow that is offloaded."""
        with (
            Server(places.INSIDE, places.PBX) as pbx,
            Phone(places.OUTSIDE, places.CALLER_JP, self._port) as phone,
        ):
            for _ in range(3):
                phone.asks("OPTIONS", places.PBX)
            agent.run("ringfence", "ban", places.CALLER_JP, "--for", "60s")
            pause(0.5)
            call_id = phone.send("OPTIONS", places.PBX)
            pause(0.5)
            arrived = pbx.has(call_id)
        agent.run("ringfence", "unban", places.CALLER_JP)
        return {"banned_source_still_arrives": arrived}

    def remedied(self) -> dict[str, object]:
        """The same firewall with the include; the agent has put its ports there."""
        ports = Firewall.ports()
        expect(
            ports == {5060, places.SECOND_PORT}, f"in fw4's set of SIP ports: {ports}"
        )
        found = self._judged()
        banned = self._banned()
        expect(not banned["banned_source_still_arrives"], "a ban does not hold")
        return {**found, **banned, "ports": sorted(ports)}


def doctor(wanted: str) -> dict[str, object]:
    """What the doctor says of offloading, which is on; and its whole answer is JSON."""
    text = agent.run("ringfence", "doctor", "--json", fails=True)
    try:
        *findings, summary = map(json.loads, text.splitlines())
    except ValueError:
        raise NotShownError(f"not JSON: {text[-1000:]}") from None
    expect(summary["type"] == "doctor", f"the last line is {summary}")
    (found,) = (one for one in findings if one["id"] == "offload")
    expect(found["state"] == wanted, f"expected {wanted}: {found}")
    expect("flow offload" in found["what"], f"says {found['what']}")
    expect(bool(found["do"]) == (wanted != "fine"), f"to be done: {found['do']}")
    return {"findings": len(findings), "says": " ".join(found["what"].split())}


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
