"""How a router's disk is made, as far as it needs no packages: sources, modules."""

from pathlib import Path

from router import root

ONE_LINE = """\
deb http://example.invalid/debian bookworm main
deb http://example.invalid/debian-security bookworm-security main
"""
PARAGRAPHS = """\
Types: deb
URIs: http://example.invalid/debian
Suites: bookworm bookworm-updates
Components: main

Types: deb
URIs: http://example.invalid/debian-security
Suites: bookworm-security
Components: main
"""
NEEDED = """\
kernel/fs/ext4/ext4.ko: kernel/fs/mbcache.ko kernel/lib/crc16.ko
kernel/fs/mbcache.ko:
kernel/lib/crc16.ko:
kernel/drivers/block/virtio_blk.ko: kernel/drivers/virtio/virtio.ko
kernel/drivers/virtio/virtio_mmio.ko: kernel/drivers/virtio/virtio.ko
kernel/drivers/virtio/virtio.ko:
"""


def test_security_updates_are_left_out_of_both_forms(tmp_path: Path) -> None:
    sources = [tmp_path / "debian.list", tmp_path / "debian.sources"]
    for path, text in zip(sources, (ONE_LINE, PARAGRAPHS), strict=True):
        path.write_text(text)
    assert root.leave_out_security(sources, tmp_path / "fewer")
    one_line, paragraphs = (
        (tmp_path / "fewer" / path.name).read_text() for path in sources
    )
    assert one_line.split("\n")[0] == ONE_LINE.split("\n")[0]
    assert "Suites: bookworm bookworm-updates\n" in paragraphs
    assert "security" not in one_line + paragraphs


def test_without_security_updates_there_is_nothing_to_leave_out(tmp_path: Path) -> None:
    path = tmp_path / "debian.list"
    path.write_text("deb http://example.invalid/debian bookworm main\n")
    assert not root.leave_out_security([path], tmp_path / "fewer")


def test_a_module_comes_behind_those_it_needs_and_once(tmp_path: Path) -> None:
    (tmp_path / "modules.dep").write_text(NEEDED)
    wanted = ("virtio_mmio", "virtio_blk", "built_in", "ext4")
    order = [path.stem for path in root.in_order(tmp_path, wanted)]
    assert order == ["virtio", "virtio_mmio", "virtio_blk", "crc16", "mbcache", "ext4"]
