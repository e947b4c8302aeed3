"""Entry of the test in the router; which part of it, the kernel's command line says.

router.brief=1                       leave out what is shown of a working day
router.phase=first | again | last    what is shown in this boot
router.versions=2,3                  bundles that the agent may run on after a cut
router.install=4                     the bundle to be installed then
router.cut=5,writing                 the one whose installation is cut short, and when
router.patience=5                    how slow this machine may be
"""

import traceback
from pathlib import Path

from router import places
from router.guest import agent, everyday, hardship, said
from router.guest.people import Server
from router.guest.said import claim


def show(asked: dict[str, str]) -> None:
    """Go through one boot."""
    patience = 120.0
    phase = asked["phase"]
    if phase == "first":
        with (
            Server(places.INSIDE, places.PBX) as pbx,
            Server(places.OUTSIDE, places.TRUNK) as trunk,
        ):
            shown = everyday.Everyday(pbx, trunk).show(brief="brief" in asked)
            if not shown and not agent.is_listening():
                return
    else:
        versions = tuple(int(one) for one in asked["versions"].split(","))
        claim(
            f"agent_up_after_cut_{asked['number']}",
            lambda: after_cut(versions),
        )
    version = int(asked["install"])
    name = "new_bundle_installs"
    if phase != "first":
        name = f"next_install_after_cut_{asked['number']}"
    claim(name, lambda: everyday.installs_bundle(version, patience))
    if phase == "last":
        with Server(places.OUTSIDE, places.TRUNK) as trunk:
            hardship.Offload(trunk).show()
        claim("removal_leaves_no_rule", hardship.is_removed)
    if "cut" in asked:
        number, _, trigger = asked["cut"].partition(",")
        hardship.loses_power(int(number), trigger)


def after_cut(versions: tuple[int, ...]) -> dict[str, object]:
    """See the agent that systemd has started at this boot."""
    agent.wait_event("ready")
    return everyday.uses_one_of(versions)


def main() -> None:
    """Show what is asked for, then switch off."""
    said.say(up=float(Path("/proc/uptime").read_text().split()[0]))
    try:
        show(said.parameters())
    except Exception:
        said.say(broken=traceback.format_exc()[-2000:])
    said.say(done=True)
    agent.run("systemctl", "poweroff", fails=True)


if __name__ == "__main__":
    main()
