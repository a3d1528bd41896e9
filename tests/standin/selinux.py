"""A SELinux policy under which a stand-in runs where its recipe has SELinux enforce: Debian's, all domains permissive.

Debian's policy knows neither the places nor the units of another distribution, and nobody tried it on one. So the
kernel loads a policy, enforces, and labels everything by it, while what a domain does against its rules is told and
let pass (typepermissive: SELinux's own cil_type_statements.md). What the distribution's policy forbids shows nowhere.
"""

import bz2
import re
from collections.abc import Iterable

from build import cache
from build.workspace import Workspace
from tests.standin.base import Base

STORE = "var/lib/selinux"
SETTINGS = "etc/selinux"
DEBIANS = "default"
"""What Debian calls its policy."""
MODULE = "standin"
TYPE = re.compile(r"^\(type (\w+)\)", re.MULTILINE)
DOMAINS = re.compile(r"\(typeattributeset domain \(([^()]*)\)\)")


def domains(modules: Iterable[str]) -> tuple[str, ...]:
    """The types of processes in a policy's modules (CIL), without those that only optional parts have."""
    texts = tuple(modules)
    types = {name for text in texts for name in TYPE.findall(text)}
    named = {name for text in texts for group in DOMAINS.findall(text) for name in group.split()}
    return tuple(sorted(types & named))


def permissive(base: Base, work: Workspace) -> tuple[str, bytes]:
    """The policy's name, which tells its version ("policy.34"), and its content."""
    root = work.file("selinux")
    for part in (STORE, SETTINGS):
        work.tool("mkdir", "--parents", (root / part).parent)
        work.tool("cp", "--archive", base.tree / part, root / part)
    modules = sorted((root / STORE / DEBIANS / "active/modules").glob("*/*/cil"))
    found = domains(bz2.decompress(module.read_bytes()).decode() for module in modules)
    own = work.file(f"{MODULE}.cil")
    own.write_text("".join(f"(typepermissive {name})\n" for name in found))
    work.tool("semodule", "--noreload", "--path", root, "--store", DEBIANS, "--install", own)
    (made,) = (root / SETTINGS / DEBIANS / "policy").glob("policy.*")
    content = made.read_bytes()
    cache.remove(root)
    return made.name, content
