"""What dnf and zypper have in common: the state of rpm-md repositories, the keys that sign them, rpm's own settings.

repomd.xml stands for the whole state of a repository: it lists the digests of the package lists, and those the
digests of the packages. Format: what createrepo_c writes; metalinks: Metalink 3.0 as MirrorManager serves it.
"""

import hashlib
import json
import re
import ssl
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from build import archive, cache, entitlement, fetch, keys, scc
from build.certificates import Certificate, certificates
from build.command import CommandFailed, run
from build.errors import CallerError, KilnError, MachineError, RecipeError
from build.families.source import Sources
from build.fetch import TRIES, Absent, is_safe
from build.privileges import can_mount
from build.workspace import Workspace
from distros.recipe import Recipe, Repository, Rpm

DATABASE_LEFT = (".rpm.lock", "*-shm", "*-wal", ".dbenv.lock")
"""What programs that use the database leave beside it; a running one makes them anew."""
SETTLE = """\
for loader in "$1"/lib64/ld-linux-*.so.? "$1"/lib/ld-linux-*.so.? -; do [ ! -e "$loader" ] || break; done
[ "$loader" != - ] || exit 0
libraries=$(find "$1"/usr/lib*/ -maxdepth 3 \\( -name 'libsystemd-shared-*.so' -o -name libc.so.6 \\) \
    -printf '%h:')
outside() {
    program=$1/usr/bin/$2
    [ -e "$program" ] || return 0
    shift 2
    # The loader is given the program: neither this machine's libraries nor its programs count.
    "$loader" --library-path "$libraries" "$program" "$@" || case $? in 65 | 73) ;; *) return 1 ;; esac
}
outside "$1" systemd-sysusers --root="$1"
outside "$1" systemd-tmpfiles --root="$1" --create --exclude-prefix=/dev --exclude-prefix=/run
"""
"""Makes the users and the files that package scripts have systemd make, from outside the tree.

Inside it that needs /proc, which a root without CAP_SYS_ADMIN cannot mount there. Done once more for all of it, every
way to build gives the same tree. A tree without systemd is left as it is; 65 and 73 mean lines that cannot be carried
out, of which systemd says the same when it boots (systemd-tmpfiles(8)).
"""
LET_FAIL = (
    re.compile(r"Error in \w+ scriptlet in rpm package \S+"),
    re.compile(r"%\w+\(\S+\) scriptlet failed, exit status \d+|lua script failed: \[string \"%\w+\([^\s)]+\)\"\]"),
)
"""How dnf tells of it, in all cases, and how rpm does, which zypper repeats."""
NOBODY = "no package provides "
NEEDED = " is needed by "
"""What rpm prints of names that nothing in the database has, and of those that it must keep."""
REPOMD = "repodata/repomd.xml"
REPO_NAMESPACE = "{http://linux.duke.edu/metadata/repo}"
METALINK_NAMESPACE = "{http://www.metalinker.org/}"
SETTINGS = "rpm-settings"
"""The folder of a build's own rpm settings and keys, beside its tree."""

POLICY = """\
[hash_algorithms]
sha1.second_preimage_resistance = "always"
sha224 = "always"
sha256 = "always"
sha384 = "always"
sha512 = "always"
default_disposition = "never"
"""
"""For rpm's OpenPGP library (sequoia-policy-config): SHA-1 may tie a key to its own name, which takes a second preimage
to forge; it may not sign packages, where a collision would do."""


@dataclass(frozen=True)
class Metadata:
    """One rpm-md repository at one moment: the digest of its repomd.xml, and that file's date in seconds.

    `suite` is the repository's name. `url` is where it answered and `ways` are further places of the same content;
    what they hold is fixed by the digest, so they take no part in what an image is; nor does `signature`, the digest
    of repomd.xml's signature, which two keys may have made of the same file. The other fields are those of
    `distros.recipe.Repository`; `keyring` may be a key that the caller gave (`build.keys`), of which any may sign.
    """

    suite: str
    sha256: str
    date: int
    keyring: str
    keys: tuple[str, ...]
    signed_metadata: bool
    metadata_keys: tuple[str, ...] = ()
    sha1_key: bool = False
    access: str = ""
    url: str = field(default="", repr=False)
    ways: tuple[str, ...] = field(default=(), repr=False)
    signature: str = field(default="", repr=False)


