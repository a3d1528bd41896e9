"""The dnf family: a tree from signed rpm-md repositories by the tools tree's dnf, cached by what went into it.

dnf asks each repository once, into a folder of the build's own; its lists count only if repomd.xml is the very file
whose digest the plan has, and whose signature was checked. Every package is checked by dnf and again by rpm.
"""

import hashlib
import re
import shutil
import ssl
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from build import cache, entitlement
from build.command import CommandFailed
from build.errors import KilnError, MachineError, RecipeError
from build.families import rpm, trees
from build.families.rpm import Metadata, installed, read_state, states, verify
from build.workspace import Workspace
from distros.recipe import Recipe, Rpm, TextFile

TOOLS: tuple[str, ...] = (
    *("dnf", "rpm", "distribution-gpg-keys", "ca-certificates"),
    # What dnf checks repomd.xml with, and rpm's own way to make a package's users before its files.
    *("gpg", "gpg-agent", "gpgconf", "passwd"),
    "policycoreutils",
)

FOLDER = "/kiln-dnf"
"""Where dnf keeps lists, packages and logs: it puts all of them below the tree, from which this link leads out."""
OUTSIDE = "dnf"

CONFIGURATION = """\
[main]
best=1
clean_requirements_on_remove=0
gpgcheck=1
localpkg_gpgcheck=1
install_weak_deps=0
installonly_limit=0
keepcache=1
plugins=0
zchunk=0
retries=5
timeout=30
metadata_expire=-1
cachedir={folder}/cache
persistdir={folder}/persist
logdir={folder}/log
reposdir=/nonexistent
varsdir=/nonexistent
module_platform_id=platform:el{major}
excludepkgs={excluded}
sslverify=1
sslcacert={authorities}

"""
REPOSITORY = """\
[{name}]
name={name}
baseurl={urls}
gpgcheck=1
repo_gpgcheck={signed}
gpgkey={keys}
{more}
"""

ENVIRONMENT = {
    # The initramfs and the boot entries are made in steps of their own, once all is installed.
    "KERNEL_INSTALL_BYPASS": "1",
    # Nothing runs in the tree: systemctl must not look for a system to talk to.
    "SYSTEMD_OFFLINE": "1",
    # Modules that package scripts import would leave caches that hold times.
    "PYTHONDONTWRITEBYTECODE": "1",
}
DNF = ("/usr/bin/dnf", "--assumeyes", "--noplugins")

NOT_THERE = "the recipe names a package that the repositories do not have"
ALTERED = "the repository was altered or is being renewed; run the build again, or use another mirror"
BLAME: tuple[tuple[str, type[KilnError], str], ...] = (
    ("No space left on device", MachineError, cache.FULL_HINT),
    ("database or disk is full", MachineError, cache.FULL_HINT),
    ("more space needed on the", MachineError, cache.FULL_HINT),
    ("No match for argument", RecipeError, NOT_THERE),
    ("nothing provides", RecipeError, "the repositories lack what a package needs; the build's log has the details"),
    ("conflicting requests", RecipeError, "the recipe's packages exclude each other; the build's log has the details"),
    ("is not signed", MachineError, "a package without a signature is never installed; use another mirror"),
    ("is not installed. Failing package is", MachineError, "a package is signed by a key that may not; " + ALTERED),
    ("Public key for", MachineError, "a package is signed by a key that may not; " + ALTERED),
    ("Problem opening package", MachineError, "a package's signature does not hold; " + ALTERED),
    ("GPG check FAILED", MachineError, "a package's signature does not hold; " + ALTERED),
    ("does not verify", MachineError, "a package's signature does not hold; " + ALTERED),
    ("BAD (", MachineError, "a package's signature does not hold; " + ALTERED),
    ("checksum doesn't match", MachineError, ALTERED),
    ("Checksum", MachineError, ALTERED),
    ("Cache-only enabled but no cache", MachineError, "the cache lacks what is needed; build once without --offline"),
    ("cacheonly", MachineError, "the cache lacks what is needed; build once without --offline"),
    ("Curl error", MachineError, "the repository broke off; run the build again, or use --mirror"),
    ("Status code", MachineError, "the repository broke off; run the build again, or use --mirror"),
    ("Failed to download metadata", MachineError, "the repository broke off; run the build again, or use --mirror"),
    ("Error in PREIN scriptlet", RecipeError, "a package's script failed; the build's log has what it printed"),
    ("Error in POSTIN scriptlet", RecipeError, "a package's script failed; the build's log has what it printed"),
    ("scriptlet failed", RecipeError, "a package's script failed; the build's log has what it printed"),
)
"""What dnf and rpm print, who must act then, and what to do. The first that is found counts."""


