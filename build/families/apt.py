"""The apt family: a tree from signed archives by mmdebstrap, cached by what went into it."""

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from build import archive, cache, keys, mmdebstrap
from build import packages as packages_kept
from build.archive import Release
from build.errors import MachineError
from build.families import dpkg, trees
from build.families.apt_additions import AptAdditions
from build.families.source import Sources
from build.workspace import Workspace
from distros.recipe import Archive, Recipe, TextFile

TOOLS: tuple[str, ...] = ("ubuntu-keyring",)
DPKG_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}

SETUP = """\
set -eu
mkdir -p "$1/var/cache/apt/archives" "$1/var/lib/apt/lists"
find "$KILN_PACKAGES" -name '*.deb' -exec cp -l -t "$1/var/cache/apt/archives/" {} + 2>/dev/null \
    || find "$KILN_PACKAGES" -name '*.deb' -exec cp -t "$1/var/cache/apt/archives/" {} +
if [ "$KILN_OFFLINE" = 1 ]; then cp -a "$KILN_LISTS/." "$1/var/lib/apt/lists/"; fi
cp -a "$KILN_EARLY/." "$1/"
"""
"""Runs before the packages: hands over what earlier builds fetched, and the files that package scripts read."""

KEEP = """\
set -eu
find "$1/var/cache/apt/archives" -maxdepth 1 -name '*.deb' -exec cp -ln -t "$KILN_PACKAGES/" {} +
if [ "$KILN_OFFLINE" = 0 ]; then cp -a "$1/var/lib/apt/lists" "$KILN_FRESH_LISTS"; fi
"""
"""Runs after the packages: keeps what was fetched for the next build."""

INITRAMFS_TOOLS = """\
set -eu
unset INITRD
for kernel in "$1"/boot/vmlinuz-*; do
    version=${kernel##*/vmlinuz-}
    chroot "$1" update-initramfs -c -k "$version"
    chroot "$1" linux-update-symlinks install "$version" "/boot/vmlinuz-$version"
done
"""
"""Makes the initramfs and its link once all is installed; package scripts alone would make it twice."""

SETTLE = """\
set -eu
own=$(echo "$1"/usr/lib/*-linux-gnu)
"$own"/ld-linux-*.so.? --library-path "$own:$own/systemd:$1/usr/lib/systemd" \
    "$1/usr/bin/systemd-tmpfiles" --root="$1" --create --exclude-prefix=/dev --exclude-prefix=/run
"""
"""Creates what package scripts have systemd-tmpfiles create, from outside the tree: with the tree's own loader and
libraries (systemd's lie in a folder of their own, Ubuntu 22.04's in another one).

Inside it that needs /proc, which a root without CAP_SYS_ADMIN cannot mount there: packages' scripts then go without,
silently. Done once more for all of it, every way to build gives the same tree.
"""

UNDO = """\
set -eu
cd "$1/etc"
rm -f apt/sources.list apt/apt.conf.d/99mmdebstrap dpkg/dpkg.cfg.d/99mmdebstrap hostname
"""
"""Takes out what mmdebstrap itself wrote: this build's archive, its options, and the build machine's name."""

# A proxy that cannot be there: what the cache lacks must not be fetched.
OFFLINE = (
    "--skip=update",
    '--aptopt=Acquire::http::Proxy "http://127.0.0.1:9"',
    '--aptopt=Acquire::https::Proxy "http://127.0.0.1:9"',
)
FORM = ("--mode=root", "--variant=minbase", "--format=directory")
OPTIONS = (
    '--aptopt=APT::Install-Recommends "false"',
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=Acquire::Retries "3"',
    # A tree that a crash cuts off is made anew: nothing in it need reach the disk package by package.
    "--dpkgopt=force-unsafe-io",
)


def states(recipe: Recipe, sources: Sources, note: Callable[[str], None]) -> tuple[Release, ...]:
    """The present state of every suite of the recipe's archives, or of the mirror in their place."""
    own = [one for one in recipe.archives if isinstance(one, Archive)]
    if sources.keyring:
        own = [replace(one, keyring=sources.keyring, keys=()) for one in own]
    located = archive.locate(own, sources.mirror, note, offline=sources.offline)
    extra = (one for one in sources.extra if isinstance(one, Archive))
    return archive.releases((*located, *extra), offline=sources.offline)