def states(recipe: Recipe, sources: Sources, note: Callable[[str], None]) -> tuple[Metadata, ...]:
    """The present state of every repository of the recipe, or of the mirror's in their place, asked for in parallel.

    Signatures are not looked at here: `verify` does that, with the keys of the tools tree.
    Raises MachineError where one is out of reach, CallerError where the caller must give something.
    """
    own = [located(one, recipe.arch, sources) for one in recipe.archives if isinstance(one, Repository)]
    extra = [one for one in sources.extra if isinstance(one, Repository)]
    wanted = [*own, *extra]
    for one in wanted:
        require_safe_transport(one, mirror=sources.mirror is not None or one in extra)
    ways = _ways(wanted, sources)
    with scc.redactor(ways, sources.credentials).errors(), ThreadPoolExecutor(max_workers=8) as pool:
        return tuple(pool.map(lambda one: _state(one, sources, ways.get(one.url, one.url)), wanted))


def _ways(wanted: Iterable[Repository], sources: Sources) -> dict[str, str]:
    """The addresses with a subscriber's token, where a registration is asked for; a mirror may do without.

    Raises CallerError where nothing was given.
    """
    registered = [one for one in wanted if one.access == scc.ACCESS]
    if registered and not sources.credentials and sources.mirror is None:
        raise CallerError(f"{registered[0].name} is for its distribution's subscribers alone", scc.HOW)
    if sources.offline or sources.mirror is not None:
        return {}
    return scc.ways(registered, sources.credentials)


def located(repository: Repository, arch: str, sources: Sources) -> Repository:
    """The repository for this architecture: at the mirror, if there is one, and signed by the mirror's key then."""
    here = replace(
        repository,
        url=_clean(repository.url, arch),
        path=_clean(repository.path, arch),
        mirrors=tuple(_clean(url, arch) for url in repository.mirrors),
        metalink=repository.metalink.replace("{arch}", arch),
    )
    if sources.mirror is not None:
        here = replace(here, url=f"{sources.mirror.rstrip('/')}/{here.path}", mirrors=(), metalink="")
    if sources.keyring:
        here = replace(here, keyring=sources.keyring, keys=(), metadata_keys=(), sha1_key=False)
    return here


def _clean(place: str, arch: str) -> str:
    return place.replace("{arch}", arch).strip("/") if "://" not in place else place.replace("{arch}", arch).rstrip("/")


def require_safe_transport(repository: Repository, *, mirror: bool) -> None:
    """Raise where metadata that nobody signed would come over a wire that anybody may write on."""
    ways = (repository.url, *repository.mirrors, repository.metalink)
    bare = [] if repository.signed_metadata else [url for url in ways if url and not is_safe(url)]
    if bare and mirror:
        raise CallerError(
            f"{bare[0]}: the metadata of {repository.name} is not signed, and nothing guards it on the way",
            "serve the mirror by https, or on this machine",
        )
    if bare:
        raise RecipeError(f"{repository.name} has metadata that is not signed, at {bare[0]}", "the recipe needs https")


def _state(repository: Repository, sources: Sources, way: str) -> Metadata:
    """The state of a repository; `way` is its address as it must be asked, with a token where it wants one."""
    record = _folder() / f"newest-{hashlib.sha256(json.dumps(['rpm-md', repository.url]).encode()).hexdigest()[:24]}"
    if sources.offline:
        return _remembered(repository, record)
    context = _context(repository, sources)
    url, content, ways = _found(repository, way, context)
    signature = _signature(way if url == repository.url else url, context) if repository.signed_metadata else b""
    told = {"sha256": _keep(content), "url": url, "ways": ways, "signature": _keep(signature)}
    archive.write(record, json.dumps(told).encode())
    return _metadata(repository, told, content)


