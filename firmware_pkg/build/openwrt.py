"""What is installed on OpenWrt, and what its packages say of it.

Knows OpenWrt's folders and package names, for `.ipk`, `.apk` and the feed alike. It
must not know their formats.
"""

from typing import Final

import stage
from stage import Entry

NAME: Final = "ringfence"
FOLDER: Final = "usr/lib/ringfence"
"""Where the package `ringfence` lies, apart from what python3's own packages bring."""

TITLE: Final = "A firewall agent for VoIP routers"
DESCRIPTION: Final = (
    "Reads SIP signalling from NFQUEUE and stops phone-line hijacking: registrations "
    "from abroad, calls to destinations that toll fraud pays for, password guessing."
)
LICENSE: Final = "Apache-2.0 AND CC-BY-SA-4.0 AND Unicode-3.0"
"""The code; the country table; the names of countries."""

SECTION: Final = "net"
MAINTAINER: Final = "The ringfence developers"

PYTHON: Final = "3.11"
"""The oldest Python; OpenWrt 23.05 is the first release that has it."""
DEPENDS: Final = (
    # fw4 needs this flavour too; the agent reads counters and bans as JSON.
    "nftables-json",
    "kmod-nft-queue",
    "kmod-nfnetlink-queue",
    "kmod-nf-conntrack-netlink",
)
"""What is needed besides `python3-light`."""


def release() -> str:
    """Return version and release, as opkg and apk order them."""
    return f"{stage.version()}-r1"


def entries() -> list[Entry]:
    """Return all files, in the order of their paths."""
    found = [
        *stage.code(FOLDER),
        stage.configuration(),
        stage.shipped("ringfence.openwrt", "usr/bin/ringfence", 0o755),
        stage.shipped("ringfence.init", "etc/init.d/ringfence", 0o755),
        stage.shipped("ringfence.config", "etc/config/ringfence", 0o600, kept=True),
        stage.shipped("ringfence.uci-defaults", "etc/uci-defaults/80-ringfence"),
        stage.shipped("ringfence.capabilities.json", "etc/capabilities/ringfence.json"),
        stage.shipped("ringfence.keep", "lib/upgrade/keep.d/ringfence"),
        stage.shipped("firewall.include", "usr/share/ringfence/firewall.include"),
        stage.shipped(
            "ringfence.nft", "usr/share/nftables.d/ruleset-post/ringfence.nft"
        ),
    ]
    return sorted(found, key=lambda entry: entry.path)


def conffiles() -> str:
    """Return the absolute paths of what administrators edit, one a line."""
    return "".join(f"/{entry.path}\n" for entry in entries() if entry.kept)


POSTINST: Final = """\
[ -z "$IPKG_INSTROOT" ] || exit 0
# Byte code of the version before.
rm -rf /var/run/ringfence/python
# fw4 reads its includes only now; a flow that was offloaded before returns to it.
/etc/init.d/firewall reload >/dev/null 2>&1
exit 0
"""
"""Sourced after installing, in a shell of its own, before the service is started."""

PRERM: Final = """\
[ -z "$IPKG_INSTROOT" ] || exit 0
[ "$PKG_UPGRADE" = 1 ] && exit 0
uci -q delete firewall.ringfence && uci commit firewall
# A stop leaves bans in force where keep_bans is 1, and a killed agent leaves all.
/etc/init.d/ringfence clear
exit 0
"""
"""Sourced before removing and before an upgrade, while everything still runs."""

POSTRM: Final = """\
#!/bin/sh
[ -z "$IPKG_INSTROOT" ] || exit 0
[ "$PKG_UPGRADE" = 1 ] && exit 0
rm -rf /var/run/ringfence /var/run/ringfence.started
/etc/init.d/firewall reload >/dev/null 2>&1
exit 0
"""
"""Run after removing: the firewall forgets our include."""
