"""What the double of Azure knows and remembers: resources, who may do what, and what is meant to go wrong.

Resources are plain mappings in the service's own words; keys that begin with _ are ours and leave this folder never.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from publish.playground.blobs import Blobs

SUBSCRIPTION = "00000000-0000-0000-0000-0000000000aa"
TENANT = "00000000-0000-0000-0000-0000000000bb"
CLIENT = "00000000-0000-0000-0000-0000000000cc"
REGIONS: Mapping[str, str] = {
    "westeurope": "West Europe",
    "northeurope": "North Europe",
    "germanywestcentral": "Germany West Central",
    "westus": "West US",
}
ZONED = ("westeurope", "northeurope", "germanywestcentral")
"""Regions that have zones, and so zone-redundant storage."""
STYLES = ("azure-async", "location", "body")
"""How the service tells that something takes long: three ways, and clients must know all of them."""


@dataclass(frozen=True)
class Ask:
    """A request that may pass: its method, path as it was sent, query and body."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any

    @property
    def id(self) -> str:
        """What it is about."""
        return self.path.rstrip("/")

    @property
    def words(self) -> list[str]:
        """The path's parts."""
        return self.path.strip("/").split("/")


@dataclass(frozen=True)
class Reply:
    """An answer: status, body (None: nothing) and headers."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A request that the service refuses: status, code and message."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.reply = Reply(status, {"error": {"code": code, "message": message}}, headers)


@dataclass
class Faults:
    """What goes wrong on purpose, until it is taken out again.

    `throttled` and `broken` count requests; `denied` are actions without permission; `stuck` are versions that stay in
    Creating; `failing` are names of resources and what their making ends in (code, message); `regions` are regions
    whose replication fails; `quota` is how many versions there may be; `unregistered` takes the provider away; `lost`
    are actions that are done, and whose next answer does not arrive.
    """

    throttled: int = 0
    broken: int = 0
    denied: set[str] = field(default_factory=set)
    stuck: set[str] = field(default_factory=set)
    failing: dict[str, tuple[str, str]] = field(default_factory=dict)
    regions: set[str] = field(default_factory=set)
    quota: int = 1000
    unregistered: bool = False
    expired: bool = False
    lost: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Exchange:
    """One request and what it got."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    status: int


@dataclass
class World:
    """Everything. `polls` is how often one asks until something is done, `milliseconds` when to ask again, `style` one
    of STYLES; `file` keeps the resources."""

    blobs: Blobs
    secret: str
    file: Path | None = None
    style: str = "azure-async"
    polls: int = 2
    milliseconds: int = 20
    url: str = ""
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    operations: dict[str, str] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    exchanges: list[Exchange] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def find(self, id: str) -> dict[str, Any] | None:
        """A resource by its id, whatever the case of its letters."""
        return self.resources.get(id.lower())

    def need(self, id: str, code: str = "ResourceNotFound") -> dict[str, Any]:
        """A resource that must be there."""
        found = self.find(id)
        if not found:
            raise Refused(404, code, f"The Resource '{id.split('/providers/')[-1]}' was not found.")
        return found

    def below(self, id: str) -> list[dict[str, Any]]:
        """What lies right below an id: the entries of a list."""
        start = f"{id.lower()}/"
        return [
            one for key, one in sorted(self.resources.items()) if key.startswith(start) and "/" not in key[len(start) :]
        ]

    def keep(self, resource: dict[str, Any]) -> None:
        """Remember a resource."""
        self.resources[str(resource["id"]).lower()] = resource
        self.save()

    def forget(self, id: str) -> None:
        """Remove a resource."""
        self.resources.pop(id.lower(), None)
        self.save()

    def save(self) -> None:
        """Write everything down, so that a playground can be gone on with."""
        if self.file:
            partial = self.file.with_suffix(".partial")
            partial.write_text(json.dumps(self.resources, indent=1))
            partial.rename(self.file)

    def load(self) -> None:
        """Read what an earlier run has written down."""
        if self.file and self.file.is_file():
            self.resources = json.loads(self.file.read_text())


def shown(resource: Mapping[str, Any]) -> dict[str, Any]:
    """A resource without what is ours alone."""
    return {
        key: shown(one) if isinstance(one, dict) else one for key, one in resource.items() if not key.startswith("_")
    }