def _keep(content: bytes) -> str:
    """Keep a file by its digest, which it returns."""
    digest = hashlib.sha256(content).hexdigest()
    archive.write(_folder() / digest, content)
    return digest


def _context(repository: Repository, sources: Sources) -> ssl.SSLContext | None:
    """What to show a repository of subscribers; a mirror may do without. Raises CallerError where nothing was given."""
    if repository.access != "entitlement" or (sources.mirror is not None and not sources.credentials):
        return None
    if not sources.credentials:
        raise CallerError(f"{repository.name} is for its distribution's subscribers alone", entitlement.HOW)
    return entitlement.context(Path(sources.credentials))


def _remembered(repository: Repository, record: Path) -> Metadata:
    """The state as it was when it was last asked for."""
    try:
        told = json.loads(record.read_bytes())
        content = (_folder() / told["sha256"]).read_bytes()
    except FileNotFoundError:
        raise MachineError(f"{repository.url} has never been asked for here", "build once without --offline") from None
    return _metadata(repository, told, content)


def _metadata(repository: Repository, told: Mapping[str, Any], content: bytes) -> Metadata:
    return Metadata(
        repository.name,
        told["sha256"],
        date_of(content, told["url"]),
        repository.keyring,
        repository.keys,
        repository.signed_metadata,
        repository.metadata_keys,
        repository.sha1_key,
        repository.access,
        told["url"],
        tuple(told["ways"]),
        told["signature"],
    )


def _found(repository: Repository, way: str, context: ssl.SSLContext | None) -> tuple[str, bytes, tuple[str, ...]]:
    """The first place that has repomd.xml, that file, and the places after it.

    Raises MachineError with all that failed. The metalink is asked when all before it have failed: it lists more
    places, and the digests that they may have.
    """
    failures: list[MachineError] = []
    places: list[str] = [repository.url, *repository.mirrors]
    expected: frozenset[str] = frozenset()
    while places:
        url = places.pop(0)
        try:
            address = scc.with_path(way if url == repository.url else url, REPOMD)
            content = fetch.small(address, context=context, tries=1 if places else TRIES)
            if not expected or hashlib.sha256(content).hexdigest() in expected:
                return url, content, tuple(places)
            failures.append(MachineError(f"{url} is not what the metalink says"))
        except MachineError as failure:
            failures.append(failure)
        if not places and repository.metalink and not expected:
            links, expected = _metalink(repository.metalink, context, failures)
            places = [link for link in links if repository.signed_metadata or is_safe(link)]
    raise MachineError("; ".join(failure.what for failure in failures), failures[0].hint)


def _metalink(
    url: str, context: ssl.SSLContext | None, failures: list[MachineError]
) -> tuple[tuple[str, ...], frozenset[str]]:
    try:
        return read_metalink(fetch.small(url, context=context))
    except MachineError as failure:
        failures.append(failure)
    except ValueError as damage:
        failures.append(MachineError(f"{url} is no metalink: {damage}"))
    return (), frozenset()


def read_metalink(content: bytes) -> tuple[tuple[str, ...], frozenset[str]]:
    """Base URLs by falling preference, and the digests (SHA-256) that repomd.xml may have. Raises ValueError."""
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as damage:
        raise ValueError(str(damage)) from None
    links = [
        (-int(one.get("preference", "0")), (one.text or "").strip().removesuffix(f"/{REPOMD}"))
        for one in root.iter(f"{METALINK_NAMESPACE}url")
        if (one.text or "").strip().startswith(("http://", "https://"))
    ]
    digests = {
        (one.text or "").strip().lower()
        for one in root.iter(f"{METALINK_NAMESPACE}hash")
        if one.get("type") == "sha256"
    }
    if not links or not digests:
        raise ValueError("it names no place, or no digest")
    return tuple(link for _, link in sorted(links, key=lambda pair: pair[0])), frozenset(digests)


def _signature(url: str, context: ssl.SSLContext | None) -> bytes:
    """The detached signature, empty where the repository has none: `verify` then says so."""
    try:
        return fetch.small(scc.with_path(url, f"{REPOMD}.asc"), context=context)
    except Absent:
        return b""


