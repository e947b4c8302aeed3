"""What all tests share: how hard hypothesis tries, and the lab of the live tests."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

# The lab is a package beside the tests; importlib mode adds no folder by itself.
sys.path.insert(0, str(Path(__file__).parent))

if TYPE_CHECKING:
    from lab.namespaces import Lab

hypothesis.settings.register_profile("fast", deadline=None, max_examples=100)
hypothesis.settings.register_profile("deep", deadline=None, max_examples=5000)
hypothesis.settings.load_profile(os.environ.get("RINGFENCE_HYPOTHESIS", "fast"))


@pytest.fixture(autouse=True)
def _netns(request: pytest.FixtureRequest) -> None:
    """Skip live tests, saying why, where the machine cannot hold the lab.

    With RINGFENCE_LIVE=required (CI) that is a failure instead.
    """
    if request.node.get_closest_marker("netns") is None:
        return
    from lab.requirements import missing

    lacks = ", ".join(missing())
    if lacks and os.environ.get("RINGFENCE_LIVE") == "required":
        pytest.fail(f"RINGFENCE_LIVE=required, but missing: {lacks}")
    if lacks:
        pytest.skip(f"live tests need {lacks}")


@pytest.fixture
def lab(_netns: None) -> "Iterator[Lab]":
    """A router that only routes: nothing but the agent asks for defragmentation."""
    from lab.namespaces import Lab

    with Lab() as lab:
        yield lab


@pytest.fixture
def nat_lab(_netns: None) -> "Iterator[Lab]":
    """A router as most offices have it: masquerading, SIP forwarded to the PBX."""
    from lab.namespaces import Lab

    with Lab(nat=True) as lab:
        yield lab
