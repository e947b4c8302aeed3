"""Whether this machine can hold the lab, and if not, what it lacks."""

import functools
import os
import shutil
import sys
from pathlib import Path
from typing import Final

from lab.namespaces import LabError
from lab.network import Lab

TOOLS: Final = ("ip", "nft", "iptables", "conntrack", "sipp", "kamailio")


@functools.cache
def missing() -> tuple[str, ...]:
    """Return what is missing, in words; the kernel is asked, not guessed."""
    if os.geteuid() != 0:
        return ("root",)
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    lacks = [tool for tool in TOOLS if shutil.which(tool, path=path) is None]
    if not Path(sys.executable).with_name("sipvicious_svmap").exists():
        lacks.append("sipvicious")
    if lacks:
        return tuple(lacks)
    try:
        with Lab() as lab:
            try:
                _queue_statement(lab)
            except LabError as error:
                return (f"NFQUEUE in this kernel ({error})",)
    except LabError as error:
        return (f"network namespaces ({error})",)
    return ()


def _queue_statement(lab: Lab) -> None:
    """Try nft's own statement, then the xtables target."""
    ruleset = "table inet t { chain c { type filter hook forward priority 0;"
    try:
        lab.router.run("nft", f"{ruleset} queue flags bypass to 9; }}; }}")
    except LabError:
        lab.router.run("iptables", "-A", "FORWARD", "-j", "NFQUEUE")