def date_of(content: bytes, url: str) -> int:
    """When the newest of the lists was made, in seconds. Raises MachineError where that is no repomd.xml."""
    try:
        found = ElementTree.fromstring(content).iter(f"{REPO_NAMESPACE}timestamp")
        return max(int(float(one.text or "")) for one in found)
    except (ElementTree.ParseError, ValueError):
        raise MachineError(
            f"{url}/{REPOMD} is no list of a repository",
            "something on the way answers in its place, as a portal does; use another network or --mirror",
        ) from None


def read_state(told: Mapping[str, Any]) -> Metadata:
    """The state that JSON held."""
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
    return Metadata(**values)


def kept(state: Metadata) -> Path:
    """Where this repomd.xml is kept, by its digest."""
    return _folder() / state.sha256


def _folder() -> Path:
    return cache.folder() / "releases"


def verify(state: Metadata, tools: Path, *, mirror: bool) -> None:
    """Check the signature of a repomd.xml where its repository signs it, and that its packages' keys are there.

    Raises CallerError for a mirror and a repository of the caller's own, MachineError for the distribution's, and
    RecipeError for a key that is nowhere.
    """
    package_keys(state, tools)
    blame: type[KilnError] = CallerError if mirror or state.keyring.startswith(keys.GIVEN) else MachineError
    file = kept(state)
    if hashlib.sha256(file.read_bytes()).hexdigest() != state.sha256:
        file.unlink()
        raise MachineError(f"{file} is damaged, and removed now", "run the build again")
    if state.signed_metadata:
        _verify_signature(state, file, tools, blame)


def _verify_signature(state: Metadata, file: Path, tools: Path, blame: type[KilnError]) -> None:
    signature = _folder() / state.signature
    if b"-----BEGIN PGP SIGNATURE-----" not in signature.read_bytes():
        raise blame(f"{state.url}/{REPOMD} is not signed", "Kiln builds from signed repositories only")
    allowed = pinned(state.keyring, state.metadata_keys or state.keys, tools)
    keyring = b"".join(one.content for one in allowed)
    file_of_keys = cache.folder() / "keys" / f"{hashlib.sha256(keyring).hexdigest()}.gpg"
    archive.write(file_of_keys, keyring)
    try:
        told = run("gpgv", "--status-fd", "1", "--keyring", file_of_keys, signature, file).stdout
    except CommandFailed as refusal:
        raise blame(
            f"the signature of {state.url}/{REPOMD} does not hold against {keys.shown(state.keyring)}: "
            + refusal.output.strip().splitlines()[-1],
            archive.ALTERED,
        ) from None
    if not keys.signers(told) & {one.fingerprint for one in allowed}:
        raise blame(f"{state.url}/{REPOMD} is signed by none of its repository's own keys", archive.ALTERED)


def package_keys(state: Metadata, tools: Path) -> tuple[Certificate, ...]:
    """The certificates that may sign this repository's packages."""
    return pinned(state.keyring, state.keys, tools)


def pinned(keyring: str, fingerprints: Iterable[str], tools: Path) -> tuple[Certificate, ...]:
    """The certificates of these fingerprints and no others; all of a keyring that the caller gave.

    Raises RecipeError where one is missing, or where a recipe names none.
    """
    given = keyring.startswith(keys.GIVEN)
    names = [keyring] if given else keyring.split(":")
    try:
        contents = [keys.dearmored(keys.located(name, tools).read_bytes()) for name in names]
        found = tuple(one for content in contents for one in certificates(content))
    except (OSError, ValueError) as damage:
        if given:
            raise CallerError(f"{keys.shown(keyring)} cannot be read: {damage}", "give the public key itself") from None
        raise RecipeError(f"the keyring {keyring} cannot be read: {damage}", "correct it in the recipe") from None
    if given:
        return found
    wanted = tuple(fingerprints)
    missing = [one for one in wanted if one not in {certificate.fingerprint for certificate in found}]
    if missing or not wanted:
        raise RecipeError(
            f"the keyring {keyring} has no key {', '.join(missing) or 'that is named'}", "correct it in the recipe"
        )
    return tuple(one for one in found if one.fingerprint in wanted)


