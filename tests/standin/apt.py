"""The apt stand-in: Debian 13's packages as the archive of another distribution.

Suites, components, architecture and names are the recipe's own; a few packages are Debian's under the distribution's
name, with what Kiln looks at changed to what it finds there.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

from build import mmdebstrap
from build.archive import Release
from build.errors import CallerError
from build.families.apt import DPKG_NAMES
from build.progress import Progress
from build.workspace import Workspace
from distros.debian import TOOLS
from distros.recipe import Archive, Recipe
from tests.standin import MADE_FROM, Standin, ubuntu, workshop
from tests.standin.debs import Made
from tests.standin.key import SigningKey
from tests.standin.report import Invented

SOURCES = ("apt", "debs", "key", "ubuntu", "workshop")
BASE = "Debian 13 (trixie)"
MAKERS = ("apt-utils", "gpg", "gpg-agent", "gpgconf")
"""Packages of the tools tree besides those that every tools tree has."""
MIRROR = "/mirror"
"""Where the archive lies below what is served."""
SHAPES = {"ubuntu": ubuntu}
"""What the stand-ins look like, by distribution: the one place where a stand-in may ask for its name."""
ALWAYS = ("?essential", "?priority(required)", "apt")
"""What every tree holds that mmdebstrap makes."""
POOL, EXTRA = "main", "universe"
"""The components that hold Debian's packages and the invented ones."""

FETCH = """\
set -eu
export APT_CONFIG=$MMDEBSTRAP_APT_CONFIG
for name in $KILN_NAMES; do
    apt-cache show --no-all-versions "$name" >/dev/null 2>&1 || echo "$name" >>"$KILN_POOL/missing"
done
touch "$KILN_POOL/missing"
while read -r line; do
    names=
    for name in $line; do
        grep -qxF -e "$name" "$KILN_POOL/missing" || names="$names $name"
    done
    apt-get --quiet --yes --download-only install $KILN_ALWAYS $names
done <"$KILN_POOL/sets"
mv "$1"/var/cache/apt/archives/*.deb "$KILN_POOL/"
"""
"""Fetches what each set of names needs, in the tree whose apt configuration mmdebstrap has made; notes what is not
there."""


@dataclass(frozen=True)
class Pool:
    """What Debian gave: the folder of its packages, and which names it does not have."""

    folder: Path
    missing: tuple[str, ...]


def make(recipe: Recipe, folder: Path, progress: Progress) -> Standin:
    """Make the archive in this folder."""
    if recipe.distro not in SHAPES:
        raise CallerError(f"there is no stand-in for {recipe.name}", "build it from its own archive")
    workshop.send(__name__, recipe, MADE_FROM, folder, progress, BASE)
    return load(recipe, folder)


def load(recipe: Recipe, folder: Path) -> Standin:
    """The stand-in that lies in this folder."""
    return Standin(recipe, folder, Invented.load(folder), MIRROR)


def main(letter: Mapping[str, Any]) -> int:
    """Make it, as root of its own view."""
    return workshop.work(letter, MAKERS, _make)


def _make(recipe: Recipe, states: tuple[Release, ...], work: Workspace) -> Invented:
    """Everything of it, in the workspace's folder."""
    shape = SHAPES[recipe.distro]
    key = SigningKey.make(work.folder, work.tool, work.folder)
    pool = _fetch(recipe, states, work)
    root = work.file("served") / MIRROR.strip("/")
    main, extra = (root / "pool" / component for component in (POOL, EXTRA))
    main.mkdir(parents=True)
    extra.mkdir()
    made = (*shape.made(recipe, key.binary()), *map(Made, pool.missing))
    for deb in made:
        deb.build(work, extra)
    repacked = [deb for deb in shape.repacked(recipe) if deb.build(work, pool.folder, main)]
    replaced = {deb.name for deb in made} | {deb.source for deb in repacked}
    for file in pool.folder.glob("*.deb"):
        if file.name.split("_")[0] not in replaced:
            file.rename(main / file.name)
    _index(recipe, root, work)
    _sign(recipe, root, key, work)
    return Invented(
        f"{recipe.name} on {recipe.arch}",
        BASE,
        shape.labels(recipe),
        tuple((deb.name, f"{deb.source}: {deb.why}") for deb in repacked),
        tuple(sorted(deb.name for deb in made if deb.empty)),
    )


