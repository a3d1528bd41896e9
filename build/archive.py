"""Package archives as their signed release files tell them: what there is, who signed it, how new it is.

The digest of a release file stands for the whole state of its suite: it lists the digests of the package lists, and
those the digests of the packages.
"""

import hashlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path

from build import cache
from build.command import CommandFailed, run
from build.errors import CallerError, KilnError, MachineError
from distros.recipe import Archive

TRIES = 3
TIMEOUT = 20.0
"""Seconds for one answer of an archive."""


@dataclass(frozen=True)
class Release:
    """One suite of an archive at one moment: where it is, the digest of its release file, and that file's date."""

    url: str
    suite: str
    components: tuple[str, ...]
    keyring: str
    sha256: str
    date: int

    @property
    def source(self) -> str:
        """The suite as a line of sources.list, without its options."""
        return f"{self.url} {self.suite} {' '.join(self.components)}"


def locate(archives: Iterable[Archive], mirror: str | None, note: Callable[[str], None]) -> tuple[Archive, ...]:
    """The archives to use: the recipe's own, or the mirror in their place.

    A mirror's security sibling is used where it answers; where it does not, the recipe's own one is, and that is said.
    """
    if mirror is None:
        return tuple(archives)
    return tuple(_at_mirror(archive, mirror.rstrip("/"), note) for archive in archives)


def _at_mirror(archive: Archive, mirror: str, note: Callable[[str], None]) -> Archive:
    here = Archive(mirror + archive.sibling, archive.suites, archive.components, archive.keyring)
    if not archive.sibling:
        return here
    try:
        _fetch(_release_file(here.url, here.suites[0]), tries=1)
    except MachineError:
        note(f"the mirror has no {here.url}: {archive.suites[0]} comes from {archive.url}")
        return archive
    return here


def releases(archives: Iterable[Archive], *, offline: bool) -> tuple[Release, ...]:
    """The present state of every suite, asked for in parallel, or with `offline` as it was when last asked for.

    The files' signatures are not looked at here: `verify` does that, with the keyring of the tools tree.
    Raises MachineError where an archive is out of reach.
    """
    wanted = [(archive, suite) for archive in archives for suite in archive.suites]
    with ThreadPoolExecutor(max_workers=8) as pool:
        return tuple(pool.map(lambda one: _release(*one, offline=offline), wanted))


def kept(release: Release) -> Path:
    """Where the release file of this suite is kept."""
    return _kept(release.url, release.suite)


def verify(release: Release, keyring: Path, *, mirror: bool) -> None:
    """Check the signature of a release file against a keyring.

    Raises CallerError for a mirror that the caller named, MachineError for the recipe's own archive.
    """
    if not keyring.is_file():
        raise MachineError(f"the keyring {keyring} is missing", "install debian-archive-keyring")
    blame: type[KilnError] = CallerError if mirror else MachineError
    file = kept(release)
    if hashlib.sha256(file.read_bytes()).hexdigest() != release.sha256:
        raise MachineError(f"{file} changed while it was used", "run the build again")
    if b"-----BEGIN PGP SIGNATURE-----" not in file.read_bytes():
        raise blame(f"{release.url} {release.suite} is not signed", "Kiln builds from signed archives only")
    try:
        run("gpgv", "--keyring", keyring.absolute(), file)
    except CommandFailed as refusal:
        raise blame(
            f"the signature of {release.url} {release.suite} does not hold against {release.keyring}: "
            + refusal.output.strip().splitlines()[-1],
            "the archive is signed with another key, or was altered on the way; use another mirror",
        ) from None


def _release(archive: Archive, suite: str, *, offline: bool) -> Release:
    file = _kept(archive.url, suite)
    if not offline:
        content = _fetch(_release_file(archive.url, suite))
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        fresh.write_bytes(content)
        fresh.rename(file)
    elif not file.is_file():
        raise MachineError(f"{archive.url} {suite} has never been asked for here", "build once without --offline")
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return Release(archive.url, suite, archive.components, archive.keyring, digest, _date(content))


def _date(content: bytes) -> int:
    for line in content.decode("utf-8", "replace").splitlines():
        if line.startswith("Date:"):
            return int(parsedate_to_datetime(line.removeprefix("Date:").strip()).timestamp())
    return 0


def _release_file(url: str, suite: str) -> str:
    return f"{url}/dists/{suite}/InRelease"


def _kept(url: str, suite: str) -> Path:
    key = hashlib.sha256(json.dumps([url, suite]).encode()).hexdigest()[:16]
    return cache.folder() / "releases" / f"{suite.replace('/', '_')}-{key}"


def _fetch(url: str, tries: int = TRIES) -> bytes:
    """Fetch a small file; a passing fault is tried again, a refusal is final."""
    for attempt in range(tries):
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
                return bytes(answer.read(16 << 20))
        except urllib.error.HTTPError as refusal:
            reason = f"HTTP {refusal.code} {refusal.reason}"
            if refusal.code < 500:
                break
        except (OSError, ValueError) as fault:
            reason = str(getattr(fault, "reason", fault))
        if attempt + 1 < tries:
            time.sleep(2**attempt)
    raise MachineError(
        f"{url} is out of reach: {reason}",
        "name a mirror that this machine reaches with --mirror URL, set http_proxy, or use --offline with what the "
        "cache holds",
    )
