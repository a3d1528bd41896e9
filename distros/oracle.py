"""Oracle Linux: RHEL's releases rebuilt, with a kernel of Oracle's own (UEK) beside the one that RHEL has (RHCK)."""

from distros import enterprise
from distros.recipe import Kernel, Repository

HOST = "https://yum.oracle.com/repo/OracleLinux"
KEYRING = f"{enterprise.KEYS}/oraclelinux/RPM-GPG-KEY-oracle-ol9"
"""The keys of 9 and 10 are the same; the tools' package has no file of that name for 10 yet."""
KEYS = ("3E6D826D3FBAB389C2F38E34BC4D06A08D8B756F", "982231759C7467065D0CE9B2A7DD07088B4EFBE6")
PLACES = {
    "baseos": "baseos/latest/{arch}",  # the only one of them that has a latest
    "appstream": "appstream/{arch}",
    "addons": "addons/{arch}",
    "uek": "UEKR8/{arch}",
}


def repositories(release: str) -> tuple[Repository, ...]:
    """The repositories of the release's newest minor version."""
    return tuple(
        Repository(
            name=f"ol{release}-{name}",
            url=f"{HOST}/OL{release}/{place}",
            path=f"OL{release}/{place}",
            keyring=KEYRING,
            keys=KEYS,
            # Nobody tried whether repomd.xml has a signature: TLS guards it.
            signed_metadata=False,
            source="inferred",
        )
        for name, place in PLACES.items()
    )


def kernels(release: str) -> dict[str, Kernel]:
    """Oracle's kernel and RHEL's: versions read as 6.12.0-100.28.2.el9uek.x86_64 and 5.14.0-570.12.1.el9_6.x86_64."""
    return {
        "uek": Kernel(("kernel-uek-core", "kernel-uek-modules"), (f".el{release}uek",)),
        "rhck": Kernel(("kernel",), (f".el{release}.", f".el{release}_")),
    }


WITHHELD = enterprise.WITHHELD
RECIPES = enterprise.recipes(
    enterprise.Distribution(
        name="oracle",
        title="Oracle Linux",
        # Oracle's GRUB and shim keep RHEL's folder.
        vendor="redhat",
        os_ids=("ol",),
        repositories=repositories,
        ends={"9": "2032-06-30", "10": "2035-06-30"},
        packages=("oraclelinux-release",),
        releases={"9": ("oraclelinux-release-el9",), "10": ("oraclelinux-release-el10",)},
        cmdline=("net.ifnames=0",),
        kernels={release: kernels(release) for release in ("9", "10")},
    )
)
