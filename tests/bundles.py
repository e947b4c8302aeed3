"""Bundles for tests: small ones, sound or forged, with keys that live as long as a run."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from builders import RULES
from ringfence.bundle import archive, signify
from ringfence.bundle.checker import Checker
from ringfence.bundle.digests import sha256
from ringfence.bundle.layout import (
    COUNTRIES,
    DESTINATIONS,
    MANIFEST,
    SIGNATURE,
    VECTORS,
)
from ringfence.bundle.manifest import File, Manifest
from ringfence.bundle.packed import pack
from ringfence.facts.country import CountryTable

CREATED: Final = 1_795_000_000
"""2026-11-18T11:06:40Z."""
DAY: Final = 86_400
EXPIRES: Final = CREATED + 180 * DAY
AGENT: Final = "0.4.0"


def new_key() -> signify.SecretKey:
    """Make a key; none is kept in this repository."""
    return signify.SecretKey(secrets.token_bytes(8), secrets.token_bytes(32))


KEY: Final = new_key()
"""Trusted for epoch 1."""
NEXT_KEY: Final = new_key()
"""Trusted for epoch 2."""
STRANGER: Final = new_key()
"""Trusted for nothing."""

TABLE: Final = CountryTable.build(
    [(0xC6336400, 0xC63364FF, "JP"), (0xC0000200, 0xC00002FF, "NL")],
    [(0x20010DB8_0081 << 80, ((0x20010DB8_0081 + 1) << 80) - 1, "JP")],
    "made-up 1.0",
    "2026-11-01",
)
VECTOR_LINES: Final = (
    {"what": "119", "verdict": "accept", "class": "emergency"},
    {"what": "010-232-76123456", "verdict": "reject", "rule": "blocked-destination"},
    {"what": "198.51.100.10", "verdict": "accept", "country": "JP", "home": True},
)


def small_files() -> dict[str, bytes]:
    """Return the files of a bundle of 12 KB that an agent can load."""
    plan = (
        'country = "JP"\ncode = "81"\ntrunk = "0"\nidd = ["010"]\n'
        '[[numbers]]\ndetail = "domestic_fixed"\nforms = ["03XXXXXXXX"]\n'
    )
    destinations = (
        "code,iso2,kind,tier,name_en,name_ja,source\n"
        "1,US,country,normal,United States,米国,own\n"
        "232,SL,country,block,Sierra Leone,シエラレオネ,own\n"
    )
    vectors = "".join(json.dumps(line) + "\n" for line in VECTOR_LINES)
    return {
        **{
            name: (RULES / name).read_bytes()
            for name in ("blocked-destination.toml", "password-guessing.toml")
        },
        "dialplans/jp.toml": plan.encode(),
        DESTINATIONS: destinations.encode(),
        COUNTRIES: pack(TABLE.columns),
        VECTORS: vectors.encode(),
    }


FILES: Final[Mapping[str, bytes]] = small_files()


def manifest(files: Mapping[str, bytes] = FILES, **changes: object) -> Manifest:
    """Describe files, as a publisher would; `changes` replaces fields."""
    made = Manifest(
        channel="stable",
        epoch=1,
        version=42,
        created=CREATED,
        expires=EXPIRES,
        min_agent=AGENT,
        files={
            name: File(len(content), sha256(content)) for name, content in files.items()
        },
    )
    return made._replace(**changes)  # type: ignore[arg-type]


def bundle(
    files: Mapping[str, bytes] = FILES,
    *,
    key: signify.SecretKey = KEY,
    text: bytes | None = None,
    **changes: object,
) -> bytes:
    """Make a signed archive; `text` is signed in place of the MANIFEST of the files."""
    described = manifest(files, **changes)
    text = described.render() if text is None else text
    members = {
        **files,
        MANIFEST: text,
        SIGNATURE: signify.sign(text, key).render(),
    }
    return archive.write_archive(members, described.created)


def members(data: bytes) -> dict[str, bytes]:
    """Take an archive apart, to be put together otherwise."""
    return archive.read_archive(data)


def checker(agent: str = AGENT, channel: str = "stable") -> Checker:
    """Make a checker that trusts `KEY` for epoch 1 and `NEXT_KEY` for epoch 2."""
    keys = {1: [KEY.public], 2: [NEXT_KEY.public]}
    return Checker(keys, agent, channel)


def key_folder(folder: Path, *keys: tuple[int, signify.SecretKey]) -> Path:
    """Write a folder of trusted keys."""
    for epoch, key in keys or ((1, KEY), (2, NEXT_KEY)):
        within = folder / str(epoch)
        within.mkdir(parents=True, exist_ok=True)
        (within / key.number.hex()).write_bytes(key.public.render())
    return folder
