"""Building an image, from what the caller asked to the folder that holds it. The one entrance to this package."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from build import archive, base, cache, confined, foreign, freshness, keys, locking, offered, proxy, sourcedate, tools
from build.access import other_archive, private
from build.archive import Release
from build.errors import CallerError, MachineError
from build.families import Sources, State, family, whole
from build.manifest import DISK, Manifest
from build.order import Order
from build.plan import BuildPlan, Choices, image_name
from build.privileges import entry
from build.progress import Progress
from build.request import BuildRequest, choose, completed, find_recipe
from build.shelf import require_ours
from build.spec import NOTHING, effect, layered, load
from build.spec import sources as extra_sources
from build.spec.blame import explained
from build.spec.commands import require_isolation
from build.vhd import LENGTH
from distros import Recipe, lifetime
from distros.recipe import Archive, Repository


@dataclass(frozen=True)
class Built:
    """An image: its folder and manifest, and whether it was there already."""

    folder: Path
    manifest: Manifest
    reused: bool


def build(request: BuildRequest, progress: Progress) -> Built:
    """Build the image that is asked for, or find it built from the very same inputs.

    Raises CallerError, MachineError or RecipeError by who must act; what was there before stays in place then.
    """
    with cache.faults_explained(), proxy.through(request.proxy):
        recipe, choices, request = _chosen(request, progress.note, progress.waiting)
        if request.write_lock:
            locking.subject(recipe, choices)
        for warning in _warnings(recipe):
            progress.note(warning)
        with progress.step(
            "Taking the archives' state from the lock" if request.lock else "Asking the archives for their state"
        ):
            order = _order(recipe, choices, request, progress.note)
        built = _built(order, progress)
        if request.write_lock:
            locking.made(order, built.manifest).write(request.write_lock)
    return built


def _built(order: Order, progress: Progress) -> Built:
    todo = order.plan
    require_ours(order.folder)
    if not order.rebuild and (present := _same(order.folder, todo)):
        return _reused(order, present, progress)
    with cache.locked(f"image-{todo.image}", waiting=progress.note):
        if not order.rebuild and (present := _same(order.folder, todo)):
            return _reused(order, present, progress)
        _run(order, progress)
    return Built(order.folder, Manifest.load(order.folder), False)


def identify(request: BuildRequest, note: Callable[[str], None]) -> tuple[str, str]:
    """The name of the image that a build would make, and its plan's id: equal ids are equal images. Nothing is built.

    Raises as `build` does; `note` hears what a build would say of the request.
    """
    with cache.faults_explained(), proxy.through(request.proxy):
        recipe, choices, request = _chosen(request, note, lambda text: None)
        todo = _order(recipe, choices, request, lambda text: None).plan
    return todo.image, todo.id


def describe_plan(request: BuildRequest) -> list[str]:
    """What a build would do, line by line; only the archives' state is asked for."""
    with cache.faults_explained(), proxy.through(request.proxy):
        notes: list[str] = []
        recipe, choices, request = _chosen(request, notes.append, lambda text: None)
        order = _order(recipe, choices, request, lambda text: None)
    todo = order.plan
    sources = [f"From {order.public(state.url)} {state.suite} (state {state.sha256[:12]})" for state in order.states]
    steps = [line for step in todo.steps for line in step.describe().splitlines()]
    warnings = [f"Warning: {warning}" for warning in _warnings(recipe)]
    notes = [f"Note: {note}" for note in notes]
    return [f"Image {todo.image}, plan {todo.id[:12]}", *notes, *warnings, *effect(choices.spec), *sources, *steps]


def _chosen(
    request: BuildRequest, note: Callable[[str], None], waiting: Callable[[str], None]
) -> tuple[Recipe, Choices, BuildRequest]:
    """The recipe with the spec laid on it, the choices, and the request with what the spec says. Raises CallerError."""
    spec = load(request.spec) if request.spec else NOTHING
    request = completed(request, spec, note)
    with explained(spec):
        recipe = find_recipe(request.distro, request.release, request.arch)
        if published := whole(recipe):
            published.require_possible(spec)
        layers, choices = layered(recipe, spec), choose(recipe, request, spec)
    return layers, _with_base(recipe, choices, request, waiting), request


