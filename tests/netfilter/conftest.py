"""A network namespace of its own for each test that meets the kernel."""

import itertools
import os
from collections.abc import Iterator

import pytest
from lab.namespaces import PREFIX, Namespace, run

_count = itertools.count()


@pytest.fixture
def namespace(_netns: None) -> Iterator[Namespace]:
    """Make a namespace with only a loopback interface; for tests marked `netns`."""
    made = Namespace(f"{PREFIX}{os.getpid()}-netfilter{next(_count)}")
    run("ip", "netns", "add", made.name)
    try:
        made.ip("link set lo up")
        yield made
    finally:
        made.delete()


@pytest.fixture
def entered(namespace: Namespace) -> Iterator[Namespace]:
    """Run the whole test, and the programs it starts, in its namespace."""
    with namespace.entered():
        yield namespace
