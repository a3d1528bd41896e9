"""Building an image, from what the caller asked to the folder that holds it. The one entrance to this package."""

import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from build import archive, cache, confined, tools
from build.archive import Release
from build.errors import CallerError, MachineError
from build.manifest import DISK, Manifest
from build.plan import GENERATIONS, BuildPlan, Choices, image_name, plan
from build.privileges import entry
from build.progress import Progress
from build.vhd import LENGTH
from distros import Recipe, all_recipes
from distros.recipe import KINDS, PROVISIONERS

HOSTNAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
PUBLIC_KEY = re.compile(r"(ssh-(rsa|ed25519)|ecdsa-sha2-nistp(256|384|521)|sk-\S+) [A-Za-z0-9+/=]+( [^\n]*)?")


@dataclass(frozen=True)
class BuildRequest:
    """What the caller asked for; None is the recipe's own choice. `size` is in bytes."""

    distro: str
    release: str | None = None
    gen: str = "both"
    kind: str = "generalized"
    provisioner: str = "cloud-init"
    size: int | None = None
    mirror: str | None = None
    output: Path = Path("output")
    rebuild: bool = False
    offline: bool = False
    hostname: str | None = None
    admin: str | None = None
    ssh_key: Path | None = None
    arch: str = "x86_64"


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
    recipe = find_recipe(request.distro, request.release, request.arch)
    choices = choose(recipe, request)
    with progress.step("Asking the archives for their state"):
        releases, tools_release = _states(recipe, request, progress)
    todo = plan(recipe, choices, releases, _epoch(releases))
    folder = request.output.absolute() / todo.image
    if not request.rebuild and (present := _same(folder, todo)):
        progress.note(f"{todo.image} is built from these very inputs already")
        return Built(folder, present, True)
    with cache.locked(f"image-{todo.image}"):
        _run(request, choices, recipe, (*releases, tools_release), folder, progress)
    return Built(folder, Manifest.load(folder), False)


def describe_plan(request: BuildRequest) -> list[str]:
    """What a build would do, a line each; only the archives' state is asked for."""
    recipe = find_recipe(request.distro, request.release, request.arch)
    choices = choose(recipe, request)
    releases, _ = _states(recipe, request, Progress())
    todo = plan(recipe, choices, releases, _epoch(releases))
    sources = [f"From {release.source} (release file {release.sha256[:12]})" for release in releases]
    return [f"Image {todo.image}, plan {todo.id[:12]}", *sources, *(step.describe() for step in todo.steps)]


def find_recipe(distro: str, release: str | None, arch: str) -> Recipe:
    """The recipe of that name. Raises CallerError that names what exists instead."""
    recipes = list(all_recipes())
    same = [recipe for recipe in recipes if recipe.distro == distro]
    if not same:
        known = ", ".join(dict.fromkeys(recipe.distro for recipe in recipes))
        raise CallerError(f"there is no recipe for {distro!r}", f"there are recipes for: {known}")
    wanted = [one for one in same if (one.default if release is None else release in (one.release, one.codename))]
    if not wanted:
        known = ", ".join(recipe.release for recipe in same)
        raise CallerError(f"there is no recipe for {distro} {release!r}", f"the releases of {distro} are: {known}")
    found = [recipe for recipe in wanted if recipe.arch == arch]
    if not found:
        raise CallerError(f"{wanted[0].name} has no recipe for {arch}", f"there is one for {wanted[0].arch}")
    return found[0]


