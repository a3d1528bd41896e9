"""Versions as a person reads them."""

from collections.abc import Iterable, Mapping
from typing import Any

from build.progress import answers


def table(rows: Iterable[Mapping[str, Any]]) -> None:
    """Print every version: a line, and one for each region that does not have it yet."""
    from rich.table import Table

    console = answers()
    shown = Table("definition", "version", "state", "latest", "regions", "end of life", "proof", "image", box=None)
    count = 0
    for row in rows:
        count += 1
        whole = [one for one in row["regions"] if one["state"] == "Completed"]
        late = [f"{one['name']} {one['state']} {one['percent']} %" for one in row["regions"] if one not in whole]
        regions = ", ".join([*(one["name"] for one in whole), *late])
        latest = "latest" if row["latest"] else "excluded" if row["excluded"] else ""
        shown.add_row(
            row["definition"],
            row["version"],
            row["state"],
            latest,
            regions,
            row["end_of_life"],
            row["proof"],
            row["image"],
        )
    console.print(shown if count else "There is no version yet.")
