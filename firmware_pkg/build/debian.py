"""What is installed on Debian, and what dpkg is told of it.

Knows Debian's folders and control files. It must not know how an archive is made;
`deb.py` does.
"""

from collections.abc import Iterator
from email.utils import formatdate
from typing import Final, NamedTuple

import stage
from gzipped import compress
from stage import Entry

PACKAGE: Final = "ringfence"
MAINTAINER: Final = "ringfence maintainers <maintainers@ringfence.invalid>"
_SCRIPTS: Final = ("postinst", "prerm", "postrm")
_DOC: Final = "usr/share/doc/ringfence"

# `netfilterqueue` takes packets faster than our own queue does; Debian 12 has none.
# `iptables` is for kernels without nft's queue statement, which Debian's have.
_CONTROL: Final = """\
Package: ringfence
Version: {version}
Architecture: all
Maintainer: {maintainer}
Installed-Size: {size}
Depends: python3 (>= 3.11), nftables
Recommends: python3-netfilterqueue
Suggests: iptables, python3-nacl
Section: net
Priority: optional
Description: firewall for SIP against phone-line hijacking
 An agent for VoIP routers and PBX hosts. It reads SIP signalling from the
 kernel's packet queue and stops registrations from abroad, calls to
 destinations that toll fraud pays for, password guessing and scanners. Calls
 to emergency numbers always pass. Media never leave the kernel.
"""

_SETTINGS: Final = (
    ('#store = "/etc/ringfence/rules"', 'store = "/var/lib/ringfence/rules"'),
    ('#file = "/etc/ringfence/state.json"', 'file = "/var/lib/ringfence/state.json"'),
)
"""Where Debian wants what a program writes by itself."""


class Control(NamedTuple):
    """One file for dpkg itself."""

    name: str
    data: bytes
    mode: int = 0o644


def entries() -> list[Entry]:
    """Return all that is installed, sorted by path."""
    return sorted(_entries(), key=lambda entry: entry.path)


def _entries() -> Iterator[Entry]:
    yield from stage.code("usr/lib/python3/dist-packages")
    yield stage.shipped("debian/ringfence", "usr/bin/ringfence", 0o755)
    yield stage.shipped(
        "debian/ringfence.service", "usr/lib/systemd/system/ringfence.service"
    )
    yield stage.configuration(_SETTINGS)
    yield stage.shipped("debian/copyright", f"{_DOC}/copyright")
    yield Entry(f"{_DOC}/changelog.gz", compress(_changelog().encode()))
    manual = (stage.FILES / "debian" / "ringfence.8").read_bytes()
    yield Entry("usr/share/man/man8/ringfence.8.gz", compress(manual))


def control(installed: list[Entry], size_kib: int, checksums: str) -> list[Control]:
    """Return the control files; `size_kib` and `checksums` are of what is installed."""
    text = _CONTROL.format(
        version=stage.version(), maintainer=MAINTAINER, size=size_kib
    )
    conffiles = "".join(f"/{entry.path}\n" for entry in installed if entry.kept)
    scripts = stage.FILES / "debian"
    return [
        Control("control", text.encode()),
        Control("conffiles", conffiles.encode()),
        Control("md5sums", checksums.encode()),
        *(Control(name, (scripts / name).read_bytes(), 0o755) for name in _SCRIPTS),
    ]


def _changelog() -> str:
    when = formatdate(stage.source_date())
    return (
        f"{PACKAGE} ({stage.version()}) stable; urgency=medium\n\n"
        "  * What has changed is in the project's history.\n\n"
        f" -- {MAINTAINER}  {when}\n"
    )
