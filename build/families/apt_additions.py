"""The apt family on a tree that is there already: what a recipe wants and a vendor's image lacks is added to it."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from build import keys, mmdebstrap
from build.archive import Release
from build.command import CommandFailed
from build.errors import MachineError
from build.families import dpkg
from build.workspace import Workspace, way_out
from distros.recipe import TextFile

PLACE = "/run/kiln-apt"
"""The folder in the tree that holds this build's sources, keys and lists, and goes when they were used."""
OPTIONS = (
    f"Dir::Etc::SourceList={PLACE}/sources.list",
    "Dir::Etc::SourceParts=/dev/null",
    f"Dir::State::Lists={PLACE}/lists",
    f"Dir::Cache::Archives={PLACE}/archives",
    "Dir::Cache::pkgcache=",
    "Dir::Cache::srcpkgcache=",
    "APT::Install-Recommends=false",
    "APT::Sandbox::User=root",
    "Acquire::Languages=none",
    "Acquire::Retries=3",
    "Dpkg::Options::=--force-confold",
    "Dpkg::Options::=--force-unsafe-io",
)
NO_SERVICES = "#!/bin/sh\nexit 101\n"
"""policy-rc.d's answer by which packages start nothing while they are installed (Debian Policy 9.3.3.2)."""


@dataclass(frozen=True)
class AptAdditions:
    """Packages that must be there: those that are missing are installed from the archives, whose keys are checked."""

    releases: tuple[Release, ...]
    packages: tuple[str, ...]
    debconf: tuple[str, ...]
    early_files: tuple[TextFile, ...]

    def describe(self) -> str:
        """What a plan shows."""
        return f"Install what the image lacks of {len(self.packages)} packages"

    def run(self, work: Workspace) -> None:
        """Nothing is asked of any archive where nothing is missing."""
        for file in self.early_files:
            work.write(file.path, file.text, file.mode)
        present = {name for name, _, _ in dpkg.installed(work.tree)}
        missing = [name for name in self.packages if name not in present]
        if not missing:
            return
        if work.offline:
            raise MachineError(f"the image lacks {', '.join(missing)}", "build once without --offline")
        with _prepared(work, self._sources(work)):
            self._install(work, missing)

    def _sources(self, work: Workspace) -> str:
        lines = []
        for number, release in enumerate(self.releases):
            key = f"{PLACE}/{number}.gpg"
            work.write(key, keys.located(release.keyring, work.tools).read_bytes())
            lines.append(f"deb [signed-by={key}] {release.source}\n")
        return "".join(lines)

    def _install(self, work: Workspace, missing: list[str]) -> None:
        options = [word for option in OPTIONS for word in ("-o", option)]
        environment = {**mmdebstrap.ENVIRONMENT, **way_out()}
        if self.debconf:
            work.write(f"{PLACE}/answers", "\n".join(self.debconf) + "\n")
            work.inside("debconf-set-selections", f"{PLACE}/answers", env=environment)
        try:
            work.inside("apt-get", *options, "update", env=environment)
            self._require_same(work)
            work.inside("apt-get", *options, "--yes", "install", *missing, env=environment)
        except CommandFailed as failure:
            raise mmdebstrap.blamed(failure) from None

    def _require_same(self, work: Workspace) -> None:
        """Raise MachineError where the archive was renewed since the plan was made."""
        found = {
            hashlib.sha256(work.path(path).read_bytes()).hexdigest() for path in work.glob(f"{PLACE}/lists/*_InRelease")
        }
        if found != {release.sha256 for release in self.releases}:
            raise MachineError("the archive was renewed while the packages were installed", "run the build again")


@contextmanager
def _prepared(work: Workspace, sources: str) -> Iterator[None]:
    """The tree with this build's sources and resolver, where packages start no services; without them afterwards."""
    work.write(f"{PLACE}/sources.list", sources)
    for name in ("lists/partial", "archives/partial"):
        work.path(f"{PLACE}/{name}").mkdir(parents=True, exist_ok=True)
    resolver = work.path("/etc/resolv.conf")
    kept = (resolver.readlink() if resolver.is_symlink() else resolver.read_bytes()) if _is_there(resolver) else None
    work.write("/etc/resolv.conf", Path("/etc/resolv.conf").read_bytes())
    work.write("/usr/sbin/policy-rc.d", NO_SERVICES, 0o755)
    try:
        yield
    finally:
        work.remove("/usr/sbin/policy-rc.d")
        work.remove("/etc/resolv.conf")
        if isinstance(kept, bytes):
            work.write("/etc/resolv.conf", kept)
        elif kept is not None:
            resolver.symlink_to(kept)
        work.remove(PLACE)


def _is_there(path: Path) -> bool:
    return path.is_file() or path.is_symlink()
