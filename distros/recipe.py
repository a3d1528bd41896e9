"""The recipe: everything that differs from one distribution or release to the next, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass

PROVISIONERS = ("cloud-init", "waagent", "none")
KINDS = ("generalized", "specialized")


@dataclass(frozen=True)
class Archive:
    """A package archive. Its suites' release files are signed by keys of `keyring`, a file of the tools tree.

    `sibling` is what a private mirror's URL gets appended for this archive: mirrors keep a distribution's security
    archive beside the main one.
    """

    url: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    keyring: str
    sibling: str = ""


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
    """GRUB's configuration and BIOS modules: /boot/grub or /boot/grub2."""
    bios_modules: str
    """The i386-pc modules that core.img is made from; core.img and modules must be of one build."""
    mkimage: str
    mkconfig: str
    mkconfig_library: str
    shim: str
    grub_efi: str
    mok_manager: str
    vendor: str
    """The folder below EFI/ that is built into the signed GRUB, where it looks for its configuration."""


@dataclass(frozen=True)
class Provisioning:
    """What one way of provisioning adds to an image.

    `services` are enabled by name since an image must not depend on a package's preset, `only_generalized` those that
    provision and so have no place in a specialized image; `agent_settings` are keys of waagent.conf and their values.
    """

    packages: tuple[str, ...] = ()
    files: tuple[TextFile, ...] = ()
    services: tuple[str, ...] = ()
    only_generalized: tuple[str, ...] = ()
    agent_settings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Recipe:
    """What an image of one release is made of. What differs between families, releases and kinds is a field here."""

    distro: str
    release: str
    codename: str
    title: str
    family: str
    arch: str
    default: bool
    """Whether this is the release that the distribution's bare name means: its newest stable one."""
    end_of_support: str
    """ISO date until which the distribution itself fixes security holes."""
    archives: tuple[Archive, ...]
    packages: tuple[str, ...]
    """What every image of this recipe holds, whatever its boot loaders and its provisioner."""
    boot_packages: Mapping[str, tuple[str, ...]]
    """Boot loaders by generation: "1", "2" or "both"."""
    debconf: tuple[str, ...]
    """Answers for packages that would ask, one line each: owner, question, type, value."""
    early_files: tuple[TextFile, ...]
    """Written before the packages, whose scripts read them: the initramfs is made with them."""
    files: tuple[TextFile, ...]
    provisioning: Mapping[str, Provisioning]
    specialized: Provisioning
    """What a specialized image adds after its provisioner's part."""
    services: tuple[str, ...]
    cmdline: tuple[str, ...]
    """Kernel arguments besides root=."""
    grub_defaults: TextFile
    """The settings that grub-mkconfig reads; {cmdline} stands for the kernel arguments."""
    grub: Grub
    ext4_features: str
    """Passed to mke2fs -O: features that this release's kernel, fsck and GRUB all know."""
    admin_groups: tuple[str, ...]
    """Groups of a specialized image's administrator."""
    normalized: tuple[str, ...] = ()
    """Files (patterns) that a package's script would make different each time, and that this recipe makes equal."""
    esp_mib: int = 124
    size: int = 30 << 30
    """Virtual size of the disk in bytes."""

    @property
    def name(self) -> str:
        """How people call it: distribution and release."""
        return f"{self.distro}-{self.release}"
