"""What a registration with SUSE's Customer Center (or an RMT server) may fetch from.

Such a server tells a registered system its services, and each service the addresses of its repositories, which end in
a token of the subscriber's. Name, password and tokens are used and forgotten: none of them goes into a log, a plan, a
manifest or an image. Form of the file: what SUSEConnect writes to /etc/zypp/credentials.d/SCCcredentials; requests:
GET /connect/systems/activations, then repo/repoindex.xml of each service, as zypper's refresh of services does.
"""

import base64
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

from build import fetch
from build.errors import CallerError, KilnError
from build.fetch import is_safe
from build.spec.redact import Redactor

SERVICE = "https://scc.suse.com"
ACCESS = "scc"
"""A repository's word for what its archive wants to see."""
HOW = (
    "give --scc-credentials FILE, a copy of /etc/zypp/credentials.d/SCCcredentials of a registered machine, "
    "or --rmt URL for an RMT server of yours"
)
INDEX = "/repo/repoindex.xml"


class Place(Protocol):
    """A repository as far as its address goes."""

    @property
    def access(self) -> str:
        """What its archive wants to see."""

    @property
    def url(self) -> str:
        """Its address, without any token."""


@dataclass(frozen=True)
class Registration:
    """A registered system. `server` is its registration server's URL."""

    username: str
    password: str = field(repr=False)
    server: str = SERVICE

    @property
    def is_own(self) -> bool:
        """Whether the server is the caller's, not SUSE's."""
        return self.server != SERVICE

    @property
    def header(self) -> str:
        """The value of the Authorization header (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


def load(file: Path) -> Registration:
    """The registration that a file holds: lines username=… and password=…, and url=… for a server of one's own.

    Raises CallerError, which repeats nothing of its content.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as refusal:
        reason = getattr(refusal, "strerror", None) or "it is no text"
        raise CallerError(f"{file} cannot be read: {reason}", HOW) from None
    pairs = (line.partition("=") for line in lines if "=" in line and not line.lstrip().startswith("#"))
    told = {name.strip(): value.strip() for name, _, value in pairs}
    missing = [name for name in ("username", "password") if not told.get(name)]
    if missing:
        raise CallerError(f"{file} has no line {missing[0]}=", HOW)
    server = told.get("url", SERVICE).rstrip("/")
    if not is_safe(server) or "@" in server:
        raise CallerError(f"the url in {file} is not https://HOST", "name and password stand in lines of their own")
    return Registration(told["username"], told["password"], server)


def ways(places: Iterable[Place], file: str) -> dict[str, str]:
    """For the address of each repository that wants a registration the address with the subscriber's token.

    Empty without a file. Raises CallerError where the registration has no such repository, MachineError where the
    server is out of reach; neither repeats a secret.
    """
    wanted = [place.url for place in places if place.access == ACCESS]
    if not wanted or not file:
        return {}
    registration = load(Path(file))
    offered = [url for service in _services(registration) for url in _repositories(registration, service)]
    found = {url: _way(url, offered, own=registration.is_own) for url in wanted}
    if missing := [url for url in wanted if not found[url]]:
        names = ", ".join(urlsplit(url).path.removeprefix("/SUSE/") for url in missing)
        raise CallerError(
            f"this registration has no {names}", "activate its product or module on that machine: SUSEConnect -p NAME"
        )
    return found


def _way(url: str, offered: Iterable[str], *, own: bool) -> str:
    """The offered address of a repository, "" where there is none. A server of one's own has its paths below others."""
    path = urlsplit(url).path.rstrip("/")
    below = [one for one in offered if own and is_safe(one) and _bare(one).endswith(path)]
    return min([one for one in offered if _bare(one) == _bare(url)] or below, key=len, default="")


def redactor(ways: dict[str, str], file: str) -> Redactor:
    """What keeps the secrets of a registration out of texts."""
    tokens = [urlsplit(url).query for url in ways.values()]
    own = load(Path(file)) if ways else None
    secrets = [*tokens, *((own.username, own.password) if own else ())]
    return Redactor(word.encode() for word in secrets)


def _services(registration: Registration) -> list[str]:
    """The addresses of the services of a system's activated products."""
    content = _get(registration, f"{registration.server}/connect/systems/activations")
    try:
        found = [str(one["service"]["url"]) for one in json.loads(content)]
    except (ValueError, TypeError, KeyError):
        raise CallerError(f"{registration.server} does not answer as a registration server does", HOW) from None
    strangers = [url for url in found if urlsplit(url)[:2] != urlsplit(registration.server)[:2]]
    if strangers:
        raise CallerError(f"{registration.server} names services of {urlsplit(strangers[0]).hostname}", HOW)
    return list(dict.fromkeys(urlunsplit(urlsplit(url)._replace(query="")) for url in found))


def _repositories(registration: Registration, service: str) -> list[str]:
    try:
        root = ElementTree.fromstring(_get(registration, f"{service.rstrip('/')}{INDEX}"))
    except ElementTree.ParseError:
        raise CallerError(f"{service} is no service of repositories", HOW) from None
    return [url for one in root.iter("repo") if (url := one.get("url") or "")]


def _get(registration: Registration, url: str) -> bytes:
    try:
        return fetch.small(url, headers={"Authorization": registration.header})
    except KilnError as refusal:
        if "HTTP 401" in refusal.what:
            raise CallerError(f"{registration.server} does not know this registration", HOW) from None
        raise


def _bare(url: str) -> str:
    return urlunsplit(urlsplit(url)._replace(query="")).rstrip("/")