def _fetch(recipe: Recipe, states: tuple[Release, ...], work: Workspace) -> Pool:
    """Have apt fetch what the recipe's packages and theirs need, each set for itself: some exclude each other."""
    folder = work.file("pool")
    folder.mkdir()
    known = SHAPES[recipe.distro].stands_for(recipe)
    sets = [[there for name in one for there in known.get(name, (name,))] for one in sets_of(recipe)]
    (folder / "sets").write_text("".join(f"{' '.join(one)}\n" for one in sets))
    names = sorted({name for one in sets for name in one})
    mmdebstrap.run(
        *("--mode=root", "--variant=custom", "--format=null"),
        # Nothing of the tree is run: it may be of another processor.
        "--skip=check/qemu,chroot/mount/sys,cleanup/apt",
        f"--architectures={DPKG_NAMES[recipe.arch]}",
        f"--keyring={TOOLS.keyring}",
        '--aptopt=APT::Install-Recommends "false"',
        f"--customize-hook={FETCH}",
        states[0].suite,
        "-",
        *(f"deb [signed-by={state.keyring}] {state.source}" for state in states),
        log=work.log,
        env={
            "TMPDIR": str(work.folder),
            "KILN_POOL": str(folder),
            "KILN_NAMES": " ".join(names),
            "KILN_ALWAYS": " ".join(ALWAYS),
        },
    )
    return Pool(folder, tuple((folder / "missing").read_text().split()))


def sets_of(recipe: Recipe) -> Iterable[tuple[str, ...]]:
    """The packages of each image that the recipe can make; a set names all of a tree."""
    common = (*recipe.packages, *recipe.specialized.packages)
    for kernel in recipe.kernels.values():
        for boot in recipe.boot_packages.values():
            for part in recipe.provisioning.values():
                yield (*kernel.packages, *common, *boot, *part.packages)


def _suites(recipe: Recipe) -> tuple[str, ...]:
    return tuple(dict.fromkeys(suite for one in recipe.archives if isinstance(one, Archive) for suite in one.suites))


def _components(recipe: Recipe) -> tuple[str, ...]:
    found = (name for one in recipe.archives if isinstance(one, Archive) for name in one.components)
    return tuple(dict.fromkeys((*found, POOL, EXTRA)))


def _index(recipe: Recipe, root: Path, work: Workspace) -> None:
    """Write the lists of packages: the first suite has all of them, updates and security have none."""
    first, *others = _suites(recipe)
    for component in _components(recipe):
        content = _packages(root, component, work) if component in (POOL, EXTRA) else ""
        for suite in (first, *others):
            folder = root / "dists" / suite / component / f"binary-{DPKG_NAMES[recipe.arch]}"
            folder.mkdir(parents=True)
            (folder / "Packages").write_text(content if suite == first else "")


def _packages(root: Path, component: str, work: Workspace) -> str:
    listing = root / f"{component}.list"
    script = 'cd "$1" && exec apt-ftparchive packages "$2" >"$3"'
    work.tool("sh", "-c", script, "sh", root, f"pool/{component}", listing)
    text = listing.read_text()
    listing.unlink()
    return text


def _sign(recipe: Recipe, root: Path, key: SigningKey, work: Workspace) -> None:
    with key.opened(work.tool, work.folder) as opened:
        for suite in _suites(recipe):
            folder = root / "dists" / suite
            write_release(recipe, folder, work.epoch)
            opened.clear_sign(folder / "Release", folder / "InRelease")
            opened.detach_sign(folder / "Release", folder / "Release.gpg")


def write_release(recipe: Recipe, folder: Path, date: int, more: Mapping[str, str] | None = None) -> None:
    """Write a suite's Release file over the lists in its folder, dated `date` (seconds); `more` are further fields."""
    fields = {
        "Origin": recipe.distro.capitalize(),
        "Label": recipe.distro.capitalize(),
        "Suite": folder.name,
        "Version": recipe.release,
        "Codename": recipe.codename,
        "Date": formatdate(date, usegmt=True),
        "Architectures": DPKG_NAMES[recipe.arch],
        "Components": " ".join(_components(recipe)),
        "Description": f"{recipe.title}, a stand-in",
        **(more or {}),
    }
    lines = [f"{name}: {value}" for name, value in fields.items()]
    lists = sorted(path for path in folder.rglob("*") if path.is_file() and path.name == "Packages")
    digests = (
        f" {hashlib.sha256(content).hexdigest()} {len(content)} {path.relative_to(folder)}"
        for path in lists
        for content in (path.read_bytes(),)
    )
    (folder / "Release").write_text("\n".join([*lines, "SHA256:", *digests]) + "\n")
