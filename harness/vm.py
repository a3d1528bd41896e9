"""The one record of a virtual machine, from which SMBIOS, DHCP, DVD, IMDS and goal state are all derived.

Nothing here talks to anything; two services can therefore disagree only by a declared fault.
"""

from dataclasses import dataclass, field
from uuid import UUID

WIRESERVER = "168.63.129.16"
IMDS = "169.254.169.254"
CHASSIS_ASSET_TAG = "7783-7084-3265-9085-8269-3286-77"
"""What tells a Linux guest that it runs on Azure (cloud-init's ds-identify)."""


def swapped(identity: UUID) -> UUID:
    """The same 16 bytes with the first three fields in the other byte order (docs/azure/host-protocol.md 1.1)."""
    return UUID(bytes_le=identity.bytes)


@dataclass(frozen=True)
class OSProfile:
    """What Azure passes to a generalized image: names, keys and data that the guest must take over."""

    computer_name: str
    admin: str
    public_keys: tuple[str, ...]
    password: str = ""
    custom_data: bytes = b""
    user_data: bytes = b""


@dataclass(frozen=True)
class NetworkInterface:
    """A further network card, of the same subnet: its MAC and its addresses, the first of which DHCP hands out."""

    mac: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class DataDisk:
    """A disk beside the system's, empty when the VM was made."""

    lun: int
    size_gib: int


@dataclass(frozen=True)
class VirtualMachine:
    """A VM as Azure knows it. Without `os_profile` it is made from a specialized image.

    `uuid` is the SMBIOS UUID as QEMU gets it; `generation` 1 boots by BIOS, 2 by UEFI. `more_addresses` are further
    ones of its first network card, of both IP versions, which no DHCP hands out; `public_address` is the one that a
    load balancer has for it. `resource_disk_gib` is the size of the temporary disk, 0 where its size has none. `pool`
    is how a VM that was made before anybody wanted it waits for its owner: "None", "Running" or "Savable".
    """

    name: str
    generation: int
    os_profile: OSProfile | None
    uuid: UUID
    container_id: UUID
    deployment_id: UUID
    subscription_id: UUID
    mac: str = "60:45:bd:00:00:04"
    address: str = "10.0.0.4"
    router: str = "10.0.0.1"
    network: str = "10.0.0.0"
    prefix: int = 24
    domain: str = "kilnhostkilnhostkilnhost12.ax.internal.cloudapp.net"
    resource_group: str = "kiln"
    location: str = "westeurope"
    vm_size: str = "Standard_D2s_v5"
    incarnation: int = 1
    os_disk_gib: int = 30
    tags: tuple[tuple[str, str], ...] = field(default=())
    more_addresses: tuple[str, ...] = ()
    more_interfaces: tuple[NetworkInterface, ...] = ()
    data_disks: tuple[DataDisk, ...] = ()
    resource_disk_gib: int = 0
    public_address: str = ""
    pool: str = "None"
    secure_boot: bool = False
    vtpm: bool = False

    @property
    def vm_id(self) -> UUID:
        """The VM id as IMDS tells it: a guest without EFI swaps the first three fields of its SMBIOS UUID."""
        return self.uuid if self.generation == 2 else swapped(self.uuid)

    @property
    def interfaces(self) -> tuple[NetworkInterface, ...]:
        """All its network cards, the first one first, with all their addresses."""
        return (NetworkInterface(self.mac, (self.address, *self.more_addresses)), *self.more_interfaces)

    @property
    def more_macs(self) -> tuple[str, ...]:
        """The MACs of its network cards beyond the first."""
        return tuple(one.mac for one in self.more_interfaces)

    @property
    def role_instance(self) -> str:
        """The goal state's name of this instance."""
        return f"{self.deployment_id}._{self.name}"
