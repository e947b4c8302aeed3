"""The agent, in a hurry to write down what it remembers: every `EVERY` seconds."""

import argparse
import sys
from pathlib import Path

from ringfence.daemon import Daemon

EVERY = 2.0
PROGRAM = (sys.executable, __file__)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path)
    args = parser.parse_args()
    daemon = Daemon(args.config, None)
    daemon.engine.exposure.every = EVERY
    daemon.run()


if __name__ == "__main__":
    main()