def choose(recipe: Recipe, request: BuildRequest) -> Choices:
    """The caller's choices, checked. Raises CallerError."""
    _among("--gen", request.gen, tuple(GENERATIONS))
    _among("--type", request.kind, KINDS)
    _among("--provisioner", request.provisioner, PROVISIONERS)
    size = request.size or recipe.size
    if request.kind == "generalized":
        given = [flag for flag in ("hostname", "admin", "ssh_key") if getattr(request, flag)]
        if given:
            flags = ", ".join(f"--{flag.replace('_', '-')}" for flag in given)
            raise CallerError(f"{flags} belong to a specialized image", "Azure names each machine of a generalized one")
        return Choices(request.gen, request.kind, request.provisioner, size)
    if not (request.hostname and request.admin and request.ssh_key):
        raise CallerError(
            "a specialized image needs a name and an administrator",
            "give --hostname NAME --admin USER --ssh-key FILE: Azure passes it none",
        )
    if not HOSTNAME.fullmatch(request.hostname):
        raise CallerError(f"{request.hostname!r} is no host name", "a-z, 0-9 and -, at most 63, as Azure's DNS takes it")
    if not ACCOUNT.fullmatch(request.admin) or request.admin == "root":
        raise CallerError(f"{request.admin!r} is no name for an administrator", "a-z, 0-9, - and _, at most 31")
    key = _public_key(request.ssh_key)
    return Choices(request.gen, request.kind, request.provisioner, size, request.hostname, request.admin, key)


def _among(flag: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise CallerError(f"{flag} {value!r} does not exist", f"there is: {', '.join(known)}")


def _public_key(path: Path) -> str:
    try:
        text = path.expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as refusal:
        raise CallerError(f"{path} cannot be read: {refusal}", "name a public key file, as ~/.ssh/id_ed25519.pub") from None
    if not PUBLIC_KEY.fullmatch(text):
        raise CallerError(f"{path} holds no public key", "one line of the OpenSSH form, as ~/.ssh/id_ed25519.pub has it")
    return text


def _states(recipe: Recipe, request: BuildRequest, progress: Progress) -> tuple[tuple[Release, ...], Release]:
    archives = archive.locate(recipe.archives, request.mirror, progress.note)
    tools_archive = tools.archive_of(request.mirror)
    *releases, tools_release = archive.releases((*archives, tools_archive), offline=request.offline)
    return tuple(releases), tools_release


def _epoch(releases: tuple[Release, ...]) -> int:
    """The source date in seconds: SOURCE_DATE_EPOCH, or when the newest of the archives was signed."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given is None:
        return max(release.date for release in releases)
    if not given.isdigit():
        raise CallerError(f"SOURCE_DATE_EPOCH is {given!r}", "it is a number of seconds since 1970")
    return int(given)


def _same(folder: Path, todo: BuildPlan) -> Manifest | None:
    """The manifest of an image that was built by this very plan and whose file has its full length."""
    try:
        manifest = Manifest.load(folder)
        length = (folder / DISK).stat().st_size
    except (CallerError, OSError):
        return None
    return manifest if manifest.plan_id == todo.id and length == todo.layout.size + LENGTH else None


def _run(
    request: BuildRequest,
    choices: Choices,
    recipe: Recipe,
    releases: tuple[Release, ...],
    folder: Path,
    progress: Progress,
) -> None:
    """Have the worker do it, as root of its own view."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as refusal:
        raise CallerError(f"{folder.parent} cannot be made: {refusal.strerror}", "name another --output") from None
    if folder.exists():
        progress.note(f"replaces the earlier {folder}")
    letter = {
        "recipe": [recipe.distro, recipe.release, recipe.arch],
        "choices": asdict(choices),
        "releases": [asdict(release) for release in releases],
        "epoch": _epoch(releases[:-1]),
        "offline": request.offline,
        "mirror": bool(request.mirror),
        "rebuild": request.rebuild,
        "folder": str(folder),
    }
    status = confined.call(entry(), "build.worker", letter)
    if status == confined.INTERRUPTED:
        raise KeyboardInterrupt
    if status:
        raise MachineError(f"the build ended with status {status}", "its traceback is above; `./kiln doctor` may help")


__all__ = ["BuildRequest", "Built", "build", "choose", "describe_plan", "find_recipe", "image_name"]
