"""Asking rpm-md repositories for their present state, at the places and with the credentials that each wants."""

import hashlib
import json
import ssl
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from build import entitlement, fetch, scc, wholefile
from build.errors import CallerError, MachineError, RecipeError
from build.families.rpm.metalink import read_metalink
from build.families.rpm.state import REPOMD, Metadata, date_of, folder
from build.families.source import Sources
from build.fetch import TRIES, Absent, is_safe, with_path
from distros.recipe import Recipe, Repository


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
    """The addresses with a subscriber's token, where a registration is asked for; a mirror may do without one.

    Raises CallerError where nothing was given.
    """
    registered = [one for one in wanted if one.access == scc.ACCESS]
    if registered and not sources.credentials and sources.mirror is None:
        raise CallerError(f"{registered[0].name} is for its distribution's subscribers alone", scc.HOW)
    if sources.offline:
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
    record = folder() / f"newest-{hashlib.sha256(json.dumps(['rpm-md', repository.url]).encode()).hexdigest()[:24]}"
    if sources.offline:
        return _remembered(repository, record)
    context = _context(repository, sources)
    url, content, ways = _found(repository, way, context)
    signature = _signature(way if url == repository.url else url, context) if repository.signed_metadata else b""
    told = {"sha256": _keep(content), "url": url, "ways": ways, "signature": _keep(signature)}
    wholefile.write(record, json.dumps(told).encode())
    return _metadata(repository, told, content)


def _keep(content: bytes) -> str:
    """Keep a file by its digest, which it returns."""
    digest = hashlib.sha256(content).hexdigest()
    wholefile.write(folder() / digest, content)
    return digest


def _context(repository: Repository, sources: Sources) -> ssl.SSLContext | None:
    """What to show a repository of subscribers; a mirror may do without. Raises CallerError where nothing was given."""
    if repository.access != entitlement.ACCESS or (sources.mirror is not None and not sources.credentials):
        return None
    if not sources.credentials:
        raise CallerError(f"{repository.name} is for its distribution's subscribers alone", entitlement.HOW)
    return entitlement.context(Path(sources.credentials))


def _remembered(repository: Repository, record: Path) -> Metadata:
    """The state as it was when it was last asked for."""
    try:
        told = json.loads(record.read_bytes())
        content = (folder() / told["sha256"]).read_bytes()
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
            address = with_path(way if url == repository.url else url, REPOMD)
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


def _signature(url: str, context: ssl.SSLContext | None) -> bytes:
    """The detached signature, empty where the repository has none: `verify` then says so."""
    try:
        return fetch.small(with_path(url, f"{REPOMD}.asc"), context=context)
    except Absent:
        return b""
