"""The build itself, run as root of its own view: steps in order, resumed where an earlier run was cut off."""

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from build import cache, foreign, freshness, tools
from build.command import find
from build.errors import KilnError
from build.families import family
from build.finish import deliver
from build.order import Order
from build.plan import BuildPlan, ids
from build.progress import Progress
from build.spec.blame import blamed
from build.spec.redact import RedactedLog, Redactor
from build.workspace import Workspace

DONE = "done.json"
PROGRAMS = ("mmdebstrap", "gpgv", "tar", "zstd", "chroot", "unshare", "cp", "find")
"""What the worker calls on the host; missing, they are named before anything is begun."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Progressed:
    """How far a build has come: the ids of the steps that are finished, and how long each took, in seconds.

    `begun` is the id of a step that was begun and must not be done again on what it left: all begins anew then.
    `boot` is the machine's boot in which that was so: after a crash of the machine nothing of it can be relied on,
    since no step waits for its files to reach the disk.
    """

    boot: str
    done: tuple[str, ...] = ()
    durations: Mapping[str, float] = field(default_factory=dict)
    begun: str = ""


def main(letter: Mapping[str, Any]) -> int:
    """Build what the order says and put it into its folder."""
    os.umask(0o022)  # folders made on the way are part of the image
    order, progress = Order.read(letter), Progress()
    log_path = cache.folder() / "logs" / f"{order.plan.image}.log"
    with cache.faults_explained():
        log_path.parent.mkdir(exist_ok=True)
        redactor = Redactor((*order.choices.spec.secrets, order.private.encode()))
        with log_path.open("w") as log:
            try:
                _build(order, progress, cast(IO[str], RedactedLog(log, redactor)), log_path)
            except KilnError as error:
                progress.note(f"the log is {log_path}")
                raise redactor.error(blamed(error, order.choices.spec, order.recipe)) from None
    return 0


def _build(order: Order, progress: Progress, log: IO[str], log_path: Path) -> None:
    for program in PROGRAMS:
        find(program)
    cache.sweep()
    todo = order.plan
    made_of = family(order.recipe)
    here = tools.folder(order.tools, made_of.TOOLS).is_dir()
    with progress.step("Tools tree" if here else "Making the tools tree (once)"):
        tree = tools.make(order.tools, made_of.TOOLS, log, mirror=order.named_mirror, offline=order.offline)
    if foreign.needs_register(order.recipe.arch):
        with progress.step(f"Making programs for {order.recipe.arch} run here, emulated"):
            foreign.prepare(order.recipe.arch, order.tools, log, mirror=order.named_mirror, offline=order.offline)
    # What a lock names is checked by its digests; the archives' present release files have no say in it.
    for state in () if order.lock else order.states:
        made_of.verify(state, tree, mirror=order.named_mirror)
        freshness.remember(state)
    if not order.lock:
        freshness.remember(order.tools)
    name = f"{todo.image}-{todo.id[:16]}"
    work = Workspace(tree, name, cache.folder(), log, todo.epoch, order.offline, order.credentials, progress.waiting)
    # The front holds this image's lock as well; when it is killed, its worker may outlive it by a moment.
    with cache.locked(f"work-{todo.image}"):
        _drop_abandoned(work, todo, everything=order.rebuild)
        durations = _work(todo, work, progress)
        with progress.step("Seal the file as a fixed VHD and describe it"):
            deliver(order, work, durations, log_path)
        for text in work.warnings():
            progress.note(f"warning: {text}")
        cache.remove(work.folder)


def _drop_abandoned(work: Workspace, todo: BuildPlan, *, everything: bool) -> None:
    """Remove what earlier runs left of this image for plans that are no longer asked for."""
    for folder in (work.cache / "tools").glob(f"*/work/{todo.image}-*"):
        if everything or folder != work.folder:
            cache.remove(folder)


def _work(todo: BuildPlan, work: Workspace, progress: Progress) -> dict[str, float]:
    """Run the steps that an earlier run has not finished; returns the seconds that each step took."""
    work.folder.mkdir(parents=True, exist_ok=True)
    before = _load(work)
    durations = dict(before.durations)
    done: list[str] = []
    for step, id in zip(todo.steps, ids(todo.steps, todo.epoch), strict=True):
        done.append(id)
        if id in before.done:
            continue
        title = step.describe().splitlines()[0]
        print(f"== {step.describe()}", file=work.log, flush=True)
        if getattr(step, "once", False):
            _save(work, Progressed(before.boot, tuple(done[:-1]), durations, id))
        started = time.monotonic()
        with progress.step(title):
            step.run(work)
        durations[title] = round(time.monotonic() - started, 2)
        _save(work, Progressed(before.boot, tuple(done), durations))
    return durations


def _load(work: Workspace) -> Progressed:
    boot = BOOT_ID.read_text().strip()
    try:
        told = Progressed(**json.loads(work.file(DONE).read_text()))
    except (OSError, ValueError, TypeError):
        return Progressed(boot)
    return told if told.boot == boot and not told.begun else Progressed(boot)


def _save(work: Workspace, progressed: Progressed) -> None:
    fresh = work.file(f"{DONE}.new")
    fresh.write_text(json.dumps(asdict(progressed)))
    fresh.rename(work.file(DONE))
