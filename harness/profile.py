"""What an image is meant to be: the requirements that hold for it depend on that. A value, given or inferred."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """An image's kind.

    `generations` are those of Hyper-V that it claims to boot on; `kind` is "generalized" or "specialized";
    `provisioner` is "cloud-init", "waagent", "ignition" or "none"; `family` is who made it (debian, rhel, suse, …), by
    os-release, which also gives `distro` (its ID) and `version` (its VERSION_ID); `arch` is "x86_64" or "aarch64".
    `inferred` says in words what nobody told and how it was found out.
    """

    generations: tuple[int, ...]
    kind: str
    provisioner: str
    family: str = ""
    arch: str = "x86_64"
    inferred: tuple[str, ...] = ()
    distro: str = ""
    version: str = ""

    @property
    def text(self) -> str:
        """The profile in a line."""
        generations = " and ".join(str(one) for one in self.generations)
        return f"generation {generations}, {self.kind}, provisioner {self.provisioner}, {self.arch}"


@dataclass(frozen=True)
class When:
    """Which images a requirement is for; `text` finishes the sentence "this is for …"."""

    text: str
    holds: Callable[[Profile], bool]

    def __and__(self, other: "When") -> "When":
        return When(f"{self.text} and {other.text}", lambda profile: self.holds(profile) and other.holds(profile))

    def __or__(self, other: "When") -> "When":
        return When(f"{self.text} or {other.text}", lambda profile: self.holds(profile) or other.holds(profile))

    def __invert__(self) -> "When":
        return When(f"not {self.text}", lambda profile: not self.holds(profile))


GENERALIZED = When("generalized images", lambda profile: profile.kind == "generalized")
SPECIALIZED = When("specialized images", lambda profile: profile.kind == "specialized")
CLOUD_INIT = When("images that cloud-init provisions", lambda profile: profile.provisioner == "cloud-init")
WAAGENT = When("images that waagent provisions", lambda profile: profile.provisioner == "waagent")
IGNITION = When("images that Ignition provisions", lambda profile: profile.provisioner == "ignition")
PROVISIONED = When("images with a provisioner", lambda profile: profile.provisioner != "none")
DEBIAN = When("Debian and what is made from it", lambda profile: profile.family == "debian")
ENTERPRISE = When("RHEL and what is built like it", lambda profile: profile.family in ("rhel", "fedora", "centos"))
SUSE = When("SUSE's distributions", lambda profile: profile.family in ("suse", "opensuse"))
DEBIAN_ITSELF = When("Debian itself", lambda profile: profile.distro == "debian")
UBUNTU = When("Ubuntu", lambda profile: profile.distro == "ubuntu")
RHEL = When("RHEL itself", lambda profile: profile.distro == "rhel")
ORACLE = When("Oracle Linux", lambda profile: profile.distro == "ol")
OPENSUSE = When("openSUSE", lambda profile: profile.distro.startswith("opensuse"))
GENERATION_1 = When("generation 1", lambda profile: 1 in profile.generations)
GENERATION_2 = When("generation 2", lambda profile: 2 in profile.generations)
X86_64 = When("x86_64", lambda profile: profile.arch == "x86_64")
AARCH64 = When("aarch64", lambda profile: profile.arch == "aarch64")
