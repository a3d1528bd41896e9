"""AlmaLinux: RHEL's releases rebuilt, with public mirrors.

Settings follow AlmaLinux's own definitions of its Azure images (AlmaLinux/cloud-images).
"""

from dataclasses import replace

from distros import enterprise
from distros.recipe import OfferedImage, Recipe, Repository

HOST = "https://repo.almalinux.org/almalinux"
KEYS = {
    "9": "BF18AC2876178908D6E71267D36CB86CB86B3716",
    "10": "EE6DB7B98F5BF5EDD9DA0DE5DEE5C11CC2A1E572",
}
SOURCE = "inferred: AlmaLinux's build system signs each repomd.xml (AlmaLinux/albs-web-server pull 131)"


def repositories(release: str) -> tuple[Repository, ...]:
    """The repositories of the release's newest minor version. 10 is for processors of x86-64-v3 on."""
    return enterprise.composed(
        release, enterprise.REBUILT, HOST, f"alma/RPM-GPG-KEY-AlmaLinux-{release}", KEYS[release], SOURCE
    )


def with_image(recipe: Recipe) -> Recipe:
    """The recipe with AlmaLinux's image for clouds: XFS, and one table for both firmwares."""
    release, arch = recipe.release, recipe.arch
    path = f"{release}/cloud/{arch}/images/AlmaLinux-{release}-GenericCloud-latest.{arch}.qcow2"
    image = OfferedImage(
        url=f"{HOST}/{path}",
        digests="{folder}/CHECKSUM",
        signature="{folder}/CHECKSUM.asc",
        keyring=f"{enterprise.KEYS}/alma/RPM-GPG-KEY-AlmaLinux-{release}",
        keys=(KEYS[release],),
        source="wiki.almalinux.org, Generic Cloud: CHECKSUM.asc, by the key of the release's packages",
        path=path,
    )
    return replace(recipe, offered=image)


WITHHELD = enterprise.WITHHELD
OF_PACKAGES = enterprise.recipes(
    enterprise.Distribution(
        name="almalinux",
        title="AlmaLinux",
        vendor="almalinux",
        repositories=repositories,
        ends={"9": "2032-05-31", "10": "2035-05-31"},
        # almalinux-repos leaves AlmaLinux's own mirror list in the image.
        packages=("almalinux-release", "almalinux-repos", "almalinux-gpg-keys"),
        cmdline=("no_timer_check", "net.ifnames=0"),
    )
)
RECIPES = tuple(with_image(recipe) for recipe in OF_PACKAGES)
