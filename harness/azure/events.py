"""Scheduled events: what Azure is about to do to a VM, and the guest's word that it may begin.

https://learn.microsoft.com/azure/virtual-machines/linux/scheduled-events.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import UUID

VERSIONS = ("2017-03-01", "2017-08-01", "2017-11-01", "2019-01-01", "2019-04-01", "2019-08-01", "2020-07-01")
INTRODUCED = {"Description": "2019-04-01", "EventSource": "2019-08-01", "DurationInSeconds": "2020-07-01"}
NOTICE: Mapping[str, timedelta] = {
    "Freeze": timedelta(minutes=15),
    "Reboot": timedelta(minutes=15),
    "Redeploy": timedelta(minutes=10),
    "Preempt": timedelta(seconds=30),
    "Terminate": timedelta(minutes=5),
}
"""The types of events, and how long before one begins it is told at least."""


@dataclass(frozen=True)
class Event:
    """Something to come. `duration` is in seconds, -1 where nobody knows; `by_user`: its owner asked for it."""

    id: UUID
    kind: str
    resource: str
    not_before: datetime
    description: str = ""
    by_user: bool = False
    duration: int = -1
    started: bool = False

    def as_dict(self, version: str) -> dict[str, Any]:
        """The event as a version of the interface tells it."""
        told = {
            "EventId": str(self.id).upper(),
            "EventType": self.kind,
            "ResourceType": "VirtualMachine",
            "Resources": [self.resource],
            "EventStatus": "Started" if self.started else "Scheduled",
            "NotBefore": "" if self.started else format_datetime(self.not_before, usegmt=True),
            "Description": self.description,
            "EventSource": "User" if self.by_user else "Platform",
            "DurationInSeconds": self.duration,
        }
        return {name: value for name, value in told.items() if INTRODUCED.get(name, "") <= version}


@dataclass(frozen=True)
class Schedule:
    """All events of a VM. `incarnation` grows with every change, so that a guest need not compare."""

    incarnation: int = 1
    events: tuple[Event, ...] = ()

    def with_event(self, event: Event) -> "Schedule":
        """The schedule with one event more. Raises ValueError for a type that Azure does not have."""
        if event.kind not in NOTICE:
            raise ValueError(f"there are no events of type {event.kind}, but of {', '.join(NOTICE)}")
        return replace(self, incarnation=self.incarnation + 1, events=(*self.events, event))

    def started(self, ids: Iterable[str]) -> "Schedule":
        """The schedule once the guest has let these events begin. Raises KeyError for one that is not there."""
        wanted = {one.lower() for one in ids}
        if unknown := wanted - {str(event.id) for event in self.events}:
            raise KeyError(", ".join(sorted(unknown)))
        events = tuple(replace(one, started=one.started or str(one.id) in wanted) for one in self.events)
        return self if events == self.events else replace(self, incarnation=self.incarnation + 1, events=events)

    def without(self, id: UUID) -> "Schedule":
        """The schedule once an event is over, or was called off."""
        kept = tuple(event for event in self.events if event.id != id)
        return self if kept == self.events else replace(self, incarnation=self.incarnation + 1, events=kept)

    def as_dict(self, version: str) -> dict[str, Any]:
        """The document as a version of the interface tells it."""
        return {"DocumentIncarnation": self.incarnation, "Events": [event.as_dict(version) for event in self.events]}