def read_state(told: Mapping[str, Any]) -> Release:
    """The state that JSON held."""
    return Release(**{**told, "components": tuple(told["components"]), "keys": tuple(told["keys"])})


def verify(state: Release, tools: Path, *, mirror: bool) -> None:
    """Check the signature of a release file. Raises CallerError for a mirror, MachineError for the archive itself."""
    given = state.keyring.startswith(keys.GIVEN)
    archive.verify(state, keys.located(state.keyring, tools), mirror=mirror or given)


def packages(recipe: Recipe, names: tuple[str, ...], states: tuple[Release, ...]) -> "AptPackages":
    """The step that makes a tree of these packages."""
    assert recipe.initramfs
    tool = recipe.initramfs.tool
    return AptPackages(
        *(recipe.codename, states, names, recipe.debconf, recipe.early_files, recipe.arch, tool),
        *(recipe.removed, recipe.debconf_for_updates),
    )


def additions(recipe: Recipe, names: tuple[str, ...], states: tuple[Release, ...]) -> AptAdditions:
    """The step that adds what a tree that is there already lacks of these packages."""
    assert recipe.initramfs
    renews = recipe.initramfs.tool == "initramfs-tools"
    answers = (recipe.debconf, recipe.debconf_for_updates)
    return AptAdditions(states, names, recipe.removed, *answers, recipe.early_files, renews)


