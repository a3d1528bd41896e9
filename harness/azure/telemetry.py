"""An agent's telemetry: events about itself and its extensions, in a text of `Param` elements without a root.

The parameters are those of WALinuxAgent (`common/telemetryevent.py`); of most events only a few matter here.
"""

from dataclasses import dataclass

from harness.azure.xmltext import NotXml, parse


@dataclass(frozen=True)
class AgentEvent:
    """What an agent (or its extension `name`) did. `succeeded` is None where it does not say."""

    name: str = ""
    version: str = ""
    operation: str = ""
    succeeded: bool | None = None
    message: str = ""

    @property
    def failed(self) -> bool:
        """Whether something went wrong, by its own word."""
        return self.succeeded is False


def read_event(text: str) -> AgentEvent:
    """The event that a text tells of; one that is no list of parameters is all message."""
    try:
        root = parse(f"<Event>{text}</Event>".encode())
    except NotXml:
        return AgentEvent(message=text)
    told = {one.get("Name", ""): one.get("Value", "") for one in root.iter("Param")}
    return AgentEvent(
        name=told.get("Name") or told.get("EventName", ""),
        version=told.get("Version") or told.get("GAVersion", ""),
        operation=told.get("Operation", ""),
        succeeded={"true": True, "false": False}.get(told.get("OperationSuccess", "").lower()),
        message=told.get("Message") or told.get("Context1", ""),
    )
