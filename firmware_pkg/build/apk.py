"""The package for apk: OpenWrt from 25.12 on.

Knows how `apk mkpkg` is called and which helper files OpenWrt wants in the package.
The format itself is apk's own, and changes with it: where there is no apk of version 3
there is no package.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import openwrt
import stage
import tree
from stage import Entry

ARCHITECTURE: Final = "noarch"
_HELPERS: Final = "lib/apk/packages"

_STEP: Final = (
    "#!/bin/sh\n"
    '[ -s "$IPKG_INSTROOT/lib/functions.sh" ] || exit 0\n'
    '. "$IPKG_INSTROOT/lib/functions.sh"\n'
    f'export root="$IPKG_INSTROOT"\nexport pkgname={openwrt.NAME}\n'
)
# default_postinst and default_prerm find no `-pkg` script where apk is, so our own
# parts stand in the scripts themselves.
_SCRIPTS: Final = {
    "post-install": f"{_STEP}(\n{openwrt.POSTINST})\ndefault_postinst\n",
    "post-upgrade": f"export PKG_UPGRADE=1\n{_STEP}(\n{openwrt.POSTINST})\n"
    "default_postinst\n",
    "pre-deinstall": f"{_STEP}(\n{openwrt.PRERM})\ndefault_prerm\n",
    "pre-upgrade": f"export PKG_UPGRADE=1\n{_STEP}(\n{openwrt.PRERM})\ndefault_prerm\n",
    "post-deinstall": openwrt.POSTRM,
}


def lacking() -> str:
    """Say what keeps this machine from building it; "" when nothing does."""
    program = shutil.which("apk")
    if program is None:
        return "there is no program apk here"
    done = subprocess.run(  # noqa: S603 - no shell
        [program, "mkpkg", "--help"], capture_output=True, text=True, check=False
    )
    if "mkpkg" not in done.stdout + done.stderr:
        return f"{program} has no command mkpkg; it takes apk 3"
    if os.geteuid() != 0:
        return "apk takes owners from the files, so this needs root or fakeroot"
    return ""


def scripts() -> dict[str, str]:
    """Return the scripts by the names that apk gives them."""
    return {
        name: text if text.startswith("#!") else f"#!/bin/sh\n{text}"
        for name, text in _SCRIPTS.items()
    }


def entries() -> list[Entry]:
    """Return what is installed, with the lists that OpenWrt's scripts read."""
    found = openwrt.entries()
    sums = "".join(
        f"/{entry.path} {hashlib.sha256(entry.data).hexdigest()}\n"
        for entry in found
        if entry.kept
    )
    helpers = {
        "list": "".join(f"/{entry.path}\n" for entry in found),
        "conffiles": openwrt.conffiles(),
        "conffiles_static": sums,
    }
    return [
        *found,
        *(
            Entry(f"{_HELPERS}/{openwrt.NAME}.{end}", text.encode())
            for end, text in helpers.items()
        ),
    ]


def build(out: Path) -> Path:
    """Write the package into a folder; return its path.

    Raises RuntimeError when apk refuses. Ask `lacking` first.
    """
    path = out / f"{openwrt.NAME}-{openwrt.release()}.apk"
    depends = [f"python3-light>={openwrt.PYTHON}", *openwrt.DEPENDS]
    info = {
        "name": openwrt.NAME,
        "version": openwrt.release(),
        "description": openwrt.TITLE,
        "arch": ARCHITECTURE,
        "license": openwrt.LICENSE,
        "maintainer": openwrt.MAINTAINER,
        "depends": " ".join(depends),
    }
    time = stage.source_date()
    with tempfile.TemporaryDirectory() as scratch:
        files = Path(scratch, "files")
        tree.write(entries(), files, time)
        words = ["apk", "mkpkg", "--files", str(files), "--output", str(path)]
        for name, value in info.items():
            words += ["--info", f"{name}:{value}"]
        for name, text in scripts().items():
            script = Path(scratch, name)
            script.write_text(text, encoding="utf-8")
            script.chmod(0o755)
            words += ["--script", f"{name}:{script}"]
        done = subprocess.run(  # noqa: S603 - no shell
            words,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "SOURCE_DATE_EPOCH": str(time)},
        )
    if done.returncode != 0:
        raise RuntimeError(f"apk mkpkg: {(done.stderr or done.stdout).strip()}")
    return path
