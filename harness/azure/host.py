"""What the pretend Azure host knows (one virtual machine) and what it remembers of its guest. No sockets here.

The services write through its verbs; checks and scenarios read its properties. Thread-safe: services run in threads.
"""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from harness.azure.certificates import Identity, make_identity
from harness.azure.events import Event, Schedule
from harness.azure.extensions import Extension, Goal
from harness.azure.http import Request
from harness.azure.journal import Journal
from harness.azure.remoteaccess import RemoteUser
from harness.azure.telemetry import AgentEvent, read_event
from harness.vm import VirtualMachine

CLIENTS = {
    "cloud-init": "cloud-init",
    "walinuxagent": "WALinuxAgent",
    "azure-init": "azure-init",
    "afterburn": "afterburn",
    "ignition": "Ignition",
    "report-ready": "report-ready",
}
"""What a client's User-Agent or agent name holds, in lower case, and what we call that client."""

BEGINS = "Provisioning"
"""The substatus of an agent that is not ready yet, but begins."""
MESSAGE_LIMIT = 500
"""Characters of an agent's complaint that the journal keeps."""
KEPT = 1000
"""How many telemetry events, observations and status blobs are remembered: a guest may send them for hours."""


def client_of(request: Request) -> str:
    """Which agent speaks. User-Agent counts first: cloud-init too sends `x-ms-agent-name: WALinuxAgent`."""
    for header in ("user-agent", "x-ms-guest-agent-name", "x-ms-agent-name"):
        said = request.headers.get(header, "").lower()
        for mark, name in CLIENTS.items():
            if mark in said:
                return name
    return "other"


@dataclass(frozen=True)
class HealthReport:
    """A guest's word on its provisioning, `at` seconds after the journal began.

    `matches` tells whether container, instance and incarnation are those of the goal state.
    """

    at: float
    state: str
    substatus: str = ""
    description: str = ""
    client: str = "other"
    matches: bool = True

    @property
    def ready(self) -> bool:
        """Whether the platform takes the VM for provisioned."""
        return self.state == "Ready" and self.matches

    @property
    def failed(self) -> bool:
        """Whether the guest gave up provisioning: final, even when another agent reports Ready later."""
        return self.substatus == "ProvisioningFailed"


