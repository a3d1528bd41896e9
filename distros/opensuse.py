"""openSUSE: Leap, which shares its core with SLES of the same number, and Tumbleweed, which rolls."""

import re
from dataclasses import replace

from distros import suse
from distros.recipe import OfferedImage, Recipe, Repository

HOST = "https://download.opensuse.org"
SOURCE = "zypper refuses unsigned metadata; the key is published as repomd.xml.key"
KEY = "AD485664E901B867051AB15F35A2F86E29B700A4"
BACKPORTS_KEY = "BF3F9A67D3A2FF98A73F5E07488C583D287A0027"
KEYRING = f"{suse.KEYS}/opensuse/RPM-GPG-KEY-openSUSE-2022"
LEAP_KEYRING = f"{KEYRING}:{suse.KEYS}/opensuse/RPM-GPG-KEY-openSUSE-16-Backports:{suse.KEYRING_16}"
PACKAGES = ("NetworkManager-branding-openSUSE", "openSUSE-build-key")
PORTS = {"x86_64": "", "aarch64": "ports/aarch64/"}


def leap_repositories() -> tuple[Repository, ...]:
    """One tree, where the updates come to as well. Its packages keep the keys of those who built them: openSUSE, the
    backports, and SUSE, whose key is bound by SHA-1."""
    return (
        suse.repository(
            "oss",
            HOST,
            "distribution/leap/16.0/repo/oss/{arch}",
            LEAP_KEYRING,
            (KEY, BACKPORTS_KEY, suse.KEY_16),
            SOURCE,
            sha1=True,
        ),
    )


def tumbleweed_repositories(arch: str) -> tuple[Repository, ...]:
    """The newest snapshot, and the few updates between snapshots."""
    paths = {"oss": f"{PORTS[arch]}tumbleweed/repo/oss", "update": f"{PORTS[arch]}update/tumbleweed"}
    return tuple(suse.repository(name, HOST, path, KEYRING, (KEY,), SOURCE, sha1=False) for name, path in paths.items())


def leap(arch: str) -> Recipe:
    """Leap 16.0: NetworkManager, and SELinux enforcing, as SLES 16 has them."""
    newest = suse.recipe(
        "opensuse",
        "16.0",
        "openSUSE Leap 16.0",
        arch,
        default=True,
        major=1600,
        end_of_support="2027-10-31",
        archives=leap_repositories(),
        packages=(*PACKAGES, "Leap-release", "openSUSE-repos-Leap"),
    )
    return replace(newest, codename="leap-16.0", os_ids=("opensuse-leap",))


def tumbleweed(arch: str) -> Recipe:
    """Tumbleweed has no releases and no end; a build takes the snapshot of its day."""
    newest = suse.recipe(
        "opensuse",
        "tumbleweed",
        "openSUSE Tumbleweed",
        arch,
        default=False,
        major=0,
        end_of_support="",
        archives=tumbleweed_repositories(arch),
        packages=(*PACKAGES, "openSUSE-release", "openSUSE-repos-Tumbleweed"),
    )
    return replace(newest, os_ids=("opensuse-tumbleweed",))


IMAGES = {
    "16.0": "distribution/leap/16.0/appliances/Leap-16.0-Minimal-VM.{arch}-Cloud.qcow2",
    "tumbleweed": "{port}tumbleweed/appliances/openSUSE-Tumbleweed-Minimal-VM.{arch}-Cloud.qcow2",
}


def with_image(recipe: Recipe) -> Recipe:
    """The recipe with openSUSE's minimal image for clouds, whose root is btrfs with snapshots."""
    path = IMAGES[recipe.release].format(arch=recipe.arch, port=PORTS[recipe.arch])
    stem = re.escape(path.rpartition("/")[2].removesuffix("-Cloud.qcow2"))
    image = OfferedImage(
        url=f"{HOST}/{path}",
        digests="{url}.sha256",
        signature="{url}.sha256.asc",
        keyring=KEYRING,
        keys=(KEY,),
        source="inferred: beside every image of theirs lies .sha256.asc; that this key signs it, nobody tried here",
        path=path,
        # The URL is a name for the newest build; the list has the build's own.
        listed=rf"{stem}-.*Cloud.*\.qcow2",
    )
    return replace(recipe, offered=image)


RECIPES = tuple(with_image(make(arch)) for make in (leap, tumbleweed) for arch in suse.BOOT_PACKAGES)
