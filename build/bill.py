"""The bill of materials of an image as its package database tells it; `build.sbom` and `build.spdx` write it down."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from build.errors import RecipeError
from build.workspace import Workspace
from distros.recipe import Rpm

DPKG = "/var/lib/dpkg/status"
LICENSE = re.compile(r"^License:[ \t]*(\S[^\n]*)$", re.MULTILINE)
QUERY = ("NAME", "EVR", "ARCH", "LICENSE", "VENDOR", "SOURCERPM", "URL", "SUMMARY")
UNKNOWN = "(none)"
"""What rpm prints for a tag that a package does not have."""


@dataclass(frozen=True, order=True)
class Component:
    """An installed package. `kind` is a package URL's type ("deb" or "rpm"), `source` the name of the source package
    where it has another, `sha256` the digest of the package's file; what is not known is empty.

    `licenses` are names as the package has them, SPDX expressions or not.
    """

    name: str
    version: str
    arch: str
    kind: str
    source: str = ""
    supplier: str = ""
    licenses: tuple[str, ...] = ()
    homepage: str = ""
    summary: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Bill:
    """What an image holds: `digest` is that of its content (`build.digest`), `epoch` its source date in seconds,
    `distribution` the ID and VERSION_ID of its os-release."""

    image: str
    title: str
    digest: str
    epoch: int
    distribution: tuple[str, str]
    components: tuple[Component, ...]


def distribution(work: Workspace) -> tuple[str, str]:
    """ID and VERSION_ID of the tree's os-release, empty where it has none; /etc goes first (os-release(5))."""
    text = ""
    for path in ("/usr/lib/os-release", "/etc/os-release"):
        with suppress(FileNotFoundError, RecipeError):
            text = _within(work, path).read_text()
    values = dict(re.findall(r"^(\w+)=[\"']?([^\"'\n]*)", text, re.MULTILINE))
    return values.get("ID", ""), values.get("VERSION_ID", "")


def components(work: Workspace, rpm: Rpm | None, digests: Mapping[tuple[str, str, str], str]) -> tuple[Component, ...]:
    """Every package of the tree, sorted; `digests` by name, version and architecture, as far as they are known.

    A tree without a package database has none.
    """
    if rpm:
        database = work.path(rpm.database_path)
        words = ("--define", f"_db_backend {rpm.database}", "--dbpath", database, "--query", "--all")
        form = "\\t".join(f"%{{{tag}}}" for tag in QUERY) + "\\n"
        found = from_rpm(work.tool("/usr/bin/rpm", *words, "--queryformat", form).stdout)
    elif work.path(DPKG).is_file():
        found = from_dpkg(work.path(DPKG).read_text(), lambda name: _licenses(work, name))
    else:
        return ()
    return tuple(sorted(_with_digest(one, digests) for one in found))


def from_dpkg(status: str, licenses: Callable[[str], tuple[str, ...]]) -> Iterator[Component]:
    """The packages that dpkg's status file says are installed."""
    for paragraph in status.split("\n\n"):
        told = dict(line.split(": ", 1) for line in paragraph.splitlines() if line[:1] != " " and ": " in line)
        if told.get("Status", "").endswith(" installed"):
            yield Component(
                told["Package"],
                told["Version"],
                told["Architecture"],
                "deb",
                told.get("Source", "").partition(" ")[0],
                told.get("Maintainer", ""),
                licenses(told["Package"]),
                told.get("Homepage", ""),
                told.get("Description", ""),
            )


def from_rpm(told: str) -> Iterator[Component]:
    """The packages that rpm's query for QUERY printed; keys are no packages."""
    for line in told.splitlines():
        row = ["" if word == UNKNOWN else word.strip() for word in line.split("\t")]
        if len(row) != len(QUERY) or row[0] == "gpg-pubkey":
            continue
        name, version, arch, license_name, vendor, source, url, summary = row
        licenses = (license_name,) if license_name else ()
        yield Component(name, version, arch, "rpm", source, vendor, licenses, url, summary)


def license_names(copyright_file: str) -> tuple[str, ...]:
    """The short names of a machine-readable copyright file (DEP 5), sorted; none of any other text."""
    if not copyright_file.lstrip().startswith("Format:"):
        return ()
    return tuple(sorted({name.strip() for name in LICENSE.findall(copyright_file)}))


def _licenses(work: Workspace, package: str) -> tuple[str, ...]:
    try:
        return license_names(_within(work, f"/usr/share/doc/{package}/copyright").read_text(errors="replace"))
    except (OSError, RecipeError):
        return ()


def _within(work: Workspace, path: str) -> Path:
    """Where a file of the tree lies, all links followed inside the tree."""
    here = work.path(path)
    return work.path(str(Path(path).parent / here.readlink())) if here.is_symlink() else here


def _with_digest(component: Component, digests: Mapping[tuple[str, str, str], str]) -> Component:
    digest = digests.get((component.name, component.version, component.arch), "")
    return Component(**{**vars(component), "sha256": digest}) if digest else component
