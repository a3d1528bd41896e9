"""The zypper family: a tree from signed rpm-md repositories by the tools tree's zypper, cached by what went into it.

zypper asks each repository once, into a folder of the build's own; its lists count only if repomd.xml is the very file
whose digest the plan has, and whose signature was checked. It is told which keys may sign packages by rpm's database,
takes no other, and rpm checks every package again. Sources: zypper(8), libzypp's zypp.conf and rpm.
"""

import hashlib
import os
import shutil
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, cast

from build import cache, scc
from build.command import CommandFailed
from build.errors import KilnError, MachineError, RecipeError
from build.families import rpm, trees
from build.families.rpm import Metadata, installed, read_state, states, verify
from build.spec.redact import RedactedLog
from build.workspace import Workspace
from distros.recipe import Recipe, Rpm, TextFile

TOOLS: tuple[str, ...] = (
    *("zypper", "rpm", "distribution-gpg-keys", "ca-certificates"),
    # What zypper checks repomd.xml with, and rpm's own way to make a package's users before its files.
    *("gpg", "gpg-agent", "gpgconf", "passwd"),
    "policycoreutils",
)

OUTSIDE = "zypper"
"""The folder, beside the tree, of lists and packages."""
REPOSITORIES = "repos.d"
BUNDLE = "etc/ssl/certs/ca-certificates.crt"
CONFIGURATION = """\
[main]
arch = {arch}
solver.onlyRequires = true
rpm.install.excludedocs = no
download.use_deltarpm = false
download.connect_timeout = 20
download.transfer_timeout = 30
commit.downloadMode = DownloadInAdvance
servicesdir = /nonexistent
varsdir = /nonexistent
"""
REPOSITORY = """\
[{name}]
name={name}
enabled=1
autorefresh=0
type=rpm-md
baseurl={urls}
gpgcheck=1
repo_gpgcheck={signed}
pkg_gpgcheck=1
keeppackages=1
"""
LOCK = "\ntype: package\nmatch_type: exact\ncase_sensitive: on\nsolvable_name: {name}\n"
LOCKS = "/etc/zypp/locks"

ENVIRONMENT = {
    # Neither initramfs nor boot menu are made by packages' scripts: those are steps of their own.
    "YAST_IS_RUNNING": "instsys",
    # Nothing runs in the tree: systemctl must not look for a system to talk to.
    "SYSTEMD_OFFLINE": "1",
    # Modules that package scripts import would leave caches that hold times.
    "PYTHONDONTWRITEBYTECODE": "1",
    # It would repeat addresses that hold a subscriber's token.
    "ZYPP_LOGFILE": "/dev/null",
}
ZYPPER = ("/usr/bin/zypper", "--non-interactive", "--no-color", "--no-abbrev")
INSTALL = ("install", "--no-recommends", "--auto-agree-with-licenses", "--download", "in-advance")
SUCCESS = (0, 102, 103, 107)
"""Besides 0: a running system would want to be restarted; a script failed whose failure rpm lets pass (zypper(8))."""
NOWHERE = "dir:/nonexistent"
"""Where packages are that the cache lacks, while nobody may be asked."""

LEFT = (
    *("/var/cache/zypp", "/var/log/zypp", "/var/log/zypper.log", "/run/zypp.pid", "/run/zypp-rpm.pid"),
    *("/var/lib/zypp/AnonymousUniqueId", "/var/lib/zypp/LastDistributionFlavor", "/var/lib/zypp/RequestedLocales"),
)
"""What zypper leaves in a tree that tells of this build alone."""
AUTOMATIC = "/var/lib/zypp/AutoInstalled"
"""Which packages nobody asked for by name; its first line is a comment with the day."""

NOT_THERE = "the recipe names a package that the repositories do not have"
ALTERED = "the repository was altered or is being renewed; run the build again, or use another mirror"
SIGNATURE = "a package's signature does not hold, or its key may not sign; " + ALTERED
BLAME: tuple[tuple[str, type[KilnError], str], ...] = (
    ("No space left on device", MachineError, cache.FULL_HINT),
    ("Not enough space", MachineError, cache.FULL_HINT),
    ("needs more space", MachineError, cache.FULL_HINT),
    ("not found in package names", RecipeError, NOT_THERE),
    ("No provider of", RecipeError, NOT_THERE),
    ("nothing provides", RecipeError, "the repositories lack what a package needs; the build's log has the details"),
    ("conflicts with", RecipeError, "the recipe's packages exclude each other; the build's log has the details"),
    ("Signature verification failed", MachineError, SIGNATURE),
    ("is not signed", MachineError, "a package without a signature is never installed; use another mirror"),
    ("not signed!", MachineError, "a package without a signature is never installed; use another mirror"),
    ("unsigned", MachineError, "what has no signature is never used; use another mirror"),
    ("NOKEY", MachineError, SIGNATURE),
    ("does not verify", MachineError, SIGNATURE),
    ("Digest verification failed", MachineError, ALTERED),
    ("Wrong digest", MachineError, ALTERED),
    ("did not match checksum", MachineError, ALTERED),
    ("Path '/nonexistent", MachineError, "the cache lacks what is needed; build once without --offline"),
    ("scriptlet failed", RecipeError, "a package's script failed; the build's log has what it printed"),
    ("Curl error", MachineError, "the repository broke off; run the build again, or use --mirror"),
    ("Download (curl) error", MachineError, "the repository broke off; run the build again, or use --mirror"),
    ("Timeout exceeded", MachineError, "the repository broke off; run the build again, or use --mirror"),
    ("not found on medium", MachineError, "the repository broke off; run the build again, or use --mirror"),
    ("Valid metadata not found", MachineError, "the repository broke off; run the build again, or use --mirror"),
)
"""What zypper and rpm print, who must act then, and what to do. The first that is found counts."""