@dataclass(frozen=True)
class AptPackages:
    """Everything that decides what the tree holds; its digest is the tree's name in the cache."""

    suite: str
    releases: tuple[Release, ...]
    packages: tuple[str, ...]
    debconf: tuple[str, ...]
    early_files: tuple[TextFile, ...]
    arch: str
    initramfs: str
    removed: tuple[str, ...] = ()
    debconf_for_updates: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The cached tree's name: what is asked for, and how mmdebstrap is called."""
        how = (FORM, OPTIONS, SETUP, INITRAMFS_TOOLS, SETTLE, KEEP, UNDO)
        return hashlib.sha256(repr((self, *how)).encode()).hexdigest()[:24]

    def describe(self) -> str:
        """What a plan shows."""
        return f"Install {len(self.packages)} packages and what they need from {self.suite}"

    def run(self, work: Workspace) -> None:
        """Make the tree, from the cache where it holds the same one."""
        trees.cached(work, self.key, lambda: self._install(work))
        names = (packages_kept.deb_name(*package) for package in dpkg.installed(work.tree))
        packages_kept.note_use(packages_kept.folder(work.cache, self.shelf), names)
        with suppress(FileNotFoundError):
            os.utime(work.cache / "lists" / self._state)

    def _install(self, work: Workspace) -> None:
        lists = work.cache / "lists" / self._state
        if work.offline and not self._listed(lists):
            raise MachineError("the cache has no package lists of this state", "build once without --offline")
        self.bootstrap(work, self.sources(work), self.environment(work, lists))
        if not work.offline:
            self._keep_lists(work.file("lists"), lists)

    def bootstrap(self, work: Workspace, sources: tuple[str, ...], environment: Mapping[str, str]) -> None:
        """Have mmdebstrap make the tree from these lines of sources.list; what a run that was cut off left goes."""
        for left in work.folder.glob("mmdebstrap.*"):
            cache.remove(left)
        trees.fresh(work)
        mmdebstrap.run(*self.options(work), self.suite, work.tree, *sources, log=work.log, env=environment)

    def options(self, work: Workspace) -> tuple[str, ...]:
        """mmdebstrap's words, its sources apart."""
        keyrings = dict.fromkeys(_keyring(work, release) for release in self.releases)
        return (
            *FORM,
            # Whether a foreign processor's programs run is known before (`build.foreign`).
            "--skip=chroot/mount/sys,output/dev,essential/unlink,check/qemu",
            *(OFFLINE if work.offline else ()),
            *(f"--keyring={path}" for path in keyrings),
            f"--architectures={DPKG_NAMES[self.arch]}",
            f"--include={','.join((*self.packages, *(f'{name}-' for name in self.removed)))}",
            *OPTIONS,
            f"--setup-hook={SETUP}",
            *_answered("essential", self.debconf),
            *((f"--customize-hook={INITRAMFS_TOOLS}",) if self.initramfs == "initramfs-tools" else ()),
            *_answered("customize", self.debconf_for_updates),
            f"--customize-hook={SETTLE}",
            f"--customize-hook={KEEP}",
            f"--customize-hook={UNDO}",
        )

    def sources(self, work: Workspace) -> tuple[str, ...]:
        """The archives as lines of sources.list, each with the key that must have signed it."""
        return tuple(f"deb [signed-by={_keyring(work, release)}] {release.source}" for release in self.releases)

    def environment(self, work: Workspace, lists: Path) -> dict[str, str]:
        """What the hooks read: early files written out, packages and lists of the cache."""
        early, fresh_lists = work.file("early"), work.file("lists")
        for folder in (early, fresh_lists):
            cache.remove(folder)
        early.mkdir()
        for file in self.early_files:
            path = early / file.path.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.text)
            path.chmod(file.mode)
        kept = work.cache / "packages" / self.shelf
        kept.mkdir(parents=True, exist_ok=True)
        return {
            "TMPDIR": str(work.folder),
            "SOURCE_DATE_EPOCH": str(work.epoch),
            "INITRD": "No",  # what the kernel's scripts read; see INITRAMFS_TOOLS
            "KILN_EARLY": str(early),
            "KILN_PACKAGES": str(kept),
            "KILN_LISTS": str(lists),
            "KILN_FRESH_LISTS": str(fresh_lists),
            "KILN_OFFLINE": "1" if work.offline else "0",
        }

    def _keep_lists(self, fresh: Path, lists: Path) -> None:
        """Keep the package lists for builds offline, once it is sure that they are those of the plan's release files.

        Raises MachineError where the archive was renewed since the plan was made: the tree would bear a wrong key.
        """
        expected = {release.sha256 for release in self.releases}
        found = {hashlib.sha256(file.read_bytes()).hexdigest() for file in fresh.glob("*_InRelease")}
        if found != expected:
            raise MachineError("the archive was renewed while the packages were installed", "run the build again")
        lists.parent.mkdir(exist_ok=True)
        with suppress(OSError):  # another build of this very state was first, if for another processor
            fresh.rename(lists)
            return
        for file in () if self._listed(lists) else fresh.glob("*_Packages*"):
            file.rename(lists / file.name)

    def _listed(self, lists: Path) -> bool:
        """Whether these lists are of this processor's packages, too."""
        return any(lists.glob(f"*_binary-{DPKG_NAMES[self.arch]}_Packages*"))

    @property
    def shelf(self) -> str:
        """The folder of kept packages. What a caller's own key vouched for is kept apart from the distribution's."""
        own = sorted({release.keyring for release in self.releases if release.keyring.startswith(keys.GIVEN)})
        return "-".join([self.suite, *(name.removeprefix(keys.GIVEN)[:16] for name in own)])

    @property
    def _state(self) -> str:
        return hashlib.sha256(repr([release.sha256 for release in self.releases]).encode()).hexdigest()[:24]


def _answered(moment: str, answers: tuple[str, ...]) -> tuple[str, ...]:
    """mmdebstrap's words that have debconf know these answers: from before the packages, or from after them."""
    lines = "\n".join(answers)
    return (f'--{moment}-hook=echo "{lines}" | chroot "$1" debconf-set-selections',) if answers else ()


def _keyring(work: Workspace, release: Release) -> Path:
    return keys.located(release.keyring, work.tools)


def installed(recipe: Recipe, work: Workspace) -> tuple[tuple[str, str, str], ...]:
    """Name, version and architecture of every package in the tree, sorted."""
    return dpkg.installed(work.tree)
