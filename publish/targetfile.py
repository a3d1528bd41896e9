"""Reading `gallery.toml`: every fault with its line, then the values of `publish.target`."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from build.errors import CallerError
from build.spec.complaint import Complaint, complaint
from build.spec.document import Malformed, Node, parse
from publish.clouds import CLOUDS, PUBLIC, Cloud
from publish.target import (
    Community,
    DataDisk,
    Definition,
    Region,
    Sharing,
    Staging,
    Target,
    VersionWishes,
    plain_region,
)
from publish.targetschema import SECTION, TARGET


def load(file: Path) -> Target:
    """The target that a file describes. Raises CallerError that names every fault with file and line."""
    try:
        text = file.expanduser().read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CallerError(f"{file} is no text", "a target is described in TOML (docs/publishing.md)") from None
    except OSError as refusal:
        hint = "docs/publishing.md has an example; `./kiln playground` prints one that works"
        raise CallerError(f"{file} cannot be read: {refusal.strerror}", hint) from None
    try:
        whole = parse(text, str(file), file.expanduser().parent)
    except Malformed as damage:
        raise CallerError(f"{damage.place}: {damage.what}", "this is no TOML: mend that line") from None
    _refuse([*TARGET.check(whole)])
    _refuse([*_between(whole)])
    return _target(whole, str(file))


def _refuse(faults: list[Complaint]) -> None:
    if faults:
        lines = [str(one) for one in sorted(set(faults))]
        raise CallerError("\n".join(lines), "docs/publishing.md explains every key of a target")


def _between(whole: Node) -> Iterator[Complaint]:
    """What can only be asked once every value is of its kind."""
    held = whole.value
    regions = held["version"].value.get("region") if "version" in held else None
    if regions:
        home = held["location"]
        names = [plain_region(one.value["name"].value) for one in regions.value]
        if plain_region(home.value) not in names:
            what = f"the gallery's own region, {home.value}, is not among them: a version must be there, too"
            yield complaint(regions.place, what)
    for one in held["data_disk"].value if "data_disk" in held else ():
        if not (path := _path(one.value["file"])).is_file():
            yield complaint(one.value["file"].place, f"there is no file {path}")
    certificate = held["endpoints"].value.get("certificate") if "endpoints" in held else None
    if certificate and not (path := _path(certificate)).is_file():
        yield complaint(certificate.place, f"there is no file {path}")


def _target(whole: Node, name: str) -> Target:
    held = whole.value
    kind = held["kind"].value if "kind" in held else "gallery"
    own = _plain(held[SECTION[kind]])
    location = plain_region(held["location"].value)
    return Target(
        file=name,
        cloud=_cloud(held),
        subscription=held["subscription"].value.lower(),
        resource_group=held["resource_group"].value,
        location=location,
        kind=kind,
        name=own["name"],
        staging=Staging(**_plain(held["staging"])),
        description=own.get("description", ""),
        definitions=tuple(_definition(one) for one in held["definition"].value) if "definition" in held else (),
        version=_version(held.get("version"), location),
        sharing=_sharing(held.get("sharing")),
        data_disks=tuple(
            DataDisk(one.value["lun"].value, _path(one.value["file"])) for one in _list(held.get("data_disk"))
        ),
        disk_sku=own.get("sku", Target.disk_sku),
        generation=own.get("generation"),
    )


def _cloud(held: Mapping[str, Node]) -> Cloud:
    if "endpoints" not in held:
        return CLOUDS[held["cloud"].value] if "cloud" in held else PUBLIC
    told = {key: node.value.rstrip("/") for key, node in held["endpoints"].value.items()}
    if "certificate" in told:
        told["certificate"] = str(_path(held["endpoints"].value["certificate"]).absolute())
    return Cloud("custom", **told, known=False)


def _definition(node: Node) -> Definition:
    told = _plain(node)
    if "controllers" in told:
        told["controllers"] = tuple(one for one in ("SCSI", "NVMe") if one in told["controllers"])
    return Definition(**told)


def _version(node: Node | None, location: str) -> VersionWishes:
    """The wishes; without regions, one replica where the gallery is."""
    told = _plain(node) if node else {}
    wishes = VersionWishes(
        regions=tuple(Region(**one) for one in told.pop("region", ({"name": location},))),
        uefi_keys={
            base: tuple((one["type"], tuple(one["value"])) for one in keys)
            for base, keys in told.pop("uefi_keys", {}).items()
        },
        **told,
    )
    regions = (
        replace(one, name=plain_region(one.name), storage=one.storage or wishes.storage) for one in wishes.regions
    )
    return replace(wishes, regions=tuple(sorted(regions, key=lambda one: one.name)))


def _sharing(node: Node | None) -> Sharing:
    told = _plain(node) if node else {}
    community = told.get("community")
    return Sharing(
        tuple(one.lower() for one in told.get("groups", ())),
        tuple(one.lower() for one in told.get("tenants", ())),
        Community(**community) if community else None,
    )


def _path(node: Node) -> Path:
    """A path as the target has it, which counts from its own folder."""
    return node.folder / Path(node.value).expanduser()


def _list(node: Node | None) -> list[Node]:
    return list(node.value) if node else []


def _plain(node: Node) -> Any:
    """A node's value without its places."""
    if isinstance(node.value, dict):
        return {key: _plain(one) for key, one in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(one) for one in node.value]
    return node.value
