"""What keeps the agent from starting: one sentence, an exit code, nothing left."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from lab.addresses import PHONE_ABROAD, SIP_PORT
from lab.agent import Agent, Config, command
from lab.messages import request
from lab.network import Lab

pytestmark = pytest.mark.netns

XTABLES = ("iptables", "ip6tables")
SBIN = f"{os.environ['PATH']}:/usr/sbin:/sbin"


def refusal(
    lab: Lab, config: Config | str = "", environment: Mapping[str, str] | None = None
) -> tuple[int, list[str]]:
    """Start an agent that must refuse; return its exit code and sentences."""
    agent = Agent(lab, config, environment=environment)
    code = agent.process.wait(10)
    assert agent.events("ready") == []
    return code, agent.sentences()


def path_with(folder: Path, *tools: str) -> dict[str, str]:
    """Make a PATH that holds only these programs."""
    folder.mkdir()
    for tool in tools:
        found = shutil.which(tool, path=SBIN)
        assert found is not None
        (folder / tool).symlink_to(found)
    return {"PATH": str(folder)}


def test_queue_already_taken(lab: Lab) -> None:
    before = lab.router.ruleset()
    first = Agent(lab)
    first.wait_offload()
    with_first = lab.router.ruleset()

    code, sentences = refusal(lab)

    assert code == 3
    assert len(sentences) == 1
    assert "queue" in sentences[0]
    assert lab.router.ruleset() == with_first
    # The first one works on, and cleans up as if nothing had happened.
    with lab.outside.udp(PHONE_ABROAD, SIP_PORT) as sender:
        text = request("REGISTER", PHONE_ABROAD, lab.registrar)
        sender.sendto(text, (lab.registrar, SIP_PORT))
    first.wait_event("decision", src=PHONE_ABROAD)
    first.stop()
    assert lab.router.ruleset() == before


def test_nft_missing(lab: Lab, tmp_path: Path) -> None:
    before = lab.router.ruleset()

    code, sentences = refusal(lab, environment=path_with(tmp_path / "bin"))

    assert code == 3
    assert len(sentences) == 1
    assert "nft" in sentences[0]
    assert lab.router.ruleset() == before


def test_no_way_to_queue(lab: Lab, tmp_path: Path) -> None:
    with Agent(lab) as agent:
        native = agent.wait_ready()["statement"] == "nft queue"
        agent.stop()
    if native:
        pytest.skip("this kernel's nft can queue by itself, iptables is not needed")
    before = lab.router.ruleset()

    code, sentences = refusal(lab, environment=path_with(tmp_path / "bin", "nft"))

    assert code == 3
    assert len(sentences) == 1
    assert "iptables" in sentences[0]
    assert lab.router.ruleset() == before


def test_no_privilege(lab: Lab) -> None:
    before = lab.router.ruleset()
    process = lab.start(
        lab.router,
        *("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"),
        *(*command(), "run"),
    )

    assert process.wait(10) == 3
    assert "CAP_NET_ADMIN" in process.text()
    assert len(process.text().splitlines()) == 1
    assert lab.router.ruleset() == before


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"mode": "watch"}, ["mode"]),
        ({"origin": {"home": ["XX"]}}, ["origin.home", "XX"]),
        ({"origin": {"hmoe": ["JP"]}}, ["hmoe", "home"]),
        ({"origin": {"allow": ["192.0.2.1/24"]}}, ["192.0.2.1/24"]),
        ({"origin": {"table": "/nonexistent"}}, ["/nonexistent"]),
        ("mode = ", ["ringfence.toml"]),
    ],
    ids=["value", "country", "misspelt", "host-bits", "no-table", "not-toml"],
)
def test_flawed_config(lab: Lab, config: Config | str, words: list[str]) -> None:
    before = lab.router.ruleset()

    code, sentences = refusal(lab, config)

    assert code == 2
    for word in words:
        assert word in "\n".join(sentences)
    assert "Traceback" not in "\n".join(sentences)
    assert lab.router.ruleset() == before


def test_refusal_by_nft_leaves_nothing(lab: Lab, tmp_path: Path) -> None:
    """An nft that checks well and then fails: the xtables part must go again."""
    before = lab.router.ruleset()
    tools = [f"{name}-nft-{verb}" for name in XTABLES for verb in ("restore", "save")]
    environment = path_with(tmp_path / "bin", "cat", *tools)
    nft = shutil.which("nft", path=SBIN)
    fake = tmp_path / "bin" / "nft"
    fake.write_text(
        "#!/bin/sh\n"
        f'[ "$1" = -f ] || exec {nft} "$@"\n'
        "text=$(cat)\n"
        'case $text in *inspect*) echo "no memory" >&2; exit 1; esac\n'
        f'echo "$text" | {nft} "$@"\n'
    )
    fake.chmod(0o755)

    code, sentences = refusal(lab, environment=environment)

    assert code == 3
    assert len(sentences) == 1
    assert "no memory" in sentences[0]
    assert lab.router.ruleset() == before