class AzureHost:
    """One VM's host. Its attributes are tuples in the order of arrival; only its verbs replace them.

    `observations` is what agents told the health service, `status` the agent's status blobs, `agent_log` its last
    archive of logs, `schedule` what Azure is about to do to the VM. `goal` are the extensions that the wireserver tells
    of, `newest_goal` those that the host plugin does. `hostnames` are the names that DHCP clients gave
    themselves (option 12), in order of change: Azure's DNS keeps the last.
    """

    def __init__(self, vm: VirtualMachine, journal: Journal | None = None) -> None:
        self.vm = vm
        self.journal = journal or Journal()
        self.health: tuple[HealthReport, ...] = ()
        self.role_properties: Mapping[str, str] = {}
        self.telemetry: tuple[AgentEvent, ...] = ()
        self.observations: tuple[Mapping[str, Any], ...] = ()
        self.status: tuple[Mapping[str, Any], ...] = ()
        self.hostnames: tuple[str, ...] = ()
        self.agent_log = b""
        self.ejected = False
        self.schedule = Schedule()
        self.goal = Goal(datetime.now(UTC))
        self.newest_goal = self.goal
        self.remote_users: tuple[RemoteUser, ...] = ()
        self.reprovision_data = b""
        self._lock = threading.Lock()

    def take_health(
        self, state: str, substatus: str = "", description: str = "", client: str = "other", matches: bool = True
    ) -> HealthReport:
        """Remember a health report."""
        details = {"substatus": substatus, "description": description, "client": client, "matches": matches}
        with self._lock:
            entry = self.journal.add("health", state, **details)
            report = HealthReport(entry.at, state, substatus, description, client, matches)
            self.health = (*self.health, report)
        return report

    def take_role_property(self, name: str, value: str) -> None:
        """Remember a role property, such as the thumbprint of the SSH host key."""
        with self._lock:
            self.role_properties = {**self.role_properties, name: value}

    def take_telemetry(self, text: str) -> None:
        """Remember one telemetry event, from its text; the journal tells of one that went wrong."""
        event = read_event(text)
        with self._lock:
            self.telemetry = (*self.telemetry, event)[-KEPT:]
            if event.failed:
                told = {"of": event.name, "message": event.message[:MESSAGE_LIMIT]}
                self.journal.add("agent", f"{event.operation or 'operation'} failed", **told)

    def take_observation(self, observation: Mapping[str, Any]) -> None:
        """Remember what an agent told the health service."""
        with self._lock:
            self.observations = (*self.observations, observation)[-KEPT:]

    def take_status(self, status: Mapping[str, Any]) -> None:
        """Remember an agent's status blob."""
        with self._lock:
            self.journal.add("status", agent_status(status), computer_name=computer_name(status))
            self.status = (*self.status, status)[-KEPT:]

    def take_agent_log(self, archive: bytes) -> None:
        """Remember the archive of logs that an agent uploaded."""
        self.agent_log = archive

    def take_hostname(self, name: str) -> None:
        """Remember the name that a DHCP client gave itself."""
        with self._lock:
            if self.hostnames[-1:] != (name,):
                self.hostnames = (*self.hostnames, name)

    @cached_property
    def identity(self) -> Identity:
        """The VM's certificate, under which protected settings are sealed; made when it is first asked for."""
        return make_identity()

    def give(self, extension: Extension, fast: bool = False) -> None:
        """Have the agent install an extension, or take new settings.

        A new incarnation of the goal state tells it; `fast`, the host plugin alone does (agents from 2.8 on ask it).
        """
        with self._lock:
            self._decide(self.newest_goal.after(extension, datetime.now(UTC), fast))
            told = {"extension": extension.name, "sequence": extension.number, "incarnation": self.vm.incarnation}
            self.journal.add("machine", "new goal state", fast=fast, **told)

    def hold(self, on: bool) -> None:
        """Have the agent leave all extensions alone, or go on with them; a new incarnation tells it."""
        with self._lock:
            now, number = datetime.now(UTC), self.newest_goal.number + 1
            self._decide(replace(self.newest_goal, created=now, number=number, fast=False, on_hold=on))
            self.journal.add("machine", "new goal state", on_hold=on, incarnation=self.vm.incarnation)

    def _decide(self, goal: Goal) -> None:
        self.newest_goal = goal
        if not goal.fast:
            self.goal = goal
            self.vm = replace(self.vm, incarnation=self.vm.incarnation + 1)

    def admit(self, *users: RemoteUser) -> None:
        """Let these users in, and no others any more; a new incarnation of the goal state tells it."""
        with self._lock:
            self.remote_users = users
            self.vm = replace(self.vm, incarnation=self.vm.incarnation + 1)
            names = [user.name for user in users]
            self.journal.add("machine", "new goal state", remote_users=names, incarnation=self.vm.incarnation)

    def announce(self, event: Event) -> None:
        """Tell the guest of something to come. Raises ValueError for a type of event that Azure does not have."""
        with self._lock:
            self.schedule = self.schedule.with_event(event)
            self.journal.add("imds", "event announced", kind=event.kind, id=str(event.id))

    def let_begin(self, ids: Iterable[str]) -> None:
        """Remember that the guest lets events begin. Raises KeyError for one that is not there."""
        with self._lock:
            self.schedule = self.schedule.started(ids)
            self.journal.add("imds", "events may begin", ids=sorted(ids))

    def hand_over(self, vm: VirtualMachine, medium: bytes) -> None:
        """Give a VM that waited in a pool to its owner: from now on it is `vm`, and `medium` is its ovf-env.xml."""
        with self._lock:
            self.vm, self.reprovision_data = vm, medium
            self.journal.add("machine", "handed over to its owner", name=vm.name)

    def take_eject(self) -> None:
        """Remember that the guest opened the provisioning DVD's tray."""
        self.journal.add("dvd", "ejected")
        self.ejected = True

    @property
    def latest_health(self) -> HealthReport | None:
        """The last report: the final state once the agents have settled."""
        return next(reversed(self.health), None)

    @property
    def ready(self) -> HealthReport | None:
        """The first Ready that fits the goal state: a milestone, not yet a usable guest."""
        return next((report for report in self.health if report.ready), None)

    @property
    def failure(self) -> HealthReport | None:
        """The first report of failed provisioning."""
        return next((report for report in self.health if report.failed), None)


def agent_status(status: Mapping[str, Any]) -> str:
    """The agent's state in its status blob, such as "Ready"."""
    return str(_dig(status, "aggregateStatus", "guestAgentStatus", "status"))


def computer_name(status: Mapping[str, Any]) -> str:
    """The guest's host name in its status blob."""
    return str(
        _dig(status, "guestOSInfo", "computerName") or _dig(status, "aggregateStatus", "guestOSInfo", "computerName")
    )


def _dig(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key, "") if isinstance(value, Mapping) else ""
    return value
