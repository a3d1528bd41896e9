"""Extra repositories that stay in an image, as its package manager has them."""

from dataclasses import dataclass

from build.spec.value import ExtraRepository
from build.workspace import Workspace


@dataclass(frozen=True)
class KeepRepositories:
    """Leave repositories in the image, with their keys, so that its packages are renewed from where they came."""

    repositories: tuple[ExtraRepository, ...]

    def describe(self) -> str:
        """Its title, and what it comes to."""
        lines = (f"{one.name}: {one.url}" for one in self.repositories)
        return "\n    ".join(["Keep the spec's repositories", *lines])

    def run(self, work: Workspace) -> None:
        """As each package manager has them."""
        for one in self.repositories:
            key = one.key.read()
            suffix = "asc" if key.lstrip().startswith(b"-----BEGIN") else "gpg"
            if one.kind == "apt":
                place = f"/etc/apt/keyrings/{one.name}.{suffix}"
                work.write(f"/etc/apt/sources.list.d/{one.name}.sources", apt_source(one, place))
            else:
                place = f"/etc/pki/rpm-gpg/RPM-GPG-KEY-{one.name}"
                zypp = work.path("/etc/zypp/repos.d").is_dir()
                folder = "/etc/zypp/repos.d" if zypp else "/etc/yum.repos.d"
                # Unlike dnf, zypper asks a repository anew only where its file says so.
                text = rpm_source(one, place) + ("autorefresh=1\n" if zypp else "")
                work.write(f"{folder}/{one.name}.repo", text)
            work.write(place, key)


def apt_source(one: ExtraRepository, key: str) -> str:
    """The repository in deb822 form (sources.list(5))."""
    suites, components = " ".join(one.suites), " ".join(one.components)
    return f"Types: deb\nURIs: {one.url}\nSuites: {suites}\nComponents: {components}\nSigned-By: {key}\n"


def rpm_source(one: ExtraRepository, key: str) -> str:
    """The repository as dnf and zypper read it (dnf.conf(5))."""
    checked = f"gpgcheck=1\nrepo_gpgcheck={int(one.signed_metadata)}\ngpgkey=file://{key}\n"
    return f"[{one.name}]\nname={one.name}\nbaseurl={one.url.replace('{arch}', '$basearch')}\nenabled=1\n{checked}"
