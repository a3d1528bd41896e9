"""What a caller may ask for, checked against what there is."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from build import access
from build.errors import CallerError
from build.names import ACCOUNT, ACCOUNT_HINT, HOSTNAME, HOSTNAME_HINT, IMAGE, IMAGE_HINT, PUBLIC_KEY
from build.plan import GENERATIONS, Choices
from build.spec import NOTHING, Spec, require_first_boot
from build.spec.complaint import Unfit, nearest
from distros import Recipe, all_recipes, withheld
from distros.recipe import ARCHITECTURES, KINDS


@dataclass(frozen=True)
class BuildRequest:
    """What the caller asked for; None is the recipe's own choice. `size` is in bytes."""

    distro: str | None
    release: str | None = None
    gen: str | None = None
    kind: str | None = None
    provisioner: str | None = None
    size: int | None = None
    mirror: str | None = None
    mirror_key: Path | None = None
    entitlement: Path | None = None
    scc_credentials: Path | None = None
    rmt: str | None = field(default=None, repr=False)
    output: Path = Path("output")
    rebuild: bool = False
    offline: bool = False
    hostname: str | None = None
    admin: str | None = None
    ssh_key: Path | None = None
    arch: str | None = None
    kernel: str | None = None
    base: str | None = None
    base_sha256: str | None = None
    lock: Path | None = None
    write_lock: Path | None = None
    spec: Path | None = None
    name: str | None = None
    proxy: str | None = field(default=None, repr=False)


def completed(request: BuildRequest, spec: Spec, note: Callable[[str], None]) -> BuildRequest:
    """The request with the spec's word where no flag was given; where both are and differ, the flag wins, and is said.

    A release or kernel is its distribution's: another --distro takes neither from the spec.
    """
    said = {_FLAGS.get(one.name, one.name): getattr(spec.wishes, one.name) for one in fields(spec.wishes)}
    if request.distro and said["distro"] and request.distro != said["distro"]:
        said |= {"release": None, "kernel": None}
    for name, value in said.items():
        given = getattr(request, name)
        if None not in (given, value) and given != value:
            note(f"--{'type' if name == 'kind' else name} {given} wins over {value} in {spec.file}")
    given = {name: getattr(request, name) for name in said}
    return replace(request, **{name: said[name] if value is None else value for name, value in given.items()})


_FLAGS = {"generation": "gen"}
"""Keys of a spec that the command line calls otherwise."""


def find_recipe(distro: str | None, release: str | None, arch: str | None) -> Recipe:
    """The recipe of that name. Raises CallerError that names what exists instead."""
    if not distro:
        raise CallerError("which distribution?", "--distro NAME, or a spec's key distro; `./kiln distros` lists them")
    arch = arch or ARCHITECTURES[0]
    recipes = list(all_recipes())
    same = [recipe for recipe in recipes if recipe.distro == distro]
    if not same:
        what = f"there is no recipe for {distro!r}{nearest(distro, (recipe.distro for recipe in recipes))}"
        raise Unfit("distro", distro, what, "`./kiln distros` lists them with their releases", what)
    wanted = [one for one in same if (one.default if release is None else _is_called(one, release))]
    if not wanted:
        known = ", ".join(dict.fromkeys(recipe.release for recipe in same))
        if release and (reason := withheld(distro, release)):
            what = f"{distro} {release} is not offered: {reason}"
        else:
            what = f"there is no recipe for {distro} {release!r}"
        raise Unfit("release", str(release), what, f"the releases of {distro} are: {known}", what)
    found = [recipe for recipe in wanted if recipe.arch == arch]
    if not found:
        there = ", ".join(recipe.arch for recipe in wanted)
        what = f"{wanted[0].name} has no recipe for {arch}"
        raise Unfit("arch", arch, what, f"there is one for {there}", what)
    return found[0]


def _is_called(recipe: Recipe, release: str) -> bool:
    """Whether that is a word for this recipe's release, however it is capitalized."""
    return bool(release) and release.lower() in (recipe.release.lower(), recipe.codename.lower())


