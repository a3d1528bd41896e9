"""Small images for tests of publishing: a fixed VHD with its manifest, and reports of boots that passed or failed."""

import json
import os
import random
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

from build.digest import content_digest
from build.manifest import DISK, Manifest, Package
from build.vhd import MIB, append_footer

SIZE = 64 * MIB
PIECE = 128 << 10


@dataclass(frozen=True)
class Image:
    """An image's folder, its content's digest, and bytes of its non-zero blocks."""

    folder: Path
    digest: str
    held: int

    @property
    def disk(self) -> Path:
        return self.folder / DISK


def disk(path: Path, pieces: int = 8, seed: int = 1, size: int = SIZE) -> Path:
    """A fixed VHD with so many pieces of 128 KiB, far from each other; equal seeds give equal disks."""
    made = random.Random(seed)
    with path.open("wb") as file:
        file.truncate(size)
        for number in range(pieces):
            file.seek(number * (size // pieces) // PIECE * PIECE)
            file.write(made.randbytes(PIECE))
    append_footer(path, uuid.uuid5(uuid.NAMESPACE_OID, str(seed)), 1_700_000_000)
    return path


def manifest(name: str, digest: str) -> Manifest:
    return Manifest(
        name=name,
        distro="debian",
        release="12",
        arch="x86_64",
        generations=(1, 2),
        kind="generalized",
        provisioner="cloud-init",
        hostname="",
        admin="",
        digest=digest,
        plan_id="plan-of-a-test",
        source_date_epoch=1_700_000_000,
        kernel="6.1.0",
        root_uuid="",
        cmdline="",
        sizes={"virtual": SIZE, "file": SIZE + 512, "allocated": MIB},
        archives=(),
        packages=(Package("base-files", "12", "amd64"),),
        recipe={"major": 12},
        durations={},
        tools={},
    )


def image(folder: Path, *machines: str, pieces: int = 8, seed: int = 1, **changes: object) -> Image:
    """An image named by its folder, that has booted on these machines; `changes` are of its manifest."""
    folder.mkdir(parents=True)
    file = disk(folder / DISK, pieces, seed)
    digest = content_digest(file, SIZE)
    replace(manifest(folder.name, digest), **changes).save(folder)  # type: ignore[arg-type]
    for machine in machines:
        report(folder / "runs", machine, digest)
    return Image(folder, digest, pieces * PIECE)


def report(
    runs: Path,
    machine: str,
    digest: str,
    *,
    scenario: str = "first-boot",
    failed: str = "",
    run: str = "",
    **changes: object,
) -> None:
    """A report as `verify` writes it, of what this module needs; `failed` is the id of a check that did not pass."""
    verdicts = [
        {"id": name, "title": name, "status": status, "severity": "required", "reason": reason}
        for name, status, reason in (
            ("run.ready", "passed", ""),
            *([(failed, "failed", "the name is localhost")] if failed else []),
        )
    ]
    told = {
        "schema": 2,
        "passed": True,
        "image": str(runs.parent),
        "digest": digest,
        "scenario": scenario,
        "seed": "azure",
        "faults": [],
        "machine": {
            "machine": machine,
            "generation": machine[3],
            "controller": "NVMe" if "nvme" in machine else "SCSI",
            "secure_boot": "on, with Microsoft's keys" if "trusted" in machine else "off",
            "vtpm": "TPM 2.0 (swtpm)" if "trusted" in machine else "none",
            "boot_loader": "exercised",
        },
        "verdicts": verdicts,
        **changes,
    }
    folder = runs / (run or f"{machine}-{scenario}")
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(json.dumps(told))


def written(path: Path, offset: int, data: bytes) -> None:
    """Change a file in place."""
    with path.open("r+b") as file:
        os.pwrite(file.fileno(), data, offset)
