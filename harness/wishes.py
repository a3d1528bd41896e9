"""What a caller may wish of the machine that an image is booted on, checked before anything runs."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build.errors import CallerError
from harness.machines import MachineProfile, find_machine, plain
from harness.scenario import SEEDS
from harness.sshkey import load_key
from harness.subject import Subject, generations

DEFAULT_NAME = "kiln-vm"
DEFAULT_ADMIN = "azureuser"
MIB = 1 << 20
DEFAULT_MEMORY, LEAST_MEMORY = 1536 * MIB, 256 * MIB
GROWTH = 4 << 30
"""How much larger than the image a machine's disk is, so that growth shows."""
LARGEST_DATA = 65535
"""Bytes of custom data and of user data that Azure takes."""
HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


@dataclass(frozen=True)
class MachineWishes:
    """What the caller wants of the machine; None is Kiln's own choice. Sizes in bytes, paths of files.

    `machine` is one of `harness.machines`; `generation` alone means that generation's plain one, neither of them every
    generation that the image claims.
    """

    name: str | None = None
    admin: str | None = None
    ssh_key: Path | None = None
    custom_data: Path | None = None
    user_data: Path | None = None
    memory: int | None = None
    disk_size: int | None = None
    machine: str | None = None
    generation: int | None = None


def machines(subject: Subject, wishes: MachineWishes) -> tuple[MachineProfile, ...]:
    """The machines to boot the image on. Raises CallerError where the image does not claim what is wished."""
    named = find_machine(wishes.machine) if wishes.machine else None
    if named and wishes.generation not in (None, named.generation):
        raise CallerError(f"{named.name} is of generation {named.generation}", "say --machine or --gen, not both")
    found = generations(subject, named.generation if named else wishes.generation)
    return (named,) if named else tuple(map(plain, found))


def machine_order(subject: Subject, machine: MachineProfile, seed: str, wishes: MachineWishes) -> dict[str, Any]:
    """What the sealed side must know of the machine, as JSON holds it.

    Raises CallerError where a file cannot be read, a wish cannot be fulfilled, or the image needs what was not given.
    """
    specialized = subject.manifest is not None and subject.manifest.kind == "specialized"
    _check_seed(subject, specialized, seed, wishes)
    _check_names(wishes)
    if machine.secure_boot and seed == "nocloud":
        raise CallerError(
            "NoCloud has QEMU start the kernel itself, which Secure Boot refuses", f"leave out --machine {machine.name}"
        )
    memory = wishes.memory or DEFAULT_MEMORY
    if memory < LEAST_MEMORY:
        raise CallerError(f"{memory} bytes of memory are too few", f"give at least {LEAST_MEMORY // MIB}M")
    return {
        "image": str(subject.disk.path.absolute()),
        "container": str(subject.folder) if subject.manifest else "",
        "name": wishes.name or DEFAULT_NAME,
        "admin": wishes.admin or (subject.manifest.admin if specialized and subject.manifest else DEFAULT_ADMIN),
        "machine": machine.name,
        "seed": seed,
        "ssh_key": _read_key(wishes.ssh_key),
        "custom_data": _read_data("custom data", wishes.custom_data),
        "user_data": _read_data("user data", wishes.user_data),
        "memory_mib": memory // MIB,
        "disk_size": _disk_size(subject, wishes),
    }


def _check_seed(subject: Subject, specialized: bool, seed: str, wishes: MachineWishes) -> None:
    if seed not in SEEDS:
        raise CallerError(f"there is no seed {seed!r}", f"there is: {', '.join(SEEDS)}")
    if specialized and seed == "nocloud":
        raise CallerError("nothing provisions a specialized image", "leave out --seed nocloud")
    if specialized and wishes.ssh_key is None:
        raise CallerError(
            f"{subject.name} is specialized: Azure gives it no key to log in with",
            "name the private key that belongs to the administrator's: --ssh-key FILE",
        )


def _check_names(wishes: MachineWishes) -> None:
    if wishes.name and not HOST_NAME.fullmatch(wishes.name):
        raise CallerError(
            f"{wishes.name!r} is no name for a machine", "at most 63 small letters, digits and, within, hyphens"
        )
    if wishes.admin and not ACCOUNT.fullmatch(wishes.admin):
        raise CallerError(f"{wishes.admin!r} is no name for an administrator", "a small letter, then more or digits")
    if wishes.admin == "root":
        raise CallerError("Azure refuses the administrator root", "name another: --admin")


def _disk_size(subject: Subject, wishes: MachineWishes) -> int:
    size, least = wishes.disk_size or subject.disk.virtual_size + GROWTH, subject.disk.virtual_size
    if size < least:
        raise CallerError(f"a disk of {size} bytes is smaller than the image's {least}", "ask for more: --disk-size")
    if size % MIB:
        raise CallerError(f"{size} bytes of disk is not a whole number of MiB", "give it as 40G, say")
    return size


def _read_data(what: str, path: Path | None) -> str | None:
    data = _read(path)
    if data is not None and len(data) > LARGEST_DATA:
        raise CallerError(
            f"the {what} in {path} is larger than the {LARGEST_DATA} bytes that Azure takes", "shorten it"
        )
    return data


def _read_key(path: Path | None) -> str | None:
    private = _read(path)
    if private is not None:
        load_key(private)
    return private


def read_text(path: Path | None) -> str:
    """A text file's content, "" where none is named. Raises CallerError where it cannot be read."""
    return (_read(path) or "").encode("latin-1").decode("utf-8", "replace")


def _read(path: Path | None) -> str | None:
    """A file's bytes as Latin-1 text, which JSON carries unharmed."""
    if path is None:
        return None
    try:
        return path.expanduser().read_bytes().decode("latin-1")
    except OSError as refusal:
        raise CallerError(f"{path} cannot be read: {refusal.strerror}", "name a file that exists") from None
