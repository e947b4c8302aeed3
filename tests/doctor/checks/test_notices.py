"""Notices, before somebody relies on them."""

import os
from pathlib import Path
from typing import Any

import pytest
from doctoring import DEBIAN, HEALTHY, agent, config, found, one, settings, states
from ringfence.doctor.notifying import notify
from ringfence.doctor.readings import Notify, Posting, Telling

WAY = {"waiting": 0, "sent": 1, "failed": 0, "given_up": 0, "lost": 0, "error": None}


def telling(**said: Any) -> dict[str, Any]:
    return agent(notices={"command": {**WAY, **said}, "webhook": None})


def test_nobody_is_told() -> None:
    assert one("notify").what == "notices go to the log alone"


def test_both_ways() -> None:
    both = Notify(Telling("/usr/bin/tell"), Posting("/usr/bin/curl"))
    private = config("")._replace(mode=0o600)
    fine = one("notify", notify=both, configured=private, agent=telling())
    assert fine.state == "fine"
    assert fine.what == (
        "notices go to /usr/bin/tell and to the webhook, by /usr/bin/curl"
    )


def test_a_program_that_cannot_be_run() -> None:
    gone = Telling("/usr/bin/tell", "No such file or directory")
    problem = one("notify", notify=Notify(gone))
    assert problem.state == "problem"
    assert problem.what == "notify.command: /usr/bin/tell: No such file or directory"
    assert problem.do[-1] == "ringfence notify --test"


def test_a_program_that_others_may_change() -> None:
    free = Telling("/opt/a/tell", "", ("/opt/a/tell", "/opt/a"))
    warning = one("notify", notify=Notify(free))
    assert warning.state == "warning"
    assert warning.do == tuple(
        f"chown root {path}; chmod go-w {path}" for path in free.open_to_others
    )


@pytest.mark.parametrize("path", ["/root/tell", "/home/me/tell", "/tmp/tell"])  # noqa: S108
def test_a_program_that_the_unit_does_not_see(path: str) -> None:
    seen = Notify(Telling(path))
    assert states("notify", notify=seen, machine=DEBIAN) == ["warning"]
    assert states("notify", notify=seen) == ["fine"], "OpenWrt's jail hides nothing"


def test_nothing_to_post_with_and_no_certificates() -> None:
    private = config("")._replace(mode=0o600)
    neither = Notify(webhook=Posting(None, "/etc/ca.pem"))
    program, ca = found("notify", notify=neither, configured=private)
    assert (program.state, ca.state) == ("problem", "problem")
    assert program.do[0] == "opkg update && opkg install curl ca-bundle"
    assert "/etc/ca.pem" in ca.what


def test_a_url_that_every_user_can_read() -> None:
    posts = Notify(webhook=Posting("/usr/bin/curl"))
    note = one("notify", notify=posts)
    assert (note.state, note.do) == (
        "note",
        ("chmod 600 /etc/ringfence/ringfence.toml",),
    )
    none = HEALTHY.configured._replace(path=None)
    assert states("notify", notify=posts, configured=none) == ["fine"]


def test_what_the_agent_has_met() -> None:
    failing = telling(error="hooks.example: the server answered 404", waiting=3)
    warning = one("notify", agent=failing)
    assert warning.state == "warning"
    assert warning.what == (
        "notices by command fail, 3 wait: hooks.example: the server answered 404"
    )
    (lost,) = found("notify", agent=telling(lost=2, given_up=1))
    assert (lost.state, lost.what) == ("warning", "3 notices by command were given up")


def test_readings_of_a_program(tmp_path: Path) -> None:
    program = tmp_path / "tell"

    def read() -> Telling:
        command = notify(settings(f'[notify]\ncommand = "{program}"\n')).command
        assert command is not None
        return command

    assert read() == Telling(str(program), "No such file or directory")
    program.mkdir()
    assert read().problem == "it is no file"
    program.rmdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o644)
    assert read().problem == "it may not be executed"
    program.chmod(0o755)
    assert read().problem == ""
    if os.geteuid() == 0:
        assert read().open_to_others == ()
        program.chmod(0o775)
        tmp_path.chmod(0o777)
        assert read().open_to_others == (str(program), str(tmp_path))
        tmp_path.chmod(0o1777)
        assert read().open_to_others == (str(program),)
        os.chown(program, 65534, 65534)
        program.chmod(0o755)
        assert read().open_to_others == (str(program),)


def test_readings_through_a_link(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to own the folders above")
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    program, link = tmp_path / "open" / "tell", tmp_path / "tell"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    link.symlink_to(program)
    found = notify(settings(f'[notify]\ncommand = "{link}"\n')).command
    assert found == Telling(str(link), "", (str(tmp_path / "open"),))


def test_readings_of_what_posts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml = f'[notify]\nwebhook = "https://a/b"\nca = "{tmp_path}/ca.pem"\n'
    monkeypatch.setenv("PATH", str(tmp_path))
    assert notify(settings(toml)) == Notify(None, Posting(None, f"{tmp_path}/ca.pem"))
    for name in ("ca.pem", "wget"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    assert notify(settings(toml)) == Notify(None, Posting(f"{tmp_path}/wget"))
    assert notify(settings("")) == Notify()
