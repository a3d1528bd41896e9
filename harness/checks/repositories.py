"""The repositories that a distribution's images have to have (catalogue 2.10)."""

import re

from harness import repositories
from harness.checks.check import Complaints, check
from harness.profile import DEBIAN_ITSELF, ENTERPRISE, OPENSUSE, ORACLE, RHEL, UBUNTU
from harness.tree import Tree

LISA = "LISA azure_image_standard verify_repository_installed"
DEBIAN_HOSTS = re.compile(r"\b(debian\.org|debian-archive\.trafficmanager\.net|azure\.deb\.debian\.cloud)(/|$)")
UBUNTU_HOSTS = re.compile(r"\b([\w.-]+\.)?ubuntu\.com(/|$)")
BASE = re.compile(r"(?<![a-z])(base(os)?|appstream|fedora)(?![a-z])", re.IGNORECASE)


def _mirrored(tree: Tree, url: str) -> str:
    """The URL, or those of the list that a `mirror+file:` leads to."""
    return tree.read_text(url.removeprefix("mirror+file:")) if url.startswith("mirror+file:") else url


@check("repo.debian", severity="recommended", source=LISA, repair="Name an archive of Debian's", when=DEBIAN_ITSELF)
def debians_own_archive_is_named(tree: Tree) -> Complaints:
    """A machine finds its security fixes there."""
    urls = [_mirrored(tree, one.url) for one in repositories.apt(tree) if one.enabled]
    if not any(DEBIAN_HOSTS.search(url) for url in urls):
        yield f"none of {len(urls)} sources is Debian's"


@check(
    "repo.ubuntu", severity="recommended", source=LISA, repair="Name the archive's -updates and -security", when=UBUNTU
)
def ubuntus_own_archive_is_named_with_its_updates(tree: Tree) -> Complaints:
    """A machine finds its security fixes there."""
    own = [one for one in repositories.apt(tree) if one.enabled and UBUNTU_HOSTS.search(_mirrored(tree, one.url))]
    for end in ("-updates", "-security"):
        if not any(one.name.endswith(end) for one in own):
            yield f"no source of Ubuntu's has a suite that ends in {end}"


@check(
    "repo.el",
    severity="recommended",
    source=LISA,
    repair="Enable the distribution's base repository",
    when=ENTERPRISE & ~RHEL & ~ORACLE,
)
def a_base_repository_is_enabled(tree: Tree) -> Complaints:
    """A machine finds its security fixes there. (RHEL's come with its subscription.)"""
    if not any(one.enabled and BASE.search(one.name) for one in repositories.ini(tree)):
        yield "no repository that is enabled is called base, baseos, appstream or fedora"


@check(
    "repo.ol",
    severity="recommended",
    source=LISA,
    repair="Enable Oracle's repositories of the latest packages",
    when=ORACLE,
)
def oracles_latest_packages_are_named(tree: Tree) -> Complaints:
    """A machine finds its security fixes there."""
    if not any(one.enabled and "latest" in one.name.lower() for one in repositories.ini(tree)):
        yield "no repository that is enabled has the word latest in its name"


@check(
    "repo.opensuse", severity="recommended", source=LISA, repair="Enable the repositories oss and update", when=OPENSUSE
)
def openSUSEs_packages_and_updates_are_named(tree: Tree) -> Complaints:
    """A machine finds its security fixes there."""
    names = [f"{one.name} {one.url}".lower() for one in repositories.ini(tree) if one.enabled]
    services = tree.glob("/etc/zypp/services.d/*.service") or tree.glob(
        "/usr/share/zypp/local/service/*/repo/repoindex.xml"
    )
    for word in ("oss", "update"):
        if not services and not any(word in name for name in names):
            yield f"no repository that is enabled is one of {word}"
