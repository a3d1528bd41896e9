"""Packages that an apt stand-in has of its own: made up, or made of another one."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from build.workspace import Workspace

MARK = "+standin"
"""At the end of each such package's version, so that its file cannot be taken for the distribution's."""
PACKING = ("--root-owner-group", "-Zgzip", "-z1")
"""Whoever makes it, the files are root's; little is gained by packing closely what is read once."""
CONTROL = """\
Package: {name}
Version: 1{mark}
Architecture: all
Maintainer: Kiln stand-in <standin@example.invalid>
Section: misc
Priority: optional
Depends: {depends}
Description: stand-in for {name}
"""
NAME = re.compile(r"^Package: .*$", re.MULTILINE)
RELATIONS = re.compile(r"^(Conflicts|Replaces|Provides|Breaks): .*\n", re.MULTILINE)
VERSION = re.compile(r"^Version: (.*)$", re.MULTILINE)

Change = Callable[[Path], None]
"""Alters an unpacked package, whose control files lie in DEBIAN/."""


@dataclass(frozen=True)
class Made:
    """A package of nothing but what it depends on (as a control file has it) and `files`, contents by path."""

    name: str
    depends: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether there is nothing in it at all."""
        return not self.depends and not self.files

    def build(self, work: Workspace, target: Path) -> None:
        """Put it into the folder `target`."""
        tree = work.file("package")
        (tree / "DEBIAN").mkdir(parents=True)
        control = CONTROL.format(name=self.name, mark=MARK, depends=self.depends)
        (tree / "DEBIAN" / "control").write_text(control.replace("Depends: \n", ""))
        for path, content in self.files.items():
            (tree / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            (tree / path.lstrip("/")).write_bytes(content)
        work.tool("dpkg-deb", *PACKING, "--build", tree, target)
        work.tool("rm", "-r", tree)


@dataclass(frozen=True)
class Repacked:
    """The package `source` under the name `name`, altered; `why` says for the report what was done."""

    name: str
    source: str
    change: Change
    why: str

    def build(self, work: Workspace, pool: Path, target: Path) -> bool:
        """Put it into the folder `target`; returns False where the pool lacks its source."""
        found = sorted(pool.glob(f"{self.source}_*.deb"))
        if not found:
            return False
        tree = work.file("package")
        work.tool("dpkg-deb", "--raw-extract", found[-1], tree)
        control = tree / "DEBIAN" / "control"
        control.write_text(renamed(control.read_text(), self.name))
        self.change(tree)
        work.tool("dpkg-deb", *PACKING, "--build", tree, target)
        work.tool("rm", "-r", tree)
        return True


def renamed(control: str, name: str) -> str:
    """The control file under another name. A package with a new name shares none of its relations to others."""
    marked = VERSION.sub(rf"Version: \g<1>{MARK}", control, count=1)
    if re.search(rf"^Package: {re.escape(name)}$", control, re.MULTILINE):
        return marked
    return RELATIONS.sub("", NAME.sub(f"Package: {name}", marked, count=1))
