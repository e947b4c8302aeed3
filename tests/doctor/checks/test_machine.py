"""Clock, memory, disk."""

import pytest
from doctoring import DAY, DEBIAN, HEALTHY, NOW, one
from ringfence.doctor.checks.machine import MOST_AGENT, SPARE, USUAL_BUNDLE
from ringfence.doctor.readings import Bundle, Clock, Disk, Memory, Stored, Unread


@pytest.mark.parametrize(
    ("clock", "state"),
    [
        (Clock(NOW, NOW, True), "fine"),
        (Clock(NOW, NOW, None), "fine"),
        (Clock(NOW, NOW, False), "note"),
        (Clock(NOW, NOW + 1, True), "problem"),
        (Clock(0, NOW, False), "problem"),
    ],
)
def test_clock(clock: Clock, state: str) -> None:
    assert one("clock", clock=clock).state == state


def test_a_clock_behind_the_bundle_is_not_set() -> None:
    ahead = Stored((Bundle("a", "1.42", NOW + 2 * DAY, NOW + 9 * DAY),), "a")
    said = one("clock", stored=ahead)
    assert said.state == "problem"
    assert "2.0 days behind" in said.what
    assert one("clock", stored=Unread("not root")).state == "fine"
    assert one("clock", HEALTHY._replace(machine=DEBIAN), stored=ahead).do[0] == (
        "timedatectl set-ntp true"
    )
    assert one("clock", clock=Unread("x")).state == "unknown"


def test_memory_that_the_agent_may_need() -> None:
    need = MOST_AGENT + SPARE
    assert one("memory", memory=Memory(need, 128 << 20)).state == "fine"
    assert one("memory", memory=Memory(need - 1, 128 << 20)).state == "warning"
    # What a running agent has, it need not get.
    has = 12 << 20
    assert one("memory", memory=Memory(need - has, 128 << 20, has)).state == "fine"
    assert one("memory", memory=Memory(need - has - 1, 0, has)).state == "warning"
    assert one("memory", memory=Unread("x")).state == "unknown"


def test_room_for_bundles() -> None:
    need = 2 * USUAL_BUNDLE + (64 << 10)
    folder = "/etc/ringfence/rules"
    assert one("disk", disk=Disk(folder, need, False, 0)).state == "fine"
    assert one("disk", disk=Disk(folder, need - 1, False, 0)).state == "warning"
    # A larger bundle than usual is there: two of its size have to fit.
    large = 1 << 20
    assert one("disk", disk=Disk(folder, need, False, large)).state == "warning"
    assert one("disk", disk=Disk(folder, need, True, 0)).state == "warning"
    assert "read-only" in one("disk", disk=Disk(folder, need, True, 0)).what
    assert one("disk", disk=Unread("x")).state == "unknown"
