"""The whole pretend Azure: storage behind its gate, the double of everything else, and a target that leads there."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from publish.playground import azurite, certificates, double, strict
from publish.playground.blobs import DISKS, AzuriteBlobs
from publish.playground.certificates import Certificate
from publish.playground.strict import Strict
from publish.playground.world import CLIENT, SUBSCRIPTION, TENANT, World

GROUP, ACCOUNT, CONTAINER, LOCATION = "playground", "kilnplayground", "kiln", "westeurope"
TARGET = """\
# A target for `./kiln publish`: the playground, which runs on this machine and is no Azure.
cloud = "custom"
subscription = "{subscription}"
resource_group = "{group}"
location = "{location}"

[endpoints]
resource_manager = "{arm}"
authority = "{arm}"
blob = "{blob}/{{account}}"
certificate = "{certificate}"

[gallery]
name = "playground"

[staging]
account = "{account}"
container = "{container}"

[[definition]]
name = "linux-gen1"
publisher = "Kiln"
offer = "linux"
sku = "linux-gen1"
generation = 1

[[definition]]
name = "linux-gen2"
publisher = "Kiln"
offer = "linux"
sku = "linux-gen2"
generation = 2

[[version.region]]
name = "westeurope"
storage = "Standard_ZRS"

[[version.region]]
name = "northeurope"
"""


@dataclass(frozen=True)
class Playground:
    """A running one: the double, the gate before its storage, the target's file, and what signs in there."""

    world: World
    gate: Strict
    certificate: Certificate
    target: Path
    blobs: AzuriteBlobs

    @property
    def environment(self) -> dict[str, str]:
        """What signs in, as azure-identity reads it."""
        return {
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": CLIENT,
            "AZURE_CLIENT_SECRET": self.world.secret,
        }

    @property
    def endpoint(self) -> str:
        """The staging account's blobs."""
        return f"{self.gate.url}/{ACCOUNT}"


@contextmanager
def running(folder: Path) -> Iterator[Playground]:
    """A pretend Azure that keeps everything in `folder`, and goes on with what lies there.

    Raises MachineError where Azurite cannot be had or started.
    """
    folder = folder.absolute()
    certificate = certificates.make(folder / "certificate")
    keys = _kept(folder / "accounts.json")
    with (
        azurite.running(folder / "blobs", (ACCOUNT, DISKS), certificate, keys) as storage,
        strict.running(storage, certificate) as gate,
    ):
        _keep(folder / "accounts.json", dict(storage.keys))
        blobs = AzuriteBlobs(storage, gate.url, str(certificate.authority))
        with double.running(certificate, blobs, file=folder / "resources.json") as world:
            double.furnish(world, GROUP, ACCOUNT, LOCATION)
            target = folder / "gallery.toml"
            target.write_text(text(world, gate, certificate))
            yield Playground(world, gate, certificate, target, blobs)


def text(world: World, gate: Strict, certificate: Certificate) -> str:
    """A target that leads there."""
    return TARGET.format(
        subscription=SUBSCRIPTION,
        group=GROUP,
        location=LOCATION,
        arm=world.url,
        blob=gate.url,
        certificate=certificate.authority,
        account=ACCOUNT,
        container=CONTAINER,
    )


def _kept(file: Path) -> dict[str, str] | None:
    return dict(json.loads(file.read_text())) if file.is_file() else None


def _keep(file: Path, keys: dict[str, str]) -> None:
    file.touch(0o600)
    file.write_text(json.dumps(keys))
