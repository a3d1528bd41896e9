"""Flatcar Container Linux: an image that is published whole, not assembled.

Ignition and afterburn set a machine up at its first boot, from custom data; there is no cloud-init. The Azure agent is
in the image as a system extension. Release server, file names and key: flatcar.org, "Running Flatcar on Azure", and
flatcar/init, `bin/flatcar-install`.
"""

from dataclasses import replace

from distros.recipe import Kernel, Provisioning, PublishedImage, Recipe

NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
MASTER = "F88CFEDEFF29A5B4D9523864E25D9AED0593B34A"
"""The key that certifies the signing keys, which change every year or two."""
SPECIALIZED = (
    "Ignition gives each machine its users and its name at its first boot, which must not have happened in an image"
)


def _image(channel: str, arch: str) -> PublishedImage:
    server = f"https://{channel}.release.flatcar-linux.net/{NAMES[arch]}-usr"
    return PublishedImage(
        # Resolved by version: what "current" means may change between two requests.
        url=f"{server}/{{version}}/flatcar_production_azure_image.vhd.bz2",
        keyring="distros:keys/flatcar.asc",
        signed_by=(MASTER,),
        signature="{url}.sig",
        digests="{url}.DIGESTS.asc",
        version=f"{server}/current/version.txt",
    )


STABLE = Recipe(
    distro="flatcar",
    release="stable",
    codename="stable",
    title="Flatcar Container Linux, stable channel",
    family="flatcar",
    arch="x86_64",
    default=True,
    # A channel rolls: each of its versions ends when the next one comes.
    end_of_support="",
    os_ids=("flatcar",),
    kernels={"": Kernel(())},
    # One hybrid disk boots by both firmwares, whatever it is used for.
    boot_packages={"both": ()},
    provisioning={"ignition": Provisioning()},
    # What the image's own OEM partition says; a machine's arguments are these and what Flatcar adds itself.
    cmdline=(
        *("console=tty1", "console=ttyS0,115200n8", "earlyprintk=ttyS0,115200"),
        *("rootflags=rw", "mount.usrflags=ro", "consoleblank=0", "root=LABEL=ROOT", "flatcar.autologin"),
    ),
    image=_image("stable", "x86_64"),
    refused={"specialized": SPECIALIZED},
)
BETA = replace(
    STABLE,
    release="beta",
    codename="beta",
    title="Flatcar Container Linux, beta channel",
    default=False,
    image=_image("beta", "x86_64"),
)
LTS = replace(
    STABLE,
    release="lts",
    codename="lts",
    title="Flatcar Container Linux, long-term support channel",
    default=False,
    image=_image("lts", "x86_64"),
)


def _arm(recipe: Recipe) -> Recipe:
    """The same channel for arm64, which Azure starts by UEFI alone."""
    cmdline = ("console=ttyAMA0,115200n8", "acpi=force", *recipe.cmdline[3:])
    return replace(
        recipe, arch="aarch64", boot_packages={"2": ()}, cmdline=cmdline, image=_image(recipe.release, "aarch64")
    )


RECIPES = tuple(one for recipe in (STABLE, BETA, LTS) for one in (recipe, _arm(recipe)))
WITHHELD = {"alpha": "the alpha channel is for trying what comes, not for machines that people rely on"}
