"""The dnf family: a tree from signed rpm-md repositories by the tools tree's dnf, cached by what went into it.

dnf asks each repository once, into a folder of the build's own; its lists count only if repomd.xml is the very file
whose digest the plan has, and whose signature was checked. Every package is checked by dnf and again by rpm.
"""

import re
import shutil
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from build import cache, entitlement
from build import packages as kept_packages
from build.command import CommandFailed
from build.errors import MachineError, RecipeError
from build.families.rpm import step
from build.families.rpm.asking import states
from build.families.rpm.database import installed, let_fail
from build.families.rpm.settings import SETTINGS, inside_tools, key_files, write_settings
from build.families.rpm.state import REPOMD, Metadata, read_state
from build.families.rpm.step import ALTERED, NOT_THERE, Blame, Offer, RpmAdditions, RpmPackages, kept_lists, remote
from build.families.rpm.trust import verify
from build.workspace import Workspace
from distros.recipe import Recipe

TOOLS: tuple[str, ...] = (
    *("dnf", "rpm", "distribution-gpg-keys", "ca-certificates"),
    # What dnf checks repomd.xml with, and rpm's own way to make a package's users before its files.
    *("gpg", "gpg-agent", "gpgconf", "passwd"),
    # What makes repositories of packages that were chosen before.
    *("policycoreutils", "createrepo-c"),
)

FOLDER = "/kiln-dnf"
"""Where dnf keeps lists, packages and logs: it puts all of them below the tree, from which this link leads out."""
MANAGER = "dnf"
"""Also the folder, beside the tree, to which the link leads."""

LISTS = "{suite}-????????????????"
"""dnf's own name for a repository's folder: it has a digest of the URL at its end."""

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

Call = Callable[..., None]
"""Calls dnf with some words. Raises the error of whoever must act."""
ENVIRONMENT = {
    # The initramfs and the boot entries are made in steps of their own, once all is installed.
    "KERNEL_INSTALL_BYPASS": "1",
    **step.ENVIRONMENT,
}
DNF = ("/usr/bin/dnf", "--assumeyes", "--noplugins")

BLAME: tuple[Blame, ...] = (
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


def additions(recipe: Recipe, names: tuple[str, ...], states: tuple[Metadata, ...]) -> RpmAdditions:
    """The step that adds what a tree that is there already lacks of these packages."""
    return RpmAdditions(packages(recipe, names, states), recipe.removed)


def lists(work_cache: Path, states: tuple[Metadata, ...]) -> dict[str, Path]:
    """The folder of each state's package lists in the cache, by its suite; what is not there is left out."""
    return step.folders_of_lists(work_cache, states, LISTS)


@dataclass(frozen=True)
class DnfPackages(RpmPackages):
    """Everything that decides what the tree holds, installed by dnf."""

    manager = MANAGER
    environment = ENVIRONMENT
    how = (CONFIGURATION, REPOSITORY, ENVIRONMENT)

    def fetch_and_fill(self, work: Workspace) -> None:
        """Fill the tree from the repositories."""
        with self._linked(work):
            call = self._settings(work, tuple(map(remote, self.repositories)))
            self._refresh(work, call)
            self._with_packages(work, call)

    def fill(self, work: Workspace, offers: tuple[Offer, ...]) -> None:
        """Fill the tree from repositories that lie in the workspace."""
        with self._linked(work):
            self._settings(work, offers)("install", *self.packages)

    @contextmanager
    def _linked(self, work: Workspace) -> Iterator[None]:
        """The way out of the tree for what dnf keeps; no agent of its runs on."""
        outside = work.file(MANAGER)
        work.remove(FOLDER)
        work.path(FOLDER).symlink_to(f"../{MANAGER}")
        try:
            yield
        finally:
            _end_agents(work, outside)
        work.remove(FOLDER)

    def _settings(self, work: Workspace, offers: tuple[Offer, ...]) -> Call:
        """Write rpm's and dnf's settings beside the tree; returns what calls dnf with them."""
        environment = {**ENVIRONMENT, **write_settings(work, self.rpm, self.repositories)}
        configuration = work.file(SETTINGS) / "dnf.conf"
        configuration.write_text(self._configuration(work, offers))
        where = ("--config", configuration, "--installroot", work.tree, "--releasever", self.rpm.release)

        def call(*words: str) -> None:
            try:
                told = work.installer(*DNF, *where, f"--forcearch={self.arch}", *words, env=environment).stdout
            except CommandFailed as failure:
                raise step.blamed(failure, BLAME) from None
            for line in let_fail(told):
                work.warn(line)

        return call

    def _refresh(self, work: Workspace, call: Call) -> None:
        """Have the repositories' lists where dnf looks for them: those of the plan's state and no others."""
        kept = kept_lists(work.cache, MANAGER, self.repositories)
        here = work.file(MANAGER) / "cache"
        if kept.is_dir():
            shutil.copytree(kept, here)
            return
        if work.offline:
            raise MachineError("the cache has no package lists of this state", "build once without --offline")
        call("makecache")
        for state in self.repositories:
            step.require_state(state, here.glob(f"{LISTS.format(suite=state.suite)}/{REPOMD}"))
        step.keep_lists(here, kept, "packages", "S.gpg-agent*", "*.lock")

    def _with_packages(self, work: Workspace, call: Call) -> None:
        """Install, with what earlier builds fetched, and keep what was fetched now."""
        folders = {
            self.shelf(work, state): found / "packages"
            for state in self.repositories
            for found in (work.file(MANAGER) / "cache").glob(LISTS.format(suite=state.suite))
        }
        before = {copy: when for kept, here in folders.items() for copy, when in _copied(kept, here)}
        try:
            call(*(("-C",) if work.offline else ()), "install", *self.packages)
        finally:
            for kept, here in folders.items():
                kept.mkdir(parents=True, exist_ok=True)
                for file in here.glob("*.rpm"):
                    if file.stat().st_mtime_ns != before.get(file):
                        kept_packages.lay(file, kept / file.name)

    def _configuration(self, work: Workspace, offers: Iterable[Offer]) -> str:
        main = CONFIGURATION.format(
            folder=FOLDER,
            major=re.split(r"\D", self.rpm.release)[0],
            excluded=",".join(self.rpm.excluded),
            authorities=inside_tools(work, _authorities(work)),
        )
        return main + "".join(_repository(work, offer) for offer in offers)


def _repository(work: Workspace, offer: Offer) -> str:
    subscribed = offer.state.access == entitlement.ACCESS and work.credentials
    return REPOSITORY.format(
        name=offer.state.suite,
        urls=" ".join(offer.urls),
        signed=int(offer.signed),
        keys=" ".join(f"file://{path}" for path in key_files(work, offer.state)),
        more="\n".join(_entitlement(work)) if subscribed else "",
    )


def _authorities(work: Workspace) -> Path:
    """The authorities that this machine's owner trusts for TLS; the tools tree's where it has none."""
    here = ssl.get_default_verify_paths().cafile
    target = work.file(SETTINGS) / "authorities.pem"
    shutil.copyfile(here or work.tools / "etc/ssl/certs/ca-certificates.crt", target)
    return target


def _entitlement(work: Workspace) -> tuple[str, ...]:
    """How dnf shows its entitlement: copies for the time of the build, which nobody else may read."""
    files = entitlement.find(Path(work.credentials))
    options = {"sslcacert": files.authority, "sslclientcert": files.certificate, "sslclientkey": files.key}
    lines = []
    for option, source in options.items():
        target = work.file(SETTINGS) / f"{option}.pem"
        target.touch(0o600)
        target.write_bytes(source.read_bytes())
        lines.append(f"{option}={inside_tools(work, target)}")
    return tuple(lines)


def _copied(kept: Path, here: Path) -> Iterator[tuple[Path, int]]:
    """Copies of kept packages, laid where dnf looks for them, and when each was written, in nanoseconds.

    dnf writes over what is not the package that it expects, in place: links would have it write into the cache.
    """
    here.mkdir(parents=True, exist_ok=True)
    for file in kept.glob("*.rpm"):
        copy = here / file.name
        kept_packages.lay_copy(file, copy)
        if copy.exists():
            yield copy, copy.stat().st_mtime_ns


def _end_agents(work: Workspace, outside: Path) -> None:
    """End the key agents that checking signatures started; each would wait for its folder to vanish."""
    for ring in (outside / "cache").glob("*/pubring"):
        work.installer("/usr/bin/gpgconf", "--homedir", ring, "--kill", "all", env={})  # it wants /dev/null


__all__ = [
    "TOOLS",
    "DnfPackages",
    "additions",
    "installed",
    "packages",
    "read_state",
    "states",
    "verify",
]
