"""What `gallery.toml` may say: every key and the kind of its value, by the name rules of Azure.

Source of the rules: Azure's "Naming rules and restrictions for Azure resources" and "Store and share images in an Azure
Compute Gallery"; API version 2024-03-03 of Microsoft.Compute galleries.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from build.spec.complaint import Complaint, complaint
from build.spec.document import Node
from build.spec.kinds import Day, Flag, Kind, ListOf, Number, OneOf, Table, Text, Values, described
from publish.clouds import CLOUDS
from publish.target import KINDS, plain_region

STATES = ("generalized", "specialized")
SECURITY = ("Standard", "TrustedLaunchSupported", "TrustedLaunch")
STORAGE = ("Standard_LRS", "Standard_ZRS", "Premium_LRS")
DISK_SKUS = ("Standard_LRS", "StandardSSD_LRS", "StandardSSD_ZRS", "Premium_LRS", "Premium_ZRS")
LARGEST_LUN = 63
MOST_REPLICAS = 100
LARGEST_PART = 2**31 - 1
"""A version's name is three numbers of 32 bits with a sign."""


@dataclass(frozen=True)
class Base64:
    """What base64 encodes."""

    def check(self, node: Node) -> Iterator[Complaint]:
        """Whether it is, strictly (RFC 4648, section 4), and holds something."""
        if not isinstance(node.value, str):
            yield complaint(node.place, f"this is {described(node.value)}, it takes text")
            return
        try:
            if not base64.b64decode(node.value, validate=True):
                yield complaint(node.place, "it is empty")
        except (binascii.Error, ValueError) as damage:
            yield complaint(node.place, f"this is no base64: {str(damage)[:1].lower()}{str(damage)[1:]}")


UUID = Text(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "an id as 00000000-0000-0000-0000-000000000000")
GROUP = Text(r"[\w().-]{0,89}[\w()-]", "at most 90 letters, digits and ( ) - _ . and no dot at its end")
GALLERY = Text(
    r"[A-Za-z0-9]([A-Za-z0-9._]{0,78}[A-Za-z0-9])?",
    "a gallery's name has at most 80 letters, digits, dots and underscores, no dash, and begins and ends with a letter "
    "or digit",
)
RESOURCE = Text(
    r"[A-Za-z0-9]([A-Za-z0-9._-]{0,78}[A-Za-z0-9_])?",
    "at most 80 letters, digits, dots, underscores and dashes; it begins and ends with a letter or digit",
)
DEFINITION = Text(
    r"[A-Za-z0-9]([A-Za-z0-9._-]{0,78}[A-Za-z0-9])?",
    "at most 80 letters, digits, dots, underscores and dashes; it begins and ends with a letter or digit",
)
PUBLISHER = Text(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,126}[A-Za-z0-9_-])?", "at most 128 letters, digits and . _ -")
OFFER = Text(
    r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?", "at most 64 letters, digits and . _ -, no dot at its end"
)
ACCOUNT = Text(r"[a-z0-9]{3,24}", "a storage account's name has 3 to 24 lower-case letters and digits")
CONTAINER = Text(
    r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*", "a container's name has 3 to 63 lower-case letters, digits and single dashes"
)
REGION = Text(r"[A-Za-z][A-Za-z0-9 ]*", "a region's name, as westeurope")
HTTPS = Text(
    r"https://[^\s/?#@]+(/[^\s?#@]*)?", "a URL that begins with https:// and holds no user and no question mark"
)
URI = Text(r"https?://\S+", "a URL")
SET_ID = Text(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Compute/diskEncryptionSets/[^/]+",
    "the id of a disk encryption set, as /subscriptions/…/diskEncryptionSets/NAME",
)
SOME = Text(r"[\s\S]*\S[\s\S]*", "it is empty")
TAG = (r"[^<>%&\\?/]{1,512}", r"a tag's name has none of < > % & \ ? /")

REGIONS = ListOf(
    Table(
        {"name": REGION, "replicas": Number(1, MOST_REPLICAS), "storage": OneOf(STORAGE), "encryption_set": SET_ID},
        ("name",),
    ),
    1,
)
UEFI_KEY = Table({"type": OneOf(("x509", "sha256")), "value": ListOf(Base64(), 1)}, ("type", "value"))
DATABASES = ("db", "dbx", "kek", "pk")


def _definition(node: Node) -> Iterator[Complaint]:
    """A name and a SKU end in the generation: publisher, offer and SKU are unique in a gallery."""
    number = node.value.get("generation")
    if number is None or number.value not in (1, 2):
        return
    end = f"-gen{number.value}"
    for key in ("name", "sku"):
        one = node.value.get(key)
        if one and isinstance(one.value, str) and not one.value.endswith(end):
            yield complaint(one.place, f"{one.value!r} must end in {end}, so that each generation has its own")
    yield from _fits_generation(node, number.value)


def _fits_generation(node: Node, generation: int) -> Iterator[Complaint]:
    """What only machines of generation 2 can have."""
    if generation != 1:
        return
    security, controllers = node.value.get("security"), node.value.get("controllers")
    if security and security.value != "Standard":
        yield complaint(security.place, f"{security.value!r} needs generation 2: Trusted Launch boots by UEFI alone")
    for one in controllers.value if controllers and isinstance(controllers.value, list) else ():
        if one.value == "NVMe":
            yield complaint(one.place, "'NVMe' needs generation 2")


def _version(node: Node) -> Iterator[Complaint]:
    regions = node.value.get("region")
    seen: set[str] = set()
    for one in regions.value if regions and isinstance(regions.value, list) else ():
        name = one.value.get("name") if isinstance(one.value, dict) else None
        if name and isinstance(name.value, str):
            if plain_region(name.value) in seen:
                yield complaint(name.place, f"{name.value!r} stands there twice")
            seen.add(plain_region(name.value))


