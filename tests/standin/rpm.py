"""rpm packages and repositories from a tree of files: the spec's text, one rpmbuild for all, signatures, metadata."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from build.command import Result
from build.workspace import Workspace
from tests.standin.carve import Entry
from tests.standin.key import OWNER, Opened

RELEASE_MARK = "standin"
"""At the end of every package's release: nobody takes such a package for a distribution's own."""
PREAMBLE = """\
Name: standin
Version: 1
Release: 1
Summary: Source of a stand-in's packages
License: as the packages it is made of
AutoReqProv: no
%global __os_install_post %{nil}
%global __spec_install_pre %{nil}
%global debug_package %{nil}
%global _build_id_links none
%global _missing_build_ids_terminate_build 0
%global _binary_payload w1.zstdio
%global _unpackaged_files_terminate_build 0
%description
Nothing of its own.
"""
"""None of rpmbuild's changes to the files, and next to no compression: speed counts, not size."""
SPECIAL = re.compile(r"[\s*?\[\]{}]")


@dataclass(frozen=True)
class Package:
    """A package to be made. `scripts` are pairs of a scriptlet's name ("posttrans") and its text for sh.

    `version` and `release` are taken as rpm takes them (see `split_version`).
    """

    name: str
    version: str = "1"
    release: str = "1"
    requires: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    files: tuple[Entry, ...] = ()
    scripts: tuple[tuple[str, str], ...] = ()

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.name}-{self.version}-{self.release}.x86_64.rpm"


def split_version(debian: str) -> tuple[str, str]:
    """A Debian version as rpm's version and release, without its epoch: "1:2.4-3+b1" is "2.4", "3+b1.standin"."""
    upstream, _, revision = debian.partition(":")[2].rpartition("-") if ":" in debian else debian.rpartition("-")
    version, release = (upstream, revision) if upstream else (revision, "1")
    return _clean(version), f"{_clean(release)}.{RELEASE_MARK}"


def _clean(word: str) -> str:
    return re.sub(r"[^A-Za-z0-9.~+^_]", "_", word) or "0"


def spec(packages: Iterable[Package], lists: str) -> str:
    """A spec that makes these packages; `lists` is the folder of their file lists as rpmbuild sees it."""
    return PREAMBLE + "".join(_section(package, lists) for package in packages)


def _section(package: Package, lists: str) -> str:
    name = package.name
    lines = [
        f"%package -n {name}",
        *(f"Version: {package.version}", f"Release: {package.release}", f"Summary: Stand-in for {name}"),
        "AutoReqProv: no",
        *(f"Requires: {one}" for one in package.requires),
        *(f"Provides: {one}" for one in package.provides),
        f"%description -n {name}",
        "Made of Debian's files by Kiln's tests: no package of the distribution whose name it has.",
        *(f"%{kind} -n {name}\n{text.rstrip()}" for kind, text in package.scripts),
        f"%files -n {name} -f {lists}/{name}" if package.files else f"%files -n {name}",
    ]
    return "\n".join(lines) + "\n"


def file_list(entries: Iterable[Entry]) -> str:
    """The entries as %files -f reads them."""
    return "".join(f"{_attributes(entry)}{_quoted(entry.path)}\n" for entry in entries)


def _attributes(entry: Entry) -> str:
    if entry.kind == "link":
        return ""
    folder = "%dir " if entry.kind == "folder" else ""
    return f"%attr({entry.mode:o},{entry.user},{entry.group}) {folder}"


def _quoted(path: str) -> str:
    """The path as a word; between quotes rpm (from 4.20 on) takes no character for a pattern."""
    escaped = path.replace("%", "%%")
    return f'"{escaped}"' if SPECIAL.search(escaped) else escaped


def build(work: Workspace, packages: tuple[Package, ...], root: Path) -> Path:
    """Make the packages of the files below `root`, a folder of the workspace; returns the folder with them."""
    lists, made = work.file("lists"), work.file("rpms")
    for folder in (lists, made):
        folder.mkdir()
    for package in packages:
        (lists / package.name).write_text(file_list(package.files))
    inside = {name: f"/{path.relative_to(work.tools)}" for name, path in (("root", root), ("lists", lists))}
    work.file("standin.spec").write_text(spec(packages, inside["lists"]))
    definitions = {
        "_topdir": f"/{work.folder.relative_to(work.tools)}/top",
        "_rpmdir": f"/{made.relative_to(work.tools)}",
        "_build_name_fmt": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
    }
    work.tool(
        *("rpmbuild", "-bb", "--noclean", "--target", "x86_64", "--buildroot", inside["root"]),
        *_defined(definitions),
        work.file("standin.spec"),
    )
    return made


def _defined(macros: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(word for name, value in macros.items() for word in ("--define", f"{name} {value}"))


def sign(work: Workspace, files: Iterable[Path], key: Opened) -> Result:
    """Sign packages that lie in the workspace, with a key that was opened by the workspace's own tools."""
    macros = {"_gpg_name": OWNER, "_gpg_path": f"/{key.home.relative_to(work.tools)}"}
    return work.tool("rpmsign", "--addsign", *_defined(macros), *files)


def describe(work: Workspace, folder: Path, key: Opened | None) -> None:
    """Write a repository's metadata, signed where a key is given, with the key beside it as zypper wants it."""
    work.tool("createrepo_c", "--quiet", "--no-database", "--compress-type=gz", folder)
    repomd = folder / "repodata/repomd.xml"
    if key:
        key.detach_sign(repomd, repomd.with_suffix(".xml.asc"))
        repomd.with_suffix(".xml.key").write_text(key.gpg("--armor", "--export", OWNER))
