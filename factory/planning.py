"""The plan of a night: the jobs of a matrix, as values. Archives are asked for their state, and nothing is changed."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

from build import api
from build.errors import CallerError
from build.plan import GENERATIONS
from factory.job import Job, Slots
from factory.matrix import Cell, Matrix, Publication
from factory.wishes import lock_of, request, told
from harness.machines import find_machine, plain
from harness.profile import Profile
from harness.scenario import find_scenario, refusal

ASKERS = 4
"""How many archives are asked at once."""
GUEST_MEMORY = 2048
"""MiB that a guest and its QEMU take."""
DISK, RUN = 4096, 2048
"""MiB that building an image takes while it lasts, and that a guest's changes may take."""
IMAGE_SECONDS, INSPECT_SECONDS, BOOT_SECONDS, PUBLISH_SECONDS = 200.0, 5.0, 90.0, 600.0


def plan(matrix: Matrix, today: date, note: Callable[[str], None]) -> dict[str, Job]:
    """The jobs by their names. Raises CallerError and MachineError as `build` does, for the first image that cannot be.

    What a matrix combines and a scenario is not for is left out, and said.
    """
    named = _identified(matrix, note)
    jobs = [job for cell, image, plan_id in named for job in _of_image(matrix, cell, image, plan_id, today, note)]
    jobs += [job for publication in matrix.publications for job in _of_publication(publication, jobs)]
    return {job.name: job for job in jobs}


def _identified(matrix: Matrix, note: Callable[[str], None]) -> list[tuple[Cell, str, str]]:
    """Each cell with its image's name and its build's id. Raises CallerError where two cells are one image."""

    def ask(cell: Cell) -> tuple[Cell, str, str]:
        lock = lock_of(cell, matrix)
        words = told(cell, matrix, locked=bool(lock and lock.is_file()))
        return cell, *api.identify(request(words), note)

    with ThreadPoolExecutor(ASKERS) as pool:
        named = list(pool.map(ask, matrix.cells))
    names = [image for _, image, _ in named]
    if twice := next((one for one in names if names.count(one) > 1), ""):
        raise CallerError(f"{matrix.file}: {twice} is in the matrix twice", "give one of them a spec with another name")
    return named


def _of_image(
    matrix: Matrix, cell: Cell, image: str, plan_id: str, today: date, note: Callable[[str], None]
) -> Iterator[Job]:
    known = sorted({one.check for one in matrix.known if one.covers(image, today)})
    lock = lock_of(cell, matrix)
    words = told(cell, matrix, locked=bool(lock and lock.is_file()))
    order = {"request": words, "plan": plan_id}
    building = Job(f"{image}/image", "image", image, order, slots=Slots(disk=DISK, lines=1), seconds=IMAGE_SECONDS)
    yield building
    looking = Job(f"{image}/inspect", "inspect", image, {"known": known}, (building.name,), seconds=INSPECT_SECONDS)
    yield looking
    for machine in _machines(cell):
        scenarios = [name for name in cell.scenarios if _applies(cell, name, machine, image, note)]
        runs = [*scenarios, *(f"first-boot+{fault}" for fault in cell.faults)]
        if runs:
            yield Job(
                f"{image}/{machine}",
                "boot",
                image,
                _boot_order(cell, machine, runs, known),
                (looking.name, building.name),
                Slots(1, GUEST_MEMORY, RUN),
                BOOT_SECONDS * len(runs),
            )


def _machines(cell: Cell) -> list[str]:
    """The plain machine of each generation, and those that the cell names, which its generations allow."""
    generations = GENERATIONS[cell.generation]
    named = [name for name in cell.machines if find_machine(name).generation in generations]
    return list(dict.fromkeys([*(plain(one).name for one in generations), *named]))


def _applies(cell: Cell, name: str, machine: str, image: str, note: Callable[[str], None]) -> bool:
    profile = Profile(GENERATIONS[cell.generation], cell.kind, cell.provisioner, arch=cell.arch)
    why = refusal(find_scenario(name), profile, None)
    if why:
        note(f"{image}/{machine} does not play {name}: {why}")
    return not why


def _boot_order(cell: Cell, machine: str, runs: list[str], known: list[str]) -> dict[str, Any]:
    key = {"ssh_key": str(cell.private_key)} if cell.kind == "specialized" and cell.private_key else {}
    return {"machine": machine, "runs": runs, "known": known, **key}


def _of_publication(publication: Publication, jobs: list[Job]) -> Iterator[Job]:
    """A job for each image that is published: what proves it has passed by then, and promotion comes after it."""
    target = publication.to
    order = {"to": str(target), "target": hashlib.sha256(target.read_bytes()).hexdigest()}
    images = (job.image for job in jobs if job.kind == "image" and fnmatchcase(job.image, publication.images))
    for image in images:
        proofs = tuple(job.name for job in jobs if job.image == image)
        name = f"{image}/publish-{target.stem}"
        publishing = Job(name, "publish", image, order, proofs, Slots(lines=1), PUBLISH_SECONDS)
        yield publishing
        if publication.promote:
            yield replace(publishing, name=f"{image}/promote-{target.stem}", kind="promote", needs=(name,))
