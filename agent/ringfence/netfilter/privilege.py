"""Whether this process may do what the agent does.

Knows Linux' capabilities (capabilities(7)); root without them may not.
"""

from pathlib import Path
from typing import Final

from ringfence.errors import KernelError

_CAP_NET_ADMIN: Final = 12


def require_privilege(status: Path = Path("/proc/self/status")) -> None:
    """Raise `KernelError` unless this process may administer the network."""
    for line in status.read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff" and int(value, 16) >> _CAP_NET_ADMIN & 1:
            return
    raise KernelError(
        "this needs the capability CAP_NET_ADMIN; run it as root or give it to the "
        "service"
    )