def packages(recipe: Recipe, names: tuple[str, ...], states: tuple[Metadata, ...]) -> "DnfPackages":
    """The step that makes a tree of these packages."""
    assert recipe.rpm
    return DnfPackages(recipe.name, states, names, recipe.early_files, recipe.arch, recipe.rpm)


def additions(recipe: Recipe, names: tuple[str, ...], states: tuple[Metadata, ...]) -> "DnfAdditions":
    """The step that adds what a tree that is there already lacks of these packages."""
    return DnfAdditions(packages(recipe, names, states), recipe.removed)


@dataclass(frozen=True)
class DnfPackages:
    """Everything that decides what the tree holds; its digest is the tree's name in the cache."""

    name: str
    repositories: tuple[Metadata, ...]
    packages: tuple[str, ...]
    early_files: tuple[TextFile, ...]
    arch: str
    rpm: Rpm

    @property
    def key(self) -> str:
        """The cached tree's name: what is asked for, and how dnf is called."""
        how = (self, CONFIGURATION, REPOSITORY, ENVIRONMENT, rpm.macros(self.rpm), rpm.SETTLE)
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
        """Install into the tree as it is, take `removed` out of it, and leave nothing of dnf's own in it."""
        outside = work.file(OUTSIDE)
        cache.remove(outside)
        outside.mkdir(parents=True)
        for file in self.early_files:
            work.write(file.path, file.text, file.mode)
        work.remove(FOLDER)
        work.path(FOLDER).symlink_to(f"../{OUTSIDE}")
        settings = rpm.write_settings(work, self.rpm, self.repositories)
        configuration = work.file(rpm.SETTINGS) / "dnf.conf"
        configuration.write_text(self._configuration(work))
        try:
            if self.packages:
                self._refresh(work, configuration, settings)
                self._with_packages(work, configuration, settings)
            rpm.erase(work, self.rpm, removed, {**ENVIRONMENT, **settings})
        finally:
            _end_agents(work, outside)
            cache.remove(work.file(rpm.SETTINGS))
        work.remove(FOLDER)
        cache.remove(outside)
        rpm.clean(work, self.rpm)

    def _refresh(self, work: Workspace, configuration: Path, settings: dict[str, str]) -> None:
        """Have the repositories' lists where dnf looks for them: those of the plan's state and no others."""
        kept = work.cache / "lists" / self._state
        here = work.file(OUTSIDE) / "cache"
        if kept.is_dir():
            shutil.copytree(kept, here)
            return
        if work.offline:
            raise MachineError("the cache has no package lists of this state", "build once without --offline")
        self._dnf(work, configuration, settings, "makecache")
        for state in self.repositories:
            found = [hashlib.sha256(file.read_bytes()).hexdigest() for file in here.glob(_lists(state))]
            if found != [state.sha256]:
                raise MachineError(f"{state.url} was renewed since the build began", "run the build again")
        kept.parent.mkdir(exist_ok=True)
        partial = kept.with_name(f"{kept.name}.partial")
        cache.remove(partial)
        shutil.copytree(here, partial, ignore=shutil.ignore_patterns("packages", "S.gpg-agent*", "*.lock"))
        with suppress(OSError):  # another build of this very state was first
            partial.rename(kept)

    def _with_packages(self, work: Workspace, configuration: Path, settings: dict[str, str]) -> None:
        """Install, with what earlier builds fetched, and keep what was fetched now."""
        folders = {
            work.cache / "packages" / f"{self.name}-{self.arch}" / state.suite: found
            for state in self.repositories
            for found in (work.file(OUTSIDE) / "cache").glob(f"{state.suite}-????????????????")
        }
        for kept, here in folders.items():
            _link_all(kept, here / "packages")
        try:
            self._dnf(work, configuration, settings, *(("-C",) if work.offline else ()), "install", *self.packages)
        finally:
            for kept, here in folders.items():
                _link_all(here / "packages", kept)

    def _dnf(self, work: Workspace, configuration: Path, settings: dict[str, str], *words: str) -> None:
        where = ("--config", configuration, "--installroot", work.tree, "--releasever", self.rpm.release)
        architecture = (f"--forcearch={self.arch}",)
        try:
            told = work.installer(*DNF, *where, *architecture, *words, env={**ENVIRONMENT, **settings}).stdout
        except CommandFailed as failure:
            raise blamed(failure) from None
        for line in rpm.let_fail(told):
            work.warn(line)

    def _configuration(self, work: Workspace) -> str:
        main = CONFIGURATION.format(
            folder=FOLDER,
            major=re.split(r"\D", self.rpm.release)[0],
            excluded=",".join(self.rpm.excluded),
            authorities=rpm.inside_tools(work, _authorities(work)),
        )
        return main + "".join(self._repository(work, state) for state in self.repositories)

    def _repository(self, work: Workspace, state: Metadata) -> str:
        # Who signs metadata with another key than packages is checked by gpgv alone: dnf would take either for both.
        signed = state.signed_metadata and not state.metadata_keys
        return REPOSITORY.format(
            name=state.suite,
            urls=" ".join((state.url, *state.ways)),
            signed=int(signed),
            keys=" ".join(f"file://{path}" for path in rpm.key_files(work, state)),
            more="\n".join(_entitlement(work)) if state.access == "entitlement" and work.credentials else "",
        )

    @property
    def _state(self) -> str:
        return hashlib.sha256(repr([(one, one.url) for one in self.repositories]).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class DnfAdditions:
    """Packages onto a tree that is there, and out of it."""

    packages: DnfPackages
    removed: tuple[str, ...]

    def describe(self) -> str:
        """What a plan shows."""
        return rpm.describe_additions(self.packages.packages, self.removed)

    def run(self, work: Workspace) -> None:
        """What is there already stays in its version; no repository is asked where nothing is missing."""
        missing = rpm.missing(work, self.packages.rpm, self.packages.packages)
        replace(self.packages, packages=missing).add(work, self.removed)


def _lists(state: Metadata) -> str:
    """The pattern of dnf's own name for a repository's repomd.xml: it has a digest of the URL at its end."""
    return f"{state.suite}-????????????????/{rpm.REPOMD}"


def _authorities(work: Workspace) -> Path:
    """The authorities that this machine's owner trusts for TLS; the tools tree's where it has none."""
    here = ssl.get_default_verify_paths().cafile
    target = work.file(rpm.SETTINGS) / "authorities.pem"
    shutil.copyfile(here or work.tools / "etc/ssl/certs/ca-certificates.crt", target)
    return target


def _entitlement(work: Workspace) -> tuple[str, ...]:
    """How dnf shows its entitlement: copies for the time of the build, which nobody else may read."""
    files = entitlement.find(Path(work.credentials))
    options = {"sslcacert": files.authority, "sslclientcert": files.certificate, "sslclientkey": files.key}
    lines = []
    for option, source in options.items():
        target = work.file(rpm.SETTINGS) / f"{option}.pem"
        target.touch(0o600)
        target.write_bytes(source.read_bytes())
        lines.append(f"{option}={rpm.inside_tools(work, target)}")
    return tuple(lines)


def _link_all(source: Path, target: Path) -> None:
    """Let the packages of one folder lie in another as well: a second name where both are on one file system."""
    target.mkdir(parents=True, exist_ok=True)
    for path in source.glob("*.rpm"):
        there = target / path.name
        if there.exists() and there.samefile(path):
            continue
        there.unlink(missing_ok=True)
        try:
            there.hardlink_to(path)
        except OSError:
            shutil.copyfile(path, there)


def _end_agents(work: Workspace, outside: Path) -> None:
    """End the key agents that checking signatures started; each would wait for its folder to vanish."""
    for ring in (outside / "cache").glob("*/pubring"):
        work.tool("/usr/bin/gpgconf", "--homedir", ring, "--kill", "all")


def blamed(failure: CommandFailed) -> KilnError:
    """The failure as an error of whoever must act; itself where that cannot be told."""
    lines = failure.output.splitlines()
    for needle, error, hint in BLAME:
        if found := next((line for line in lines if needle in line), None):
            return error(f"installing the packages failed: {found.strip()}", hint)
    return failure


__all__ = [
    "TOOLS",
    "DnfAdditions",
    "DnfPackages",
    "additions",
    "installed",
    "packages",
    "read_state",
    "states",
    "verify",
]
