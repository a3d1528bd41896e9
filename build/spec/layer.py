"""Specs that extend others: found, checked one by one, and laid over each other.

A later layer wins: over a single value, over an entry of the same identity in a list of tables (a file's path, the
name of a repository or user), and over the opposite word of an earlier one (removed, then added). Other lists append.
`replace` names what of the earlier layers is dropped whole.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from build.errors import CallerError
from build.spec.complaint import Complaint, complaint
from build.spec.document import Malformed, Node, Place, parse
from build.spec.schema import SPEC

IDENTITY = {"files": "path", "repositories": "name", "users": "name"}
OPPOSITES = {
    "packages": ("add", "remove"),
    "services": ("enable", "disable", "mask"),
    "kernel_arguments": ("add", "remove"),
}
OWN = ("extends", "replace", "name")
"""Keys that a layer says of itself alone."""
HINT = "docs/specs.md has every key; `./kiln spec init` writes an example"


def read(file: Path) -> Node:
    """The spec with everything that it extends laid under it. Raises CallerError with all that is wrong."""
    complaints: list[Complaint] = []
    layers = tuple(_layers(file, file.name, complaints, (), set()))
    refuse(complaints)
    whole = layers[0]
    for layer in layers[1:]:
        whole = merge(whole, layer)
    name = {key: value for key, value in layers[-1].value.items() if key == "name"}
    return replace(whole, value={**whole.value, **name})


def refuse(complaints: list[Complaint]) -> None:
    """Raise CallerError for what was found wrong, in the order of the text."""
    if not complaints:
        return
    found = [str(one) for one in sorted(set(complaints))]
    many = f"the spec has {len(found)} errors:\n  " if len(found) > 1 else ""
    raise CallerError(many + "\n  ".join(found), HINT)


def _layers(
    file: Path,
    name: str,
    complaints: list[Complaint],
    chain: tuple[Path, ...],
    seen: set[Path],
    said: Place | None = None,
) -> Iterator[Node]:
    """What a file extends, each before what extends it and once, then the file itself."""
    real = file.resolve()
    if real in chain:
        names = " extends ".join(one.name for one in (*chain[chain.index(real) :], real))
        assert said
        complaints.append(complaint(said, f"specs go round in a circle: {names}"))
        return
    if real in seen:
        return
    seen.add(real)
    layer = _checked(file, name, complaints, said)
    if layer is None:
        return
    for base in _bases(layer):
        yield from _layers(
            layer.folder / base.value, _shown(name, base.value), complaints, (*chain, real), seen, base.place
        )
    yield layer


def _shown(name: str, relative: str) -> str:
    """How a file that another extends is called: as seen from the first one."""
    return relative if Path(relative).is_absolute() else str(Path(name).parent / relative)


def _checked(file: Path, name: str, complaints: list[Complaint], said: Place | None) -> Node | None:
    """The file's table, without what is wrong in it."""
    try:
        document = parse(file.read_text(encoding="utf-8"), name, file.parent)
    except (OSError, UnicodeDecodeError) as refusal:
        reason = getattr(refusal, "strerror", None) or "it is not UTF-8"
        if said is None:
            raise CallerError(f"the spec {file} cannot be read: {reason}", HINT) from None
        complaints.append(complaint(said, f"{name} cannot be read: {reason}"))
        return None
    except Malformed as damage:
        complaints.append(complaint(damage.place, damage.what))
        return None
    complaints += SPEC.check(document)
    return document


def _bases(layer: Node) -> tuple[Node, ...]:
    said = layer.value.get("extends")
    nodes = said.value if said and isinstance(said.value, list) else [said] if said else []
    return tuple(one for one in nodes if isinstance(one.value, str) and one.value)


def merge(under: Node, over: Node) -> Node:
    """One checked layer laid over another."""
    values = dict(_without_replaced(under, over).value)
    for key, node in over.value.items():
        if key not in OWN:
            values[key] = _laid(key, values[key], node) if key in values else node
    values.pop("name", None)
    return replace(over, value=values)


def _without_replaced(under: Node, over: Node) -> Node:
    values = dict(under.value)
    for word in over.value["replace"].value if "replace" in over.value else ():
        table, _, key = word.value.partition(".")
        if not key:
            values.pop(table, None)
        elif table in values:
            kept = {name: node for name, node in values[table].value.items() if name != key}
            values[table] = replace(values[table], value=kept)
    return replace(under, value=values)


def _laid(key: str, under: Node, over: Node) -> Node:
    if key in OPPOSITES:
        return _opposed(under, over, OPPOSITES[key])
    if isinstance(over.value, list):
        return replace(over, value=_appended(under.value, over.value, IDENTITY.get(key)))
    return over


def _opposed(under: Node, over: Node, keys: tuple[str, ...]) -> Node:
    """Lists that exclude each other: what the upper layer says of a word is the last word about it."""
    settled = {one.value for node in over.value.values() for one in node.value}
    merged: dict[str, Any] = {}
    for key in keys:
        below = [one for one in under.value[key].value if one.value not in settled] if key in under.value else []
        above = over.value[key].value if key in over.value else []
        if below or above:
            merged[key] = replace(over.value.get(key) or under.value[key], value=[*below, *above])
    return replace(over, value=merged)


def _appended(under: list[Node], over: list[Node], identity: str | None) -> list[Node]:
    if identity is None:
        return [*under, *over]
    later = {one.value[identity].value for one in over}
    return [*(one for one in under if one.value[identity].value not in later), *over]
