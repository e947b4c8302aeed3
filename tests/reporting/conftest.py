"""Reports are made by the clock of Japan, whatever the machine's zone."""

import os
import time
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def japan() -> Iterator[None]:
    """Set the zone as POSIX writes it, which needs no file of zones."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "JST-9"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()
