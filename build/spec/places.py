"""Where in a spec's files each of its words stands, for messages about what only a recipe or an image can tell."""

from collections.abc import Iterator

from build.spec.document import Node
from build.spec.value import unit

LONG = ("files.content", "first_boot.user_data")
"""Keys that hold texts: a message names them without their value."""


def places(node: Node, key: str = "") -> Iterator[tuple[str, str, str]]:
    """Every key with its value as text, and where it stands: file, line and key."""
    if isinstance(node.value, dict) and key not in LONG:
        for name, one in node.value.items():
            yield from places(one, f"{key}.{name}" if key else name)
    elif isinstance(node.value, list):
        for one in node.value:
            yield from places(one, key)
    else:
        text = "" if key in LONG else str(node.value)
        yield key, unit(text) if key.startswith("services.") else text, f"{node.place}: {node.place.key}"
