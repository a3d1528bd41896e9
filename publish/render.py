"""Versions as a person reads them."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any


def lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Each definition with its versions, the newest first."""
    empty = True
    for definition, versions in groupby(rows, key=lambda row: row["definition"]):
        empty = False
        yield str(definition)
        yield from (f"    {_line(row)}" for row in reversed(list(versions)))
    if empty:
        yield "There is no version yet."


def _line(row: Mapping[str, Any]) -> str:
    whole = [one["name"] for one in row["regions"] if one["state"] == "Completed"]
    late = [f"{one['name']} ({one['state']}, {one['percent']} %)" for one in row["regions"] if one["name"] not in whole]
    mark = "latest" if row["latest"] else "excluded" if row["excluded"] else ""
    told = [
        f"{row['version']:<18} {mark:<8}",
        f"in {', '.join([*whole, *late]) or 'no region yet'};",
        f"{row['image'] or 'not made by Kiln'}{', ' if row['proof'] else ''}{row['proof']}",
        *([f"; its state is {row['state']}"] if row["state"] != "Succeeded" else []),
        *([f"; its life ends on {row['end_of_life']}"] if row["end_of_life"] else []),
    ]
    return " ".join(told).replace(" ;", ";")
