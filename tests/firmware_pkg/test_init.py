"""The init script, run by busybox's shell: what procd is told."""

import threading
import time
from pathlib import Path

import ipk
import openwrt
import pytest
from openwrtroot import OpenWrt

STARTED = [
    "open ringfence",
    "procd_open_instance agent",
    "procd_set_param command /usr/bin/ringfence run",
    "procd_set_param respawn 3600 5 0",
    "procd_set_param term_timeout 15",
    "procd_set_param reload_signal HUP",
    "procd_set_param file /etc/ringfence/ringfence.toml",
    "procd_set_param stdout 1",
    "procd_set_param stderr 1",
    "procd_close_instance",
    "procd_add_reload_trigger ringfence",
    "close",
]
NOTHING = ["open ringfence", "procd_add_reload_trigger ringfence", "close"]


@pytest.fixture
def router(tmp_path: Path) -> OpenWrt:
    router = OpenWrt(tmp_path)
    router.lay(ipk.package(openwrt.entries(), 0))
    return router


def test_as_installed_it_starts(router: OpenWrt) -> None:
    assert router.service("start").returncode == 0
    assert router.trace() == STARTED


def test_in_a_jail_where_there_is_one(router: OpenWrt) -> None:
    router.write("sbin/ujail", "#!/bin/sh\n", 0o755)
    router.service("start")
    jail = [
        "procd_add_jail ringfence",
        "procd_set_param capabilities /etc/capabilities/ringfence.json",
        "procd_set_param no_new_privs 1",
    ]
    end = STARTED.index("procd_close_instance")
    assert router.trace() == [*STARTED[:end], *jail, *STARTED[end:]]
    (router.root / "etc/capabilities/ringfence.json").unlink()
    router.service("start")
    assert router.trace() == STARTED


@pytest.mark.parametrize("word", ["0", "off", "no"])
def test_disabled(router: OpenWrt, word: str) -> None:
    router.switches(enabled=word)
    assert router.service("start").returncode == 0
    assert router.trace() == NOTHING
    assert not (router.root / "var/run/ringfence.started").exists()


def test_without_switches_it_protects(router: OpenWrt) -> None:
    (router.root / "etc/config/ringfence").unlink()
    router.service("start")
    assert router.trace() == STARTED


def test_bans_are_kept(router: OpenWrt) -> None:
    router.switches(enabled="1", keep_bans="1")
    router.service("start")
    assert "procd_append_param command --keep-bans" in router.trace()


def test_there_is_a_run_afterwards(router: OpenWrt) -> None:
    """It is missing up to 23.05, and what is in memory must not be on the flash."""
    router.service("start")
    assert (router.root / "run").readlink() == Path("/var/run")
    router.service("start")
    assert not (router.root / "var/run/run").is_symlink()


def test_a_run_that_is_there_stays(router: OpenWrt) -> None:
    (router.root / "run").mkdir()
    router.service("start")
    assert (router.root / "run").is_dir()
    assert not (router.root / "run").is_symlink()


def test_reload_of_what_runs_is_a_signal(router: OpenWrt) -> None:
    router.service("start")
    router.running(True)
    router.trace()
    assert router.service("reload").returncode == 0
    assert router.trace() == ["procd_send_signal ringfence agent HUP"]


def test_a_broken_configuration_is_the_agents_to_refuse(router: OpenWrt) -> None:
    """It keeps the one it has, as `test_installed.py` shows."""
    router.service("start")
    router.running(True)
    router.write("broken", "")
    router.trace()
    assert router.service("reload").returncode == 0
    assert router.trace() == ["procd_send_signal ringfence agent HUP"]


def test_reload_starts_what_does_not_run(router: OpenWrt) -> None:
    router.service("reload")
    assert router.trace() == STARTED


def test_reload_ends_what_was_disabled(router: OpenWrt) -> None:
    router.service("start")
    router.running(True)
    router.trace()
    router.switches(enabled="0")
    router.service("reload")
    assert router.trace() == NOTHING  # procd ends what is not in the new list


def test_reload_with_another_command_line_is_a_restart(router: OpenWrt) -> None:
    router.service("start")
    router.running(True)
    router.trace()
    router.switches(enabled="1", keep_bans="1")
    assert router.service("reload").returncode == 0
    trace = router.trace()
    assert trace[:3] == ["ringfence check", "kill ringfence", "open ringfence"]
    assert "procd_append_param command --keep-bans" in trace
    router.service("reload")
    assert router.trace() == ["procd_send_signal ringfence agent HUP"]


def test_restart_with_a_broken_configuration_leaves_the_old_one(
    router: OpenWrt,
) -> None:
    router.write("broken", "")
    done = router.service("restart")
    assert done.returncode == 1
    assert "line 3" in done.stderr
    assert "left as it is" in done.stderr
    assert router.trace() == ["ringfence check"]


def test_restart_waits_for_the_end(router: OpenWrt) -> None:
    """The queue has one listener: the next agent must not come before that."""
    process = router.root / "proc" / "4711"
    process.mkdir()
    router.write("ubus", "4711\n")
    end = threading.Timer(1.5, process.rmdir)
    end.start()
    began = time.monotonic()
    done = router.service("restart")
    end.join()
    assert time.monotonic() - began >= 1.5
    assert done.returncode == 0, done.stderr
    trace = router.trace()
    assert trace[:2] == ["ringfence check", "kill ringfence"]
    assert trace[-1] == "close"


def test_clearing_waits_for_the_end(router: OpenWrt) -> None:
    """An agent that runs puts its table back; one that keeps bans leaves it."""
    process = router.root / "proc" / "4711"
    process.mkdir()
    router.write("ubus", "4711\n")
    router.write(
        "usr/bin/ringfence",
        '#!/bin/sh\n[ -d /proc/4711 ] && echo early; echo "$*" >>/trace\n',
        0o755,
    )
    end = threading.Timer(1.5, process.rmdir)
    end.start()
    done = router.service("clear")
    end.join()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert router.trace() == ["kill ringfence", "cleanup"]


def test_stop_and_running(router: OpenWrt) -> None:
    assert router.service("stop").returncode == 0
    assert router.trace() == ["kill ringfence"]
    assert router.service("running").returncode != 0
    router.running(True)
    assert router.service("running").returncode == 0


def test_between_the_firewall_and_the_end_of_the_network(router: OpenWrt) -> None:
    assert router.service("enable").returncode == 0
    assert sorted(path.name for path in (router.root / "etc/rc.d").iterdir()) == [
        "K95ringfence",
        "S21ringfence",
    ]
