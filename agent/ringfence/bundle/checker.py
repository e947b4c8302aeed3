"""Whether a bundle may be used, and whether it may be installed.

Knows the keys, this agent's version and the order of questions. It reads no file and
no clock: what is known of time and of earlier bundles comes as `Marks`. Before the
signature is checked nothing but the archive's form is looked at, MANIFEST is not even
parsed; after it, nothing is believed that MANIFEST does not say.

`verify` asks what has to be true of a bundle whenever it is loaded; `check` asks also
what has to be true when it is installed. A bundle that expires is not installed any
more, but what is installed stays: protection never ends by itself.

**Time.** A router without a battery boots in 1970, or at the newest date in its files,
until NTP has answered; a wrong clock may also be far ahead. So a clock that is not
known to be right is only believed where it is *later* than the floor, the latest time
of which is known that it has passed (the `created` of what was installed, the date of
the firmware). From that follows:

- the time is `now` if the clock is `synced`, else the later of `now` and `floor`;
- what expires at that time or before is refused;
- what was created later than that time is refused, with a day's grace. A clock that is
  not synced may be years behind: there the grace is `SHELF`. It is not without end,
  since `created` becomes the floor, and a floor in a far future would refuse all that
  comes after it. A synced clock does not ask the floor at all, so that a wrong one heals.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from ringfence.bundle import signify
from ringfence.bundle.archive import archive_time, read_archive
from ringfence.bundle.digests import sha256
from ringfence.bundle.layout import MANIFEST, SIGNATURE, kind_of, lacking
from ringfence.bundle.manifest import Manifest, agent_version, parse_manifest, stamp
from ringfence.bundle.refused import Refused
from ringfence.errors import BundleError

DAY: Final = 86_400
GRACE: Final = DAY
"""Seconds that a right clock may be behind the publisher's."""
SHELF: Final = 10 * 365 * DAY
"""Seconds that a device may have lain on a shelf with its clock stopped."""

Keys = Mapping[int, Sequence[signify.PublicKey]]
"""Trusted keys by epoch."""


class Mark(NamedTuple):
    """A bundle that was installed: which, and what exactly."""

    epoch: int
    version: int
    digest: str
    """Of its MANIFEST: SHA-256 as hex digits."""


class Marks(NamedTuple):
    """What an agent knows when a bundle is offered to it."""

    now: int
    """What the clock says, seconds since 1970."""
    floor: int = 0
    """A time that has passed for certain, seconds since 1970."""
    high_water: Mark | None = None
    """The highest that was ever installed; None when there was none."""
    bad: frozenset[str] = frozenset()
    """What was tried and did not run well: SHA-256 of MANIFEST, hex digits."""
    synced: bool = False
    """The clock is known to be right."""

    @property
    def time(self) -> int:
        """The best that is known of the time."""
        return self.now if self.synced else max(self.now, self.floor)


class Bundle(NamedTuple):
    """A bundle that is what a trusted key's owner signed."""

    manifest: Manifest
    files: dict[str, bytes]
    """Contents by name, without MANIFEST and MANIFEST.sig."""
    digest: str
    """SHA-256 of MANIFEST as hex digits: what the bundle is known by."""
    key: str
    """Number of the key that signed it, hex digits; "" when nobody asked."""

    @property
    def mark(self) -> Mark:
        """What to remember when it is installed."""
        return Mark(self.manifest.epoch, self.manifest.version, self.digest)

    def stale(self, time: int) -> bool:
        """Tell whether a newer one is overdue; it protects all the same."""
        return self.manifest.expires <= time


