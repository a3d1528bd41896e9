"""The versions of the metadata service's interface, and which fields came with which. Pure.

https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service, "Supported API versions" and "Response".
"""

from collections.abc import Mapping
from typing import Any

VERSIONS = (
    "2017-03-01",
    "2017-04-02",
    "2017-08-01",
    "2017-10-01",
    "2017-12-01",
    "2018-02-01",
    "2018-04-02",
    "2018-10-01",
    "2019-02-01",
    "2019-03-11",
    "2019-04-30",
    "2019-06-01",
    "2019-06-04",
    "2019-08-01",
    "2019-08-15",
    "2019-11-01",
    "2020-06-01",
    "2020-07-15",
    "2020-09-01",
    "2020-10-01",
    "2020-12-01",
    "2021-01-01",
    "2021-02-01",
    "2021-03-01",
    "2021-05-01",
    "2021-08-01",
    "2021-10-01",
    "2021-11-01",
    "2021-11-15",
    "2021-12-13",
    "2023-07-01",
    "2023-11-15",
    "2024-03-15",
    "2024-07-17",
    "2025-04-07",
)

DISK_FIELDS_OF_2021 = (
    "bytesPerSecondThrottle",
    "diskCapacityBytes",
    "isSharedDisk",
    "isUltraDisk",
    "opsPerSecondThrottle",
)
INTRODUCED: Mapping[str, tuple[str, ...]] = {
    "2017-04-02": ("network",),
    "2017-08-01": (
        "compute/placementGroupId",
        "compute/resourceGroupName",
        "compute/subscriptionId",
        "compute/tags",
    ),
    "2017-12-01": ("compute/vmScaleSetName", "compute/zone"),
    "2018-04-02": ("compute/plan", "compute/publicKeys"),
    "2018-10-01": ("compute/azEnvironment", "compute/provider"),
    "2019-02-01": ("compute/customData",),
    "2019-03-11": ("compute/resourceId",),
    "2019-06-01": ("compute/storageProfile",),
    "2019-06-04": ("compute/tagsList",),
    "2020-06-01": ("compute/isHostCompatibilityLayerVm", "compute/securityProfile"),
    "2020-07-15": ("compute/osProfile",),
    "2020-09-01": ("compute/licenseType",),
    "2020-10-01": ("compute/osProfile/disablePasswordAuthentication",),
    "2020-12-01": ("compute/evictionPolicy", "compute/priority"),
    "2021-01-01": ("compute/userData",),
    "2021-02-01": ("compute/storageProfile/resourceDisk",),
    "2021-03-01": ("compute/extendedLocation", "compute/virtualMachineScaleSet"),
    "2021-05-01": tuple(f"compute/storageProfile/dataDisks/{name}" for name in DISK_FIELDS_OF_2021),
    "2021-10-01": ("compute/platformSubFaultDomain",),
    "2021-11-01": ("compute/additionalCapabilities", "compute/securityProfile/encryptionAtHost"),
    "2021-11-15": ("compute/host", "compute/hostGroup"),
    "2021-12-13": ("compute/securityProfile/securityType",),
    "2023-07-01": (
        "compute/storageProfile/imageReference/communityGalleryImageId",
        "compute/storageProfile/imageReference/sharedGalleryImageId",
        "compute/storageProfile/imageReference/exactVersion",
    ),
    "2023-11-15": ("compute/physicalZone",),
}
"""Fields by the version that brought them; what is not listed has always been there.

By the tables of the documentation, but for the first fields of `compute`: those say 2017-04-02, while the documentation
of 2017 asked for them with 2017-03-01.
"""


def known_in(document: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The document without the fields that came after a version."""
    newer = {path for since, paths in INTRODUCED.items() if since > version for path in paths}
    return _without(document, newer)


def _without(node: Mapping[str, Any], paths: set[str], prefix: str = "") -> dict[str, Any]:
    def kept(child: Any, below: str) -> Any:
        if isinstance(child, Mapping):
            return _without(child, paths, below)
        return [kept(one, below) for one in child] if isinstance(child, list) else child

    return {name: kept(child, f"{prefix}{name}/") for name, child in node.items() if prefix + name not in paths}
