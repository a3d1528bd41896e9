"""How what exists differs from what is wanted: only what we said is compared, since a service adds its own defaults."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from publish.target import plain_region

NEVER_CHANGES = (
    "location",
    "properties.osType",
    "properties.osState",
    "properties.hyperVGeneration",
    "properties.architecture",
    "properties.identifier.publisher",
    "properties.identifier.offer",
    "properties.identifier.sku",
    "properties.sharingProfile.permissions",
)
"""Where these differ another resource is needed: Azure refuses the change (definitions), or it would change who may
use what is published (a gallery's sharing)."""
NAMED = {"properties.features": "name", "properties.publishingProfile.targetRegions": "name"}
"""Lists whose entries are known by a key, whatever their order."""


@dataclass(frozen=True)
class Difference:
    """A property whose value is another: its path with dots, what is there, and what is wanted."""

    path: str
    have: Any
    want: Any

    @property
    def never_changes(self) -> bool:
        """Whether the service refuses to change it."""
        return self.path in NEVER_CHANGES

    def __str__(self) -> str:
        return f"{self.path.removeprefix('properties.')}: {_shown(self.have)} -> {_shown(self.want)}"


def differences(have: Mapping[str, Any], want: Mapping[str, Any]) -> list[Difference]:
    """What is wanted otherwise than it is."""
    return list(_compare(have, want, ""))


def _compare(have: Any, want: Any, path: str) -> Iterator[Difference]:
    if isinstance(want, Mapping):
        for key, value in want.items():
            yield from _compare((have or {}).get(key), value, f"{path}.{key}" if path else key)
    elif isinstance(want, list) and path in NAMED:
        yield from _compare_named(have or [], want, path, NAMED[path])
    elif _comparable(have, path) != _comparable(want, path) and not (want in ("", False) and have is None):
        yield Difference(path, have, want)


def _compare_named(have: list[Any], want: list[Any], path: str, key: str) -> Iterator[Difference]:
    mine = {plain_region(one[key]): one for one in have}
    for one in want:
        name = plain_region(one[key])
        where = f"{path}[{one[key]}]"
        if name in mine:
            told = {part: value for part, value in one.items() if part != key}
            yield from _compare(mine[name], told, where)
        else:
            yield Difference(where, None, one)
    for name in mine.keys() - {plain_region(one[key]) for one in want}:
        yield Difference(f"{path}[{mine[name][key]}]", mine[name], None)


def _comparable(value: Any, path: str) -> Any:
    """A value as it is compared: the service writes moments and regions in ways of its own."""
    if not isinstance(value, str):
        return value
    if path == "location":
        return plain_region(value)
    if path.endswith("Date"):
        return value.split("T")[0]
    if path.endswith("].value"):
        return value.replace(" ", "").lower()
    return value


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(one)}" for key, one in value.items() if key != "name")
    return str(value)
