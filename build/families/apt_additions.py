"""The apt family on a tree that is there already: what a recipe wants and a vendor's image lacks is added to it.

What the user wants gone goes afterwards, by dpkg, which takes nothing else along.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from build import keys, mmdebstrap
from build.archive import Release
from build.command import CommandFailed
from build.errors import KilnError, MachineError, RecipeError
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
POLICY = "/usr/sbin/policy-rc.d"
NO_SERVICES = "#!/bin/sh\nexit 101\n"
"""policy-rc.d's answer by which packages start nothing while they are installed (Debian Policy 9.3.3.2)."""
KEPT = re.compile(r"^ \S+ (?:depends|pre-depends) on |essential package", re.IGNORECASE)
"""What dpkg prints of packages that it must keep."""


@dataclass(frozen=True)
class AptAdditions:
    """Packages that must be there: those that are missing are installed from the archives, whose keys are checked.

    Those that are `removed` must not. `renews_initramfs`: no later step makes the initramfs.
    """

    releases: tuple[Release, ...]
    packages: tuple[str, ...]
    removed: tuple[str, ...]
    debconf: tuple[str, ...]
    debconf_for_updates: tuple[str, ...]
    early_files: tuple[TextFile, ...]
    renews_initramfs: bool

    def describe(self) -> str:
        """What a plan shows."""
        lines = [f"Install what the image lacks of {len(self.packages)} packages"]
        return "\n    ".join([*lines, *([f"and take out {', '.join(self.removed)}"] if self.removed else [])])

    def run(self, work: Workspace) -> None:
        """Nothing is asked of any archive where nothing is missing."""
        for file in self.early_files:
            work.write(file.path, file.text, file.mode)
        present = {name for name, _, _ in dpkg.installed(work.tree)}
        missing = [name for name in self.packages if name not in present]
        if missing and work.offline:
            raise MachineError(f"the image lacks {', '.join(missing)}", "build once without --offline")
        with _without_services(work):
            if missing:
                with _prepared(work, self._sources(work)):
                    # A minus at its end keeps a package from coming along (apt-get(8)).
                    self._install(work, [*missing, *(f"{name}-" for name in self.removed if name not in present)])
            _purge(work, [name for name in self.removed if name in present])
            if self.renews_initramfs:
                # The image's own was made for the file system that it lay on, and without the files from before.
                work.inside("update-initramfs", "-u", "-k", "all", env=mmdebstrap.ENVIRONMENT)

    def _sources(self, work: Workspace) -> str:
        lines = []
        for number, release in enumerate(self.releases):
            key = f"{PLACE}/{number}.gpg"
            work.write(key, keys.located(release.keyring, work.tools).read_bytes())
            lines.append(f"deb [signed-by={key}] {release.source}\n")
        return "".join(lines)

    def _install(self, work: Workspace, words: list[str]) -> None:
        options = [word for option in OPTIONS for word in ("-o", option)]
        environment = {**mmdebstrap.ENVIRONMENT, **way_out()}
        _answer(work, self.debconf)
        try:
            work.inside("apt-get", *options, "update", env=environment)
            self._require_same(work)
            work.inside("apt-get", *options, "--yes", "install", *words, env=environment)
            _answer(work, self.debconf_for_updates)
        except CommandFailed as failure:
            raise mmdebstrap.blamed(failure) from None

    def _require_same(self, work: Workspace) -> None:
        """Raise MachineError where the archive was renewed since the plan was made."""
        found = {
            hashlib.sha256(work.path(path).read_bytes()).hexdigest() for path in work.glob(f"{PLACE}/lists/*_InRelease")
        }
        if found != {release.sha256 for release in self.releases}:
            raise MachineError("the archive was renewed while the packages were installed", "run the build again")


def _answer(work: Workspace, answers: tuple[str, ...]) -> None:
    """Have debconf know these answers."""
    if answers:
        work.write(f"{PLACE}/answers", "\n".join(answers) + "\n")
        work.inside("debconf-set-selections", f"{PLACE}/answers", env=mmdebstrap.ENVIRONMENT)


def _purge(work: Workspace, names: list[str]) -> None:
    """Take these packages out. Raises RecipeError where another package needs one of them."""
    if not names:
        return
    try:
        work.inside("dpkg", "--purge", *names, env=mmdebstrap.ENVIRONMENT)
    except CommandFailed as failure:
        raise kept_back(failure, names) from None


def kept_back(failure: CommandFailed, names: Sequence[str]) -> KilnError:
    """The failure as what the tree needs of the packages that were to go; itself where that is not the reason."""
    needed = [line.strip().rstrip(".") for line in failure.output.splitlines() if KEPT.search(line)]
    if not needed:
        return failure
    return RecipeError(f"{', '.join(names)} cannot be removed: {'; '.join(needed)}", "leave it in, or remove both")


@contextmanager
def _without_services(work: Workspace) -> Iterator[None]:
    """The tree where packages start and stop no services; an image's own policy about that is kept."""
    path = work.path(POLICY)
    own = path.read_bytes() if path.is_file() else None
    work.write(POLICY, NO_SERVICES, 0o755)
    try:
        yield
    finally:
        work.remove(POLICY)
        if own is not None:
            work.write(POLICY, own, 0o755)


@contextmanager
def _prepared(work: Workspace, sources: str) -> Iterator[None]:
    """The tree with this build's sources and resolver; without them afterwards."""
    work.write(f"{PLACE}/sources.list", sources)
    for name in ("lists/partial", "archives/partial"):
        work.path(f"{PLACE}/{name}").mkdir(parents=True, exist_ok=True)
    resolver = work.path("/etc/resolv.conf")
    kept = (resolver.readlink() if resolver.is_symlink() else resolver.read_bytes()) if _is_there(resolver) else None
    work.write("/etc/resolv.conf", Path("/etc/resolv.conf").read_bytes())
    try:
        yield
    finally:
        work.remove("/etc/resolv.conf")
        if isinstance(kept, bytes):
            work.write("/etc/resolv.conf", kept)
        elif kept is not None:
            resolver.symlink_to(kept)
        work.remove(PLACE)


def _is_there(path: Path) -> bool:
    return path.is_file() or path.is_symlink()
