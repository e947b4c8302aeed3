"""Entry of the test in the router; which part of it, the kernel's command line says.

router.brief=1                       leave out what is shown of a working day
router.phase=first | again | last    what is shown in this boot
router.versions=2,3                  bundles that the agent may run on after a cut
router.install=4                     the bundle to be installed then
router.cut=5,writing                 the one whose installation is cut short, and when
router.patience=5                    how slow this machine may be
"""

import os
from collections.abc import Callable
from pathlib import Path

from router import places
from router.guest import agent, bundles, said
from router.guest.said import claim


def show(asked: dict[str, str]) -> None:
    """Go through one boot."""
    patience = 120.0
    phase = asked["phase"]
    if phase == "first":
        if not apart(lambda: working_day(brief="brief" in asked)):
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
    claim(name, lambda: bundles.installs_bundle(version, patience))
    if phase == "last":
        the_end()
    if "cut" in asked:
        number, _, trigger = asked["cut"].partition(",")
        bundles.loses_power(int(number), trigger)


def apart(shown: Callable[[], bool]) -> bool:
    """Show something in a process of its own, with which all goes that it took.

    People who call and are called take 15 MB, which are no router's.
    """
    child = os.fork()
    if child == 0:
        fine = False
        try:
            fine = shown()
        except Exception:
            said.say(broken=said.what_happened()[-2000:])
        finally:
            os._exit(0 if fine else 1)
    return os.waitpid(child, 0)[1] == 0


def working_day(*, brief: bool) -> bool:
    """Show the first boot; False when there is no agent to go on with."""
    from router.guest.everyday import Everyday
    from router.guest.people import Server

    with (
        Server(places.INSIDE, places.PBX) as pbx,
        Server(places.OUTSIDE, places.TRUNK) as trunk,
    ):
        shown = Everyday(pbx, trunk).show(brief=brief)
    return shown or agent.is_listening()


def the_end() -> None:
    """Show what else goes wrong, and that nothing is left at last."""
    from router.guest import hardship
    from router.guest.people import Server

    with Server(places.OUTSIDE, places.TRUNK) as trunk:
        hardship.Offload(trunk).show()
    claim("removal_leaves_no_rule", hardship.is_removed)


def after_cut(versions: tuple[int, ...]) -> dict[str, object]:
    """See the agent that systemd has started at this boot."""
    agent.wait_event("ready")
    return bundles.uses_one_of(versions)


def main() -> None:
    """Show what is asked for, then switch off."""
    said.say(up=float(Path("/proc/uptime").read_text().split()[0]))
    try:
        show(said.parameters())
    except Exception:
        said.say(broken=said.what_happened()[-2000:])
    said.say(done=True)
    agent.run("systemctl", "poweroff", fails=True)


if __name__ == "__main__":
    main()
