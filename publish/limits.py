"""Limits of Azure that a plan can see coming: sizes, regions and their storage, numbers of versions.

Source: "Store and share images in an Azure Compute Gallery", its section Limits; region facts come from the
subscription's own list of resource SKUs.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from build.errors import CallerError, KilnError, SubscriptionError
from build.vhd import MIB
from publish.arm import Arm
from publish.plan import Order
from publish.target import Target, plain_region

TIB = 1 << 40
LARGEST = {"full": 2 * TIB, "shallow": 32 * TIB}
"""Bytes of a disk that a version's source may have, by its way of replication."""
SMALLEST_UPLOAD = 20 * MIB
"""Bytes of the smallest disk that can be uploaded directly."""
NEAR = 0.95
"""The part of a quota from which on a plan refuses to take more than is left; below it there is room for a night."""
ZRS = "Standard_ZRS"
ENCRYPTION_API = "2023-04-02"


def of_size(order: Order) -> Iterator[KilnError]:
    """Whether the disk is of a size that Azure takes."""
    replication = order.target.version.replication if order.target.kind == "gallery" else "shallow"
    if order.source.size > LARGEST[replication]:
        yield CallerError(
            f"{order.image.disk} is of {order.source.size >> 30} GiB, a source may have {LARGEST[replication] >> 30}",
            "build a smaller disk: it grows on its machine",
        )
    if order.source.size < SMALLEST_UPLOAD:
        yield CallerError(
            f"{order.image.disk} is of {order.source.size >> 20} MiB, too small for Azure (20)", "build a larger one"
        )


def of_regions(arm: Arm, target: Target) -> Iterator[KilnError]:
    """Whether each region exists for this subscription, and has the storage that is asked for there."""
    skus = arm.all("regions", arm.compute.resource_skus.list)
    known = {plain_region(place) for sku in skus for place in sku.get("locations") or ()}
    zoned = set(_places(skus, ZRS))
    for one in target.version.regions:
        if one.name not in known:
            near = ", ".join(sorted(known)) if len(known) < 8 else "`az account list-locations -o table` lists them"
            yield CallerError(f"there is no region {one.name} for this subscription", f"there is: {near}")
        elif one.storage == ZRS and one.name not in zoned:
            yield CallerError(f"{one.name} has no zone-redundant storage", f"take Standard_LRS there, in {target.file}")


def of_encryption(arm: Arm, target: Target) -> Iterator[KilnError]:
    """Whether the disk encryption sets that are named exist."""
    for id in dict.fromkeys(one.encryption_set for one in target.version.regions if one.encryption_set):
        if not arm.resource(f"disk encryption set {id.rsplit('/', 1)[1]}", id, ENCRYPTION_API):
            yield CallerError(f"there is no disk encryption set {id}", f"mend encryption_set in {target.file}")


def of_number(arm: Arm, target: Target, more: int) -> Iterator[KilnError]:
    """Whether the subscription has room for so many more versions."""
    if not more:
        return
    for usage in arm.all("quotas", lambda: arm.compute.usage.list(target.location)):
        name = str((usage.get("name") or {}).get("value", "")).lower()
        used, most = int(usage.get("currentValue", 0)), int(usage.get("limit", 0))
        if "galleryimageversion" in name and most and used + more > most * NEAR:
            yield SubscriptionError(
                f"the subscription has {used} gallery versions in {target.location}, of {most} that it may have",
                "remove what nobody needs (`./kiln retire`), or ask Azure for more",
            )


def _places(skus: list[dict[str, Any]], name: str) -> Iterator[str]:
    """The regions of a kind of storage that snapshots, which versions are kept as, can have."""
    for sku in skus:
        if sku.get("name") == name and sku.get("resourceType") in ("snapshots", "disks") and not _is_restricted(sku):
            yield from map(plain_region, sku.get("locations") or ())


def _is_restricted(sku: Mapping[str, Any]) -> bool:
    return any(one.get("type") == "Location" for one in sku.get("restrictions") or ())
