"""A network namespace of its own for each test that meets the kernel."""

import itertools
import os
from collections.abc import Iterator

import pytest
from lab.namespaces import PREFIX, Namespace, run

_count = itertools.count()


@pytest.fixture
def entered(_netns: None) -> Iterator[Namespace]:
    """Run the whole test in a namespace with loopback; for tests marked `netns`."""
    made = Namespace(f"{PREFIX}{os.getpid()}-doctor{next(_count)}")
    run("ip", "netns", "add", made.name)
    try:
        made.ip("link set lo up")
        with made.entered():
            yield made
    finally:
        made.delete()
