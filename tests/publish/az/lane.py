"""Drives the playground by `az`, a client that shares nothing with Kiln, and prints what it saw as one JSON object.

Run in a network namespace that has loopback alone: `az` would otherwise ask Microsoft's own sign-in about ours.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from azure.storage.blob import BlobClient

from build.progress import Progress
from build.vhd import LENGTH
from publish import api
from publish.playground import azure
from publish.playground.azure import ACCOUNT, GROUP, LOCATION, Playground
from publish.playground.world import CLIENT, SUBSCRIPTION, TENANT
from tests.publish.images import SIZE, image
from tests.publish.playground.bodies import footer

PLACE = ("--resource-group", GROUP)
GALLERY = (*PLACE, "--gallery-name", "byaz")
DEFINITION = (*GALLERY, "--gallery-image-definition", "linux-gen2")
VERSION = (*DEFINITION, "--gallery-image-version", "12.20261122.1")
HERE = ("--location", LOCATION)
Ask = Callable[..., Any]
"""A command of `az`, word by word; what it prints, parsed."""


def main(az: str, folder: Path) -> dict[str, Any]:
    """Everything that the test looks at."""
    with azure.running(folder / "playground") as one:
        os.environ.update(one.environment)
        environment = settings(one, folder)

        def ask(*words: str) -> Any:
            done = subprocess.run([az, *words], env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"az {' '.join(words[:4])}: {done.stderr[-1500:]}")
            return json.loads(done.stdout) if done.stdout.strip() else None

        sign_in(ask, one)
        made = image(folder / "debian-12-genboth-x86_64", "gen1", "gen2")
        api.publish(api.PublishRequest(made.folder, one.target, apply=True), Progress(), lambda plan: None)
        blob = f"{one.endpoint}/kiln/{made.folder.name}-{made.digest[:16]}.vhd"
        byaz = target_of_az(one, folder)
        return {
            "digest": made.digest,
            "blob": blob,
            "by_kiln": {"seen": look(ask), "published": api.published(one.target)},
            "by_az": version(ask, blob) | {"published": api.published(byaz)},
            "left": remove(ask) | {"published": api.published(byaz)},
            "disk": disk(ask, str(one.certificate.authority)),
            "image": managed_image(ask, blob),
            "violations": one.world.violations,
        }


def settings(one: Playground, folder: Path) -> Mapping[str, str]:
    """What `az` needs to know of this cloud."""
    return {
        **os.environ,
        "AZURE_CONFIG_DIR": str(folder / "az"),
        "REQUESTS_CA_BUNDLE": str(one.certificate.authority),
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "AZURE_CORE_COLLECT_TELEMETRY": "0",
        "AZURE_CORE_OUTPUT": "json",
    }


def sign_in(ask: Ask, one: Playground) -> None:
    ask("cloud", "register", "--name", "Kiln", "--endpoint-resource-manager", one.world.url)
    ask("cloud", "set", "--name", "Kiln")
    secret = ("--username", CLIENT, "--password", one.world.secret, "--tenant", TENANT)
    ask("login", "--service-principal", *secret)
    ask("account", "set", "--subscription", SUBSCRIPTION)


def look(ask: Ask) -> dict[str, Any]:
    """What Kiln has published, as `az` shows it."""
    where = (*PLACE, "--gallery-name", "playground")
    kept = ("--gallery-image-definition", "linux-gen2")
    return {
        "gallery": ask("sig", "show", *where),
        "definitions": ask("sig", "image-definition", "list", *where),
        "versions": ask("sig", "image-version", "list", *where, *kept),
    }


def version(ask: Ask, blob: str) -> dict[str, Any]:
    """A version of the same blob by `az` alone, in a gallery of its own, before and after a change."""
    ask("sig", "create", *GALLERY, *HERE)
    identity = ("--publisher", "Kiln", "--offer", "linux", "--sku", "linux-gen2")
    kind = ("--os-type", "Linux", "--os-state", "Generalized", "--hyper-v-generation", "V2")
    ask("sig", "image-definition", "create", *DEFINITION, *identity, *kind, *HERE)
    source = ("--os-vhd-uri", blob, "--os-vhd-storage-account", ACCOUNT)
    made = ask("sig", "image-version", "create", *VERSION, *source, *HERE)
    ask("sig", "image-version", "update", *VERSION, "--set", "publishingProfile.excludeFromLatest=true")
    return {"made": made, "changed": ask("sig", "image-version", "show", *VERSION, "--expand", "ReplicationStatus")}


def remove(ask: Ask) -> dict[str, Any]:
    """Take the version away again."""
    ask("sig", "image-version", "delete", *VERSION)
    return {"listed": ask("sig", "image-version", "list", *DEFINITION)}


def disk(ask: Ask, authority: str) -> dict[str, Any]:
    """A disk that is made by an upload; its states."""
    mine = (*PLACE, "--name", "byaz")
    size = ("--upload-type", "Upload", "--upload-size-bytes", str(SIZE + LENGTH))
    made = ask("disk", "create", *mine, *size, "--os-type", "Linux", *HERE)
    granted = ask("disk", "grant-access", *mine, "--access-level", "Write", "--duration-in-seconds", "3600")
    while_open = ask("disk", "show", *mine)
    address = granted.get("accessSas") or granted["accessSAS"]
    BlobClient.from_blob_url(address, connection_verify=authority).upload_page(footer(), SIZE, LENGTH)
    ask("disk", "revoke-access", *mine)
    return {"states": [one["diskState"] for one in (made, while_open, ask("disk", "show", *mine))]}


def managed_image(ask: Ask, blob: str) -> Any:
    """A managed image of the blob."""
    kind = ("--os-type", "Linux", "--hyper-v-generation", "V2")
    return ask("image", "create", *PLACE, "--name", "byaz", "--source", blob, *kind, *HERE)


def target_of_az(one: Playground, folder: Path) -> Path:
    """A target about the gallery that `az` has made."""
    text = one.target.read_text().replace('name = "playground"', 'name = "byaz"', 1)
    file = folder / "byaz.toml"
    file.write_text(text)
    return file


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
