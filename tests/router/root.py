"""The disk of a router: a small Debian system that no maintainer script has touched.

The packages are unpacked and not configured, since nothing of a foreign CPU runs here.
What their scripts would have done and this router needs is done by hand, and dpkg is
told what is there, so that installing our package checks what it depends on.
"""

import contextlib
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from router.machines import Machine

PACKAGES: Final = (
    # What every Debian system has (Essential: yes).
    *("base-files", "base-passwd", "bash", "bsdutils", "coreutils", "dash"),
    *("debianutils", "diffutils", "dpkg", "findutils", "grep", "gzip", "hostname"),
    *("init-system-helpers", "libc-bin", "login", "ncurses-base", "ncurses-bin"),
    *("perl-base", "sed", "sysvinit-utils", "tar", "usr-is-merged", "util-linux"),
    # A router's.
    *("systemd", "systemd-sysv", "kmod", "iproute2", "nftables", "python3"),
)
TOOLS: Final = ("mmdebstrap", "kmod", "e2fsprogs", "cpio")
"""Debian packages that make such a disk."""

DISK: Final = "400M"

_NEEDLESS: Final = (
    *("usr/share/doc", "usr/share/locale", "usr/share/man", "usr/share/info"),
    *("usr/share/zoneinfo", "usr/share/i18n", "usr/include", "usr/share/lintian"),
    *("usr/share/perl5", "usr/share/bash-completion", "usr/share/zsh"),
    *("usr/lib/udev", "lib/udev", "boot"),
)
_MODULES: Final = (
    *("net/netfilter", "net/ipv4", "net/ipv6", "net/core", "net/sched", "lib"),
    *("drivers/net/veth.ko", "drivers/net/dummy.ko", "crypto/crc32c_generic.ko"),
    *("drivers/block/zram", "mm", "crypto/lzo.ko", "crypto/lzo-rle.ko"),
)
"""What of the kernel's modules is kept, below its folder of modules."""

_MASKED: Final = (
    *("systemd-logind.service", "systemd-udevd.service", "systemd-binfmt.service"),
    *(
        "systemd-udev-trigger.service",
        "getty.target",
        "proc-sys-fs-binfmt_misc.automount",
    ),
    *("systemd-update-utmp.service", "systemd-update-utmp-runlevel.service"),
    *("systemd-user-sessions.service", "systemd-random-seed.service"),
    "systemd-repart.service",
    *("systemd-ask-password-console.path", "systemd-ask-password-wall.path"),
    *("dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-debug.mount"),
    *("sys-kernel-tracing.mount", "sys-kernel-config.mount"),
    *("sys-fs-fuse-connections.mount", "systemd-tmpfiles-clean.timer"),
)
"""Units of a desk or a data centre. A router's boot is none the less complete."""

_SWAP: Final = """\
[Unit]
Description=compressed swap in memory
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/sbin/modprobe zram
ExecStart=/bin/sh -c "echo {size}M >/sys/block/zram0/disksize"
ExecStart=/sbin/mkswap -q /dev/zram0
ExecStart=/sbin/swapon /dev/zram0
"""

_INIT: Final = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in {modules}; do insmod /$module.ko; done
n=0
while [ ! -b {root} ] && [ $n -lt 50 ]; do sleep 0.2; n=$((n + 1)); done
mount -t ext4 {root} /new && exec switch_root /new /sbin/init
echo "no disk"
"""


class Boot(NamedTuple):
    """What a machine starts from."""

    kernel: Path
    release: str
    """The kernel's version, as `uname -r` says it."""
    initial: Path | None
    root: Path
    """The folder that becomes its disk."""


