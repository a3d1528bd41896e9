"""The apt family from a lock: the same tree, made from exactly the packages that a lock names.

They are offered to mmdebstrap as an archive of their own in the workspace. That one alone is taken without a
signature: each package in it was checked against the lock's digest, and apt checks them once more against its list.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from build import cache, packages
from build.archive import Release
from build.errors import MachineError
from build.families import apt, dpkg
from build.families.apt import AptPackages
from build.families.locked_tree import LockedTree
from build.lock import Lock, LockedPackage
from build.workspace import Workspace
from distros.recipe import Archive, Recipe

COMPONENT = "main"
FIELDS = re.compile(r"^(Package|Version|Architecture|Filename|Size|SHA256|Priority): (.*)$", re.MULTILINE)
CONTROL = """\
cd "$1"
for file in *.deb; do
    printf 'Kiln-File: %s\\n' "$file"
    dpkg-deb --field "$file"
    echo
done
"""
"""Prints each package's control fields, below the name of its file."""


def lists(work_cache: Path, states: Iterable[Release]) -> Path:
    """Where the package lists of these states are kept."""
    digest = hashlib.sha256(repr([state.sha256 for state in states]).encode()).hexdigest()[:24]
    return work_cache / "lists" / digest


def lock_packages(
    work_cache: Path, states: tuple[Release, ...], installed: Iterable[tuple[str, str, str]]
) -> tuple[LockedPackage, ...]:
    """What the package lists of these states tell of installed packages (name, version, architecture).

    Raises MachineError where the lists are gone or lack one.
    """
    wanted = set(installed)
    kept = lists(work_cache, states)
    found: dict[tuple[str, str, str], LockedPackage] = {}
    for state in states:
        for file in sorted(kept.glob(f"*_dists_{state.suite.replace('/', '_')}_*_Packages")):
            for package in _listed(file.read_text(), state.suite, wanted):
                found.setdefault((package.name, package.version, package.arch), package)
    if missing := sorted(wanted - found.keys()):
        raise MachineError(
            f"the cache's package lists do not tell of {' '.join(missing[0])}",
            "`./kiln clean`, then build again: the lists are kept with the packages",
        )
    return tuple(sorted(found.values()))


def _listed(text: str, suite: str, wanted: set[tuple[str, str, str]]) -> Iterator[LockedPackage]:
    names = {name for name, _, _ in wanted}
    for paragraph in text.split("\n\n"):
        if paragraph.partition("\n")[0].removeprefix("Package: ") not in names:
            continue
        told = dict(FIELDS.findall(paragraph))
        if (told["Package"], told["Version"], told["Architecture"]) in wanted:
            yield LockedPackage(
                told["Package"],
                told["Architecture"],
                told["Version"],
                told["SHA256"],
                int(told["Size"]),
                told["Filename"],
                suite,
                told.get("Priority", ""),
            )


def locked(recipe: Recipe, names: tuple[str, ...], lock: Lock, places: Mapping[str, tuple[str, ...]]) -> "LockedApt":
    """The step that makes a tree of these packages, and of what the lock says that they need."""
    # What is to stay out is not in the lock, and apt knows nothing of it then.
    return LockedApt(apt.packages(replace(recipe, removed=()), names, ()), lock.packages, places)


def mirrored(recipe: Recipe, mirror: str) -> dict[str, str]:
    """The URL of each suite at a private mirror."""
    archives = [one for one in recipe.archives if isinstance(one, Archive)]
    return {suite: mirror.rstrip("/") + one.sibling for one in archives for suite in one.suites}


def snapshots(recipe: Recipe) -> dict[str, str]:
    """Where each suite can be had as it was, with {time}."""
    archives = [one for one in recipe.archives if isinstance(one, Archive) and one.snapshots]
    return {suite: one.snapshots for one in archives for suite in one.suites}


@dataclass(frozen=True)
class LockedApt(LockedTree[AptPackages]):
    """What the lock names, offered to mmdebstrap as an archive of its own."""

    how = CONTROL

    def install(self, work: Workspace) -> None:
        """Nobody is asked: what is needed lies there, and apt must see no package that the lock does not name."""
        place = work.file("locked")
        cache.remove(place)
        files = zip(self.packages, self.files(work), strict=True)
        write_archive(work, place, self.asked.suite, apt.DPKG_NAMES[self.asked.arch], files)
        alone = replace(work, offline=False)
        nothing = work.file("locked/nothing")
        nothing.mkdir()
        environment = {**self.asked.environment(alone, nothing), "KILN_PACKAGES": str(nothing)}
        source = f"deb [trusted=yes] copy://{place} {self.asked.suite} {COMPONENT}"
        self.asked.bootstrap(alone, (source,), environment)
        cache.remove(place)

    def shelves(self, work: Workspace) -> tuple[Path, ...]:
        """Where the archives' packages are kept."""
        return (packages.folder(work.cache, self.asked.shelf),)

    def installed(self, work: Workspace) -> tuple[tuple[str, str, str], ...]:
        """What dpkg tells."""
        return dpkg.installed(work.tree)

    def files(self, work: Workspace) -> tuple[Path, ...]:
        """Where the packages lie, in their order: what earlier builds kept, for whatever key; else it is fetched."""
        return packages.gather(self.packages, self.places, work.cache, offline=work.offline)


def write_archive(
    work: Workspace, place: Path, suite: str, arch: str, files: Iterable[tuple[LockedPackage, Path]]
) -> None:
    """Make an archive of one suite, unsigned, from these files: linked where that can be, else copied."""
    pool = place / "pool"
    pool.mkdir(parents=True)
    named = {}
    for package, file in files:
        target = pool / packages.file_name(package)
        named[target.name] = package
        packages.lay(file, target)
    told = work.tool("/bin/sh", "-ec", CONTROL, "sh", pool).stdout
    entries = sorted(_entry(one, named) for one in told.strip().split("\n\n"))
    index = place / f"dists/{suite}/{COMPONENT}/binary-{arch}/Packages"
    index.parent.mkdir(parents=True)
    index.write_text("\n".join(text for _, text in entries))
    digest = hashlib.sha256(index.read_bytes()).hexdigest()
    (place / f"dists/{suite}/Release").write_text(
        f"Suite: {suite}\nCodename: {suite}\nArchitectures: {arch}\nComponents: {COMPONENT}\n"
        f"SHA256:\n {digest} {index.stat().st_size} {COMPONENT}/binary-{arch}/Packages\n"
    )


def _entry(control: str, named: Mapping[str, LockedPackage]) -> tuple[str, str]:
    """A package's name and its entry in the list: what it says of itself, where it lies, and the lock's digest."""
    first, _, rest = control.partition("\n")
    package = named[first.removeprefix("Kiln-File: ")]
    lines = [line for line in rest.splitlines() if not (package.priority and line.startswith("Priority:"))]
    priority = (f"Priority: {package.priority}",) if package.priority else ()
    where = (f"Filename: pool/{packages.file_name(package)}", f"Size: {package.size}", f"SHA256: {package.sha256}")
    return package.name, "\n".join((*lines, *priority, *where, ""))
