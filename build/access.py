"""Where a build's packages come from besides the distribution's own archive, and what opens archives of subscribers."""

import re
from pathlib import Path
from typing import Protocol

from build import scc
from build.errors import CallerError
from distros import Recipe

MIRROR = re.compile(r"https?://[^\s\[\]'\"|]+")
"""What may stand in a line of sources.list; other ways to fetch would read this machine's files."""

SERVER = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+/?")
RMT_FOLDER = "repo"
"""Where an RMT server has what it mirrors: below that, paths are those of SUSE's own server."""


class Asked(Protocol):
    """What a caller's request says of it (`build.request.BuildRequest`)."""

    @property
    def mirror(self) -> str | None: ...

    @property
    def mirror_key(self) -> Path | None: ...

    @property
    def lock(self) -> Path | None: ...

    @property
    def entitlement(self) -> Path | None: ...

    @property
    def scc_credentials(self) -> Path | None: ...

    @property
    def rmt(self) -> str | None: ...


def other_archive(request: Asked) -> str | None:
    """The URL that takes the place of the distribution's own server, if any.

    Raises CallerError where the file of a registration, which may name a server of the caller's, is none.
    """
    if request.rmt:
        return f"{request.rmt.rstrip('/')}/{RMT_FOLDER}"
    return _own_server(request) or request.mirror


def private(request: Asked) -> str:
    """That URL where nobody else need know of it: of a server for the caller's own subscriptions; else ""."""
    return "" if request.mirror else other_archive(request) or ""


def _own_server(request: Asked) -> str | None:
    """The caller's own registration server, None where it is SUSE's."""
    registration = scc.load(request.scc_credentials.expanduser()) if request.scc_credentials else None
    return registration.server if registration and registration.is_own else None


def require_fitting(recipe: Recipe, request: Asked) -> None:
    """Raise CallerError for what the recipe's archives have no use for, or what contradicts itself."""
    if request.mirror is not None and not MIRROR.fullmatch(request.mirror):
        raise CallerError(f"{request.mirror!r} is no mirror", "give a URL that begins with http:// or https://")
    _require_use(recipe, request)
    _require_one_way(request)
    _require_mirror(request)


def _require_use(recipe: Recipe, request: Asked) -> None:
    """Raise CallerError for what opens archives that this recipe does not have."""
    wanted = {getattr(one, "access", "") for one in recipe.archives}
    shown = {"--entitlement": "entitlement", "--scc-credentials": "scc", "--rmt": "scc"}
    given = {
        "--entitlement": request.entitlement,
        "--scc-credentials": request.scc_credentials,
        "--rmt": request.rmt,
    }
    for flag, access in shown.items():
        if given[flag] and access not in wanted:
            raise CallerError(f"{recipe.name} has no use for {flag}", "no archive of it asks for that")
    if request.rmt and not SERVER.fullmatch(request.rmt):
        raise CallerError("that is no address of an RMT server", "give --rmt https://HOST, without name and password")


def _require_one_way(request: Asked) -> None:
    """Raise CallerError for two ways to the same packages at once."""
    if request.mirror and request.scc_credentials:
        raise CallerError(
            "a --mirror is asked without any registration: --scc-credentials has no place there",
            "leave one of them out; a server of yours that wants a registration is named in that file: url=https://HOST",
        )
    ways = {"--rmt": request.rmt, "--scc-credentials": request.scc_credentials, "--mirror": request.mirror}
    two = [flag for flag, value in ways.items() if value]
    if len(two) > 1:
        raise CallerError(f"{two[0]} and {two[1]} are two ways to the same packages", "leave one of them out")


def _require_mirror(request: Asked) -> None:
    """Raise CallerError for a mirror's key without a mirror, or a server of the caller's own."""
    if not request.mirror_key or request.lock or other_archive(request):
        return
    if request.scc_credentials:
        raise CallerError(
            f"--mirror-key is not for {scc.SERVICE}, which has what SUSE signed",
            f"leave it out; where a server of your own signs, name that in {request.scc_credentials}: url=https://HOST",
        )
    raise CallerError(
        "--mirror-key goes with --mirror or --rmt", "a distribution's own archive is checked with its own key"
    )
