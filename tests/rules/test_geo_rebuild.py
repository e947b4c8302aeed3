"""The generator of the country table, and the table it made."""

import bisect
import importlib.util
import ipaddress
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from ringfence.bundle.packed import unpack
from ringfence.bundle.tables import open_country_table
from ringfence.errors import BundleError
from ringfence.facts.country import ISO_COUNTRIES, CountryTable

REPO = Path(__file__).resolve().parents[2]
GEO = REPO / "rules" / "geo"


def load_rebuild() -> ModuleType:
    spec = importlib.util.spec_from_file_location("geo_rebuild", GEO / "rebuild.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


rebuild = load_rebuild()

HEADER = """# made up
# Generated: Thu, 25 Jun 2026 04:33:59 GMT
"""
GEOIP = (
    HEADER
    + """15726992,15726999,??
16777216,16777471,AU
16777472,16777727,JP
16777728,16777983,JP
167772160,184549376,DE
3221225472,3221226239,NL
3758096384,4294967295,US
"""
)
GEOIP6 = (
    HEADER
    + """2001::,2001:0:ffff:ffff:ffff:ffff:ffff:ffff,JP
2001:200::,2001:200:134:ffff:ffff:ffff:ffff:ffff,JP
2001:db7::,2001:db9:ffff:ffff:ffff:ffff:ffff:ffff,UK
2002::,2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff,JP
2a00::,2a00::f,DE
2a00::10,2a00::ffff:ffff:ffff:ffff,FR
fc00::,fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff,US
"""
)


def packed(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


@pytest.fixture(scope="session")
def tools() -> None:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("needs dpkg-deb")


def make_package(
    folder: Path, geoip: str | None, geoip6: str, name: str = "tor-geoipdb"
) -> Path:
    """Build a package of that shape with the real tool."""
    root = folder / "root"
    data = root / "usr" / "share" / "tor"
    data.mkdir(parents=True)
    if geoip is not None:
        (data / "geoip").write_text(geoip, encoding="utf-8")
    (data / "geoip6").write_text(geoip6, encoding="utf-8")
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN" / "control").write_text(
        f"Package: {name}\nVersion: 1.2-3\nArchitecture: all\n"
        "Maintainer: nobody <nobody@example.org>\nDescription: made up\n",
        encoding="utf-8",
    )
    package = folder / "made-up.deb"
    rebuild.run("dpkg-deb", "--root-owner-group", "--build", str(root), str(package))
    return package


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "geo"
    folder.mkdir()
    shutil.copy(GEO / "README.md", folder)
    return folder


def test_a_package_becomes_a_table(
    tools: None, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package = make_package(tmp_path, GEOIP, GEOIP6)
    assert rebuild.main(["--package", str(package)], out) == 0
    file = out / "country.tbl"
    table = CountryTable.from_buffer(unpack(file.read_bytes(), "x"))
    assert (table.source, table.date) == ("tor-geoipdb 1.2-3", "2026-06-25")

    def country(text: str) -> str | None:
        return table.country(packed(text))

    assert country("1.0.0.255") == "AU"
    assert country("1.0.1.0") == country("1.0.2.255") == "JP"
    assert country("1.0.3.0") is None
    assert country("0.239.249.145") is None
    # 10/8 and one address more was given: only that one stays
    assert country("10.255.255.255") is None
    assert country("11.0.0.0") == "DE"
    # 192.0.0/24 and 192.0.2/24 are special, what is between them is not
    assert country("192.0.0.255") is None
    assert country("192.0.1.0") == country("192.0.1.255") == "NL"
    assert country("192.0.2.0") is None
    assert country("224.0.0.1") is None
    assert country("2001:200::1") == "JP"
    assert country("2001:db7::1") == country("2001:db9::1") == "GB"
    assert country("2001:db8::1") is None
    assert country("2a00::f") == "DE"
    assert country("2a00::10") == "FR"
    assert country("2a00:0:0:1::") is None
    assert country("fd00::1") is None
    # of the same country and side by side: one row
    assert list(table.columns.starts4).count(16777728) == 0

    text = (out / "README.md").read_text(encoding="utf-8")
    assert "| made from | tor-geoipdb 1.2-3 |" in text
    assert f"| `country.tbl` | {file.stat().st_size:,} bytes |" in text
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "country.tbl"]
    assert "ranges dropped for their code: ?? (1)" in capsys.readouterr().out

    before = file.read_bytes()
    assert rebuild.main(["--package", str(package)], out) == 0
    assert file.read_bytes() == before
    assert (out / "README.md").read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("geoip", "geoip6", "message"),
    [
        (None, GEOIP6, "geoip: cannot be read"),
        (HEADER, GEOIP6, "geoip: expected ranges and a line '# Generated: …'"),
        (GEOIP.replace("Generated", "Made"), GEOIP6, "geoip: expected ranges and a"),
        (GEOIP.replace("25 Jun", "25 of"), GEOIP6, "geoip:2: 'Thu, 25 of 2026"),
        (GEOIP + "1,2\n", GEOIP6, "geoip:10: '1,2': expected first,last,CC"),
        (GEOIP + "1,2,JP\n", GEOIP6, "geoip:10: '1,2,JP': expected ascending, separ"),
        (HEADER + "2,1,JP\n", GEOIP6, "geoip:3: '2,1,JP': expected ascending"),
        (HEADER + "1,4294967296,JP\n", GEOIP6, "expected ascending"),
        (GEOIP, HEADER + "1,2,JP\n", "geoip6:3: '1,2,JP': expected first,last,CC"),
        (GEOIP, HEADER + "\u3042,::,JP\n", "geoip6: cannot be read"),
    ],
)
def test_a_package_that_is_not_what_it_was_is_refused(
    tools: None,
    tmp_path: Path,
    out: Path,
    capsys: pytest.CaptureFixture[str],
    geoip: str | None,
    geoip6: str,
    message: str,
) -> None:
    package = make_package(tmp_path, geoip, geoip6)
    assert rebuild.main(["--package", str(package)], out) == 2
    error = capsys.readouterr().err
    assert error.startswith("rebuild: ")
    assert message in error
    assert not (out / "country.tbl").exists()


