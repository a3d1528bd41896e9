"""Names of versions: `<major>.<YYYYMMDD>.<n>`, of which Azure takes the numerically highest for the latest."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from build.errors import CallerError
from publish.targetschema import LARGEST_PART

Name = tuple[int, int, int]

DIGEST, IMAGE, BUILD, PROOF, RUNS = "kiln-digest", "kiln-image", "kiln-build", "kiln-proof", "kiln-runs"
"""Tags of a version: its content's digest, the image's name, its build's id, whether boots proved it, and which."""
NAME = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def parse(name: str) -> Name:
    """The numbers of a version's name. Raises CallerError where it is none."""
    found = NAME.fullmatch(name)
    if not found or any(int(part) > LARGEST_PART for part in found.groups()):
        raise CallerError(f"{name!r} is no version", f"three numbers up to {LARGEST_PART}, as 12.20261122.1")
    return int(found[1]), int(found[2]), int(found[3])


def spelled(name: Name) -> str:
    """The numbers as a name."""
    return ".".join(map(str, name))


def following(major: int, day: date, taken: Iterable[str]) -> str:
    """The next free name of a day."""
    stem = (major, int(day.strftime("%Y%m%d")))
    used = [parse(name)[2] for name in taken if NAME.fullmatch(name) and parse(name)[:2] == stem]
    return spelled((*stem, max(used, default=0) + 1))


def ours(versions: Iterable[Mapping[str, Any]], digest: str) -> list[Mapping[str, Any]]:
    """The versions that hold this content, the highest last."""
    mine = [one for one in versions if (one.get("tags") or {}).get(DIGEST) == digest]
    return sorted(mine, key=lambda one: parse(one["name"]))


def latest(versions: Iterable[Mapping[str, Any]]) -> str:
    """The version that who asks for the latest gets; "" where there is none.

    The highest one that exists whole and is not excluded (Azure, "Store and share images in a Compute Gallery").
    """
    open_ones = [one["name"] for one in versions if is_whole(one) and not is_excluded(one)]
    return max(open_ones, key=parse, default="")


def is_whole(version: Mapping[str, Any]) -> bool:
    """Whether the service has finished making it."""
    return str(version["properties"].get("provisioningState", "")) == "Succeeded"


def is_excluded(version: Mapping[str, Any]) -> bool:
    """Whether it is left out when the latest is asked for."""
    return bool((version["properties"].get("publishingProfile") or {}).get("excludeFromLatest"))
