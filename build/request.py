"""What a caller may ask for, checked against what there is."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from build.errors import CallerError
from build.plan import GENERATIONS, Choices
from distros import Recipe, all_recipes, withheld
from distros.recipe import KINDS

HOSTNAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
PUBLIC_KEY = re.compile(r"(ssh-(rsa|ed25519)|ecdsa-sha2-nistp(256|384|521)|sk-\S+) [A-Za-z0-9+/=]+( [^\n]*)?")
MIRROR = re.compile(r"https?://[^\s\[\]'\"|]+")
"""What may stand in a line of sources.list; other ways to fetch would read this machine's files."""


@dataclass(frozen=True)
class BuildRequest:
    """What the caller asked for; None is the recipe's own choice. `size` is in bytes."""

    distro: str
    release: str | None = None
    gen: str | None = None
    kind: str = "generalized"
    provisioner: str | None = None
    size: int | None = None
    mirror: str | None = None
    mirror_key: Path | None = None
    entitlement: Path | None = None
    output: Path = Path("output")
    rebuild: bool = False
    offline: bool = False
    hostname: str | None = None
    admin: str | None = None
    ssh_key: Path | None = None
    arch: str = "x86_64"
    kernel: str | None = None
    lock: Path | None = None
    write_lock: Path | None = None
    proxy: str | None = field(default=None, repr=False)


def find_recipe(distro: str, release: str | None, arch: str) -> Recipe:
    """The recipe of that name. Raises CallerError that names what exists instead."""
    recipes = list(all_recipes())
    same = [recipe for recipe in recipes if recipe.distro == distro]
    if not same:
        known = ", ".join(dict.fromkeys(recipe.distro for recipe in recipes))
        raise CallerError(f"there is no recipe for {distro!r}", f"there are recipes for: {known}")
    wanted = [one for one in same if (one.default if release is None else _is_called(one, release))]
    if not wanted:
        known = ", ".join(dict.fromkeys(recipe.release for recipe in same))
        if release and (reason := withheld(distro, release)):
            raise CallerError(f"{distro} {release} is not offered: {reason}", f"the releases of {distro} are: {known}")
        raise CallerError(f"there is no recipe for {distro} {release!r}", f"the releases of {distro} are: {known}")
    found = [recipe for recipe in wanted if recipe.arch == arch]
    if not found:
        there = ", ".join(recipe.arch for recipe in wanted)
        raise CallerError(f"{wanted[0].name} has no recipe for {arch}", f"there is one for {there}")
    return found[0]


def _is_called(recipe: Recipe, release: str) -> bool:
    """Whether that is a word for this recipe's release, however it is capitalized."""
    return bool(release) and release.lower() in (recipe.release.lower(), recipe.codename.lower())


def choose(recipe: Recipe, request: BuildRequest) -> Choices:
    """The caller's choices, checked. Raises CallerError."""
    gen = request.gen or next(word for word in reversed(GENERATIONS) if word in recipe.boot_packages)
    provisioner = request.provisioner or next(iter(recipe.provisioning))
    kernel = next(iter(recipe.kernels)) if request.kernel is None else request.kernel
    _among("--gen", gen, tuple(GENERATIONS))
    _among("--type", request.kind, KINDS)
    _offered(f"{recipe.name} on {recipe.arch}", "--gen", gen, tuple(recipe.boot_packages))
    _offered(recipe.name, "--provisioner", provisioner, tuple(recipe.provisioning))
    _offered(recipe.name, "--kernel", kernel, tuple(recipe.kernels))
    if request.mirror is not None and not MIRROR.fullmatch(request.mirror):
        raise CallerError(f"{request.mirror!r} is no mirror", "give a URL that begins with http:// or https://")
    if request.entitlement and all(getattr(one, "access", "") != "entitlement" for one in recipe.archives):
        raise CallerError(f"{recipe.name} has no use for --entitlement", "its archives are open to everybody")
    if request.mirror_key and not request.mirror:
        raise CallerError("--mirror-key goes with --mirror", "a distribution's own archive is checked with its own key")
    size = recipe.size if request.size is None else request.size
    identity = _no_identity(request) if request.kind == "generalized" else _identity(request)
    return Choices(gen, request.kind, provisioner, kernel, size, *identity)


def _offered(name: str, flag: str, value: str, known: tuple[str, ...]) -> None:
    """Raise CallerError for what this recipe does not have."""
    if value not in known:
        there = ", ".join(word for word in known if word) or "no choice"
        raise CallerError(f"{name} has no {flag} {value}", f"there is: {there}")


def _among(flag: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise CallerError(f"{flag} {value!r} does not exist", f"there is: {', '.join(known)}")


def _no_identity(request: BuildRequest) -> tuple[str, ...]:
    given = [flag for flag in ("hostname", "admin", "ssh_key") if getattr(request, flag)]
    if given:
        flags = ", ".join(f"--{flag.replace('_', '-')}" for flag in given)
        raise CallerError(f"{flags} belong to a specialized image", "Azure names each machine of a generalized one")
    return ()


def _identity(request: BuildRequest) -> tuple[str, ...]:
    """Host name, administrator and public key of a specialized image."""
    if not (request.hostname and request.admin and request.ssh_key):
        raise CallerError(
            "a specialized image needs a name and an administrator",
            "give --hostname NAME --admin USER --ssh-key FILE: Azure passes it none",
        )
    if not HOSTNAME.fullmatch(request.hostname):
        raise CallerError(
            f"{request.hostname!r} is no host name", "a-z, 0-9 and -, at most 63, as Azure's DNS takes it"
        )
    if not ACCOUNT.fullmatch(request.admin) or request.admin == "root":
        raise CallerError(f"{request.admin!r} is no name for an administrator", "a-z, 0-9, - and _, at most 31")
    return request.hostname, request.admin, _public_key(request.ssh_key)


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