def write_settings(work: Workspace, rpm: Rpm, states: Iterable[Metadata]) -> dict[str, str]:
    """Write rpm's own settings and the repositories' keys beside the tree, for programs of the tools tree.

    The keys lie as FINGERPRINT.asc in `key_folder`. Returns the environment in which rpm and all that use its library
    must run: the database where the release wants it, no package without a valid signature, one list of keys.
    """
    folder = work.file(SETTINGS)
    cache.remove(folder)
    key_folder(work).mkdir(parents=True)
    every = {one.fingerprint: one for state in states for one in package_keys(state, work.tools)}
    for certificate in every.values():
        (key_folder(work) / f"{certificate.fingerprint}.asc").write_text(certificate.armored)
    (folder / "rpm").mkdir()
    # Package scripts have no network, but where nobody may take it from them.
    alone = "" if can_mount() else "%__transaction_unshare %{nil}\n"
    (folder / "rpm/macros").write_text(macros(rpm) + alone)
    environment = {"XDG_CONFIG_HOME": inside_tools(work, folder)}
    if any(state.sha1_key for state in states):
        (folder / "sequoia.toml").write_text(POLICY)
        environment["RPM_SEQUOIA_CRYPTO_POLICY"] = inside_tools(work, folder / "sequoia.toml")
    return environment


def macros(rpm: Rpm) -> str:
    """rpm's macros for an image: where its database lies and in which form, and that every package is checked."""
    settings = {
        "_dbpath": rpm.database_path,
        "_db_backend": rpm.database,
        "_pkgverify_level": "all",
        "_pkgverify_flags": "0x0",
        # The build gives the tree these folders, and mounts on them where it may: rpm must leave them alone.
        "_netsharedpath": "/dev:/proc:/sys",
        # The tree is kept as an archive or made anew: nothing in it need reach the disk file by file.
        "_flush_io": "0",
    }
    return "".join(f"%{name} {value}\n" for name, value in settings.items())


def key_folder(work: Workspace) -> Path:
    """Where `write_settings` puts the keys."""
    return work.file(SETTINGS) / "keys"


def key_files(work: Workspace, state: Metadata) -> tuple[str, ...]:
    """The files of the keys that may sign a repository's packages, as programs of the tools tree see them."""
    return tuple(
        inside_tools(work, key_folder(work) / f"{one.fingerprint}.asc") for one in package_keys(state, work.tools)
    )


def inside_tools(work: Workspace, path: Path) -> str:
    """A path of the workspace as programs of the tools tree see it."""
    return f"/{path.relative_to(work.tools)}"


def fresh_tree(work: Workspace) -> None:
    """An empty tree; what an attempt that was cut off left goes."""
    cache.remove(work.tree)
    work.tree.mkdir(parents=True)
    work.tree.chmod(0o755)


def trust(work: Workspace, rpm: Rpm, environment: Mapping[str, str]) -> None:
    """Put the keys of `write_settings` into the tree's own rpm database, and no others, for as long as it is filled."""
    database = work.path(rpm.database_path)
    database.mkdir(parents=True, exist_ok=True)
    drop_keys(work, rpm)
    files = sorted(key_folder(work).iterdir())
    work.installer("/usr/bin/rpm", "--dbpath", database, "--import", *files, env=environment)


def drop_keys(work: Workspace, rpm: Rpm) -> None:
    """Take every key out of the tree's rpm database."""
    backend = ("--define", f"_db_backend {rpm.database}", "--dbpath", work.path(rpm.database_path))
    told = work.tool("/usr/bin/rpm", *backend, "--query", "gpg-pubkey", expect=(0, 1)).stdout
    if names := [line for line in told.splitlines() if line.startswith("gpg-pubkey-")]:
        work.tool("/usr/bin/rpm", *backend, "--erase", "--nodeps", "--noscripts", "--notriggers", *names)


