"""Verifying an image: each generation that it claims is booted before the pretend host, and judged.

This side knows what the caller asked for and where results are kept; `harness.run` is the side inside the sealed
namespace, where the host and the guest live.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build.errors import Bug, CallerError
from build.progress import Progress
from harness.accelerator import choose_accelerator
from harness.report import Report
from harness.sandbox import INTERRUPTED, run_sealed
from harness.scenario import Scenario, find_scenario
from harness.store import PAGE, REPORT, load
from harness.subject import Subject, digest_of, generations, open_subject

DEFAULT_NAME = "kiln-vm"
DEFAULT_ADMIN = "azureuser"
MIB = 1 << 20
GROWTH = 4 << 30
"""How much larger than the image a machine's disk is, so that growth shows."""
SEEDS = ("azure", "nocloud")


@dataclass(frozen=True)
class MachineWishes:
    """What the caller wants of the machine; None is Kiln's own choice. Sizes in bytes, paths of files."""

    name: str | None = None
    admin: str | None = None
    ssh_key: Path | None = None
    custom_data: Path | None = None
    user_data: Path | None = None
    memory: int | None = None
    disk_size: int | None = None


@dataclass(frozen=True)
class VerifyRequest(MachineWishes):
    """An image to verify; `generation` None means every one that it claims. `hold` keeps a failed guest running."""

    image: Path = Path()
    generation: int | None = None
    scenario: str = "first-boot"
    seed: str = "azure"
    output: Path = Path("output")
    hold: bool = False
    link: str | None = None


def verify(request: VerifyRequest, progress: Progress) -> tuple[Report, ...]:
    """A report for each generation, each also kept in the image's folder.

    Raises CallerError or MachineError where a run cannot even begin; whatever a guest does ends in its report.
    """
    scenario = find_scenario(request.scenario)
    subject = open_subject(request.image, request.output)
    booted = generations(subject, request.generation)
    accelerator = choose_accelerator()
    if accelerator.name == "tcg":
        progress.note(f"guests are emulated, which is slow: {accelerator.why}")
    with progress.step("Reading the image's content"):
        digest = digest_of(subject.disk)
    return tuple(_verify(subject, digest, generation, scenario, request, progress) for generation in booted)


def _verify(
    subject: Subject, digest: str, generation: int, scenario: Scenario, request: VerifyRequest, progress: Progress
) -> Report:
    folder = subject.runs / run_name(generation, scenario, request.seed)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    progress.note(f"Generation {generation}, {scenario.name}: {scenario.text}")
    order = {
        **machine_order(subject, generation, request.seed, request),
        "digest": digest,
        "scenario": scenario.name,
        "folder": str(folder),
        "hold": request.hold,
        "link": request.link,
    }
    status = run_sealed("harness.run", order)
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    if status:
        raise Bug(f"the run ended with status {status} and without a report", f"its traces are in {folder}")
    progress.note(f"The report: {folder / PAGE}")
    return load(folder / REPORT)


def run_name(generation: int, scenario: Scenario, seed: str) -> str:
    """The name of a run's folder: machine, scenario, and the seed where it is not Azure's."""
    return f"gen{generation}-{scenario.name}" + ("" if seed == "azure" else f"-{seed}")


def machine_order(subject: Subject, generation: int, seed: str, wishes: MachineWishes) -> dict[str, Any]:
    """What the sealed side must know of the machine, as JSON holds it.

    Raises CallerError where a file cannot be read, or the image needs what was not given.
    """
    specialized = subject.manifest is not None and subject.manifest.kind == "specialized"
    if specialized and wishes.ssh_key is None:
        raise CallerError(
            f"{subject.name} is specialized: Azure gives it no key to log in with",
            "name the private key that belongs to the administrator's: --ssh-key FILE",
        )
    if specialized and seed == "nocloud":
        raise CallerError("nothing provisions a specialized image", "leave out --seed nocloud")
    return {
        "image": str(subject.disk.path.absolute()),
        "container": str(subject.folder) if subject.manifest else "",
        "name": wishes.name or DEFAULT_NAME,
        "admin": wishes.admin or (subject.manifest.admin if specialized and subject.manifest else DEFAULT_ADMIN),
        "generation": generation,
        "seed": seed,
        "ssh_key": _read(wishes.ssh_key),
        "custom_data": _read(wishes.custom_data),
        "user_data": _read(wishes.user_data),
        "memory_mib": (wishes.memory or 1536 * MIB) // MIB,
        "disk_size": wishes.disk_size or subject.disk.virtual_size + GROWTH,
    }


def _read(path: Path | None) -> str | None:
    """A file's bytes as Latin-1 text, which JSON carries unharmed."""
    if path is None:
        return None
    try:
        return path.expanduser().read_bytes().decode("latin-1")
    except OSError as refusal:
        raise CallerError(f"{path} cannot be read: {refusal.strerror}", "name a file that exists") from None
