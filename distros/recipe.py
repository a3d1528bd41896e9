"""The recipe: everything that differs from one distribution or release to the next, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

PROVISIONERS = ("cloud-init", "waagent", "none")
"""What provisions an image that is made of packages; one that is published whole has a way of its own."""
KINDS = ("generalized", "specialized")
ARCHITECTURES = ("x86_64", "aarch64")


@dataclass(frozen=True)
class Archive:
    """An apt archive. Its suites' release files are signed by keys of `keyring`, a file of the tools tree.

    `keys` are the fingerprints of the primary keys that may sign it, and no others of the keyring; `sibling` is what a
    private mirror's URL gets appended for this archive: mirrors keep a distribution's security archive beside the main
    one. `snapshots` is the URL of the archive as it was at a moment, with {time} for it, where there is such a service.
    """

    url: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    keyring: str
    sibling: str = ""
    keys: tuple[str, ...] = ()
    snapshots: str = ""


@dataclass(frozen=True)
class Repository:
    """An rpm-md repository. Its packages are signed by one of `keys` (fingerprints), found in `keyring`, a file of the
    tools tree, or several divided by colons.

    `path` is where a private mirror has it, below that mirror's URL; `mirrors` and `metalink` are further ways to the
    same content, tried in this order after `url`. `signed_metadata` says whether repomd.xml has a signature by one of
    `metadata_keys` (by `keys` where none are named), and `source` where that was learned: "inferred" where nobody
    tried. `sha1_key` marks a key whose own signature is by SHA-1, which today's rpm refuses without a policy.
    `access` names what the caller must give for it: "" (public), "entitlement" or "scc".
    """

    name: str
    url: str
    path: str
    keyring: str
    keys: tuple[str, ...]
    signed_metadata: bool
    source: str
    metadata_keys: tuple[str, ...] = ()
    sha1_key: bool = False
    mirrors: tuple[str, ...] = ()
    metalink: str = ""
    access: str = ""


@dataclass(frozen=True)
class TextFile:
    """A file that the recipe puts into the image; `mode` is its permission bits."""

    path: str
    text: str
    mode: int = 0o644


@dataclass(frozen=True)
class Kernel:
    """A kernel that an image can have: its packages, and what tells its versions from another flavour's.

    `marks` are words of which a version (the folder's name in /usr/lib/modules) has at least one; none: any version.
    """

    packages: tuple[str, ...]
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Initramfs:
    """How an image's initramfs is made: by "initramfs-tools" or "dracut", under which name ({kernel} is the version).

    `drivers` are added whatever the machine is; dracut makes one for any machine (--no-hostonly). `links` are names
    under which a distribution has its newest kernel and that one's initramfs: a path, and where it leads.
    """

    tool: str
    name: str
    drivers: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()


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
    loaders: tuple[tuple[str, str], ...]
    """What lies on the ESP: a file of the image, and its path there."""
    stubs: tuple[str, ...]
    """Paths on the ESP where a signed GRUB looks for its configuration, which leads to the one on the root."""
    uefi_modules: str = ""
    """The UEFI modules that a menu may ask for beyond those within the signed GRUB, which are taken where Secure Boot
    is off; their folder is called by GRUB's word for the platform. "" where a distribution has none beside its menu."""
    menu: str = "mkconfig"
    """Who writes grub.cfg: "mkconfig" (the image's own grub-mkconfig), or "bls" (Boot Loader Specification entries,
    which a grub.cfg of ours has GRUB read)."""


@dataclass(frozen=True)
class Rpm:
    """What rpm families need beyond names: `release` is $releasever, `database` the backend ("sqlite" or "ndb") and
    `database_path` its folder in the image; `excluded` are packages that must not come along."""

    release: str
    database: str
    database_path: str
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True)
class PublishedImage:
    """A disk image that the distribution publishes: where, and what proves that it is the one.

    `signed_by` are fingerprints of primary keys in `keyring`, a file of the tools tree or (with a leading "distros:")
    of this package; `signature` and `digests` are URLs, with {url} for the image's own and {version} for its version.
    `digests` is a clear-signed list of digests where there is one. `version` is the URL of a text that names the
    newest version, where `url` has {version}.
    """

    url: str
    keyring: str
    signed_by: tuple[str, ...]
    signature: str = ""
    digests: str = ""
    version: str = ""


