"""Package archives as their signed release files tell them: what there is, who signed it, how new it is.

The digest of a release file stands for the whole state of its suite: it lists the digests of the package lists, and
those the digests of the packages.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from pathlib import Path

from build import cache, fetch, freshness, keys, wholefile
from build.command import CommandFailed, run
from build.errors import CallerError, KilnError, MachineError
from distros.recipe import Archive

ALTERED = "the archive is signed with another key, or was altered on the way; use another mirror"
SIGNED, SIGNATURE = b"-----BEGIN PGP SIGNED MESSAGE-----", b"-----BEGIN PGP SIGNATURE-----"
"""What a signed file begins with (what stood before it would not be signed), and where the signed part ends."""
AGAIN = (1.0, 3.0)
"""Seconds until an archive is asked again that shows an older state than before: of several servers one may lag."""


@dataclass(frozen=True)
class Release:
    """One suite of an archive at one moment: where it is, the digest of its release file, and that file's date.

    `keyring` is a file of the tools tree, or a key that the caller gave (`build.keys`); one of `keys`, fingerprints of
    primary keys, must have signed, any of the keyring where none are named. `date` is in seconds, and so is
    `valid_until`, after which the file no longer counts; 0: it has no end.
    """

    url: str
    suite: str
    components: tuple[str, ...]
    keyring: str
    sha256: str
    date: int
    keys: tuple[str, ...] = ()
    valid_until: int = field(default=0, repr=False)

    @property
    def source(self) -> str:
        """The suite as a line of sources.list, without its options."""
        return f"{self.url} {self.suite} {' '.join(self.components)}"


def locate(
    archives: Iterable[Archive], mirror: str | None, note: Callable[[str], None], *, offline: bool
) -> tuple[Archive, ...]:
    """The archives to use: the recipe's own, or the mirror in their place.

    A mirror's security sibling is used where it answers; where it does not, the recipe's own one is, and that is said.
    """
    if mirror is None:
        return tuple(archives)
    return tuple(_at_mirror(archive, mirror.rstrip("/"), note, offline=offline) for archive in archives)


def _at_mirror(archive: Archive, mirror: str, note: Callable[[str], None], *, offline: bool) -> Archive:
    here = replace(archive, url=mirror + archive.sibling)
    return either(here, archive, note, offline=offline) if archive.sibling else here


def either(first: Archive, second: Archive, note: Callable[[str], None], *, offline: bool) -> Archive:
    """The first archive where it answers for its suites, else the second, which is said."""
    if offline and _newest(first.url, first.suites[0]).is_file():
        return first
    try:
        if not offline:
            fetch.small(_release_file(first.url, first.suites[0]), tries=1)
            return first
    except MachineError:
        note(f"there is no {first.suites[0]} at {first.url}: it comes from {second.url}")
    return second


def releases(archives: Iterable[Archive], *, offline: bool) -> tuple[Release, ...]:
    """The present state of every suite, asked for in parallel, or with `offline` as it was when last asked for.

    The files' signatures are not looked at here: `verify` does that, with the keyring of the tools tree.
    Raises MachineError where an archive is out of reach.
    """
    wanted = [(archive, suite) for archive in archives for suite in archive.suites]
    with ThreadPoolExecutor(max_workers=8) as pool:
        return tuple(pool.map(lambda one: _release(*one, offline=offline), wanted))


def kept(release: Release) -> Path:
    """Where this release file is kept, by its digest."""
    return folder() / release.sha256


def verify(release: Release, keyring: Path, *, mirror: bool) -> None:
    """Check the signature of a release file against a keyring.

    Raises CallerError for a mirror that the caller named, MachineError for the recipe's own archive.
    """
    if not keyring.is_file():
        raise MachineError(f"the keyring {keyring} is missing", "install debian-archive-keyring")
    blame: type[KilnError] = CallerError if mirror else MachineError
    file = kept(release)
    if hashlib.sha256(file.read_bytes()).hexdigest() != release.sha256:
        file.unlink()
        raise MachineError(f"{file} is damaged, and removed now", "run the build again")
    content = file.read_bytes()
    if not content.startswith(SIGNED) or SIGNATURE not in content:
        raise blame(f"{release.url} {release.suite} is not signed", "Kiln builds from signed archives only")
    try:
        told = run("gpgv", "--status-fd", "1", "--keyring", keyring.absolute(), file).stdout
    except CommandFailed as refusal:
        raise blame(
            f"the signature of {release.url} {release.suite} does not hold against {keys.shown(release.keyring)}: "
            + refusal.output.strip().splitlines()[-1],
            ALTERED,
        ) from None
    if release.keys and not keys.signers(told) & set(release.keys):
        who = ", ".join(sorted(keys.signers(told)))
        raise blame(f"{release.url} {release.suite} is signed by {who}, not by its distribution's own key", ALTERED)


def _release(archive: Archive, suite: str, *, offline: bool) -> Release:
    newest = _newest(archive.url, suite)
    if not offline:
        return _asked(archive, suite)
    if not newest.is_file():
        raise MachineError(f"{archive.url} {suite} has never been asked for here", "build once without --offline")
    return _read(archive, suite, (folder() / newest.read_text()).read_bytes())


def _asked(archive: Archive, suite: str) -> Release:
    """The release file as the archive has it now, kept for later."""
    for pause in (*AGAIN, None):
        content = fetch.small(_release_file(archive.url, suite))
        found = _read(archive, suite, content)
        if pause is None or found.date >= freshness.newest(found):
            break
        time.sleep(pause)
    wholefile.write(folder() / found.sha256, content)
    wholefile.write(_newest(archive.url, suite), found.sha256.encode())
    return found


def _read(archive: Archive, suite: str, content: bytes) -> Release:
    digest = hashlib.sha256(content).hexdigest()
    date, end = _moment(content, "Date"), _moment(content, "Valid-Until")
    return Release(archive.url, suite, archive.components, archive.keyring, digest, date, archive.keys, end)


def folder() -> Path:
    """Where release files are kept, each under its digest."""
    return cache.folder() / "releases"


def _newest(url: str, suite: str) -> Path:
    """The file that names the digest of the release file that this suite had last."""
    return folder() / f"newest-{hashlib.sha256(json.dumps([url, suite]).encode()).hexdigest()[:24]}"


def _moment(content: bytes, field: str) -> int:
    """A date of the signed part, in seconds; 0 where it has none."""
    for line in content.partition(SIGNATURE)[0].decode("utf-8", "replace").splitlines():
        if line.startswith(f"{field}:"):
            with suppress(ValueError):
                return int(parsedate_to_datetime(line.removeprefix(f"{field}:").strip()).timestamp())
    return 0


def _release_file(url: str, suite: str) -> str:
    return f"{url}/dists/{suite}/InRelease"
