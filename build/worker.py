"""The build itself, run as root of its own view: steps in order, resumed where an earlier run was cut off."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from build import archive, cache, tools
from build.api import find_recipe
from build.archive import Release
from build.families import apt
from build.finish import deliver
from build.plan import BuildPlan, Choices, ids, plan
from build.progress import Progress
from build.workspace import Workspace

DONE = "done.json"
LOG = "build.log"


@dataclass(frozen=True)
class Progressed:
    """How far a build has come: the ids of the steps that are finished, and how long each took, in seconds."""

    done: tuple[str, ...] = ()
    durations: Mapping[str, float] | None = None


def main(request: Mapping[str, Any]) -> int:
    """Build what the request says and put it into its folder."""
    recipe = find_recipe(*request["recipe"])
    choices = Choices(**request["choices"])
    *releases, tools_release = (_release(one) for one in request["releases"])
    todo = plan(recipe, choices, tuple(releases), request["epoch"])
    progress = Progress()
    log_path = cache.folder() / "logs" / f"{todo.image}.log"
    log_path.parent.mkdir(exist_ok=True)
    with log_path.open("w") as log:
        with progress.step("Making the tools tree (once)" if not tools.folder(tools_release).is_dir() else "Tools tree"):
            tree = tools.make(tools_release, log, mirror=request["mirror"])
        for release in releases:
            archive.verify(release, tree / release.keyring.lstrip("/"), mirror=request["mirror"])
        name = f"{todo.image}-{todo.id[:16]}"
        work = Workspace(tree, name, cache.folder(), log, todo.epoch, request["offline"])
        if request["rebuild"]:
            cache.remove(work.folder)
        durations = _work(todo, work, progress)
        with progress.step("Sealing the file as a fixed VHD and describing it"):
            deliver(recipe, choices, todo, tuple(releases), work, durations, Path(request["folder"]), log_path)
    cache.remove(work.folder)
    return 0


def _release(told: Mapping[str, Any]) -> Release:
    return Release(**{**told, "components": tuple(told["components"])})


def _work(todo: BuildPlan, work: Workspace, progress: Progress) -> dict[str, float]:
    """Run the steps that an earlier run has not finished; returns the seconds that each step took."""
    work.folder.mkdir(parents=True, exist_ok=True)
    before = _load(work)
    durations = dict(before.durations or {})
    done: list[str] = []
    for step, id in zip(todo.steps, ids(todo.steps, todo.epoch), strict=True):
        done.append(id)
        if id in before.done:
            continue
        print(f"== {step.describe()}", file=work.log, flush=True)
        started = time.monotonic()
        with progress.step(step.describe()):
            step.run(work)
        durations[step.describe()] = round(time.monotonic() - started, 2)
        _save(work, Progressed(tuple(done), durations))
    return durations


def _load(work: Workspace) -> Progressed:
    try:
        told = json.loads(work.file(DONE).read_text())
    except (OSError, ValueError):
        return Progressed()
    return Progressed(tuple(told["done"]), told["durations"])


def _save(work: Workspace, progressed: Progressed) -> None:
    """What is said to be finished must be on the disk before it is said."""
    os.sync()
    fresh = work.file(f"{DONE}.new")
    fresh.write_text(json.dumps(asdict(progressed)))
    fresh.rename(work.file(DONE))


__all__ = ["apt", "main"]
