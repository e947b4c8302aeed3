"""Every name that refusing a bundle can have, with its meaning, in the order of asking.

The names are stable: logs and the status carry them. A test holds the table complete:
each name is given somewhere, and no other is.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ringfence.errors import BundleError

REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "archive.size": "More bytes than any bundle has.",
        "archive.short": "It ends in the middle.",
        "archive.damaged": "The check sum of a member's header is wrong.",
        "archive.header": "A header that our own writer would have written otherwise.",
        "archive.kind": "A link, a folder, a device or an extension, and no file.",
        "archive.name": "A name that no member may have, such as one with `..` in it.",
        "archive.duplicate": "Two members of one name, or a file named as a folder.",
        "archive.order": "The members stand in another order than ours.",
        "archive.members": "More members than any bundle has.",
        "archive.member-size": "A member of more bytes than any has.",
        "archive.padding": "Something other than zeros between two members.",
        "archive.end": "Something follows the last member, or its end is not marked.",
        "archive.times": "Members of other times than the manifest's `created`.",
        "archive.manifest": "There is no MANIFEST.",
        "signature.missing": "Nobody has signed it.",
        "signature.form": "The signature is not written as ours are.",
        "signature.key": "Signed with a key that is not trusted here.",
        "signature.wrong": "MANIFEST is not what was signed.",
        "manifest.form": "A MANIFEST that our own writer would have written otherwise.",
        "manifest.format": "Signed, but not as a bundle of rules of this format.",
        "manifest.dates": "It expires before it was made.",
        "signature.epoch": "Signed with a trusted key, but one of another epoch.",
        "agent.old": "It needs a newer agent.",
        "file.missing": "MANIFEST names a file that is not there.",
        "file.extra": "A file that MANIFEST does not name.",
        "file.length": "A file of another length than MANIFEST says.",
        "file.digest": "A file of another content than MANIFEST says.",
        "file.unknown": "A file of a kind that no bundle has.",
        "file.size": "A file larger than its kind may be.",
        "file.lacking": "A kind of file that every bundle has is not there.",
        "channel.other": "It is of another channel than this agent follows.",
        "bad.known": "It was tried here before and did not run well.",
        "version.epoch": "Older than what was installed: its epoch has ended.",
        "version.older": "Older than what was installed once.",
        "version.same": "It is what was installed last.",
        "version.forked": "Alarm: the version installed last, with other content.",
        "time.expired": "It is too old to be installed now.",
        "time.future": "It was made at a time that has not come.",
    }
)


class Refused(BundleError):  # noqa: N818 - the name is the finding
    """A bundle that is not taken; `reason` is one of `REASONS`."""

    def __init__(self, reason: str, text: str) -> None:
        """Name the reason, and say what was found, where, what was expected."""
        super().__init__(f"{text} [{reason}]")
        self.reason = reason
        self.text = text
