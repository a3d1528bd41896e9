"""The repositories that an image's package manager is told of, whichever it is."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.etc import configuration
from harness.tree import Tree


@dataclass(frozen=True)
class Repository:
    """A repository: `name` as its file has it (for apt the suite), its URL, whether it is on, and where that stands."""

    name: str
    url: str
    enabled: bool
    path: str


def apt(tree: Tree) -> Iterator[Repository]:
    """apt's sources: one-line entries and deb822 paragraphs."""
    for path, _, line in configuration(tree, "/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list"):
        if found := re.match(r"deb\s+(?:\[[^]]*\]\s*)?(\S+)\s+(\S+)", line):
            yield Repository(found[2], found[1], True, path)
    for path in tree.glob("/etc/apt/sources.list.d/*.sources"):
        for paragraph in re.split(r"\n\s*\n", tree.read_text(path)):
            fields = dict(re.findall(r"^(\w[\w-]*):\s*(.*(?:\n[ \t].*)*)", paragraph, re.MULTILINE))
            on = fields.get("Enabled", "yes").strip().lower() not in ("no", "false")
            if "deb" in fields.get("Types", "").split():
                for url in fields.get("URIs", "").split():
                    yield from (Repository(suite, url, on, path) for suite in fields.get("Suites", "").split())


def ini(tree: Tree) -> Iterator[Repository]:
    """Repositories of dnf, yum and zypper."""
    for pattern in ("/etc/yum.repos.d/*.repo", "/etc/zypp/repos.d/*.repo", "/usr/etc/zypp/repos.d/*.repo"):
        for path in tree.glob(pattern):
            for section in re.split(r"^(?=\[)", tree.read_text(path), flags=re.MULTILINE):
                if found := re.match(r"\[([^]]+)\]", section):
                    fields = dict(re.findall(r"^(\w+)\s*=\s*(.*)$", section, re.MULTILINE))
                    url = fields.get("baseurl") or fields.get("metalink") or fields.get("mirrorlist") or ""
                    yield Repository(found[1], url.strip(), _is_on(fields.get("enabled", "1")), path)


def _is_on(word: str) -> bool:
    """As dnf and zypper read a switch."""
    return word.strip().lower() in ("1", "yes", "true", "on")
