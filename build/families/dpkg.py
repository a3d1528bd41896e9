"""dpkg's database as files tell it."""

from pathlib import Path


def installed(tree: Path) -> tuple[tuple[str, str, str], ...]:
    """Name, version and architecture of every package in a tree, sorted."""
    found = []
    for paragraph in (tree / "var/lib/dpkg/status").read_text().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if line[:1] != " " and ": " in line)
        if fields.get("Status", "").endswith(" installed"):
            found.append((fields["Package"], fields["Version"], fields["Architecture"]))
    return tuple(sorted(found))
