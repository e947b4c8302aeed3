"""The agent with a clock that runs `SPEED` times as fast as the world's.

What it counts and remembers ages in minutes that take seconds. The kernel's clock is
the world's all the same: a ban lasts there as long as it says.
"""

import argparse
import sys
import time
from pathlib import Path

from ringfence import daemon
from ringfence.packet import Instant

SPEED = 20.0
PROGRAM = (sys.executable, __file__)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path)
    args = parser.parse_args()
    real, begin = daemon._now, time.monotonic()

    def fast() -> Instant:
        gained = (time.monotonic() - begin) * (SPEED - 1)
        now = real()
        return Instant(now.mono + gained, now.wall + gained)

    daemon._now = fast
    daemon.Daemon(args.config, None).run()


if __name__ == "__main__":
    main()
