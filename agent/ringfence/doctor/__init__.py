"""`ringfence doctor`: what is wrong with this machine's protection, and what to type.

Readings are taken (`gather.py`, `netfilter.py`, `probing.py`), judged (`checks/`, pure)
and written out (`rendering.py`). It changes nothing: what it tries goes by an interface
of its own that is gone when it ends.
"""

from pathlib import Path
from typing import Final

from ringfence.doctor.checks import judge
from ringfence.doctor.finding import Finding
from ringfence.doctor.gather import attempt, gather
from ringfence.doctor.readings import Machine, Probe, Readings, Unread
from ringfence.doctor.rendering import json_lines, text_lines

_LEFT_OUT: Final = Unread("--no-probe")

__all__ = ["Finding", "diagnose", "json_lines", "text_lines"]


def diagnose(config_path: Path | None, *, live: bool) -> tuple[list[Finding], Machine]:
    """Look at everything; `live` sends test INVITEs to a running agent, too.

    Never raises for what it finds: what cannot be read is a finding of its own.
    """
    readings = gather(config_path)
    readings = readings._replace(probe=_probe(readings) if live else _LEFT_OUT)
    return judge(readings), readings.machine


def _probe(readings: Readings) -> Probe | Unread:
    if not isinstance(readings.agent, dict):
        return Unread("no agent runs")
    from ringfence.doctor.probing import probe

    config = readings.config
    return attempt(lambda: probe(config.control_socket, min(config.network_sip_ports)))