def _run(*command: str | Path) -> bytes:
    done = subprocess.run(  # noqa: S603 - Debian's own tools
        list(command),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise RuntimeError(f"{command[0]}: {said[-2000:]}")
    return done.stdout


def unpack(machine: Machine, suite: str, sources: list[Path], root: Path) -> bool:
    """Unpack the packages of a CPU, with all that they depend on.

    Returns False when that was to be had without Debian's security updates only: a
    mirror may have an index of theirs that is not the one they have signed, and apt
    refuses it. What is shown here does not depend on them.
    """
    command: list[str | Path] = [
        *("mmdebstrap", "-q", "--variant=extract", f"--arch={machine.name}"),
        "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
        "--skip=essential/unlink,cleanup/apt/cache",
        "--include=" + ",".join(packages_of(machine)),
        *(suite, root),
    ]
    complete = True
    try:
        _run(*command, *sources)
    except RuntimeError as error:
        fewer = root.with_name(f"sources-{machine.name}")
        if "apt-get update" not in str(error) or not leave_out_security(sources, fewer):
            raise
        complete = False
        shutil.rmtree(root)
        _run(*command, *sorted(fewer.iterdir()))
    _tell_dpkg(root)
    return complete


def packages_of(machine: Machine) -> tuple[str, ...]:
    """Return what is installed on a machine, without what it depends on."""
    more = ("busybox-static",) if machine.modules else ()
    return (*PACKAGES, *more, machine.kernel_package)


def leave_out_security(sources: list[Path], folder: Path) -> bool:
    """Write apt's sources anew without security updates; tells whether there were any.

    Knows both forms, one line for a source and a paragraph for each.
    """
    folder.mkdir()
    found = False
    for path in sources:
        between = "\n\n" if path.suffix == ".sources" else "\n"
        parts = path.read_text().split(between)
        kept = [part for part in parts if "-security" not in part]
        found |= len(kept) < len(parts)
        (folder / path.name).write_text(between.join(kept) + "\n")
    return found


def _tell_dpkg(root: Path) -> None:
    """Write what dpkg would know, had it unpacked these packages itself."""
    database = root / "var/lib/dpkg"
    archives = root / "var/cache/apt/archives"
    stanzas = []
    for package in sorted(archives.glob("*.deb")):
        control = _members(package, "--ctrl-tarfile")
        fields = control["./control"].decode()
        names = dict(
            line.split(": ", 1) for line in fields.splitlines() if ": " in line
        )
        name = names["Package"]
        if names.get("Multi-Arch") == "same":
            name += f":{names['Architecture']}"
        # What is told of files; scripts are left out, since none of them ever ran.
        for kind in ("md5sums", "conffiles"):
            if f"./{kind}" in control:
                (database / f"info/{name}.{kind}").write_bytes(control[f"./{kind}"])
        listed = _run("dpkg-deb", "--fsys-tarfile", package)
        with tarfile.open(fileobj=io.BytesIO(listed)) as files:
            paths = [member.name.removeprefix(".") or "/." for member in files]
        (database / "info" / f"{name}.list").write_text("\n".join(paths) + "\n")
        kept = control.get("./conffiles", b"").decode().split("\n")
        conffiles = "".join(
            f"\n {path} {hashlib.md5((root / path[1:]).read_bytes()).hexdigest()}"  # noqa: S324
            for path in kept
            if path.startswith("/") and (root / path[1:]).is_file()
        )
        status = "Status: install ok installed\n"
        head, _, rest = fields.rstrip("\n").partition("\n")
        stanza = f"{head}\n{status}{rest}\n"
        if conffiles:
            stanza += f"Conffiles:{conffiles}\n"
        stanzas.append(stanza)
    # Names of files carry the architecture, where a package can have several.
    (database / "info/format").write_text("1\n")
    (database / "status").write_text("\n".join(stanzas))
    shutil.rmtree(archives)


def _members(package: Path, part: str) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(_run("dpkg-deb", part, package))) as files:
        return {
            member.name: content.read()
            for member in files
            if (content := files.extractfile(member)) is not None
        }


