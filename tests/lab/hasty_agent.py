"""The agent in a hurry: it writes down what it remembers every `EVERY` seconds, and
looks every `TICK` seconds at what time has changed."""

import argparse
import sys
from pathlib import Path

from ringfence.calls import line
from ringfence.daemon import Daemon

EVERY = 2.0
TICK = 0.5
PROGRAM = (sys.executable, __file__)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path)
    args = parser.parse_args()
    daemon = Daemon(args.config, None)
    daemon.engine.exposure.every = EVERY
    line.TICK = TICK  # type: ignore[misc]
    daemon.run()


if __name__ == "__main__":
    main()
