"""ringfence: a firewall agent for VoIP routers."""

import sys

__version__ = "0.1.0"


def _import_pathlib_without_urllib() -> None:
    """Import `pathlib` where `urllib` is not installed, as with OpenWrt's python3-light.

    Before Python 3.13 it wants one function of it, for `Path.as_uri`, which nobody here
    calls. What stands in for that is gone again when this returns.
    """
    from types import ModuleType

    package, parse = ModuleType("urllib"), ModuleType("urllib.parse")
    parse.quote_from_bytes = None  # type: ignore[attr-defined]
    sys.modules |= {"urllib": package, "urllib.parse": parse}
    try:
        import pathlib  # noqa: F401
    finally:
        del sys.modules["urllib"], sys.modules["urllib.parse"]


if sys.version_info < (3, 13):
    try:
        import urllib.parse  # noqa: F401
    except ModuleNotFoundError:
        _import_pathlib_without_urllib()
