"""The interface of the live probe: there for a moment, gone whatever ends us."""

import os
import select
import signal
import socket
import subprocess
import sys

import pytest
from lab.namespaces import Namespace
from ringfence.doctor.probing import _packet
from ringfence.doctor.tunnel import Tunnel, tunsetiff

OURS, THEIRS = "192.0.2.249", "192.0.2.250"


@pytest.mark.parametrize(
    ("machine", "number"),
    [
        ("x86_64", 0x400454CA),
        ("aarch64", 0x400454CA),
        ("armv7l", 0x400454CA),
        ("riscv64", 0x400454CA),
        ("mips", 0x800454CA),
        ("mips64", 0x800454CA),
        ("ppc", 0x800454CA),
    ],
)
def test_the_call_s_number_depends_on_the_machine(machine: str, number: int) -> None:
    assert tunsetiff(machine) == number


def interfaces(namespace: Namespace) -> str:
    return namespace.run("ip", "-o", "link")


@pytest.mark.netns
def test_packets_come_in_and_go_out(entered: Namespace) -> None:
    with Tunnel(OURS, "255.255.255.248") as tunnel:
        assert tunnel.name in interfaces(entered)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            own.settimeout(5)
            own.bind((OURS, 0))
            port = own.getsockname()[1]
            tunnel.inject(_packet(THEIRS, OURS, 5060, port, b"hello"))
            assert own.recvfrom(100) == (b"hello", (THEIRS, 5060))
            own.sendto(b"goodbye", (THEIRS, 5060))
            select.select([tunnel], [], [], 5)
            out = [packet for packet in tunnel.gone_out() if packet[9] == 17]
    assert len(out) == 1
    assert out[0].endswith(b"goodbye")
    assert "rf-probe" not in interfaces(entered)


@pytest.mark.netns
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_of_it_whatever_ends_us(
    entered: Namespace, number: signal.Signals
) -> None:
    program = (
        "import time\nfrom ringfence.doctor.tunnel import Tunnel\n"
        f"with Tunnel('{OURS}', '255.255.255.248'):\n"
        "    print('there', flush=True)\n    time.sleep(20)\n"
    )
    process = subprocess.Popen(  # noqa: S603 - our own words
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    with process.stdout as said:
        assert said.readline() == b"there\n"
        assert "rf-probe" in interfaces(entered)
        os.kill(process.pid, number)
        process.wait(5)
    assert "rf-probe" not in interfaces(entered)


@pytest.mark.netns
def test_what_cannot_be_had_leaves_nothing(entered: Namespace) -> None:
    with (
        pytest.raises(OSError, match=r"Invalid argument"),
        Tunnel("192.0.2.249", "1.2.3.4"),
    ):
        pass
    assert "rf-probe" not in interfaces(entered)
