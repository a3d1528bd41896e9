"""CentOS Stream: what the next minor version of RHEL will be, public, and without minor versions of its own."""

from dataclasses import replace

from distros import enterprise
from distros.recipe import Repository

HOST = "https://mirror.stream.centos.org"
METALINK = "https://mirrors.centos.org/metalink?arch={arch}&repo=centos-"
SOURCE = "inferred: CentOS Stream's composes are known to be signed, nobody fetched the signature here"
KEYRING = "centos/RPM-GPG-KEY-CentOS-Official-SHA256"
"""The same key in both releases; this file has the self-signature by SHA-256 that today's rpm wants."""
KEY = "99DB70FAE1D7CE227FB6488205B555B38483C65D"
EXTRAS_KEY = "363FC0972F64B699AED3968E1FF6A2171D997668"


def repositories(release: str) -> tuple[Repository, ...]:
    """BaseOS and AppStream, and the extras, which another key signs."""
    stream = f"{release}-stream"
    main = enterprise.composed(
        stream, enterprise.MAIN, HOST, KEYRING, KEY, SOURCE, metalink=f"{METALINK}{{name}}-{stream}"
    )
    extras = replace(
        main[0],
        name="extras-common",
        url=f"{HOST}/SIGs/{stream}/extras/{{arch}}/extras-common",
        path=f"SIGs/{stream}/extras/{{arch}}/extras-common",
        keyring=f"{enterprise.KEYS}/centos/RPM-GPG-KEY-CentOS-SIG-Extras",
        keys=(EXTRAS_KEY,),
        metalink=f"{METALINK}extras-sig-extras-common-{stream}",
    )
    return (*main, extras)


WITHHELD = enterprise.WITHHELD
RECIPES = enterprise.recipes(
    enterprise.Distribution(
        name="centos",
        title="CentOS Stream",
        vendor="centos",
        repositories=repositories,
        # Until RHEL of the same number leaves full support; for 10 the project has named no day but "2030".
        ends={"9": "2027-05-31", "10": "2030-01-01"},
        packages=("centos-stream-release", "centos-stream-repos", "centos-gpg-keys"),
        codenames={"9": "9-stream", "10": "10-stream"},
    )
)
