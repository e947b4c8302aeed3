"""The agent with one made-up rule: a message asks for its own ban by its Call-ID.

`ban-src-300-…` is dropped and bans its sender for 300 s, `ban-dst-300-…` passes and
bans its receiver. The kernel's part is what the tests are about, not why somebody is
banned.
"""

import argparse
import sys
from pathlib import Path

from ringfence.daemon import Daemon
from ringfence.decision import Decision, Ruling, Verdict
from ringfence.engine import Engine
from ringfence.facts import Facts
from ringfence.packet import Instant, Packet

PROGRAM = (sys.executable, __file__)


class Banning(Engine):
    """Does what Call-IDs say."""

    def inspect(self, packet: Packet, now: Instant) -> Decision:
        decision = super().inspect(packet, now)
        for finding in decision.findings:
            assert isinstance(finding.facts, Facts)
            words = (finding.facts.message.call_id or "").split("-")
            if words[0] != "ban" or len(words) < 3:
                continue
            verdict = Verdict.DROP if words[1] == "src" else Verdict.ACCEPT
            seconds = int(words[2])
            ruling = Ruling(verdict, "made-up", "as asked", "bundle", ban_s=seconds)
            return Decision(
                verdict,
                "made-up",
                (finding._replace(ruling=ruling),),
                ban="src" if words[1] == "src" else "dst",
                ban_s=seconds,
            )
        return decision


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path)
    parser.add_argument("--keep-bans", action="store_true")
    args = parser.parse_args()
    daemon = Daemon(args.config, None, keep_bans=args.keep_bans)
    daemon.engine = daemon._verdicts.engine = Banning(daemon.engine.settings)
    daemon.run()


if __name__ == "__main__":
    main()
