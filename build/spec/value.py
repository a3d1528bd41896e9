"""A spec as a plain value: what the caller asked for besides the recipe, checked and with nothing to look up.

How it is applied is no part of it: a tree of packages takes it by steps (`build.spec.steps`), another kind of image may
take the same value otherwise. Secrets are in it as values that never show in a representation, an id or a plan.
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from build.errors import CallerError

BASIC_LOCALES = ("C", "POSIX", "C.UTF-8")
"""Locales that need no package: libc has them."""
SALT = b"kiln secret"
COST = 1 << 14
"""scrypt's N: some 50 ms for each guess at a secret whose digest is known."""


@dataclass(frozen=True)
class Content:
    """Bytes that go into an image. `digest` stands for them in ids.

    They are held here, or read from `path` when they are needed, which must not have changed since. `secret` says where
    a secret comes from, in words; it is empty for what anybody may see. A secret's digest is slow to compute: whoever
    learns an id cannot guess short secrets from it.
    """

    digest: str
    secret: str = ""
    held: bytes | None = field(default=None, repr=False, compare=False)
    path: str = field(default="", repr=False, compare=False)

    def read(self) -> bytes:
        """The bytes. Raises CallerError where the file changed or went since the plan was made."""
        if self.held is not None:
            return self.held
        try:
            found = Path(self.path).read_bytes()
        except OSError as refusal:
            raise CallerError(f"{self.path} cannot be read any more: {refusal.strerror}", "build again") from None
        if hashlib.sha256(found).hexdigest() != self.digest:
            raise CallerError(f"{self.path} changed while the image was built", "build again")
        return found


def shown(text: str) -> Content:
    """Content that anybody may see."""
    return Content(hashlib.sha256(text.encode()).hexdigest(), held=text.encode())


def hidden(value: bytes, where: str) -> Content:
    """A secret, and in words where it comes from."""
    digest = hashlib.scrypt(value, salt=SALT, n=COST, r=8, p=1, dklen=32).hex()
    return Content(digest, where, held=value)


@dataclass(frozen=True)
class File:
    """A file, or a symbolic link to `target`, for the image. `mode` are permission bits; owner and group names of the
    image, or numbers."""

    path: str
    content: Content | None
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    target: str = ""


@dataclass(frozen=True)
class Command:
    """A program and its arguments, run in the tree. `place` is where the spec says so: for messages alone."""

    words: tuple[str, ...]
    network: bool = False
    environment: tuple[tuple[str, Content], ...] = ()
    place: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True)
class User:
    """An account of a specialized image. `password` is a hash as in shadow(5)."""

    name: str
    groups: tuple[str, ...] = ()
    ssh_keys: tuple[str, ...] = ()
    sudo: bool = False
    shell: str = "/bin/bash"
    password: Content | None = None


@dataclass(frozen=True)
class ExtraRepository:
    """A further repository of packages, always signed.

    `kind` is "apt" (with suites and components) or "rpm"; `keyring` names the key as `build.keys` does, `key` is that
    key's content; `keep` leaves the repository in the image. `signed_metadata` says whether repomd.xml is signed.
    """

    name: str
    kind: str
    url: str
    keyring: str
    key: Content
    suites: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    signed_metadata: bool = True
    keep: bool = True


UNIT_KINDS = (".service", ".socket", ".timer", ".path", ".target", ".mount", ".automount", ".swap", ".slice", ".device")


def unit(name: str) -> str:
    """A unit's whole name: a service where nothing else is said."""
    return name if name.endswith(UNIT_KINDS) else f"{name}.service"


@dataclass(frozen=True)
class Services:
    """Units by what becomes of them."""

    enable: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()
    mask: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wishes:
    """What a spec says of the image as a whole, which flags say as well: None is not said. `size` is in bytes."""

    distro: str | None = None
    release: str | None = None
    arch: str | None = None
    kernel: str | None = None
    generation: str | None = None
    kind: str | None = None
    provisioner: str | None = None
    size: int | None = None
    hostname: str | None = None


@dataclass(frozen=True)
class Spec:
    """The user's own part of an image; the empty one changes nothing.

    `name` becomes part of the image's; `first_boot` is run or read once by each new machine. For messages, `file` is
    the spec's name, and `places` tell of each key, without indices, and value where it stands.
    """

    name: str = ""
    wishes: Wishes = Wishes()
    packages: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    repositories: tuple[ExtraRepository, ...] = ()
    files: tuple[File, ...] = ()
    commands: tuple[Command, ...] = ()
    services: Services = Services()
    arguments: tuple[str, ...] = ()
    removed_arguments: tuple[str, ...] = ()
    users: tuple[User, ...] = ()
    locale: str = ""
    timezone: str = ""
    first_boot: Content | None = None
    file: str = field(default="", repr=False, compare=False)
    places: tuple[tuple[str, str, str], ...] = field(default=(), repr=False, compare=False)

    def where(self, key: str, value: str | None = None) -> str:
        """Where a key (`packages.add`) stands with this value, or with any, as messages begin; empty: nowhere."""
        return next((place for one, said, place in self.places if one == key and value in (None, said)), "")

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """Every secret in it."""
        contents = [
            *(one.content for one in self.files),
            *(value for one in self.commands for _, value in one.environment),
            *(one.password for one in self.users),
            self.first_boot,
        ]
        return tuple(dict.fromkeys(one.read() for one in contents if one and one.secret))


NOTHING = Spec()
CLOUD_CONFIG, SCRIPT, IGNITION, OTHER = "cloud-config", "script", "Ignition", "other"


def first_boot_kind(content: Content) -> str:
    """What a first boot's text is, as cloud-init tells them apart: by how it begins."""
    text = content.read()
    if text.splitlines()[:1] == [b"#cloud-config"]:
        return CLOUD_CONFIG
    if text.startswith(b"#!"):
        return SCRIPT
    return IGNITION if text.lstrip().startswith(b"{") and b'"ignition"' in text else OTHER
