"""Nothing that a Linux receiver puts together is hidden from us.

Evasion is a packet that the kernel reads one way and we another. The kernel of the
machine that runs the tests is asked, in a namespace of its own: see `receiver.py`.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.netns
@pytest.mark.parametrize("seed", [1, 2])
def test_the_kernel_delivers_nothing_that_we_do_not_see(seed: int) -> None:
    program = Path(__file__).with_name("receiver.py")
    done = subprocess.run(  # noqa: S603 - our own program, in a new namespace
        ["unshare", "--net", sys.executable, str(program), str(seed)],  # noqa: S607
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    result = json.loads(done.stdout)
    assert result["missed"] == []
    # The seed fixes what is sent; a kernel may refuse some of it, not nearly all.
    assert result["fragmented"] > 300
    assert result["single"] > 1_000
