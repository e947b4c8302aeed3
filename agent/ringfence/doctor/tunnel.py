"""An interface of our own for a second: what goes out by it comes to us, not to a wire.

Knows the TUN device (Documentation/networking/tuntap.rst). The kernel removes the
interface with its last descriptor, so that none is left behind whatever ends us.
"""

import fcntl
import os
import select
import socket
from struct import pack, unpack_from
from typing import Final, Self

DEVICE: Final = "/dev/net/tun"

_TUNSETIFF: Final = 0x0004_54CA
"""_IOW('T', 202, int), without the bit that says `write`: that differs."""
_WRITE, _WRITE_MIPS = 1 << 30, 1 << 31
_MIPS_LIKE: Final = ("mips", "ppc", "powerpc", "sparc", "alpha")
_IFF_TUN, _IFF_NO_PI, _IFF_UP = 0x0001, 0x1000, 0x1
_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_SIOCSIFADDR, _SIOCSIFNETMASK = 0x8916, 0x891C
_MOST: Final = 65_535


def tunsetiff(machine: str) -> int:
    """Return the number of the call that makes an interface, on that machine."""
    return _TUNSETIFF | (_WRITE_MIPS if machine.startswith(_MIPS_LIKE) else _WRITE)


class Tunnel:
    """A TUN interface with one IPv4 address; as a context manager it is removed."""

    def __init__(self, address: str, netmask: str) -> None:
        """Make it and bring it up; raises `OSError` when that is not to be had."""
        self._file = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            wanted = pack("=16sH22x", b"rf-probe%d", _IFF_TUN | _IFF_NO_PI)
            made = fcntl.ioctl(self._file, tunsetiff(os.uname().machine), wanted)
            self._name = made[:16].rstrip(b"\0")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
                for call, text in ((_SIOCSIFADDR, address), (_SIOCSIFNETMASK, netmask)):
                    self._call(control, call, _address(text))
                self._up(control)
        except OSError:
            self.close()
            raise

    @property
    def name(self) -> str:
        """The interface's name."""
        return self._name.decode()

    def __enter__(self) -> Self:
        """Take it as it is."""
        return self

    def __exit__(self, *error: object) -> None:
        """Remove it."""
        self.close()

    def close(self) -> None:
        """Remove it."""
        os.close(self._file)

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._file

    def inject(self, packet: bytes) -> None:
        """Let a packet, from its IP header on, come in by the interface."""
        os.write(self._file, packet)

    def gone_out(self) -> list[bytes]:
        """Return the packets that have left by it, from the IP header on."""
        packets: list[bytes] = []
        while len(packets) < 64 and select.select([self._file], [], [], 0)[0]:
            packets.append(os.read(self._file, _MOST))
        return packets

    def _call(self, control: socket.socket, call: int, rest: bytes) -> bytes:
        return fcntl.ioctl(control, call, pack("=16s24s", self._name, rest))

    def _up(self, control: socket.socket) -> None:
        (flags,) = unpack_from("=H", self._call(control, _SIOCGIFFLAGS, b""), 16)
        self._call(control, _SIOCSIFFLAGS, pack("=H", flags | _IFF_UP))


def _address(text: str) -> bytes:
    return pack("=HH", socket.AF_INET, 0) + socket.inet_aton(text)
