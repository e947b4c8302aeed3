"""What each CPU needs: its emulator, its kernel, its disk and its console.

Every kernel is the one that Debian installs on such machines, found by its metapackage,
so that its version is whatever is current. Emulated throughout (TCG): KVM is not asked
for even where it is, since the figures shall compare.
"""

from typing import Final, NamedTuple


class Machine(NamedTuple):
    """One kind of router."""

    name: str
    """Debian's name of the architecture."""
    emulator: str
    emulator_package: str
    kernel_package: str
    options: tuple[str, ...]
    """What makes QEMU this machine."""
    disk: str
    """QEMU's device for the disk."""
    root: str
    """What Linux calls the disk."""
    console: str
    modules: tuple[str, ...] = ()
    """Modules to be loaded before the disk can be mounted, in this order; with none
    there is no initial RAM disk."""
    memory: int = 128
    """MB that QEMU gives it."""
    swap: int = 0
    """MB of compressed swap in memory, before it is compressed: OpenWrt's zram-swap,
    which is for routers as small as these."""
    words: str = ""
    """For the kernel, besides what all get; that of Malta takes 255 characters in all."""
    patience: int = 1
    """Times that everything may take longer here than on amd64."""


_NO_HUGE_PAGES: Final = "transparent_hugepage=never"
"""No router's kernel has them, and they make a process look larger than it is."""

MACHINES: Final = {
    machine.name: machine
    for machine in (
        Machine(
            name="amd64",
            emulator="qemu-system-x86_64",
            emulator_package="qemu-system-x86",
            kernel_package="linux-image-cloud-amd64",
            options=("-M", "q35"),
            disk="nvme,drive=disk,serial=router",
            root="/dev/nvme0n1",
            console="ttyS0",
            words=_NO_HUGE_PAGES,
            # A PC's kernel keeps 33 MB for itself, where those of routers keep 5 to 14.
            swap=48,
        ),
        Machine(
            name="arm64",
            emulator="qemu-system-aarch64",
            emulator_package="qemu-system-arm",
            kernel_package="linux-image-cloud-arm64",
            options=("-M", "virt", "-cpu", "cortex-a53"),
            disk="nvme,drive=disk,serial=router",
            root="/dev/nvme0n1",
            console="ttyAMA0",
            words=_NO_HUGE_PAGES,
        ),
        Machine(
            name="armhf",
            emulator="qemu-system-arm",
            emulator_package="qemu-system-arm",
            kernel_package="linux-image-armmp",
            options=("-M", "virt,highmem=off", "-cpu", "cortex-a7"),
            disk="virtio-blk-device,drive=disk",
            root="/dev/vda",
            console="ttyAMA0",
            # nf_tables and ext4 check sums, and here that is a module of its own.
            modules=("virtio_mmio", "virtio_blk", "crc32c_generic", "ext4"),
            patience=2,
        ),
        Machine(
            name="mipsel",
            emulator="qemu-system-mipsel",
            emulator_package="qemu-system-mips",
            kernel_package="linux-image-4kc-malta",
            # Of the family that OpenWrt's MIPS routers have, and with four times the
            # entries in its TLB that a 24Kf has here, for which Python is too large.
            options=("-M", "malta", "-cpu", "34Kf"),
            disk="virtio-blk-pci,drive=disk",
            root="/dev/vda",
            console="ttyS0",
            modules=("virtio_pci", "virtio_blk", "crc32c_generic", "ext4"),
            patience=5,
        ),
    )
}