def _with_base(recipe: Recipe, choices: Choices, request: BuildRequest, waiting: Callable[[str], None]) -> Choices:
    """The choices with the image to build on, where one is named."""
    if request.base is None:
        if request.base_sha256:
            raise CallerError("--base-sha256 goes with --base", "name the image's file or URL with --base")
        return choices
    if request.base == offered.WORD:
        keyring = keys.take(request.mirror_key) if request.mirror_key else None
        offer = offered.find(recipe, request.mirror, keyring, offline=request.offline)
        found = base.take_offered(offer, request.base_sha256, offline=request.offline, waiting=waiting)
        return replace(choices, base=found.name, base_sha256=found.sha256, base_proof=offer.proof)
    found = base.take(request.base, request.base_sha256, offline=request.offline, waiting=waiting)
    return replace(choices, base=found.name, base_sha256=found.sha256)


def _warnings(recipe: Recipe) -> tuple[str, ...]:
    return lifetime.warnings(recipe, datetime.now(UTC).date())


def _order(recipe: Recipe, choices: Choices, request: BuildRequest, note: Callable[[str], None]) -> Order:
    lock = locking.take(request.lock, recipe, choices) if request.lock else None
    if lock:
        if request.mirror_key:
            keys.take(request.mirror_key)  # packages of a mirror's are signed by its key, whoever offers them
        states, tools_release = locking.states(lock, recipe), locking.tools_state(lock, recipe, offline=request.offline)
    else:
        extra = extra_sources(choices.spec.repositories, recipe.arch)
        with explained(choices.spec, recipe):
            states, tools_release = _states(recipe, request, extra, note)
            freshness.require((*states, tools_release))
    return Order(
        recipe,
        choices,
        states,
        tools_release,
        lock.epoch if lock else _epoch(states),
        folder=request.output.expanduser().absolute() / image_name(recipe, choices),
        named_mirror=other_archive(request) is not None,
        offline=request.offline,
        rebuild=request.rebuild,
        credentials=_credentials(request),
        private=private(request),
        lock=lock,
        places=locking.places(lock, recipe, other_archive(request)) if lock else {},
    )


def _states(
    recipe: Recipe, request: BuildRequest, extra: tuple[Archive | Repository, ...], note: Callable[[str], None]
) -> tuple[tuple[State, ...], Release]:
    """The states of the recipe's sources and of the tools' archive, asked for side by side."""
    keyring = keys.take(request.mirror_key) if request.mirror_key else None
    sources = Sources(other_archive(request), keyring, request.offline, _credentials(request), extra)
    # A mirror that somebody else signs is not the archive that the tools come from.
    mirror = None if keyring else request.mirror
    tools_archive = tools.archive_of(recipe, mirror, note, offline=request.offline)
    with ThreadPoolExecutor(max_workers=2) as pool:
        own = pool.submit(family(recipe).states, recipe, sources, note)
        (tools_release,) = archive.releases((tools_archive,), offline=request.offline)
        return own.result(), tools_release


def _credentials(request: BuildRequest) -> str:
    """Where lies what the recipe's archives want to see of whoever asks."""
    given = request.entitlement or request.scc_credentials
    return str(given.expanduser().absolute()) if given else ""


def _epoch(states: tuple[State, ...]) -> int:
    """The source date in seconds: the one that was told, or when the newest of the archives was signed."""
    given = sourcedate.told()
    return max(state.date for state in states) if given is None else given


def _same(folder: Path, todo: BuildPlan) -> Manifest | None:
    """The manifest of an image that was built by this very plan and whose file has its full length."""
    try:
        manifest = Manifest.load(folder)
        length = (folder / DISK).stat().st_size
    except (CallerError, OSError):
        return None
    return manifest if manifest.plan_id == todo.id and length == todo.layout.size + LENGTH else None


def _reused(order: Order, present: Manifest, progress: Progress) -> Built:
    progress.note(f"{present.name} is built from these very inputs already")
    return Built(order.folder, present, True)


def _run(order: Order, progress: Progress) -> None:
    """Have the worker do it, as root of its own view."""
    try:
        order.folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as refusal:
        raise CallerError(
            f"the output folder {order.folder.parent} cannot be made: {refusal.strerror}", "name another --output"
        ) from None
    if not entry():
        require_isolation(order.choices.spec.commands)
    if order.folder.exists():
        progress.note(f"replaces the earlier {order.folder}")
    status = confined.call(
        entry(own_register=foreign.needs_register(order.recipe.arch)), "build.worker", order.letter()
    )
    if status == confined.INTERRUPTED:
        raise KeyboardInterrupt
    if status:
        raise MachineError(
            f"the build ended with status {status}", "a traceback is above, or it was killed; run it again to resume"
        )


__all__ = ["BuildRequest", "Built", "build", "describe_plan", "identify"]
