"""The recipe: everything that differs from one distribution or release to the next, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Archive:
    """A package archive: `url` holds `suites`, whose release files are signed by keys of `keyring` (in the tools tree)."""

    url: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    keyring: str


@dataclass(frozen=True)
class TextFile:
    """A file that the recipe puts into the image; `mode` is its permission bits."""

    path: str
    text: str
    mode: int = 0o644


@dataclass(frozen=True)
class Grub:
    """Where a distribution keeps GRUB's parts, as paths in the image."""

    folder: str
    """Where GRUB's configuration and BIOS modules lie: /boot/grub or /boot/grub2."""
    bios_modules: str
    """The folder of the i386-pc modules that core.img is made from; core.img and modules must be of one build."""
    mkimage: str
    mkconfig: str
    shim: str
    grub_efi: str
    mok_manager: str
    vendor: str
    """The folder below EFI/ that is built into the signed GRUB, where it looks for its configuration."""


@dataclass(frozen=True)
class Recipe:
    """What an image of one release is made of. What differs between families, releases and kinds is a field here."""

    distro: str
    release: str
    codename: str
    title: str
    family: str
    arch: str
    stable: bool
    end_of_support: str
    """ISO date until which the distribution fixes security holes."""
    archives: tuple[Archive, ...]
    image_archives: tuple[TextFile, ...]
    """The image's own sources: neither mirror nor proxy of the build stays in it."""
    packages: tuple[str, ...]
    """What every image of this recipe holds, whatever its boot loaders and its provisioner."""
    gen1_packages: tuple[str, ...]
    gen2_packages: tuple[str, ...]
    provisioner_packages: Mapping[str, tuple[str, ...]]
    files: tuple[TextFile, ...]
    provisioner_files: Mapping[str, tuple[TextFile, ...]]
    services: tuple[str, ...]
    """Units enabled in every image."""
    masked: tuple[str, ...]
    agent_service: str
    cmdline: tuple[str, ...]
    initramfs: str
    grub: Grub
    ext4_features: str
    """Passed to mke2fs -O: the features that this release's kernel and GRUB both read."""
    sudo_group: str
    expected: Mapping[str, Any] = field(default_factory=dict)
    """What checks expect of this recipe where it differs: facts for the manifest, never code."""
    esp_mib: int = 124
    size: int = 30 << 30
    """Virtual size of the disk in bytes."""
