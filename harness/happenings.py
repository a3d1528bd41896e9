"""The journal's entries as the events of a report, in words that a reader takes in at a glance.

What comes before a text's first ": " says what happened; `harness.timeline` writes it at the mark.
"""

from collections.abc import Iterable
from typing import Any

from harness.azure.journal import Entry
from harness.report import Event

SHOWN = {"dhcp", "health", "dvd", "machine", "guest", "imds", "wireserver", "hostplugin", "qmp", "status", "agent"}
"""The sources that the timeline shows; what the name server was asked is in the journal alone."""
NOTHING: tuple[Any, ...] = ("", None, [], {})


def events_of(entries: Iterable[Entry]) -> tuple[Event, ...]:
    """What a report tells of a journal."""
    return tuple(Event(entry.at, entry.source, describe(entry)) for entry in entries if entry.source in SHOWN)


def describe(entry: Entry) -> str:
    """One entry in words: what happened, then its details."""
    details = dict(entry.details)
    if entry.event == "exchange":
        path, query = str(details.pop("path", "")), ""
        if entry.source == "imds":  # elsewhere the query is what is asked for, here mostly a version
            path, _, query = path.partition("?")
        head = f"{details.pop('method', '')} {path} → {details.pop('status', '')}"
        return _with(head, {"": query, **details})
    if entry.source == "dhcp" and (who := details.get("host_name") or details.get("address")):
        return _with(f"{entry.event} {who}", details)
    return _with(entry.event, details)


def _with(head: str, details: dict[str, Any]) -> str:
    told = [f"{name} {value}".strip() for name, value in details.items() if value not in NOTHING]
    return f"{head}: {', '.join(told)}" if told else head
