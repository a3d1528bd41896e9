"""The zypper family: a tree from signed rpm-md repositories by the tools tree's zypper, cached by what went into it.

zypper asks each repository once, into a folder of the build's own; its lists count only if repomd.xml is the very file
whose digest the plan has, and whose signature was checked. It is told which keys may sign packages by rpm's database,
takes no other, and rpm checks every package again. Sources: zypper(8), libzypp's zypp.conf and rpm.

It chooses and fetches from the repositories, and installs from a repository of what was chosen: the order of its
installation depends on all that there was to choose from, so that a lock, which holds the choice, could not repeat it.
"""

import shutil
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, cast

from build import cache, scc, wholefile
from build import packages as kept_packages
from build.command import CommandFailed
from build.errors import Bug, MachineError
from build.families.rpm import offered, step
from build.families.rpm.asking import states
from build.families.rpm.database import installed, let_fail, trust
from build.families.rpm.lists import listed
from build.families.rpm.settings import SETTINGS, inside_tools, write_settings
from build.families.rpm.state import REPOMD, Metadata, read_state
from build.families.rpm.step import Offer, RpmAdditions, RpmPackages, kept_lists, remote
from build.families.rpm.trust import verify
from build.families.zypper_told import blamed, chosen
from build.lock import LockedPackage
from build.spec.redact import RedactedLog
from build.workspace import Workspace
from distros.recipe import Recipe

TOOLS: tuple[str, ...] = (
    *("zypper", "rpm", "distribution-gpg-keys", "ca-certificates"),
    # What zypper checks repomd.xml with, and rpm's own way to make a package's users before its files.
    *("gpg", "gpg-agent", "gpgconf", "passwd"),
    # What makes repositories of packages that were chosen before.
    *("policycoreutils", "createrepo-c"),
)

MANAGER = "zypper"
"""Also the folder, beside the tree, of lists and packages."""
LISTS = "raw/{suite}"
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

Call = Callable[..., str]
"""Calls zypper with some words; returns what it printed. Raises the error of whoever must act."""
ENVIRONMENT = {
    # Neither initramfs nor boot menu are made by packages' scripts: those are steps of their own.
    "YAST_IS_RUNNING": "instsys",
    **step.ENVIRONMENT,
    # It would repeat addresses that hold a subscriber's token.
    "ZYPP_LOGFILE": "/dev/null",
}
ZYPPER = ("/usr/bin/zypper", "--non-interactive", "--no-color", "--no-abbrev")
INSTALL = ("install", "--no-recommends", "--auto-agree-with-licenses")
AT_ONCE = ("--download", "in-advance")
CHOOSE = ("--xmlout",)
"""Has zypper say what it does in a form that programs read."""
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


def packages(recipe: Recipe, names: tuple[str, ...], states: tuple[Metadata, ...]) -> "ZypperPackages":
    """The step that makes a tree of these packages."""
    assert recipe.rpm
    return ZypperPackages(recipe.name, states, names, recipe.early_files, recipe.arch, recipe.rpm)


def additions(recipe: Recipe, names: tuple[str, ...], states: tuple[Metadata, ...]) -> RpmAdditions:
    """The step that adds what a tree that is there already lacks of these packages."""
    return RpmAdditions(packages(recipe, names, states), recipe.removed)


def lists(work_cache: Path, states: tuple[Metadata, ...]) -> dict[str, Path]:
    """The folder of each state's package lists in the cache, by its suite; what is not there is left out."""
    return step.folders_of_lists(work_cache, states, LISTS)


