"""How an upload compares with the storage library's own, against Azurite in one run: bytes, wall time, memory.

    .venv-dev/bin/python benchmarks/upload.py [--folder DIR]

A disk of 30 GiB with 1 GiB of data in pieces of 1 to 4 MiB, sent once by Kiln (read, sent, verified by its page ranges)
and once by `upload_blob` with as many connections at once. Each in a process of its own, whose peak memory is taken.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.vhd import make
from build.vhd import append_footer
from publish.clouds import Cloud
from publish.playground import azure

CONNECTIONS = 8
MOST_BYTES, LEAST_GAIN, MOST_MEMORY = 1.02, 1.5, 150
"""Bytes sent by bytes of non-zero blocks, the library's time by ours, MiB of memory."""
CONTAINER = "benchmark"


def main() -> int:
    """Take the figures; 1 where a mark is missed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--folder", type=Path)
    options.add_argument("--as", dest="role", choices=("ours", "theirs"))
    options.add_argument("--disk", type=Path)
    options.add_argument("--cloud", type=json.loads)
    told = options.parse_args()
    if told.role:
        print(json.dumps(OURS_AND_THEIRS[told.role](told.disk, told.cloud)))
        return 0
    with tempfile.TemporaryDirectory(dir=told.folder) as name:
        return measure(Path(name))


def measure(folder: Path) -> int:
    """Both ways, one after the other."""
    disk = folder / "disk.vhd"
    make(disk)
    append_footer(disk, uuid.uuid4(), 1_700_000_000)
    with azure.running(folder / "azure") as one:
        cloud = {
            "arm": one.world.url,
            "blob": f"{one.blobs.azurite.url}/{azure.ACCOUNT}",
            "certificate": str(one.certificate.authority),
        }
        ours, theirs = (child(role, disk, cloud, one.environment) for role in ("ours", "theirs"))
    return tell(ours, theirs)


def child(role: str, disk: Path, cloud: dict[str, str], environment: dict[str, str]) -> dict[str, float]:
    """One way, in a process of its own."""
    words = [sys.executable, __file__, "--as", role, "--disk", str(disk), "--cloud", json.dumps(cloud)]
    done = subprocess.run(words, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, check=True)
    made: dict[str, float] = json.loads(done.stdout)
    return made


def tell(ours: dict[str, float], theirs: dict[str, float]) -> int:
    sent, gain = ours["sent"] / ours["held"], theirs["seconds"] / ours["seconds"]
    print(f"{theirs['seconds']:8.1f} s    upload_blob, {theirs['memory']:.0f} MiB of memory")
    print(f"{ours['seconds']:8.1f} s    Kiln, {ours['memory']:.0f} MiB of memory (at most {MOST_MEMORY})")
    print(f"{gain:8.2f}      times as fast (at least {LEAST_GAIN})")
    print(f"{sent:8.4f}      bytes sent by bytes of non-zero blocks (at most {MOST_BYTES})")
    return 0 if sent <= MOST_BYTES and gain >= LEAST_GAIN and ours["memory"] <= MOST_MEMORY else 1


def upload_ours(disk: Path, cloud: dict[str, str]) -> dict[str, float]:
    from build.digest import BLOCK
    from build.progress import Progress
    from publish import source, staging
    from publish.staging import Staging

    account = Staging(cloud["blob"], CONTAINER, credential(cloud), cloud["certificate"])
    staging.ensure(account)
    started = time.monotonic()
    file = source.read(disk)
    done = staging.upload(file, "ours.vhd", account, Progress())
    taken = time.monotonic() - started
    return {"seconds": taken, "sent": done.sent, "held": len(file.blocks) * BLOCK, "memory": memory()}


def upload_theirs(disk: Path, cloud: dict[str, str]) -> dict[str, float]:
    from azure.storage.blob import BlobClient

    client = BlobClient(
        cloud["blob"], CONTAINER, "theirs.vhd", credential=credential(cloud), connection_verify=cloud["certificate"]
    )
    started = time.monotonic()
    with disk.open("rb") as file:
        client.upload_blob(file, blob_type="PageBlob", length=disk.stat().st_size, max_concurrency=CONNECTIONS)
    return {"seconds": time.monotonic() - started, "memory": memory()}


def credential(cloud: dict[str, str]) -> Any:
    from publish import credentials

    return credentials.credential(Cloud("custom", cloud["arm"], cloud["arm"], "", cloud["certificate"], False))


def memory() -> float:
    """This process' peak, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


OURS_AND_THEIRS = {"ours": upload_ours, "theirs": upload_theirs}

if __name__ == "__main__":
    sys.exit(main())