def choose(recipe: Recipe, request: BuildRequest, spec: Spec = NOTHING) -> Choices:
    """The caller's choices, checked. Raises CallerError."""
    kind = request.kind or KINDS[0]
    gen = request.gen or next(word for word in reversed(GENERATIONS) if word in recipe.boot_packages)
    provisioner = request.provisioner or next(iter(recipe.provisioning))
    kernel = next(iter(recipe.kernels)) if request.kernel is None else request.kernel
    _among("--gen", gen, tuple(GENERATIONS))
    _among("--type", kind, KINDS)
    _offered(f"{recipe.name} on {recipe.arch}", "--gen", gen, tuple(recipe.boot_packages))
    _offered(recipe.name, "--provisioner", provisioner, tuple(recipe.provisioning))
    _offered(recipe.name, "--kernel", kernel, tuple(recipe.kernels))
    access.require_fitting(recipe, request)
    size = recipe.size if request.size is None else request.size
    if kind in recipe.refused:
        what = f"{recipe.name} has no --type {kind}: {recipe.refused[kind]}"
        raise Unfit("type", kind, what, "build a generalized image", what)
    identity = _no_identity(request, spec, provisioner) if kind == "generalized" else _identity(request, spec)
    require_first_boot(spec, provisioner, kind)
    name = _name(recipe, request.name or spec.name)
    hostname, admin, ssh_key = identity or ("", "", "")
    return Choices(gen, kind, provisioner, kernel, size, hostname, admin, ssh_key, name=name, spec=spec)


def _offered(name: str, flag: str, value: str, known: tuple[str, ...]) -> None:
    """Raise CallerError for what this recipe does not have."""
    if value not in known:
        words = [word for word in known if word]
        key = {"--gen": "generation"}.get(flag, flag.removeprefix("--"))
        hint = f"there is: {', '.join(words)}" if words else f"it has one {key} alone: leave that out"
        raise Unfit(key, value, f"{name} has no {key} {value!r}", hint, f"{name} has no {flag} {value}")


def _among(flag: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise CallerError(f"{flag} {value!r} does not exist", f"there is: {', '.join(known)}")


def _name(recipe: Recipe, name: str) -> str:
    """The image's own name. Raises CallerError for one that another image of this recipe may have as well."""
    if name and not IMAGE.fullmatch(name):
        raise CallerError(f"--name {name!r} cannot be part of an image's name", IMAGE_HINT)
    if kernel := next((word for word in recipe.kernels if word and f"-{name}".endswith(f"-{word}")), None):
        raise CallerError(f"an image that is named {name!r} looks like one with the kernel {kernel}", "give --name")
    return name


def _no_identity(request: BuildRequest, spec: Spec, provisioner: str) -> tuple[str, ...]:
    users = spec.users and provisioner != "ignition"  # which makes users besides those that a machine is given
    if users or spec.wishes.hostname:
        raise Unfit(
            *("users.name" if users else "hostname", None),
            f"{'a user' if users else 'a name'} belongs to a specialized image",
            'say type = "specialized" there: Azure names each machine of a generalized one, and gives it its user',
        )
    given = [flag for flag in ("hostname", "admin", "ssh_key") if getattr(request, flag)]
    if given:
        flags = ", ".join(f"--{flag.replace('_', '-')}" for flag in given)
        raise CallerError(f"{flags} belong to a specialized image", "Azure names each machine of a generalized one")
    return ()


def _identity(request: BuildRequest, spec: Spec) -> tuple[str, ...]:
    """Host name, administrator and public key of a specialized image; a spec's user who may do all is one."""
    users = [user for user in spec.users if user.sudo and user.ssh_keys]
    if users and not request.admin and not request.ssh_key:
        if not request.hostname:
            raise CallerError("a specialized image needs a name", "give --hostname NAME, or say hostname in the spec")
        return _hostname(request.hostname), users[0].name, users[0].ssh_keys[0]
    if not (request.hostname and request.admin and request.ssh_key):
        raise CallerError(
            "a specialized image needs a name and an administrator",
            "give --hostname NAME --admin USER --ssh-key FILE: Azure passes it none",
        )
    if not ACCOUNT.fullmatch(request.admin) or request.admin == "root":
        raise CallerError(f"{request.admin!r} is no name for an administrator", ACCOUNT_HINT)
    if request.admin in (user.name for user in spec.users):
        raise CallerError(f"{spec.file} has a user {request.admin!r} as well", "take one of them away")
    return _hostname(request.hostname), request.admin, _public_key(request.ssh_key)


def _hostname(name: str) -> str:
    if not HOSTNAME.fullmatch(name):
        raise CallerError(f"{name!r} is no host name", HOSTNAME_HINT)
    return name


def _public_key(path: Path) -> str:
    try:
        text = path.expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as refusal:
        reason = getattr(refusal, "strerror", None) or "it is no text"
        raise CallerError(
            f"the key {path} cannot be read: {reason}", "name a public key file, as ~/.ssh/id_ed25519.pub"
        ) from None
    if not PUBLIC_KEY.fullmatch(text):
        raise CallerError(
            f"{path} holds no public key", "one line of the OpenSSH form, as ~/.ssh/id_ed25519.pub has it"
        )
    return text
