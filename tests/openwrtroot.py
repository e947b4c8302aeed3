"""A folder that passes for an OpenWrt, so far as our package's scripts can tell.

busybox's shell and tools, our files as the .ipk has them, and stand-ins for what
OpenWrt would bring: `rc.common` with procd's functions, `functions.sh`, `uci`. They do
what those do for us, and write down in /trace what they were asked for. Scripts run in
a chroot, so that their absolute paths are what they are on a router.

`lay_over_this_machine` is for the other half: our files as they are, with the agent in
them, over the root of the machine that tests run on.
"""

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Final

import openwrt
import pytest
import tree

STANDINS: Final = {
    "etc/rc.common": """\
#!/bin/sh
. "$IPKG_INSTROOT/lib/functions.sh"
initscript=$1
action=$2
shift 2
name=${initscript##*/}
trace() { echo "$*" >>/trace; }
boot() { start "$@"; }
service_triggers() { :; }
service_running() { return 0; }
enable() { ln -sf "../init.d/$name" "$IPKG_INSTROOT/etc/rc.d/S$START$name" &&
	ln -sf "../init.d/$name" "$IPKG_INSTROOT/etc/rc.d/K$STOP$name"; }
disable() { rm -f "$IPKG_INSTROOT/etc/rc.d/"[SK]??"$name"; }
enabled() { [ -x "$IPKG_INSTROOT/etc/rc.d/S$START$name" ]; }
restart() { stop; start; }
reload() { restart; }
commands=" start stop restart reload enable disable enabled running "
extra_command() { commands="$commands$1 "; }
. "$initscript"
if [ -n "$USE_PROCD" ]; then
	for call in open_instance close_instance set_param append_param add_jail \\
		add_reload_trigger send_signal; do
		eval "procd_$call() { trace procd_$call \\"\\$@\\"; }"
	done
	procd_running() { [ -e "/running/$1.$2" ]; }
	start() { trace open "$name"; start_service "$@"; service_triggers; trace close; }
	stop() { trace kill "$name"; }
	reload() { if type reload_service >/dev/null; then reload_service; else start; fi; }
	running() { service_running "$@"; }
fi
case "$commands" in *" $action "*) "$action" "$@" ;; *) echo "Syntax: $0"; exit 1 ;; esac
""",
    "lib/functions.sh": """\
config() { section=$2; }
option() { eval "config_${section}_$1=\\$2"; }
config_load() { [ -e "/etc/config/$1" ] && . "/etc/config/$1"; }
config_get_bool() {
	eval "value=\\${config_$2_$3}"
	case "$value" in
		1|on|true|yes|enabled) value=1 ;;
		0|off|false|no|disabled) value=0 ;;
		*) value=$4 ;;
	esac
	eval "$1=$value"
}
package_files() { grep "^$1" "$IPKG_INSTROOT/usr/lib/opkg/info/ringfence.list"; }
own_part() {
	local part="$IPKG_INSTROOT/usr/lib/opkg/info/ringfence.$1-pkg"
	[ ! -f "$part" ] || ( . "$part" )
}
default_postinst() {
	local script
	if [ -z "$IPKG_INSTROOT" ]; then
		for script in $(package_files /etc/uci-defaults/); do
			[ ! -f "$script" ] || { ( . "$script" ) && rm -f "$script"; }
		done
	fi
	own_part postinst
	for script in $(package_files /etc/init.d/); do
		if [ -n "$IPKG_INSTROOT" ]; then
			sh "$IPKG_INSTROOT/etc/rc.common" "$IPKG_INSTROOT$script" enable
		else
			[ "$PKG_UPGRADE" = 1 ] || "$script" enable
			"$script" start
		fi
	done
}
default_prerm() {
	local script
	own_part prerm
	for script in $(package_files /etc/init.d/); do
		[ "$PKG_UPGRADE" = 1 ] || "$script" disable
		"$script" stop
	done
}
""",
    "etc/init.d/firewall": '#!/bin/sh\necho "firewall $*" >>/trace\n',
    "sbin/uci": """\
#!/bin/sh
touch /uci
while :; do case "$1" in -*) shift ;; *) break ;; esac; done
command=$1
shift
case "$command" in
	get) sed -n "s/^$1=//p" /uci | grep . ;;
	set) value=${1#*=}; value=${value#\\'}
		sed -i "/^${1%%=*}=/d" /uci; echo "${1%%=*}=${value%\\'}" >>/uci ;;
	delete) grep "^$1=" /uci >/dev/null && sed -i "/^$1[.=]/d" /uci ;;
	commit) echo "uci commit $1" >>/trace ;;
	batch) while read -r line; do [ -z "$line" ] || eval "\\"$0\\" $line"; done ;;
esac
""",
    "sbin/ubus": "#!/bin/sh\ncat /ubus 2>/dev/null\n",
    "usr/bin/jsonfilter": "#!/bin/sh\ncat\n",
    "usr/sbin/nft": """\
#!/bin/sh
echo "nft $*" >>/trace
case "$*" in
	"list set inet ringfence sip_ports") cat /table 2>/dev/null ;;
	"flush set inet fw4 "*) [ -e /fw4 ] ;;
esac
""",
}
"""What a router has besides busybox, in our own words."""

