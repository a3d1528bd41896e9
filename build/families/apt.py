"""The apt family: a tree from signed archives by mmdebstrap, cached by what went into it."""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from build import cache
from build.archive import Release
from build.command import CommandFailed, run
from build.errors import MachineError, RecipeError
from build.workspace import Workspace
from distros.recipe import TextFile

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
if [ "$KILN_OFFLINE" = 0 ]; then rm -rf "$KILN_LISTS"; cp -a "$1/var/lib/apt/lists" "$KILN_LISTS"; fi
"""
"""Runs after the packages: keeps what was fetched for the next build."""

# A proxy that cannot be there: what the cache lacks must not be fetched.
OFFLINE = (
    "--skip=update",
    '--aptopt=Acquire::http::Proxy "http://127.0.0.1:9"',
    '--aptopt=Acquire::https::Proxy "http://127.0.0.1:9"',
)


@dataclass(frozen=True)
class AptPackages:
    """Everything that decides what the tree holds; its digest is the tree's name in the cache."""

    suite: str
    releases: tuple[Release, ...]
    packages: tuple[str, ...]
    debconf: tuple[str, ...]
    early_files: tuple[TextFile, ...]
    arch: str

    @property
    def key(self) -> str:
        """The cached tree's name."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:24]

    def describe(self) -> str:
        """What a plan shows."""
        return f"Install {len(self.packages)} packages and what they need from {self.suite}"

    def run(self, work: Workspace) -> None:
        """Make the tree, from the cache where it holds the same one."""
        tar = work.cache / "trees" / f"{self.key}.tar.zst"
        with cache.locked(f"tree-{self.key}"):
            if not tar.exists():
                self._install(work, tar)
            os.utime(tar)
        _unpack(work, tar)

    def _install(self, work: Workspace, tar: Path) -> None:
        tar.parent.mkdir(exist_ok=True)
        fresh = tar.with_name(f"partial-{tar.name}")
        fresh.unlink(missing_ok=True)
        try:
            run(*self._mmdebstrap(work, fresh), log=work.log, env=self._environment(work))
        except CommandFailed as failure:
            raise _blamed(failure) from None
        fresh.rename(tar)

    def _mmdebstrap(self, work: Workspace, tar: Path) -> tuple[str | Path, ...]:
        signed = {release.keyring: work.tools / release.keyring.lstrip("/") for release in self.releases}
        selections = "\n".join(self.debconf)
        return (
            "mmdebstrap",
            "--mode=root",
            "--variant=minbase",
            "--skip=chroot/mount/sys,output/dev,essential/unlink",
            *(OFFLINE if work.offline else ()),
            *(f"--keyring={path}" for path in signed.values()),
            f"--include={','.join(self.packages)}",
            '--aptopt=APT::Install-Recommends "false"',
            '--aptopt=Acquire::Languages "none"',
            '--aptopt=Acquire::Retries "3"',
            f"--setup-hook={SETUP}",
            *((f'--essential-hook=echo "{selections}" | chroot "$1" debconf-set-selections',) if selections else ()),
            f"--customize-hook={KEEP}",
            "--customize-hook=rm -f $1/etc/apt/sources.list $1/etc/hostname $1/etc/apt/apt.conf.d/99mmdebstrap",
            self.suite,
            tar,
            *(f"deb [signed-by={signed[release.keyring]}] {release.source}" for release in self.releases),
        )

    def _environment(self, work: Workspace) -> dict[str, str]:
        early = work.file("early")
        shutil.rmtree(early, ignore_errors=True)
        early.mkdir()
        for file in self.early_files:
            path = early / file.path.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file.text)
            path.chmod(file.mode)
        packages, lists = work.cache / "packages" / self.suite, work.cache / "lists" / self._state
        packages.mkdir(parents=True, exist_ok=True)
        lists.parent.mkdir(exist_ok=True)
        return {
            "TMPDIR": str(work.folder),
            "SOURCE_DATE_EPOCH": str(work.epoch),
            "KILN_EARLY": str(early),
            "KILN_PACKAGES": str(packages),
            "KILN_LISTS": str(lists),
            "KILN_OFFLINE": "1" if work.offline else "0",
        }

    @property
    def _state(self) -> str:
        return hashlib.sha256(repr([release.sha256 for release in self.releases]).encode()).hexdigest()[:24]


def _unpack(work: Workspace, tar: Path) -> None:
    cache.remove(work.tree)
    work.tree.mkdir()
    work.tree.chmod(0o755)
    flags = ("--xattrs", "--xattrs-include=*", "--numeric-owner", "--same-permissions", "--zstd")
    run("tar", "--extract", *flags, f"--file={tar}", f"--directory={work.tree}", log=work.log)
    for name in ("dev", "proc", "sys", "run", "tmp"):
        (work.tree / name).mkdir(exist_ok=True)
    (work.tree / "tmp").chmod(0o1777)


def installed(tree: Path) -> tuple[tuple[str, str, str], ...]:
    """Name, version and architecture of every package in a tree, sorted."""
    found = []
    for paragraph in (tree / "var/lib/dpkg/status").read_text().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if line[:1] != " " and ": " in line)
        if fields.get("Status", "").endswith(" installed"):
            found.append((fields["Package"], fields["Version"], fields["Architecture"]))
    return tuple(sorted(found))


def _blamed(failure: CommandFailed) -> CommandFailed | MachineError | RecipeError:
    """Say who must act when mmdebstrap failed, from what apt printed."""
    lines = failure.output.splitlines()
    for needle, error, hint in (
        ("Unable to locate package", RecipeError, "the recipe names a package that the archive does not have"),
        ("has no installation candidate", RecipeError, "the recipe names a package that the archive does not have"),
        ("No space left on device", MachineError, "free some space, or name another folder in KILN_CACHE"),
        ("127.0.0.1:9", MachineError, "the cache lacks a package; build once without --offline"),
        ("Failed to fetch", MachineError, "the archive broke off; run the build again, or use --mirror"),
    ):
        if found := next((line for line in lines if needle in line), None):
            return error(f"installing the packages failed: {found.strip()}", hint)
    return failure
