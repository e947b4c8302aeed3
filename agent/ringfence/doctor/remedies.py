"""What a person has to type, on the system that this is."""

from typing import Final

from ringfence.doctor.readings import Machine, Readings

_PACKAGES: Final = {
    # by need: (OpenWrt, Debian)
    "nft": ("nftables-json", "nftables"),
    "queue": ("kmod-nft-queue", ""),
    "conntrack": ("kmod-nf-conntrack kmod-nf-conntrack-netlink", ""),
    "ctnetlink": ("kmod-nf-conntrack-netlink", ""),
    "features": ("kmod-nft-core kmod-nft-nat", ""),
    "xtables": ("iptables-nft kmod-ipt-nfqueue iptables-mod-nfqueue", "iptables"),
    "python": ("python3-light", "python3"),
    "post": ("curl ca-bundle", "curl"),
}


_MODULES: Final = {
    "queue": "nft_queue",
    "conntrack": "nf_conntrack",
    "ctnetlink": "nf_conntrack_netlink",
    "features": "nf_tables",
}
"""What Debian's kernels have and need not have loaded, by need."""


def install(machine: Machine, need: str) -> tuple[str, ...]:
    """Return the command that installs what serves a need; () where none does."""
    openwrt, debian = _PACKAGES[need]
    if machine.packages == "opkg":
        return (f"opkg update && opkg install {openwrt}",)
    if machine.packages == "apk":
        return (f"apk update && apk add {openwrt}",)
    if machine.system == "debian" and need in _MODULES:
        return (f"modprobe {_MODULES[need]}",)
    if machine.packages == "apt" and debian:
        return (f"apt-get install {debian}",)
    return ()


def start(machine: Machine) -> tuple[str, ...]:
    """Return what starts the agent, now and with the machine."""
    if machine.system == "openwrt":
        return (
            "uci set ringfence.agent.enabled=1; uci commit ringfence",
            "/etc/init.d/ringfence enable; /etc/init.d/ringfence start",
            "logread -e ringfence",
        )
    if machine.system == "debian":
        return (
            "systemctl enable --now ringfence",
            "journalctl -u ringfence -n 20",
        )
    return ("ringfence run",)


def restart(machine: Machine) -> tuple[str, ...]:
    """Return what starts the agent anew, if it can start with its configuration."""
    if machine.system == "openwrt":
        return ("ringfence check && /etc/init.d/ringfence restart",)
    if machine.system == "debian":
        return ("ringfence check && systemctl restart ringfence",)
    return ("# ringfence check; stop ringfence, then: ringfence run",)


def reload(machine: Machine) -> tuple[str, ...]:
    """Return what makes the agent read its configuration anew."""
    if machine.system == "openwrt":
        return ("/etc/init.d/ringfence reload",)
    if machine.system == "debian":
        return ("systemctl reload ringfence",)
    return ("kill -HUP PID",)


def configure(readings: Readings, line: str, *, anew: bool = False) -> tuple[str, ...]:
    """Return how a line gets into the configuration and into force.

    `anew` for what a reload cannot change: `kernel.queue`, `kernel.binding`.
    """
    path = readings.configured.path or "/etc/ringfence/ringfence.toml"
    force = restart if anew else reload
    return (
        f"vi {path}  # {line}",
        f"ringfence check --config {path}",
        *force(readings.machine),
    )