TOOLS: Final = ("sh", "cat", "grep", "sed", "ln", "rm", "sleep", "touch", "tr")

AGENT: Final = """\
#!/bin/sh
echo "ringfence $*" >>/trace
[ "$1" != check ] || [ ! -e /broken ] || { echo "ringfence: line 3" >&2; exit 2; }
"""
"""In the place of the agent, which these tests are not about."""


def unpack(package: bytes) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    """Return the members of a gzipped tar by name, in order."""
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
        members = archive.getmembers()
        found: dict[str, tuple[tarfile.TarInfo, bytes]] = {}
        for member in members:
            file = archive.extractfile(member)
            found[member.name] = (member, b"" if file is None else file.read())
        assert len(found) == len(members)
    return found


def busybox() -> str:
    """Return the path of busybox; skip where there is none."""
    path = shutil.which("busybox")
    if path is None:
        pytest.skip("needs busybox (Debian: busybox-static)")
    return path


class OpenWrt:
    """The folder, and what is done in it."""

    def __init__(self, root: Path) -> None:
        """Lay out everything but our package; skip where this cannot be run."""
        if os.geteuid() != 0:
            pytest.skip("needs root, for a chroot")
        self.root = root
        shell = busybox()
        for name in ("bin", "proc", "tmp/run", "etc/rc.d", "usr/lib/opkg/info"):
            (root / name).mkdir(parents=True)
        (root / "var").symlink_to("tmp")
        shutil.copy(shell, root / "bin" / "busybox")
        for tool in TOOLS:
            (root / "bin" / tool).symlink_to("busybox")
        self.write("dev/null", "")
        for name, text in STANDINS.items():
            self.write(name, text, 0o755)
        if self.run("/bin/sh", "-c", "true").returncode != 0:
            pytest.skip(f"{shell} does not run in a chroot (Debian: busybox-static)")

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        """Write a file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def lay(self, package: bytes, *, keep: bool = False) -> None:
        """Do what opkg does with the files; `keep` leaves conffiles that are there."""
        outer = unpack(package)
        control = unpack(outer["./control.tar.gz"][1])
        kept = control["./conffiles"][1].decode().split() if keep else []
        listed = []
        for name, (member, data) in unpack(outer["./data.tar.gz"][1]).items():
            path = self.root / name
            if member.isdir():
                path.mkdir(exist_ok=True)
                continue
            listed.append(name[1:])
            if name[1:] in kept and path.exists():
                continue
            path.write_bytes(data)
            path.chmod(member.mode)
        info = self.root / "usr/lib/opkg/info"
        for name, (member, data) in control.items():
            if member.isfile():
                path = info / f"ringfence.{name[2:]}"
                path.write_bytes(data)
                path.chmod(member.mode)
        (info / "ringfence.list").write_text("".join(f"{name}\n" for name in listed))
        self.write("usr/bin/ringfence", AGENT, 0o755)

    def run(
        self, *words: str, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a program in the folder."""
        return subprocess.run(  # noqa: S603
            ["chroot", str(self.root), *words],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment},
        )

    def script(self, name: str, **environment: str) -> None:
        """Run a control script, as opkg calls it; it must not fail."""
        path = f"/usr/lib/opkg/info/ringfence.{name}"
        done = self.run("/bin/sh", path, **environment)
        assert (done.returncode, done.stderr) == (0, ""), done

    def service(self, action: str) -> "subprocess.CompletedProcess[str]":
        """Run `/etc/init.d/ringfence ACTION`."""
        return self.run("/etc/init.d/ringfence", action)

    def running(self, yes: bool) -> None:
        """Let procd say that the agent runs, or does not."""
        mark = self.root / "running" / "ringfence.agent"
        mark.parent.mkdir(exist_ok=True)
        if yes:
            mark.touch()
        else:
            mark.unlink(missing_ok=True)

    def trace(self) -> list[str]:
        """Return what was asked for since the last time."""
        path = self.root / "trace"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def switches(self, **values: str) -> None:
        """Write the uci configuration."""
        options = "".join(
            f"\toption {name} '{text}'\n" for name, text in values.items()
        )
        self.write("etc/config/ringfence", f"config ringfence 'agent'\n{options}")


def lay_over_this_machine(folder: Path) -> None:
    """Write our files, and a `python3` without any package besides its own modules."""
    # On this machine /lib is a link, which a folder would hide.
    held = [one for one in openwrt.entries() if not one.path.startswith("lib/")]
    tree.write(held, folder, 1_700_000_000)
    python = getattr(sys, "_base_executable", sys.executable)
    launcher = folder / "usr/sbin/python3"
    launcher.parent.mkdir(parents=True)
    launcher.write_text(f'#!/bin/sh\nexec {python} -S "$@"\n')
    launcher.chmod(0o755)
