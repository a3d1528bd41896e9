"""What makes an archive of Debian's packages look like Ubuntu's, as far as Kiln and its images look."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from build.families.apt import DPKG_NAMES
from distros.recipe import Recipe
from tests.standin.debs import Made, Repacked

KEYRING = "/usr/share/keyrings/ubuntu-archive-keyring.gpg"
MINIMAL = (
    *("adduser", "apt", "apt-utils", "debconf", "e2fsprogs", "eject", "init", "iproute2", "iputils-ping", "kmod"),
    *("less", "lsb-release", "mawk", "mount", "netbase", "netplan.io", "passwd", "procps", "python3", "sudo"),
    *("tzdata", "udev", "util-linux", "vim-tiny", "whiptail"),
)
"""What Debian has of the packages that ubuntu-minimal depends on."""
UEFI_NAMES = {"x86_64": "x64", "aarch64": "aa64"}

OS_RELEASE = """\
PRETTY_NAME="{title} (stand-in, Debian inside)"
NAME="Ubuntu"
VERSION_ID="{release}"
VERSION="{version}"
VERSION_CODENAME={codename}
ID=ubuntu
ID_LIKE=debian
HOME_URL="https://www.ubuntu.com/"
UBUNTU_CODENAME={codename}
"""


def os_release(recipe: Recipe) -> str:
    """The release file, which says that it is none of Ubuntu's."""
    version = recipe.title.removeprefix("Ubuntu ")
    return OS_RELEASE.format(title=recipe.title, release=recipe.release, version=version, codename=recipe.codename)


def labels(recipe: Recipe) -> tuple[str, ...]:
    """The marks by which an image of it can be known."""
    return (os_release(recipe).splitlines()[0], "package versions that end in +standin")


def stands_for(recipe: Recipe) -> Mapping[str, tuple[str, ...]]:
    """Debian's names for those of the recipe that only Ubuntu has."""
    kernel = (f"linux-image-cloud-{DPKG_NAMES[recipe.arch]}", "hyperv-daemons")
    return {
        **{name: kernel for one in recipe.kernels.values() for name in one.packages},
        "ubuntu-minimal": MINIMAL,
        "ubuntu-keyring": (),
        "walinuxagent": ("waagent",),
    }


def made(recipe: Recipe, key: bytes) -> tuple[Made, ...]:
    """Packages that lead to others, and the keyring with the stand-in's key."""
    return (
        *(deb for one in recipe.kernels.values() for name in one.packages for deb in _kernel(name, recipe.arch)),
        Made("ubuntu-minimal", ", ".join(MINIMAL)),
        Made("ubuntu-keyring", files={KEYRING: key}),
    )


def _kernel(name: str, arch: str) -> tuple[Made, ...]:
    """A kernel's package and those that it consists of."""
    image, daemons, tools, headers = (
        name.replace("linux-", f"linux-{part}-", 1) for part in ("image", "cloud-tools", "tools", "headers")
    )
    return (
        Made(name, ", ".join((image, daemons, tools, headers))),
        Made(image, f"linux-image-cloud-{DPKG_NAMES[arch]}"),
        Made(daemons, "hyperv-daemons"),
        Made(tools),
        Made(headers),
    )


def repacked(recipe: Recipe) -> tuple[Repacked, ...]:
    """Debian's packages, changed to what Kiln finds in Ubuntu's."""
    dpkg, cpu = DPKG_NAMES[recipe.arch], UEFI_NAMES[recipe.arch]

    def release(tree: Path) -> None:
        (tree / "usr/lib/os-release").write_text(os_release(recipe))

    def shim(tree: Path) -> None:
        folder = tree / "usr/lib/shim"
        shutil.copy(folder / f"shim{cpu}.efi.signed", folder / f"shim{cpu}.efi.signed.latest")

    def grub(tree: Path) -> None:
        (loader,) = tree.glob(f"usr/lib/grub/*-signed/grub{cpu}.efi.signed")
        content = loader.read_bytes()
        assert b"/EFI/debian" in content
        loader.write_bytes(content.replace(b"/EFI/debian", b"/EFI/ubuntu"))
        alternatives = f"grub-efi-{dpkg} | grub-pc" if dpkg == "amd64" else f"grub-efi-{dpkg}"
        control = tree / "DEBIAN/control"
        control.write_text(re.sub("^Depends: ", f"Depends: {alternatives}, ", control.read_text(), flags=re.MULTILINE))

    return (
        Repacked("base-files", "base-files", release, "the release's name"),
        Repacked("walinuxagent", "waagent", _agent, "Ubuntu's name"),
        Repacked("cloud-init", "cloud-init", _cloud_init, "distribution and user are ubuntu"),
        Repacked("shim-signed", "shim-signed", shim, "Ubuntu's name for the loader"),
        Repacked(
            *(f"grub-efi-{dpkg}-signed", f"grub-efi-{dpkg}-signed", grub),
            "it looks in /EFI/ubuntu, which its signature does not survive; it needs grub-efi or grub-pc",
        ),
    )


def _agent(tree: Path) -> None:
    for script in (tree / "DEBIAN").glob("p*"):
        script.write_text(script.read_text().replace("-p waagent", "-p walinuxagent"))


def _cloud_init(tree: Path) -> None:
    file = tree / "etc/cloud/cloud.cfg"
    file.write_text(
        file.read_text().replace("distro: debian", "distro: ubuntu").replace("name: debian", "name: ubuntu")
    )
