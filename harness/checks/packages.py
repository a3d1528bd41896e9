"""Packages and their sources (catalogue 2.10)."""

import re

from harness.checks.check import Complaints, check
from harness.tree import Tree

LISA = "LISA azure_image_standard"
DAEMONS = ("hyperv-daemons", "hyper-v", "linux-cloud-tools-azure", "linux-cloud-tools-common")


@check("pkg.hyperv-daemons", severity="recommended", source=LISA, repair="Install hyperv-daemons")
def the_hyperv_daemons_are_installed(packages: dict[str, str]) -> Complaints:
    """The host learns over KVP what the guest is and how provisioning went."""
    if not any(name in packages for name in DAEMONS):
        yield f"none of {', '.join(DAEMONS)}"


@check("pkg.python-openssl", source="Microsoft: certification FAQ; LISA", repair="Install them")
def the_agent_finds_python_and_openssl(tree: Tree) -> Complaints:
    """The agent and many extensions are Python, and decrypt their settings by the openssl program."""
    for name in ("python3", "openssl"):
        if not any(tree.exists(f"{folder}/{name}") for folder in ("/usr/bin", "/usr/libexec")):
            yield f"{name} is missing"


@check("pkg.omi", source=LISA, repair="Remove omi, or update it to 1.6.8.1")
def no_vulnerable_omi_is_installed(packages: dict[str, str]) -> Complaints:
    """OMIGOD (CVE-2021-38647): older versions let anybody on the network run programs as root."""
    version = packages.get("omi", "")
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:4])
    if numbers and numbers < (1, 6, 8, 1):
        yield f"omi {version}"


@check("repo.sources", severity="recommended", source=LISA, repair="Name the distribution's own archives")
def packages_come_from_a_public_archive(tree: Tree) -> Complaints:
    """A mirror that only the build machine reaches leaves every VM without security fixes."""
    patterns = ("/etc/apt/sources.list", "/etc/apt/sources.list.d/*", "/etc/yum.repos.d/*.repo", "/etc/zypp/repos.d/*")
    for pattern in patterns:
        for path in tree.glob(pattern):
            for number, line in enumerate(tree.read_text(path).splitlines(), 1):
                if not line.lstrip().startswith("#") and (found := PRIVATE.search(line)):
                    yield f"{path}:{number}: {found[0]}"


PRIVATE = re.compile(
    # Keys of repositories are files of the image.
    r"((?<!mirror\+)file:/(?!//etc/pki/)\S+|copy:/\S+|https?://(localhost|127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|[^/\s]*\.(local|internal|lan)\b)\S*)"
)