DEFINITIONS = ListOf(
    Table(
        {
            "name": DEFINITION,
            "publisher": PUBLISHER,
            "offer": OFFER,
            "sku": OFFER,
            "generation": Number(1, 2),
            "state": OneOf(STATES),
            "architecture": OneOf(("x64", "Arm64")),
            "security": OneOf(SECURITY),
            "controllers": ListOf(OneOf(("SCSI", "NVMe")), 1),
            "accelerated_networking": Flag(),
            "hibernation": Flag(),
            "image": SOME,
            "description": Text(),
            "eula": Text(),
            "privacy": URI,
            "release_notes": URI,
            "end_of_life": Day(),
        },
        ("name", "publisher", "offer", "sku", "generation"),
        _definition,
    ),
    1,
)
VERSION = Table(
    {
        "major": Number(0, LARGEST_PART),
        "region": REGIONS,
        "replication": OneOf(("full", "shallow")),
        "storage": OneOf(STORAGE),
        "end_of_life": Day(),
        "keep_until_end_of_life": Flag(),
        "exclude_from_latest": Flag(),
        "tags": Values(*TAG, Text(r"[\s\S]{0,256}", "a tag has at most 256 characters")),
        "uefi_keys": Table(dict.fromkeys(DATABASES, ListOf(UEFI_KEY))),
    },
    rule=_version,
)
COMMUNITY = Table(
    {"prefix": Text(r"[A-Za-z0-9]{5,16}", "5 to 16 letters and digits"), "website": URI, "contact": SOME, "eula": SOME},
    ("prefix", "website", "contact", "eula"),
)
KEYS: Mapping[str, Kind] = {
    "cloud": OneOf((*CLOUDS, "custom")),
    "endpoints": Table(
        {"resource_manager": HTTPS, "authority": HTTPS, "blob": HTTPS, "certificate": SOME},
        ("resource_manager", "authority", "blob"),
    ),
    "subscription": UUID,
    "resource_group": GROUP,
    "location": REGION,
    "kind": OneOf(KINDS),
    "gallery": Table({"name": GALLERY, "description": Text()}, ("name",)),
    "managed_image": Table({"name": RESOURCE, "generation": Number(1, 2)}, ("name", "generation")),
    "managed_disk": Table(
        {"name": RESOURCE, "generation": Number(1, 2), "sku": OneOf(DISK_SKUS)}, ("name", "generation")
    ),
    "staging": Table(
        {"account": ACCOUNT, "container": CONTAINER, "resource_group": GROUP, "route": OneOf(("blob", "disk"))},
        ("account",),
    ),
    "definition": DEFINITIONS,
    "version": VERSION,
    "sharing": Table({"groups": ListOf(UUID), "tenants": ListOf(UUID), "community": COMMUNITY}),
    "data_disk": ListOf(Table({"lun": Number(0, LARGEST_LUN), "file": SOME}, ("lun", "file"))),
}
SECTION = {"gallery": "gallery", "managed-image": "managed_image", "managed-disk": "managed_disk"}
"""The table that names what each kind makes."""
NOT_FOR = {
    "managed-image": ("definition", "version", "sharing", "gallery", "managed_disk"),
    "managed-disk": ("definition", "version", "sharing", "gallery", "managed_image", "data_disk"),
    "gallery": ("managed_image", "managed_disk"),
}
CANNOT = {
    "definition": "definitions and their versions are a gallery's",
    "version": "regions and versions are a gallery's",
    "sharing": "only a gallery can be shared",
    "data_disk": "a managed disk is one disk: take a gallery or a managed image",
}
"""What a kind cannot have, and which can."""


def _whole(node: Node) -> Iterator[Complaint]:
    """What must hold between tables."""
    held = node.value
    told = held["kind"].value if "kind" in held else "gallery"
    if told not in KINDS:
        return
    if SECTION[told] not in held:
        yield complaint(node.place, f"the table [{SECTION[told]}] is missing, which names what kind = {told!r} makes")
    for key in NOT_FOR[told]:
        if key in held:
            why = CANNOT.get(key, "it belongs to another kind")
            yield complaint(held[key].place, f"kind = {told!r} has none: {why}")
    if told == "gallery" and "definition" not in held:
        yield complaint(node.place, "the table [[definition]] is missing: a gallery's versions belong to definitions")
    if ("endpoints" in held) != ("cloud" in held and held["cloud"].value == "custom"):
        place = held["endpoints"].place if "endpoints" in held else node.place
        yield complaint(place, 'cloud = "custom" and [endpoints] go together')
    yield from _unique(held)


def _unique(held: Mapping[str, Node]) -> Iterator[Complaint]:
    """Names of definitions, their publisher/offer/sku, and numbers of data disks: each once."""
    for table, what in (
        ("definition", ("name",)),
        ("definition", ("publisher", "offer", "sku")),
        ("data_disk", ("lun",)),
    ):
        seen: set[tuple[object, ...]] = set()
        entries = held[table].value if table in held and isinstance(held[table].value, list) else ()
        for one in entries:
            if not isinstance(one.value, dict) or not all(key in one.value for key in what):
                continue
            said = tuple(str(one.value[key].value).lower() for key in what)
            if said in seen:
                yield complaint(one.value[what[0]].place, f"{'/'.join(said)} stands there twice")
            seen.add(said)


TARGET = Table(KEYS, ("subscription", "resource_group", "location", "staging"), _whole)
