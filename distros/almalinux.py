"""AlmaLinux: RHEL's releases rebuilt, with public mirrors.

Settings follow AlmaLinux's own definitions of its Azure images (AlmaLinux/cloud-images).
"""

from distros import enterprise
from distros.recipe import Repository

HOST = "https://repo.almalinux.org/almalinux"
KEYS = {
    "9": "BF18AC2876178908D6E71267D36CB86CB86B3716",
    "10": "EE6DB7B98F5BF5EDD9DA0DE5DEE5C11CC2A1E572",
}
SOURCE = "inferred: AlmaLinux's build system signs each repomd.xml (AlmaLinux/albs-web-server pull 131)"


def repositories(release: str) -> tuple[Repository, ...]:
    """The repositories of the release's newest minor version. 10 is for processors of x86-64-v3 on."""
    return enterprise.rebuilt(release, HOST, "alma/RPM-GPG-KEY-AlmaLinux", KEYS[release], SOURCE)


WITHHELD = enterprise.WITHHELD
RECIPES = enterprise.recipes(
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
