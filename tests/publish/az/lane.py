"""Drives the playground by `az`, a client that shares nothing with Kiln, and prints what it saw as one JSON object.

Run in a network namespace that has loopback alone: `az` would otherwise ask Microsoft's own sign-in about ours.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from build.progress import Progress
from publish import api
from publish.playground import azure
from publish.playground.azure import ACCOUNT, GROUP, LOCATION, Playground
from publish.playground.world import CLIENT, SUBSCRIPTION, TENANT
from tests.publish.images import image

PLACE = ("--resource-group", GROUP)


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
        seen = look(ask)
        blob = f"{one.endpoint}/kiln/{made.folder.name}-{made.digest[:16]}.vhd"
        make(ask, blob)
        return {**seen, "published": api.published(target_of_az(one, folder)), "violations": one.world.violations}


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


def sign_in(ask: Any, one: Playground) -> None:
    ask("cloud", "register", "--name", "Kiln", "--endpoint-resource-manager", one.world.url)
    ask("cloud", "set", "--name", "Kiln")
    secret = ("--username", CLIENT, "--password", one.world.secret, "--tenant", TENANT)
    ask("login", "--service-principal", *secret)
    ask("account", "set", "--subscription", SUBSCRIPTION)


def look(ask: Any) -> dict[str, Any]:
    """What Kiln has published, as `az` lists it."""
    where = (*PLACE, "--gallery-name", "playground")
    definitions = ask("sig", "image-definition", "list", *where)
    versions = ask("sig", "image-version", "list", *where, "--gallery-image-definition", "linux-gen2")
    return {"definitions": [one["name"] for one in definitions], "versions": [one["name"] for one in versions]}


def make(ask: Any, blob: str) -> None:
    """The same by `az` alone, in a gallery of its own; and a disk that is uploaded to."""
    ask("sig", "create", *PLACE, "--gallery-name", "byaz", "--location", LOCATION)
    where = (*PLACE, "--gallery-name", "byaz", "--gallery-image-definition", "linux-gen2")
    identity = ("--publisher", "Kiln", "--offer", "linux", "--sku", "linux-gen2")
    kind = ("--os-type", "Linux", "--os-state", "Generalized", "--hyper-v-generation", "V2")
    ask("sig", "image-definition", "create", *where, *identity, *kind, "--location", LOCATION)
    source = ("--os-vhd-uri", blob, "--os-vhd-storage-account", ACCOUNT)
    version = (*where, "--gallery-image-version", "12.20261122.1")
    ask("sig", "image-version", "create", *version, *source, "--location", LOCATION)
    ask("sig", "image-version", "update", *version, "--set", "publishingProfile.excludeFromLatest=true")
    disk = (*PLACE, "--name", "byaz")
    ask(
        "disk",
        "create",
        *disk,
        "--upload-type",
        "Upload",
        "--upload-size-bytes",
        str((64 << 20) + 512),
        "--location",
        LOCATION,
    )
    ask("disk", "grant-access", *disk, "--access-level", "Write", "--duration-in-seconds", "3600")


def target_of_az(one: Playground, folder: Path) -> Path:
    """A target about the gallery that `az` has made."""
    text = one.target.read_text().replace('name = "playground"', 'name = "byaz"', 1)
    file = folder / "byaz.toml"
    file.write_text(text)
    return file


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]))))
