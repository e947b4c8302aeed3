"""The first boot: the package is installed, and the agent does what it is there for."""

import time
from pathlib import Path
from typing import Final

from router import places
from router.guest import agent
from router.guest.people import Phone, Server
from router.guest.said import claim, expect, wait_for

PACKAGE: Final = "/test/ringfence.deb"
TRIES: Final = 12
"""Passwords that the guesser has; the rule lets five through."""
CALLS: Final = 2_000
"""How many there are before the memory is measured again; each has its answer."""
_AHEAD: Final = 20
"""Calls that are under way at once, so that none is lost and no time either."""
_NET_ADMIN_AND_RAW: Final = 1 << 12 | 1 << 13


class Everyday:
    """The claims of the first boot, in their order; later ones build on earlier."""

    def __init__(self, pbx: Server, trunk: Server) -> None:
        self._pbx = pbx
        self._trunk = trunk
        self._before = agent.available()

    def show(self, *, brief: bool = False) -> bool:
        """Show everything; False as soon as there is no agent to go on with.

        `brief` only installs the package.
        """
        if not claim("package_installs_and_starts", self.installs):
            return False
        if brief:
            return True
        return all(
            [
                claim("restrictions_of_the_unit_hold", self.is_restricted),
                claim("nft_queue_statement_in_use", self.queues_by_nft),
                claim("memory_at_ready", self.memory_at_ready),
                claim("register_from_abroad_dropped_honest_passes", self.origin),
                claim("blocked_call_refused_honest_and_119_pass", self.calls),
                claim("guesser_banned_and_dropped_in_the_kernel", self.guessing),
                claim("edited_config_reloads_bans_stay", self.edits),
                claim("memory_after_messages", self.memory_after_messages),
            ]
        )

    def installs(self) -> dict[str, object]:
        """As a user does it: dpkg checks what it depends on, systemd starts it."""
        begin = time.monotonic()
        agent.run("dpkg", "-i", PACKAGE)
        unpacked = time.monotonic() - begin
        status = agent.run(
            "dpkg-query", "-W", "-f", "${Status} ${Version}", "ringfence"
        )
        expect(status.startswith("install ok installed"), f"dpkg says: {status}")
        agent.run("systemctl", "enable", "--now", agent.SERVICE)
        agent.wait_event("ready")
        return {
            "version": status.split()[-1],
            "dpkg_s": round(unpacked, 1),
            "ready_after_s": round(time.monotonic() - begin, 1),
        }

    def is_restricted(self) -> dict[str, object]:
        """The kernel's word on the process, not the unit file's."""
        fields = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{agent.main_pid()}/status")
            .read_text()
            .splitlines()
            if ":\t" in line
        )
        for name in ("CapEff", "CapPrm", "CapBnd"):
            beyond = int(fields[name], 16) & ~_NET_ADMIN_AND_RAW
            expect(not beyond, f"{name} is {fields[name]}: more than it needs")
        expect(fields["NoNewPrivs"] == "1", "it may gain privileges")
        expect(fields["Seccomp"] == "2", "no system call is forbidden")
        exposure = agent.run(
            "systemd-analyze", "security", "--no-pager", agent.SERVICE, fails=True
        )
        said_last = exposure.strip().splitlines()[-1].strip() if exposure else ""
        return {"CapBnd": fields["CapBnd"], "systemd_analyze": said_last}

    def queues_by_nft(self) -> dict[str, object]:
        """The statement, what binds to it, and that the kernel has both."""
        ready = agent.events("ready")[-1]
        expect(ready["statement"] == "nft queue", f"the ready event says {ready}")
        listed = agent.run("nft", "list", "chain", "inet", "ringfence", "queue_forward")
        expect("queue flags bypass to" in listed, f"the kernel has: {listed}")
        expect(agent.queue_owner() is not None, "nobody listens to the queue")
        expect(ready["wan"] == ["wan0"], f"WAN found: {ready['wan']}")
        return {
            name: ready[name]
            for name in ("statement", "binding", "wan", "bundle")
            if name in ready
        }

    def memory_at_ready(self) -> dict[str, object]:
        """Once the home networks are in the kernel, which takes memory for a while."""
        agent.wait_event("notice", notice="offload")
        after = agent.available()
        return {
            **agent.memory(),
            "total": after["total"],
            "available_before": self._before["available"],
            "available": after["available"],
        }

    def origin(self) -> dict[str, object]:
        """With bypass an accepted packet proves nothing alone: the counters must."""
        before, counted = agent.ask("status"), agent.kernel()
        with Phone(places.OUTSIDE, places.ABROAD) as thief:
            for _ in range(5):
                thief.send("REGISTER", places.PBX)
                time.sleep(0.05)
        with Phone(places.OUTSIDE, places.PHONE_JP) as phone:
            signed_in = phone.signs_in(places.PBX, "the right one")
        after, counts = agent.ask("status"), agent.kernel()
        heard = self._pbx.heard_from(places.ABROAD)
        expect(not heard, f"the PBX heard {len(heard)} of 5 from abroad")
        expect(signed_in == (401, 200), f"the honest phone got {signed_in}")
        foreign = counts["foreign"] - counted["foreign"]
        sampled = counts["sampled"] - counted["sampled"]
        expect(foreign + sampled == 5, f"{foreign} dropped, {sampled} sampled of 5")
        judged = after["rules"].get("foreign-registration", 0)
        judged -= before["rules"].get("foreign-registration", 0)
        expect(judged == sampled > 0, f"{sampled} shown to the agent, {judged} judged")
        messages = after["messages"] - before["messages"]
        # Two REGISTERs of the honest phone, their two answers, and the sample.
        expect(messages >= 4 + sampled, f"the agent saw {messages} messages")
        return {
            "dropped_in_the_kernel": foreign,
            "judged_by_the_agent": judged,
            "messages": messages,
        }

    def calls(self) -> dict[str, object]:
        """Somebody inside calls; the trunk tells what got through."""
        before = agent.ask("status")
        found: dict[str, object] = {}
        with Phone(places.INSIDE, places.PHONE) as phone:
            for name, number, wanted in (
                ("blocked", places.BLOCKED, 403),
                ("ordinary", places.ORDINARY, 200),
                ("emergency", places.EMERGENCY, 200),
            ):
                call_id = phone.send("INVITE", places.TRUNK, number=number)
                begin = time.monotonic()
                answer = phone.answer(call_id)
                status = int(answer.split(b" ")[1]) if answer else 0
                expect(status == wanted, f"{name}: {status}, expected {wanted}")
                arrived = self._trunk.has(call_id)
                expect(arrived == (wanted == 200), f"{name}: at the trunk: {arrived}")
                found[name] = status
                found[f"{name}_ms"] = round((time.monotonic() - begin) * 1000)
        after = agent.ask("status")
        refused = after["rejected"] - before["rejected"]
        expect(refused == 1, f"the agent refused {refused}")
        passed = after["accepted"] - before["accepted"]
        expect(passed >= 2, f"the agent let {passed} pass: somebody bypassed it")
        return found

    def guessing(self) -> dict[str, object]:
        """Five wrong passwords, a ban, and then the kernel alone."""
        tried = 0
        with Phone(places.OUTSIDE, places.GUESSER_JP) as guesser:
            for number in range(TRIES):
                first, second = guesser.signs_in(places.PBX, f"wrong {number}")
                if not first:
                    break
                tried += second == 403
            banned = agent.bans()
            expect(places.GUESSER_JP in banned, f"{tried} tries, banned: {banned}")
            expect(places.PHONE_JP not in banned, "an honest phone is banned too")
            before, counted = agent.ask("status"), agent.kernel()
            heard = len(self._pbx.heard_from(places.GUESSER_JP))
            for _ in range(20):
                guesser.send("REGISTER", places.PBX)
            wait_for(
                lambda: agent.kernel()["banned"] - counted["banned"] >= 20,
                *(5, "20 packets counted as banned"),
            )
        after = agent.ask("status")
        more = len(self._pbx.heard_from(places.GUESSER_JP)) - heard
        expect(more == 0, f"{more} of 20 arrived after the ban")
        expect(
            after["packets"] == before["packets"],
            f"the agent was asked about {after['packets'] - before['packets']}",
        )
        passwords = sum(one.password for one in self._pbx.heard_from(places.GUESSER_JP))
        return {"passwords_tried": passwords, "dropped_in_the_kernel": 20}

    def edits(self) -> dict[str, object]:
        """A number is blocked by an edit; who was banned stays so."""
        with Phone(places.INSIDE, places.PHONE) as phone:
            before = phone.asks("INVITE", places.TRUNK, number=places.ORDINARY)
            agent.edit(
                ("[numbers]", '[numbers]\nblock = ["81312345678"]'),
                ("[bundle]", "[bundle]\ntrial = 2"),
                ("#sip_ports = [5060]", f"sip_ports = [5060, {places.SECOND_PORT}]"),
            )
            took = agent.reload()
            after = phone.asks("INVITE", places.TRUNK, number=places.ORDINARY)
            emergency = phone.asks("INVITE", places.TRUNK, number=places.EMERGENCY)
        expect((before, after) == (200, 403), f"before {before}, after {after}")
        expect(emergency == 200, f"the emergency call got {emergency}")
        expect(places.GUESSER_JP in agent.bans(), "the reload lifted the ban")
        return {"reload_s": round(took, 1)}

    def memory_after_messages(self) -> dict[str, object]:
        """Calls and their answers, as many as a small office makes in weeks."""
        before = agent.ask("status")
        begin = time.monotonic()
        with Phone(places.INSIDE, places.PHONE, 5062) as phone:
            for _ in range(CALLS // _AHEAD):
                sent = [
                    phone.send("INVITE", places.TRUNK, number=f"03{index:08}")
                    for index in range(_AHEAD)
                ]
                phone.answer(sent[-1], 10)
        took = time.monotonic() - begin
        answered = len(self._trunk.heard_from(places.PHONE, "INVITE", 5062))
        expect(answered == CALLS, f"{answered} of {CALLS} calls at the trunk")
        after = agent.ask("status")
        messages = after["messages"] - before["messages"]
        expect(
            messages == CALLS + answered,
            f"{messages} messages judged, of {CALLS} calls and {answered} answers",
        )
        expect(after["internal_errors"] == 0, f"{after['internal_errors']} own errors")
        return {
            **agent.memory(),
            "calls": CALLS,
            "messages": messages,
            "a_second": round(messages / took),
            "available": agent.available()["available"],
        }
