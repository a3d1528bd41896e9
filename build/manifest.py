"""The manifest: what an image is, beside its file. It is how a built image crosses to the other packages."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from build.errors import CallerError

SCHEMA = 1
NAME = "manifest.json"
DISK = "disk.vhd"
STAND_IN = "standin"
"""How versions of packages end that were altered for a stand-in mirror."""
UNRELEASED = "9999."
"""How Flatcar calls versions that are no releases; so does its stand-in."""


@dataclass(frozen=True)
class Package:
    """An installed package."""

    name: str
    version: str
    arch: str


@dataclass(frozen=True)
class Manifest:
    """What one built image is.

    `generations` it claims to boot as, `kind` "generalized" or "specialized", `hostname` and `admin` of a specialized
    one; `recipe` the whole recipe as data, `plan_id` what the build's steps and inputs come to; `digest` that of the
    disk's content (`build.digest`); `sizes` bytes: "virtual", "file" and "allocated"; `durations` seconds of each
    step; `normalized` files that a package's script makes different each time, which the build made equal.
    """

    name: str
    distro: str
    release: str
    arch: str
    generations: tuple[int, ...]
    kind: str
    provisioner: str
    hostname: str
    admin: str
    digest: str
    plan_id: str
    source_date_epoch: int
    kernel: str
    root_uuid: str
    cmdline: str
    sizes: Mapping[str, int]
    archives: tuple[Mapping[str, str], ...]
    packages: tuple[Package, ...]
    recipe: Mapping[str, Any]
    durations: Mapping[str, float]
    tools: Mapping[str, str]
    normalized: tuple[str, ...] = ()
    schema: int = SCHEMA
    warnings: tuple[str, ...] = field(default=())

    @property
    def is_stand_in(self) -> bool:
        """Whether it was made from a stand-in mirror, whose packages say so, or is a build that nobody released."""
        versions = [package.version for package in self.packages]
        return any(one.endswith(STAND_IN) or one.startswith(UNRELEASED) for one in versions)

    def save(self, folder: Path) -> None:
        """Write it into an image's folder."""
        text = json.dumps(asdict(self), indent=1, sort_keys=True)
        (folder / NAME).write_text(text + "\n")

    @classmethod
    def load(cls, path: Path) -> "Manifest":
        """Read it from an image's folder, or from the file itself. Raises CallerError where it is none of ours."""
        file = path / NAME if path.is_dir() else path
        try:
            data = json.loads(file.read_text())
            if data["schema"] != SCHEMA:
                raise CallerError(f"{file} has schema {data['schema']}, this Kiln reads {SCHEMA}", "build it again")
            known = {name: data[name] for name in (one.name for one in fields(cls))}
            known["packages"] = tuple(Package(**package) for package in known["packages"])
            known |= {name: tuple(known[name]) for name in ("generations", "archives", "normalized", "warnings")}
        except FileNotFoundError:
            raise CallerError(f"there is no {file}", "name an image's folder, as `./kiln build` prints it") from None
        except (ValueError, KeyError, TypeError) as damage:
            raise CallerError(f"{file} is damaged: {damage!r}", "build the image again") from None
        return cls(**known)