def packages(recipe: Recipe, names: tuple[str, ...], states: tuple[Metadata, ...]) -> "ZypperPackages":
    """The step that makes a tree of these packages."""
    assert recipe.rpm
    return ZypperPackages(recipe.name, states, names, recipe.early_files, recipe.arch, recipe.rpm)


def additions(recipe: Recipe, names: tuple[str, ...], states: tuple[Metadata, ...]) -> "ZypperAdditions":
    """The step that adds what a tree that is there already lacks of these packages."""
    return ZypperAdditions(packages(recipe, names, states), recipe.removed)


@dataclass(frozen=True)
class ZypperPackages:
    """Everything that decides what the tree holds; its digest is the tree's name in the cache."""

    name: str
    repositories: tuple[Metadata, ...]
    packages: tuple[str, ...]
    early_files: tuple[TextFile, ...]
    arch: str
    rpm: Rpm

    @property
    def key(self) -> str:
        """The cached tree's name: what is asked for, and how zypper is called."""
        how = (self, CONFIGURATION, REPOSITORY, ENVIRONMENT, INSTALL, LEFT, rpm.macros(self.rpm), rpm.SETTLE)
        return hashlib.sha256(repr(how).encode()).hexdigest()[:24]

    def describe(self) -> str:
        """What a plan shows."""
        return f"Install {len(self.packages)} packages and what they need from {len(self.repositories)} repositories"

    def run(self, work: Workspace) -> None:
        """Make the tree, from the cache where it holds the same one."""
        trees.cached(work, self.key, lambda fresh: self._install(work, fresh))

    def _install(self, work: Workspace, fresh: Path) -> None:
        rpm.fresh_tree(work)
        self.add(work)
        trees.pack(work, fresh)

    def add(self, work: Workspace, removed: tuple[str, ...] = ()) -> None:
        """Install into the tree as it is, take `removed` out of it, and leave nothing of zypper's own in it."""
        cache.remove(work.file(OUTSIDE))
        work.file(OUTSIDE).mkdir(parents=True)
        for file in self.early_files:
            work.write(file.path, file.text, file.mode)
        # Addresses with a subscriber's token: asked for anew where they are used, and written down nowhere else.
        ways = {} if work.offline else scc.ways(self.repositories, work.credentials)
        redactor = scc.redactor(ways, work.credentials)
        quiet = replace(work, log=cast(IO[str], RedactedLog(work.log, redactor)))
        try:
            with redactor.errors(), _locked(work, self.rpm.excluded):
                environment = self._settings(work, ways)
                rpm.trust(work, self.rpm, environment)
                if self.packages:
                    self._refresh(quiet, environment)
                    self._with_packages(quiet, environment)
                rpm.erase(work, self.rpm, removed, environment)
        finally:
            cache.remove(work.file(rpm.SETTINGS))
            cache.remove(work.file(OUTSIDE))
        _tidy(work)
        rpm.clean(work, self.rpm)

    def _settings(self, work: Workspace, ways: Mapping[str, str]) -> dict[str, str]:
        """Write rpm's and zypper's settings beside the tree; returns the environment that leads to them."""
        environment = rpm.write_settings(work, self.rpm, self.repositories)
        _trust_authorities(work)
        settings = work.file(rpm.SETTINGS)
        (settings / REPOSITORIES).mkdir(mode=0o700)
        for state in self.repositories:
            text = _repository(state, ways, offline=work.offline)
            (settings / REPOSITORIES / f"{state.suite}.repo").write_text(text)
        (settings / "zypp.conf").write_text(CONFIGURATION.format(arch=self.arch))
        return {**ENVIRONMENT, **environment, "ZYPP_CONF": rpm.inside_tools(work, settings / "zypp.conf")}

    def _refresh(self, work: Workspace, environment: Mapping[str, str]) -> None:
        """Have the repositories' lists where zypper looks for them: those of the plan's state and no others."""
        kept = work.cache / "lists" / self._state
        here = work.file(OUTSIDE)
        if kept.is_dir():
            shutil.copytree(kept, here, symlinks=True, dirs_exist_ok=True)
            return
        if work.offline:
            raise MachineError("the cache has no package lists of this state", "build once without --offline")
        self._zypper(work, environment, "refresh", "--force")
        for state in self.repositories:
            file = here / "raw" / state.suite / rpm.REPOMD
            if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != state.sha256:
                raise MachineError(f"{state.url} was renewed since the build began", "run the build again")
        kept.parent.mkdir(exist_ok=True)
        partial = kept.with_name(f"{kept.name}.partial")
        cache.remove(partial)
        shutil.copytree(here, partial, symlinks=True, ignore=shutil.ignore_patterns("packages"))
        with suppress(OSError):  # another build of this very state was first
            partial.rename(kept)

    def _with_packages(self, work: Workspace, environment: Mapping[str, str]) -> None:
        """Install, with what earlier builds fetched, and keep what was fetched now."""
        kept, here = work.cache / "packages" / f"{self.name}-{self.arch}", work.file(OUTSIDE) / "packages"
        _link_all(kept, here)
        try:
            self._zypper(work, environment, "--no-refresh", *INSTALL, "--", *self.packages)
        finally:
            _link_all(here, kept)

    def _zypper(self, work: Workspace, environment: Mapping[str, str], *words: str) -> None:
        where: tuple[str | Path, ...] = (
            *("--root", work.tree, "--cache-dir", work.file(OUTSIDE)),
            *("--reposd-dir", work.file(rpm.SETTINGS) / REPOSITORIES),
        )
        try:
            told = work.installer(*ZYPPER, *where, *words, env=environment, expect=SUCCESS)
        except CommandFailed as failure:
            raise blamed(failure) from None
        for line in rpm.let_fail(told.stdout):
            work.warn(line)

    @property
    def _state(self) -> str:
        return hashlib.sha256(repr(("zypper", *((one, one.url) for one in self.repositories))).encode()).hexdigest()[
            :24
        ]