def clean(work: Workspace, rpm: Rpm) -> None:
    """Settle a tree that was just installed, and take out what only this build had.

    The keys by which packages were checked go from rpm's database: a mirror's has no place in an image, and the
    distribution's own is imported by the first update from the file that its repository names. Raises RecipeError
    where the database is not where the release has it.
    """
    database = work.path(rpm.database_path)
    if not any(database.glob("*.sqlite")) and not any(database.glob("Packages.db")):
        raise RecipeError(f"there is no rpm database in {rpm.database_path}", "the recipe names another one")
    drop_keys(work, rpm)
    for pattern in DATABASE_LEFT:
        for path in database.glob(pattern):
            path.unlink()
    run("sh", "-ec", SETTLE, "sh", work.tree, log=work.log)


def describe_additions(names: tuple[str, ...], removed: tuple[str, ...]) -> str:
    """What a plan shows of packages that a tree must have, and of those that it must not."""
    lines = [f"Add what the image lacks of {len(names)} packages"]
    return "\n    ".join([*lines, *([f"and take out {', '.join(removed)}"] if removed else [])])


def missing(work: Workspace, rpm: Rpm, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of these names that no package in the tree has or provides."""
    told = work.tool(*_query(work, rpm), "--whatprovides", *names, expect=(0, *range(1, len(names) + 1))).stdout
    nowhere = {line.removeprefix(NOBODY) for line in told.splitlines() if line.startswith(NOBODY)}
    return tuple(name for name in names if name in nowhere)


def erase(work: Workspace, rpm: Rpm, names: tuple[str, ...], environment: Mapping[str, str]) -> None:
    """Take these packages out of the tree, as far as they are in it. `environment` is of `write_settings`.

    What only they needed stays. Raises RecipeError where another package needs one of them.
    """
    present = work.tool(*_query(work, rpm), "--all", "--queryformat", "%{NAME}\\n").stdout.split() if names else []
    if not (here := tuple(name for name in names if name in present)):
        return
    try:
        told = work.installer("/usr/bin/rpm", "--root", work.tree, "--erase", *here, env=environment).stdout
    except CommandFailed as failure:
        raise kept_back(failure, here) from None
    for line in let_fail(told):
        work.warn(line)


def _query(work: Workspace, rpm: Rpm) -> tuple[str | Path, ...]:
    backend = ("--define", f"_db_backend {rpm.database}", "--dbpath", work.path(rpm.database_path))
    return ("/usr/bin/rpm", *backend, "--query")


def kept_back(failure: CommandFailed, names: Sequence[str]) -> KilnError:
    """The failure as what the tree needs of the packages that were to go; itself where that is not the reason."""
    needed = [line.strip() for line in failure.output.splitlines() if NEEDED in line]
    if not needed:
        return failure
    return RecipeError(f"{', '.join(names)} cannot be removed: {'; '.join(needed)}", "leave it in, or remove both")


def let_fail(output: str) -> tuple[str, ...]:
    """What to tell of scripts whose failure rpm lets pass: their packages are installed, and perhaps not set up."""
    found = next((all_of for form in LET_FAIL if (all_of := dict.fromkeys(form.findall(output)))), {})
    return tuple(f"{line}: the package is installed, and perhaps not set up" for line in found)


def installed(recipe: Recipe, work: Workspace) -> tuple[tuple[str, str, str], ...]:
    """Name, version (with epoch and release) and architecture of every package in the workspace's tree, sorted."""
    assert recipe.rpm
    database = work.path(recipe.rpm.database_path)
    form = "%{NAME}\\t%{EVR}\\t%{ARCH}\\n"
    backend = ("--define", f"_db_backend {recipe.rpm.database}")
    told = work.tool("/usr/bin/rpm", *backend, "--dbpath", database, "--query", "--all", "--queryformat", form).stdout
    rows = (line.split("\t") for line in told.splitlines())
    return tuple(sorted((row[0], row[1], row[2]) for row in rows if len(row) == 3 and row[0] != "gpg-pubkey"))
