"""What passed between a guest and its host, without what differs each time: read from a run's journal."""

import json
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(\._[\w.-]+)?", re.IGNORECASE)
SERVICES = ("imds", "wireserver", "hostplugin")


def requests(journal: Path) -> dict[str, str]:
    """Each request until the guest was ready, as "service METHOD path → status", ids taken out, and the clients that
    made it. How far an agent comes after that is a matter of when the run ended."""
    told: dict[str, set[str]] = {}
    for entry in _until_ready(_entries(journal)):
        details = entry["details"]
        if entry["source"] in SERVICES and "path" in details:
            path = IDS.sub("ID", details["path"])
            request = f"{entry['source']} {details['method']} {path} → {details['status']}"
            told.setdefault(request, set()).add(details.get("agent", ""))
        elif entry["source"] == "health":
            report = f"health {entry['event']} {details.get('substatus', '')}".strip()
            told.setdefault(report, set()).add(details.get("client", ""))
    return {request: ", ".join(sorted(filter(None, agents))) or "somebody" for request, agents in told.items()}


def host_names(journal: Path) -> list[str]:
    """The names that the guest's DHCP clients asked with, in order, each once in a row; "-" for a request without."""
    names = [
        entry["details"].get("host_name", "-")
        for entry in _entries(journal)
        if (entry["source"], entry["event"]) == ("dhcp", "REQUEST")
    ]
    return [name for name, _ in groupby(names)]


def _until_ready(entries: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for entry in entries:
        yield entry
        if (entry["source"], entry["event"]) == ("health", "Ready"):
            return


def _entries(journal: Path) -> Iterator[dict[str, Any]]:
    """A run that ended hard may have left half a line."""
    for line in journal.read_text(errors="replace").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue
