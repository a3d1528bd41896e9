"""Rocky Linux: RHEL's releases rebuilt, with public mirrors.

Settings follow Rocky Linux's own definitions of its Azure images (rocky-linux/kickstarts).
"""

from distros import enterprise
from distros.recipe import Repository, TextFile

HOST = "https://dl.rockylinux.org/pub/rocky"
KEYS = {
    "9": "21CB256AE16FC54C6E652949702D426D350D275D",
    "10": "FC226859C0860BF0DDB95B085B106C736FEDFC85",
}
SOURCE = "inferred: Rocky's build system signs each repomd.xml (rocky-linux/peridot issue 77)"


def repositories(release: str) -> tuple[Repository, ...]:
    """The repositories of the release's newest minor version. 10 is for processors of x86-64-v3 on."""
    return enterprise.composed(
        release, enterprise.REBUILT, HOST, f"rocky/RPM-GPG-KEY-Rocky-{release}", KEYS[release], SOURCE
    )


WITHHELD = enterprise.WITHHELD
RECIPES = enterprise.recipes(
    enterprise.Distribution(
        name="rocky",
        title="Rocky Linux",
        vendor="rocky",
        repositories=repositories,
        ends={"9": "2032-05-31", "10": "2035-05-31"},
        packages=("rocky-release", "rocky-repos", "rocky-gpg-keys"),
        cmdline=("no_timer_check", "net.ifnames=0"),
        # Rocky's mirror list may answer with mirrors in Azure then.
        files=(TextFile("/etc/dnf/vars/infra", "azure\n"),),
    )
)