@dataclass(frozen=True)
class ZypperAdditions:
    """Packages onto a tree that is there, and out of it."""

    packages: ZypperPackages
    removed: tuple[str, ...]

    def describe(self) -> str:
        """What a plan shows."""
        return rpm.describe_additions(self.packages.packages, self.removed)

    def run(self, work: Workspace) -> None:
        """What is there already stays in its version; no repository is asked where nothing is missing."""
        missing = rpm.missing(work, self.packages.rpm, self.packages.packages)
        replace(self.packages, packages=missing).add(work, self.removed)


def _repository(state: Metadata, ways: Mapping[str, str], *, offline: bool) -> str:
    places = (ways.get(state.url, state.url), *state.ways) if not offline else (NOWHERE,)
    # Who signs metadata with another key than packages is checked by gpgv alone: zypper would take either for both.
    signed = state.signed_metadata and not state.metadata_keys
    return REPOSITORY.format(name=state.suite, urls="\n        ".join(places), signed=int(signed))


def _trust_authorities(work: Workspace) -> None:
    """Have zypper trust the authorities that this machine's owner trusts for TLS, as far as there are any."""
    if here := ssl.get_default_verify_paths().cafile:
        target = work.tools / BUNDLE
        fresh = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.copyfile(here, fresh)
        fresh.chmod(0o644)
        fresh.rename(target)


@contextmanager
def _locked(work: Workspace, names: Iterable[str]) -> Iterator[None]:
    """Keep packages out of the tree while it is filled; an image's own locks stay as they are."""
    path = work.path(LOCKS)
    before = path.read_bytes() if path.is_file() else b""
    work.write(LOCKS, before.decode() + "".join(LOCK.format(name=name) for name in names))
    try:
        yield
    finally:
        if before:
            work.write(LOCKS, before)
        else:
            work.remove(LOCKS)


def _tidy(work: Workspace) -> None:
    """Take out of the tree what tells of this build alone."""
    for path in LEFT:
        work.remove(path)
    # What is installed zypper notes below the tree, at the path of the caches that it was given.
    below = Path(rpm.inside_tools(work, work.folder))
    work.remove(str(below))
    with suppress(OSError):
        work.path(str(below.parent)).rmdir()
    automatic = work.path(AUTOMATIC)
    if automatic.is_file():
        names = [line for line in automatic.read_text().splitlines() if line and not line.startswith("#")]
        work.write(AUTOMATIC, "".join(f"{name}\n" for name in sorted(names)))


def _link_all(source: Path, target: Path) -> None:
    """Let the packages of one folder lie in another as well: a second name where both are on one file system."""
    for path in source.rglob("*.rpm"):
        there = target / path.relative_to(source)
        there.parent.mkdir(parents=True, exist_ok=True)
        if there.exists() and there.samefile(path):
            continue
        there.unlink(missing_ok=True)
        try:
            there.hardlink_to(path)
        except OSError:
            shutil.copyfile(path, there)


def blamed(failure: CommandFailed) -> KilnError:
    """The failure as an error of whoever must act; itself where that cannot be told."""
    lines = failure.output.splitlines()
    for needle, error, hint in BLAME:
        if found := next((line for line in lines if needle in line), None):
            return error(f"installing the packages failed: {found.strip()}", hint)
    return failure


__all__ = [
    "TOOLS",
    "ZypperAdditions",
    "ZypperPackages",
    "additions",
    "installed",
    "packages",
    "read_state",
    "states",
    "verify",
]
