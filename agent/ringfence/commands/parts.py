"""What a module of commands says of each: its options, and what runs it."""

import argparse
from collections.abc import Callable
from typing import NamedTuple


class Parts(NamedTuple):
    """One subcommand."""

    options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    """Returns the exit code."""