@dataclass(frozen=True)
class ZypperPackages(RpmPackages):
    """Everything that decides what the tree holds, installed by zypper."""

    manager = MANAGER
    environment = ENVIRONMENT
    how = (CONFIGURATION, REPOSITORY, ENVIRONMENT, INSTALL, AT_ONCE, LEFT)

    def fetch_and_fill(self, work: Workspace) -> None:
        """Choose and fetch from the repositories, then fill the tree from what was chosen."""
        # Addresses with a subscriber's token: asked for anew where they are used, and written down nowhere else.
        ways = {} if work.offline else scc.ways(self.repositories, work.credentials)
        redactor = scc.redactor(ways, work.credentials)
        quiet = replace(work, log=cast(IO[str], RedactedLog(work.log, redactor)))
        with redactor.errors(), _locked(work, self.rpm.excluded):
            offers = [_with_way(remote(state), ways, work) for state in self.repositories]
            environment = self._settings(quiet, offers)
            trust(work, self.rpm, environment)
            call = self._caller(quiet, environment)
            self._refresh(quiet, call)
            chosen = self._chosen(work.cache, call)
            files = self._fetched(work, call, chosen)
        if not chosen:
            return
        with offered.offered(work, self.repositories, zip(chosen, files, strict=True)) as here:
            cache.remove(work.file(MANAGER))
            self._take(work, self._settings(work, here))

    def fill(self, work: Workspace, offers: tuple[Offer, ...]) -> None:
        """Fill the tree from repositories that lie in the workspace."""
        environment = self._settings(work, offers)
        # Once for a tree, however it is filled: rpm numbers its packages after what its database ever held.
        trust(work, self.rpm, environment)
        self._take(work, environment)

    def _take(self, work: Workspace, environment: Mapping[str, str]) -> None:
        """Install from repositories in the workspace, whose keys the tree's database has."""
        call = self._caller(work, environment)
        with _locked(work, self.rpm.excluded):
            call("refresh", "--force")
            call("--no-refresh", *INSTALL, *AT_ONCE, "--", *self.packages)
        _tidy(work)

    def _settings(self, work: Workspace, offers: Iterable[Offer]) -> dict[str, str]:
        """Write rpm's and zypper's settings beside the tree; returns the environment that leads to them."""
        environment = {**ENVIRONMENT, **write_settings(work, self.rpm, self.repositories)}
        _trust_authorities(work)
        settings = work.file(SETTINGS)
        (settings / REPOSITORIES).mkdir(mode=0o700)
        for offer in offers:
            (settings / REPOSITORIES / f"{offer.state.suite}.repo").write_text(_repository(offer))
        (settings / "zypp.conf").write_text(CONFIGURATION.format(arch=self.arch))
        return {**environment, "ZYPP_CONF": inside_tools(work, settings / "zypp.conf")}

    def _caller(self, work: Workspace, environment: Mapping[str, str]) -> Call:
        where: tuple[str | Path, ...] = (
            *("--root", work.tree, "--cache-dir", work.file(MANAGER)),
            *("--reposd-dir", work.file(SETTINGS) / REPOSITORIES),
        )

        def call(*words: str) -> str:
            try:
                told = work.installer(*ZYPPER, *where, *words, env=environment, expect=SUCCESS).stdout
            except CommandFailed as failure:
                raise blamed(failure) from None
            for line in let_fail(told):
                work.warn(line)
            return told

        return call

    def _refresh(self, work: Workspace, call: Call) -> None:
        """Have the repositories' lists where zypper looks for them: those of the plan's state and no others."""
        kept = kept_lists(work.cache, MANAGER, self.repositories)
        here = work.file(MANAGER)
        if kept.is_dir():
            shutil.copytree(kept, here, symlinks=True, dirs_exist_ok=True)
            return
        if work.offline:
            raise MachineError("the cache has no package lists of this state", "build once without --offline")
        call("refresh", "--force")
        for state in self.repositories:
            step.require_state(state, here.glob(f"{LISTS.format(suite=state.suite)}/{REPOMD}"))
        step.keep_lists(here, kept, "packages")

    def _chosen(self, work_cache: Path, call: Call) -> tuple[LockedPackage, ...]:
        """What zypper would install."""
        wanted = chosen(call("--no-refresh", *CHOOSE, *INSTALL, "--dry-run", "--", *self.packages))
        found = listed(lists(work_cache, self.repositories), self.repositories, wanted.values())
        told = {(one.source, one.name, one.version, one.arch): one for one in found}
        if missing := sorted(wanted.keys() - told.keys()):
            raise Bug(f"zypper would install what its lists do not have: {' '.join(missing[0])}", "report the log")
        return tuple(told[key] for key in wanted)

    def _fetched(self, work: Workspace, call: Call, chosen: tuple[LockedPackage, ...]) -> tuple[Path, ...]:
        """The files of what was chosen: those that earlier builds fetched, and what is fetched now, which is kept."""
        shelves = {state.suite: self.shelf(work, state) for state in self.repositories}
        files = [(shelves[one.source] / kept_packages.file_name(one), _place(work, one)) for one in chosen]
        for kept, here in files:
            _lay(kept, here)
        try:
            call("--no-refresh", *INSTALL, "--download-only", "--", *self.packages)
        finally:
            for kept, here in files:
                _lay(here, kept)
        return tuple(here for _, here in files)


def _place(work: Workspace, package: LockedPackage) -> Path:
    """Where zypper keeps a package that it fetched."""
    return work.file(MANAGER) / "packages" / package.source / package.path


def _lay(file: Path, target: Path) -> None:
    """Let a file, if it is there, lie in another place as well."""
    if file.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        kept_packages.lay(file, target)


def _with_way(offer: Offer, ways: Mapping[str, str], work: Workspace) -> Offer:
    """The repository at the address that has a subscriber's token, where it wants one; offline it is nowhere."""
    return replace(offer, urls=(NOWHERE,) if work.offline else tuple(ways.get(url, url) for url in offer.urls))


def _repository(offer: Offer) -> str:
    return REPOSITORY.format(name=offer.state.suite, urls="\n        ".join(offer.urls), signed=int(offer.signed))


def _trust_authorities(work: Workspace) -> None:
    """Have zypper trust the authorities that this machine's owner trusts for TLS, as far as there are any."""
    if here := ssl.get_default_verify_paths().cafile:
        wholefile.write(work.tools / BUNDLE, Path(here).read_bytes(), wholefile.PUBLIC)


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
    below = Path(inside_tools(work, work.folder))
    work.remove(str(below))
    with suppress(OSError):
        work.path(str(below.parent)).rmdir()
    automatic = work.path(AUTOMATIC)
    if automatic.is_file():
        names = [line for line in automatic.read_text().splitlines() if line and not line.startswith("#")]
        work.write(AUTOMATIC, "".join(f"{name}\n" for name in sorted(names)))


__all__ = [
    "TOOLS",
    "ZypperPackages",
    "additions",
    "installed",
    "packages",
    "read_state",
    "states",
    "verify",
]