def test_another_package_is_refused(
    tools: None, tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package = make_package(tmp_path, GEOIP, GEOIP6, "tor")
    assert rebuild.main(["--package", str(package)], out) == 2
    assert "made-up.deb: holds tor; expected tor-geoipdb" in capsys.readouterr().err
    assert rebuild.main(["--package", str(tmp_path / "none.deb")], out) == 2
    assert "none.deb: no such file" in capsys.readouterr().err
    (tmp_path / "text.deb").write_text("no package", encoding="utf-8")
    assert rebuild.main(["--package", str(tmp_path / "text.deb")], out) == 2
    assert "dpkg-deb --field failed: " in capsys.readouterr().err


def test_missing_tools_are_named(
    tmp_path: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert rebuild.main([], out) == 2
    assert capsys.readouterr().err == (
        "rebuild: apt-get not found: this needs a Debian-family machine\n"
    )


def test_too_many_countries_are_one_sentence(
    tools: None,
    tmp_path: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def full(*_: object) -> None:
        raise BundleError("country table with 300 countries: expected at most 254")

    monkeypatch.setattr(rebuild.CountryTable, "build", full)
    package = make_package(tmp_path, GEOIP, GEOIP6)
    assert rebuild.main(["--package", str(package)], out) == 2
    assert "expected at most 254" in capsys.readouterr().err


# --- the table that is in the tree ---


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> CountryTable:
    return open_country_table(REPO / "rules", tmp_path_factory.mktemp("cache"))


def test_the_readme_has_the_figures_of_the_table(table: CountryTable) -> None:
    content = (GEO / "country.tbl").read_bytes()
    figures = rebuild.figures(table, len(content), len(unpack(content, "x")))
    text = (GEO / "README.md").read_text(encoding="utf-8")
    assert rebuild.rewrite_figures(text, figures) == text
    assert len(content) < 2 << 20


@pytest.mark.parametrize(
    ("text", "country"),
    [
        ("202.232.2.0", "JP"),  # IIJ
        ("210.130.0.1", "JP"),  # IIJ
        ("133.11.0.1", "JP"),  # the University of Tokyo
        ("8.8.8.8", "US"),
        ("17.0.0.1", "US"),  # Apple
        ("2001:240::1", "JP"),  # IIJ
        ("2001:200::1", "JP"),  # WIDE
        ("2400:4000::1", "JP"),  # NTT
        ("2600::1", "US"),  # Sprint
        ("2002:cae8:200::1", "JP"),  # 6to4 of 202.232.2.0
        ("2002:808:808::1", "US"),
        ("64:ff9b::202.232.2.0", "JP"),
        ("2001:0:4136:e378:8000:63bf:3517:fdff", "JP"),  # Teredo of 202.232.2.0
    ],
)
def test_well_known_addresses(
    table: CountryTable, text: str, country: str | None
) -> None:
    assert table.country(packed(text)) == country


SPECIAL_USE = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/3",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "4000::/2",
        "8000::/1",
    )
]
"""The IANA special-purpose registries, and all IPv6 beside 2000::/3."""


@pytest.mark.parametrize("network", SPECIAL_USE, ids=str)
def test_special_use_space_was_stripped(
    table: CountryTable, network: ipaddress.IPv4Network | ipaddress.IPv6Network
) -> None:
    # Looked up in the rows, so that 6to4 and its like are not judged by what they
    # embed: no row with a country may reach into the network.
    columns = table.columns
    if network.version == 4:
        starts, codes = columns.starts4, columns.codes4
        first, last = int(network[0]), int(network[-1])
    else:
        starts, codes = columns.starts6, columns.codes6
        first, last = int(network[0]) >> 64, int(network[-1]) >> 64
    rows = range(
        bisect.bisect_right(starts, first) - 1, bisect.bisect_right(starts, last)
    )
    assert [codes[row] for row in rows] == [0]


def test_no_special_use_address_has_a_country(table: CountryTable) -> None:
    dice = random.Random(5)  # noqa: S311
    for network in SPECIAL_USE:
        if str(network) in ("2002::/16", "2001::/23", "::/3"):
            continue  # these embed IPv4; the rows were looked at above
        for _ in range(200):
            address = network[dice.randrange(network.num_addresses)]
            assert table.country(address.packed) is None


# --- against the package itself, read the plain way ---


@pytest.fixture(scope="module")
def package(
    tools: None, table: CountryTable, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The package the table says it was made from.

    From the file in RINGFENCE_GEOIPDB, else from the machine's archive.
    """
    given = os.environ.get("RINGFENCE_GEOIPDB")
    if given:
        return Path(given)
    version = table.source.partition(" ")[2]
    try:
        found = rebuild.download(tmp_path_factory.mktemp("deb"), version)
    except rebuild.RebuildError as error:
        pytest.skip(f"{table.source} cannot be had: {error}")
    assert isinstance(found, Path)
    return found


@pytest.fixture(scope="module")
def plain(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    rebuild.run("dpkg-deb", "--extract", str(package), str(folder))
    return folder / "usr" / "share" / "tor"


def read_plainly(path: Path) -> Iterator[tuple[int, int, str]]:
    for line in path.read_text(encoding="ascii").splitlines():
        if not line.startswith("#"):
            first, last, code = line.split(",")
            if ":" in first:
                yield (
                    int(ipaddress.ip_address(first)),
                    int(ipaddress.ip_address(last)),
                    code,
                )
            else:
                yield int(first), int(last), code


@pytest.mark.parametrize(("name", "bits"), [("geoip", 32), ("geoip6", 128)])
def test_the_table_says_what_the_package_says(
    table: CountryTable, plain: Path, name: str, bits: int
) -> None:
    ranges = list(read_plainly(plain / name))
    firsts = [first for first, _, _ in ranges]
    special = [network for network in SPECIAL_USE if network.max_prefixlen == bits]
    dice = random.Random(20_000)  # noqa: S311

    def expected(value: int) -> str | None:
        address = ipaddress.ip_address(value.to_bytes(bits // 8))
        if any(address in network for network in special):
            return None
        at = bisect.bisect_right(firsts, value) - 1
        if at < 0 or value > ranges[at][1]:
            return None
        code = {"UK": "GB"}.get(ranges[at][2], ranges[at][2])
        return code if code in ISO_COUNTRIES else None

    def chosen() -> int:
        first, last, _ = dice.choice(ranges)
        return dice.choice(
            (
                first,
                last,
                max(0, first - 1),
                min(last + 1, (1 << bits) - 1),
                dice.randint(first, last),
                dice.getrandbits(bits),
            )
        )

    tried = 0
    while tried < 20_000:
        value = chosen()
        address = value.to_bytes(bits // 8)
        if address[:2] == b"\x20\x02" or address[:4] == b"\x20\x01\0\0":
            continue  # judged by the IPv4 address in it
        tried += 1
        assert table.country(address) == expected(value), address.hex()


def test_the_table_is_what_the_package_gives(
    table: CountryTable, package: Path, tmp_path: Path
) -> None:
    made, dropped = rebuild.make_table(rebuild.read_package(package, tmp_path))
    again = rebuild.pack(made.columns)
    shipped = (GEO / "country.tbl").read_bytes()
    # Rows and origin; another zlib may squeeze the same rows into other bytes.
    assert unpack(again, "x") == unpack(shipped, "x")
    assert dropped["??"] > 0
