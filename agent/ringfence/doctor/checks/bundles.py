"""Checks of what is judged by: the bundle in use, its age, the keys that are trusted."""

import time
from collections.abc import Iterator
from typing import Final

from ringfence.doctor.checks.agent import running
from ringfence.doctor.finding import FINE, NOTE, PROBLEM, UNKNOWN, WARNING, Finding
from ringfence.doctor.readings import Readings, Unread
from ringfence.doctor.remedies import configure

DAY: Final = 86_400
OLD: Final = 90 * DAY
"""Seconds after which a bundle is called old; prefixes of fraud change in weeks."""

_OURS: Final = "/usr/share/ringfence/"
"""The firmware's or the package's, which the next one brings anew."""
_KEPT: Final = "/etc/ringfence/keys"
"""The operator's, which an update of the firmware keeps."""

_GIVEN: Final = ("factory", "a", "b", "embedded")
"""Where rules come from that nobody gave by hand."""


def bundle(readings: Readings) -> Iterator[Finding]:
    """Tell the bundle in use, its age, and what is wrong with others."""
    stored = readings.stored
    if isinstance(stored, Unread):
        yield Finding("bundle", UNKNOWN, f"the store is not known: {stored.why}")
        return
    yield from _used(readings)
    if stored.problems:
        yield Finding(
            "bundle",
            WARNING,
            "bundles that cannot be used:\n" + "\n".join(stored.problems),
            "What was meant to protect does not; the next best is used.",
            ("ringfence bundle status", "ringfence bundle install FILE"),
        )


def _used(readings: Readings) -> Iterator[Finding]:
    stored, agent = readings.stored, running(readings)
    assert not isinstance(stored, Unread)  # noqa: S101 - tells the type checker
    source = None if agent is None else (agent.get("rules_from") or {}).get("source")
    if source is not None and source not in _GIVEN:
        yield Finding(
            "bundle",
            NOTE,
            f"the agent runs on rules that somebody gave it: {source}",
            "Installed bundles are not used.",
            ("# start it without --bundle",),
        )
        return
    used = next((one for one in stored.bundles if one.where == stored.used), None)
    if used is None:
        yield Finding(
            "bundle",
            NOTE,
            "no bundle is installed: the rules are those that came with the program",
            "They get no newer but with the program.",
            ("ringfence bundle install FILE|URL",),
        )
        return
    if source is not None and source != used.where:
        yield Finding(
            "bundle",
            WARNING,
            f"the agent runs on {source}, {used.where} would be used",
            "A better bundle is there and not taken up.",
            ("ringfence bundle status",),
        )
    now = None if isinstance(readings.clock, Unread) else readings.clock.now
    what = f"version {used.version} of {_day(used.created)}, from {used.where}"
    if stored.trial is not None:
        what += f"; on trial: {stored.trial}"
    if now is not None and used.expires <= now:
        yield Finding(
            "bundle",
            WARNING,
            f"{what}: it expired on {_day(used.expires)}",
            "It protects all the same, against what was known then; a newer one is "
            "overdue.",
            ("ringfence bundle install FILE|URL",),
        )
    elif now is not None and used.created + OLD < now:
        yield Finding(
            "bundle",
            NOTE,
            f"{what}: {(now - used.created) / DAY:.0f} days old",
            "Numbers that fraud goes to change within weeks.",
            ("ringfence bundle install FILE|URL",),
        )
    elif stored.trial is not None:
        yield Finding(
            "bundle", NOTE, what, "It is kept once it has run well for bundle.trial."
        )
    else:
        yield Finding("bundle", FINE, what)


def _day(seconds: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(seconds))


def keys(readings: Readings) -> Iterator[Finding]:
    """Tell whether updates can be trusted, and by whom the keys can be changed."""
    found = readings.keys
    if isinstance(found, Unread):
        yield Finding("keys", UNKNOWN, f"the trusted keys are not known: {found.why}")
        return
    if found.problem is not None:
        yield Finding(
            "keys",
            PROBLEM,
            f"the trusted keys cannot be used: {found.problem}",
            "No bundle is taken, not even those that are installed.",
            (f"ls -lR {found.folder}",),
        )
    elif not found.known:
        yield Finding(
            "keys",
            NOTE,
            f"{found.folder} holds no trusted key",
            "No bundle can be installed: there is nobody whose word counts.",
            _trust(readings, found.folder),
        )
    else:
        yield Finding("keys", FINE, f"{found.known} trusted keys in {found.folder}")
    if found.open_to_others:
        yield Finding(
            "keys",
            PROBLEM,
            "others than root can change whom bundles are trusted from:\n"
            + "\n".join(found.open_to_others),
            "Who can put a key there can have any rules loaded.",
            (
                f"chown -R root {found.folder}; chmod -R go-w {found.folder}",
                "# and look whether each key is one of yours",
            ),
        )


def _trust(readings: Readings, folder: str) -> tuple[str, ...]:
    """Return how a key gets to where it stays."""
    moved = folder.startswith(_OURS)
    place = _KEPT if moved else folder
    line = f'[bundle] keys = "{place}"'
    return (
        f"mkdir -p {place}/1; cp KEY.pub {place}/1/",
        *(configure(readings, line) if moved else ()),
    )
