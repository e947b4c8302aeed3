"""A Python as OpenWrt's package `python3-light` has it: without much of its library.

What is split out of it is listed in lang/python/python3/files/*.mk of OpenWrt's packages
feed, and alike in 23.05, 24.10, 25.12 and the head of 2026. The rest of the standard
library is there, all of `encodings` too.
"""

import os
from pathlib import Path
from typing import Final

SPLIT_OUT: Final = {
    "python3-asyncio": "asyncio _asyncio",
    "python3-codecs": "unicodedata _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp "
    "_codecs_kr _codecs_tw",
    "python3-ctypes": "ctypes _ctypes",
    "python3-dbm": "dbm _dbm _gdbm",
    "python3-decimal": "decimal _decimal",
    "python3-email": "email",
    "python3-logging": "logging",
    "python3-lzma": "lzma _lzma",
    "python3-multiprocessing": "multiprocessing _multiprocessing",
    "python3-ncurses": "curses _curses _curses_panel",
    "python3-openssl": "_hashlib _ssl",
    "python3-pydoc": "doctest pydoc pydoc_data",
    "python3-readline": "readline",
    "python3-sqlite3": "sqlite3 _sqlite3",
    "python3-unittest": "unittest",
    "python3-urllib": "urllib",
    "python3-uuid": "uuid _uuid",
    "python3-venv": "ensurepip venv",
    "python3-xml": "xml xmlrpc _elementtree pyexpat",
    "in no package": "idlelib nis test tkinter _tkinter turtledemo webbrowser "
    "_osx_support",
    # There in 23.05 and 24.10, whose Python is 3.11, and gone from 3.12 or 3.13.
    "gone since": "aifc asynchat asyncore audioop cgi cgitb chunk crypt _crypt "
    "distutils imghdr imp lib2to3 mailcap nntplib ossaudiodev pipes smtpd sndhdr spwd "
    "sunau telnetlib uu xdrlib",
}
LACKING: Final = frozenset(
    name for names in SPLIT_OUT.values() for name in names.split()
)

OURS: Final = frozenset({"ringfence"})
"""What is installed beside the standard library."""

_SITECUSTOMIZE: Final = """
import sys

class Light:
    lacking = {lacking!r}
    ours = {ours!r}

    @classmethod
    def has(cls, name):
        top = name.partition(".")[0]
        return top in cls.ours or (
            top in sys.stdlib_module_names and top not in cls.lacking
        )

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if not cls.has(name):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

for name in list(sys.modules):
    if not Light.has(name) and name not in ("__main__", "sitecustomize"):
        del sys.modules[name]
sys.meta_path.insert(0, Light)
"""


def environment(folder: Path, agent: Path) -> dict[str, str]:
    """Return what makes an interpreter, and all that it starts, as poor as that.

    `folder` is written to; `agent` is where the package is.
    """
    text = _SITECUSTOMIZE.format(lacking=set(LACKING), ours=set(OURS))
    (folder / "sitecustomize.py").write_text(text, encoding="utf-8")
    path = os.pathsep.join((str(folder), str(agent)))
    return {"PYTHONPATH": path, "PYTHONNOUSERSITE": "1"}