class Checker:
    """Judges bundles; holds nothing that changes."""

    def __init__(self, keys: Keys, agent: str, channel: str = "stable") -> None:
        """Take the trusted keys, this agent's version and the channel it follows.

        Raises `ValueError` for a version that is not of the form 0.4.0.
        """
        version = agent_version(agent)
        if version is None:
            raise ValueError(f"agent version {agent!r}: expected one such as 0.4.0")
        self._keys = keys
        self._agent = agent
        self._version = version
        self._channel = channel

    def verify(self, data: bytes) -> Bundle:
        """Return the bundle of an archive's bytes, if it is sound and for this agent.

        Raises `Refused` with the first reason against it.
        """
        files = read_archive(data)
        text = files[MANIFEST]
        number, epochs = self._signers(text, files.get(SIGNATURE))
        manifest = parse_manifest(text)
        if manifest.epoch not in epochs:
            raise Refused(
                "signature.epoch",
                f"{MANIFEST}: epoch {manifest.epoch}: expected "
                f"{_listed(epochs)}, which key {number} is trusted for",
            )
        if archive_time(data) != manifest.created:
            raise Refused(
                "archive.times",
                f"{MANIFEST}: time {archive_time(data)}: expected "
                f"{manifest.created}, when it was created",
            )
        needed = agent_version(manifest.min_agent)
        if needed is None or needed > self._version:
            raise Refused(
                "agent.old",
                f"{MANIFEST}: min-agent {manifest.min_agent}: "
                f"this is agent {self._agent}; update it first",
            )
        return Bundle(manifest, contents(files, manifest), sha256(text), number)

    def check(self, data: bytes, marks: Marks) -> Bundle:
        """Return the bundle, if it may be installed in place of what was before.

        Raises `Refused` with the first reason against it.
        """
        bundle = self.verify(data)
        manifest = bundle.manifest
        if manifest.channel != self._channel:
            raise Refused(
                "channel.other",
                f"{MANIFEST}: channel {manifest.channel}: expected {self._channel}",
            )
        if bundle.digest in marks.bad:
            raise Refused(
                "bad.known",
                f"version {manifest.version}: it was rolled back here before; "
                "expected a higher version",
            )
        if marks.high_water is not None:
            _rises(bundle.mark, marks.high_water)
        _fits(manifest, marks)
        return bundle

    def _signers(self, text: bytes, signed: bytes | None) -> tuple[str, list[int]]:
        """Return the key's number and the epochs it is trusted for, if it signed."""
        if signed is None:
            raise Refused("signature.missing", f"no {SIGNATURE}: expected a signature")
        try:
            signature = signify.parse_signature(signed, SIGNATURE)
        except BundleError as error:
            raise Refused("signature.form", str(error)) from error
        if signature.render() != signed:
            raise Refused(
                "signature.form",
                f"{SIGNATURE}: expected the comment that ringfence bundle sign writes",
            )
        number = signature.number.hex()
        known = [
            (epoch, key)
            for epoch, keys in self._keys.items()
            for key in keys
            if key.number == signature.number
        ]
        if not known:
            trusted = sorted({k.number.hex() for ks in self._keys.values() for k in ks})
            raise Refused(
                "signature.key",
                f"{SIGNATURE}: key {number}: expected one of the trusted keys, "
                f"{', '.join(trusted) or 'of which there are none'}",
            )
        epochs = sorted(
            {epoch for epoch, key in known if signify.verify(text, signature, key)}
        )
        if not epochs:
            raise Refused(
                "signature.wrong",
                f"{SIGNATURE}: not the signature of this {MANIFEST} by key {number}",
            )
        return number, epochs


def unverified(data: bytes) -> Bundle:
    """Return the bundle of an archive that nobody may have signed.

    For showing it, and for trying it out where the person says so. Raises `Refused`
    when it is no sound archive.
    """
    files = read_archive(data)
    text = files[MANIFEST]
    manifest = parse_manifest(text)
    return Bundle(manifest, contents(files, manifest), sha256(text), "")


def contents(files: Mapping[str, bytes], manifest: Manifest) -> dict[str, bytes]:
    """Return the files that MANIFEST names, if they are all and no others.

    Raises `Refused`.
    """
    found = {
        name: content
        for name, content in files.items()
        if name not in (MANIFEST, SIGNATURE)
    }
    for name in manifest.files.keys() - found.keys():
        raise Refused("file.missing", f"{name}: expected it, as {MANIFEST} names it")
    for name, content in found.items():
        said = manifest.files.get(name)
        if said is None:
            raise Refused("file.extra", f"{name}: expected nothing but {MANIFEST}'s")
        if len(content) != said.size:
            raise Refused(
                "file.length", f"{name}: {len(content)} bytes: expected {said.size}"
            )
        digest = sha256(content)
        if digest != said.digest:
            raise Refused(
                "file.digest", f"{name}: SHA-256 {digest}: expected {said.digest}"
            )
        kind = kind_of(name)
        if kind is None:
            raise Refused("file.unknown", f"{name}: expected a kind that bundles hold")
        if len(content) > kind.most:
            raise Refused(
                "file.size", f"{name}: {len(content)} bytes: expected {kind.most}"
            )
    if missing := lacking(found):
        raise Refused("file.lacking", f"no {missing[0]}: expected at least one")
    return found


def _rises(mark: Mark, high: Mark) -> None:
    """Refuse what does not come after the highest that was installed."""
    if mark.epoch > high.epoch:
        return  # new keys: versions begin anew
    if mark.epoch < high.epoch:
        raise Refused(
            "version.epoch", f"epoch {mark.epoch}: expected {high.epoch} or higher"
        )
    if mark.version < high.version:
        raise Refused(
            "version.older",
            f"version {mark.version}: expected higher than {high.version}, "
            "which was installed",
        )
    if mark.version == high.version and mark.digest != high.digest:
        raise Refused(
            "version.forked",
            f"version {mark.version} with SHA-256 {mark.digest}: expected "
            f"{high.digest}, which was installed; somebody signed two",
        )
    if mark.version == high.version:
        raise Refused(
            "version.same", f"version {mark.version}: it is installed already"
        )


def _fits(manifest: Manifest, marks: Marks) -> None:
    """Refuse what has expired, and what was made in a future that is too far."""
    time = marks.time
    if manifest.created > time + (GRACE if marks.synced else SHELF):
        raise Refused(
            "time.future",
            f"{MANIFEST}: created {stamp(manifest.created)}: it is "
            f"{stamp(time)} here; expected a time that has passed",
        )
    if manifest.expires <= time:
        raise Refused(
            "time.expired",
            f"{MANIFEST}: expires {stamp(manifest.expires)}: it is {stamp(time)} here; "
            "expected a newer bundle",
        )


def _listed(numbers: Sequence[int]) -> str:
    return " or ".join(map(str, numbers))
