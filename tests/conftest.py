"""What all tests share: how hard hypothesis tries, and the lab of the live tests."""

import os
from collections.abc import Iterator

import hypothesis
import pytest
from lab.network import Lab
from lab.requirements import missing

hypothesis.settings.register_profile("fast", deadline=None, max_examples=100)
hypothesis.settings.register_profile("deep", deadline=None, max_examples=5000)
hypothesis.settings.load_profile(os.environ.get("RINGFENCE_HYPOTHESIS", "fast"))


@pytest.fixture(scope="session")
def live() -> None:
    """Skip live tests, saying why, where the machine cannot hold the lab.

    With RINGFENCE_LIVE=required (CI) that is a failure instead. For labs that several
    tests share; each test with the mark `netns` has it anyhow.
    """
    lacks = ", ".join(missing())
    if lacks and os.environ.get("RINGFENCE_LIVE") == "required":
        pytest.fail(f"RINGFENCE_LIVE=required, but missing: {lacks}")
    if lacks:
        pytest.skip(f"live tests need {lacks}")


@pytest.fixture(autouse=True)
def _netns(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("netns") is not None:
        request.getfixturevalue("live")


@pytest.fixture
def binding() -> str:
    """The `kernel.binding` of the agents in the lab; tests of both ask for each."""
    return "auto"


@pytest.fixture
def lab(_netns: None, binding: str) -> Iterator[Lab]:
    """A router that only routes: nothing but the agent asks for defragmentation."""
    with Lab() as lab:
        lab.binding = binding
        yield lab


@pytest.fixture
def nat_lab(_netns: None, binding: str) -> Iterator[Lab]:
    """A router as most offices have it: masquerading, SIP forwarded to the PBX."""
    with Lab(nat=True) as lab:
        lab.binding = binding
        yield lab