@dataclass(frozen=True)
class OfferedImage:
    """A disk image of a release that its distribution offers for clouds, besides the packages that it is made of.

    `digests` is the URL of a list of SHA-256 digests, `signature` that of its signature, empty where the list is
    clear-signed; {url} stands for the image's own, {folder} for that without the file's name. One of `keys` (primary
    fingerprints) in `keyring`, a file of the tools tree, signs. `listed` is a pattern of the image's name in the list,
    where that is another than in the URL; `path` is where a private mirror has it, empty: nowhere. `source` says where
    that was learned: "inferred" where nobody tried.
    """

    url: str
    digests: str
    signature: str
    keyring: str
    keys: tuple[str, ...]
    source: str
    path: str = ""
    listed: str = ""


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
    """Which of `build.families` makes it: apt, dnf, zypper or flatcar."""
    arch: str
    default: bool
    """Whether this is the release that the distribution's bare name means: its newest stable one."""
    end_of_support: str
    """ISO date until which the distribution itself fixes security holes; empty where it has no end (rolling)."""
    major: int = 0
    """The first number of its versions in a gallery, of which the highest is the latest: 12, 2404, 1507; 0 where a
    distribution rolls."""
    os_ids: tuple[str, ...] = ()
    """What a vendor's image of it calls itself: ID in os-release."""
    archives: tuple[Archive, ...] | tuple[Repository, ...] = ()
    packages: tuple[str, ...] = ()
    """What every image of this recipe holds, whatever its kernel, its boot loaders and its provisioner."""
    kernels: Mapping[str, Kernel] = field(default_factory=dict)
    """Kernels by the caller's word for them, the default first; "" where there is no choice."""
    boot_packages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Boot loaders by generation: "1", "2" or "both". What is not here cannot be asked for."""
    debconf: tuple[str, ...] = ()
    """Answers for packages that would ask, one line each: owner, question, type, value."""
    debconf_for_updates: tuple[str, ...] = ()
    """The same for their updates alone: while an image is made, these would have their scripts look for a disk."""
    early_files: tuple[TextFile, ...] = ()
    """Written before the packages, whose scripts read them: the initramfs is made with them."""
    files: tuple[TextFile, ...] = ()
    provisioning: Mapping[str, Provisioning] = field(default_factory=dict)
    """By the provisioner's name, cloud-init first; what is not here cannot be asked for."""
    specialized: Provisioning = Provisioning()
    """What a specialized image adds after its provisioner's part."""
    services: tuple[str, ...] = ()
    cmdline: tuple[str, ...] = ()
    """Kernel arguments besides root=."""
    grub_defaults: TextFile | None = None
    """The settings that grub-mkconfig reads; {cmdline} stands for the kernel arguments."""
    grub: Grub | None = None
    initramfs: Initramfs | None = None
    ext4_features: str = ""
    """Passed to mke2fs -O: features that this release's kernel, fsck and GRUB all know."""
    admin_groups: tuple[str, ...] = ()
    """Groups of a specialized image's administrator."""
    selinux: str = ""
    """The SELinux policy by which files are labelled, as /etc/selinux has it; empty: none."""
    removed: tuple[str, ...] = ()
    """Packages that must not be in the tree, whatever would bring them along: a user's choice, no recipe's."""
    locale_packages: tuple[str, ...] = ()
    """What a locale other than C.UTF-8 needs; {language} stands for its language, as "de"."""
    timezone_packages: tuple[str, ...] = ()
    """What a time zone needs."""
    rpm: Rpm | None = None
    image: PublishedImage | None = None
    """The image that the distribution publishes, where that is what an image is made of."""
    offered: OfferedImage | None = None
    """The image that the distribution publishes to build on, where it has one that can be verified."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Kinds of images that cannot be made of it, and why."""
    normalized: tuple[str, ...] = ()
    """Files (patterns) that a package's script would make different each time, and that this recipe makes equal."""
    esp_mib: int = 124
    size: int = 30 << 30
    """Virtual size of the disk in bytes."""

    @property
    def name(self) -> str:
        """How people call it: distribution and release."""
        return f"{self.distro}-{self.release}"