def furnish(machine: Machine, root: Path) -> Boot:
    """Do what maintainer scripts do, and take away what a router has no room for."""
    (image,) = (root / "boot").glob("vmlinu*")
    release = image.name.partition("-")[2]
    kernel = root.parent / f"kernel-{machine.name}"
    shutil.copyfile(image, kernel)
    initial = _initial(machine, root, release) if machine.modules else None
    for name in _NEEDLESS:
        shutil.rmtree(root / name, ignore_errors=True)
    _slim_modules(root, release)
    if not (root / "bin/sh").exists():
        (root / "bin/sh").symlink_to("dash")
    for name in ("passwd", "group"):
        shutil.copyfile(
            root / f"usr/share/base-passwd/{name}.master", root / "etc" / name
        )
    with (root / "etc/group").open("a") as groups:
        groups.write("systemd-journal:x:999:\n")
    (root / "etc/machine-id").write_text("0123456789abcdef" * 2 + "\n")
    (root / "etc/hostname").write_text(f"router-{machine.name}\n")
    (root / "etc/fstab").write_text("")
    for name, target in {"var/run": "../run", "var/lock": "../run/lock"}.items():
        with contextlib.suppress(FileExistsError):
            (root / name).symlink_to(target)
    # Nothing of these has to be brought up to date at the first boot.
    for name in ("etc/.updated", "var/.updated"):
        (root / name).touch()
    units = root / "etc/systemd/system"
    for name in _MASKED:
        with contextlib.suppress(FileExistsError):
            (units / name).symlink_to("/dev/null")
    generators = root / "etc/systemd/system-generators"
    generators.mkdir(exist_ok=True)
    for path in (root / "lib/systemd/system-generators").iterdir():
        (generators / path.name).symlink_to("/dev/null")
    if machine.swap:
        (units / "zram-swap.service").write_text(_SWAP.format(size=machine.swap))
        wanted = units / "sysinit.target.wants"
        wanted.mkdir(exist_ok=True)
        (wanted / "zram-swap.service").symlink_to("../zram-swap.service")
    (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")
    (root / "etc/systemd/journald.conf").write_text(
        # On the disk: memory is what this is about.
        "[Journal]\nStorage=persistent\nSystemMaxUse=16M\n"
        # Every event counts here, also where hundreds come at once.
        "RateLimitIntervalSec=0\n"
    )
    bounds = root / "etc/systemd/system.conf.d"
    bounds.mkdir()
    (bounds / "router.conf").write_text(
        # What systemd has anyway, for a machine that is slower than amd64.
        f"[Manager]\nDefaultTimeoutStartSec={90 * machine.patience}s\n"
    )
    _compile(root)
    return Boot(kernel, release, initial, root)


def _slim_modules(root: Path, release: str) -> None:
    modules = root / "lib/modules" / release
    kernel = modules / "kernel"
    kept = [
        path
        for name in _MODULES
        for found in kernel.glob(f"{name}*")
        for path in (found.rglob("*.ko*") if found.is_dir() else (found,))
    ]
    aside = root / "lib/modules" / "kept"
    for path in kept:
        to = aside / path.relative_to(kernel)
        to.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, to)
    shutil.rmtree(kernel)
    aside.rename(kernel)
    _run("depmod", "-b", root, release)


def _compile(root: Path) -> None:
    """Compile Python's library, as the package's script does, if we are that Python.

    Else the router does it when it needs a module for the first time.
    """
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    library = root / "usr/lib" / version
    if not library.is_dir():
        return
    for name in ("test", "lib2to3", "idlelib", "distutils", "pydoc_data"):
        shutil.rmtree(library / name, ignore_errors=True)
    _run(sys.executable, "-m", "compileall", "-q", "-s", root, "-p", "/", library)


def _initial(machine: Machine, root: Path, release: str) -> Path:
    """Make the initial RAM disk: busybox, and the modules that the disk needs."""
    folder = root.parent / f"initial-{machine.name}"
    for name in ("bin", "proc", "sys", "dev", "new"):
        (folder / name).mkdir(parents=True)
    shutil.copyfile(root / "bin/busybox", folder / "bin/busybox")
    (folder / "bin/busybox").chmod(0o755)
    for name in ("sh", "mount", "insmod", "sleep", "switch_root", "echo", "["):
        (folder / "bin" / name).symlink_to("busybox")
    _run("depmod", "-b", root, release)
    order = list(in_order(root / "lib/modules" / release, machine.modules))
    for path in order:
        shutil.copyfile(path, folder / path.name)
    init = folder / "init"
    init.write_text(
        _INIT.format(modules=" ".join(path.stem for path in order), root=machine.root)
    )
    init.chmod(0o755)
    packed = root.parent / f"initial-{machine.name}.cpio"
    names = "".join(
        f"./{path.relative_to(folder)}\n" for path in sorted(folder.rglob("*"))
    )
    with packed.open("wb") as out:
        subprocess.run(
            ["cpio", "--quiet", "-o", "-H", "newc"],  # noqa: S607
            input=names.encode(),
            stdout=out,
            cwd=folder,
            check=True,
        )
    return packed


def in_order(modules: Path, wanted: tuple[str, ...]) -> Iterator[Path]:
    """Yield modules, each behind those that it needs; built-in ones are left out."""
    needs = {}
    for line in (modules / "modules.dep").read_text().splitlines():
        path, _, others = line.partition(":")
        needs[Path(path).name.removesuffix(".ko")] = [path, *others.split()]
    seen = set()
    for name in wanted:
        for path in reversed(needs.get(name, [])):
            if path not in seen:
                seen.add(path)
                yield modules / path


def make_disk(root: Path, disk: Path) -> None:
    """Make the file system, with a journal as any router's has."""
    _run("mke2fs", "-q", "-t", "ext4", "-m", "0", "-d", root, disk, DISK)
