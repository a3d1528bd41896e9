"""The plan: what a build does, top to bottom, as steps that are plain values.

A step's id covers everything before it, the signed state of the archives included: the same id means the same tree.
Nothing random and no path of this machine is in a step.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from build.archive import Release
from build.base import Base, UnpackBase
from build.bls import WriteMenu
from build.configure import AddAdministrator, EnableServices, NameMachine, Seal, SetAgentOptions, WriteFiles
from build.families import State, family, whole
from build.filesystems import ClearMountPoint, FillEsp, FillRoot, PartitionDisk, StageEsp, WriteFstab
from build.grub import ConfigureGrub, InstallBiosModules, InstallUefiModules, WriteBiosLoader, keeps_loaders_on_esp
from build.initramfs import MakeInitramfs
from build.layout import Layout, Whole, lay_out
from build.offered import Proof
from build.selinux import ComputeLabels, WriteLabels
from build.spec import NOTHING, Spec
from build.spec import steps as spec_steps
from build.workspace import Workspace
from distros.recipe import Grub, Provisioning, Recipe, TextFile

GENERATIONS = {"1": (1,), "2": (2,), "both": (1, 2)}


class Step(Protocol):
    """One step: a value that can do itself, twice with the same result as once."""

    def describe(self) -> str:
        """What it does, for people: a title of at most 100 characters, and lines of details below it."""

    def run(self, work: Workspace) -> None:
        """Do it. Must end in the same state when an earlier attempt was cut off."""


@dataclass(frozen=True)
class Choices:
    """What the caller chose: generation "1", "2" or "both", kind, provisioner, kernel, and the disk's size in bytes.

    `base` and `base_sha256` are name and digest of the image that it is built on, if any, `base_proof` what vouches for
    one that its distribution published. `hostname`, `admin` and
    `ssh_key` (a public key line) belong to a specialized image alone. `name` tells the image from others of its recipe;
    `spec` is what the user adds to the recipe.
    """

    generation: str
    kind: str
    provisioner: str
    kernel: str
    size: int
    hostname: str = ""
    admin: str = ""
    ssh_key: str = ""
    base: str = ""
    base_sha256: str = ""
    base_proof: Proof | None = None
    name: str = ""
    spec: Spec = NOTHING


@dataclass(frozen=True)
class BuildPlan:
    """A build that could be run: the image's name, its layout and its steps."""

    image: str
    layout: Layout | Whole
    steps: tuple[Step, ...]
    epoch: int

    @property
    def id(self) -> str:
        """The last step's id, which stands for the whole build."""
        return (*ids(self.steps, self.epoch),)[-1]


def image_name(recipe: Recipe, choices: Choices) -> str:
    """The name of the image's folder: what tells it apart from its siblings, and no more."""
    kernel = f"-{choices.kernel}" if choices.kernel != next(iter(recipe.kernels)) else ""
    kind = "-specialized" if choices.kind == "specialized" else ""
    provisioner = f"-{choices.provisioner}" if choices.provisioner != next(iter(recipe.provisioning)) else ""
    base = f"-on-{choices.base}" if choices.base else ""
    name = f"-{choices.name}" if choices.name else ""
    return f"{recipe.name}{name}{base}{kernel}-gen{choices.generation}{kind}{provisioner}-{recipe.arch}"


def ids(steps: Iterable[Step], epoch: int) -> Iterator[str]:
    """Each step's id, hexadecimal: a digest over it, everything before it, and the code that does it."""
    chain = hashlib.sha256(f"{epoch} {_code()}".encode())
    for step in steps:
        chain.update(repr(step).encode())
        yield chain.hexdigest()


@cache
def _code() -> str:
    """A digest of this package's sources: an image of another Kiln is another image."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def plan(
    recipe: Recipe,
    choices: Choices,
    states: tuple[State, ...],
    epoch: int,
    tools: Release | None = None,
    first: Step | None = None,
) -> BuildPlan:
    """The whole build, in the order in which it happens. `tools` is the state of the archive that the tools come from.

    `first` makes the tree in place of what the recipe's family does with the states, as a lock's step.

    Raises CallerError where the size does not fit.
    """
    image = image_name(recipe, choices)
    if published := whole(recipe):
        steps = published.steps(recipe, image, choices.size, choices.spec, states)
        return BuildPlan(image, Whole(choices.size), steps, epoch)
    assert recipe.grub
    layout = lay_out(image, choices.generation, choices.size, recipe.esp_mib, recipe.arch)
    steps = (
        *((first,) if first else _tree(recipe, choices, states, tools)),
        *_configuration(recipe, choices),
        *_administrator(recipe, choices),
        *spec_steps.steps(choices.spec),
        *_initramfs(recipe, choices),
        WriteFstab(layout),
        _menu(recipe, recipe.grub, choices, layout),
        *((InstallBiosModules(recipe.grub, layout),) if layout.boots_bios else ()),
        *((InstallUefiModules(recipe.grub),) if layout.esp and recipe.grub.uefi_modules else ()),
        Seal(),
        *((NameMachine(choices.hostname),) if choices.hostname else ()),
        *((StageEsp(layout, recipe.grub),) if layout.esp else ()),
        *((ClearMountPoint(),) if choices.base or keeps_loaders_on_esp(recipe.grub) else ()),
        *((ComputeLabels(recipe.selinux),) if recipe.selinux else ()),
        PartitionDisk(layout),
        FillRoot(layout, recipe.ext4_features),
        *((WriteLabels(layout),) if recipe.selinux else ()),
        *((FillEsp(layout),) if layout.esp else ()),
        *((WriteBiosLoader(layout),) if layout.boots_bios else ()),
    )
    return BuildPlan(image, layout, steps, epoch)


def _tree(recipe: Recipe, choices: Choices, states: tuple[State, ...], tools: Release | None) -> tuple[Step, ...]:
    """The steps that make the tree: of packages, or of an image's files and what they lack."""
    names = package_names(recipe, choices)
    if not choices.base:
        return (family(recipe).packages(recipe, names, states),)
    assert tools
    identity = recipe.os_ids or (recipe.distro,)
    found = Base(choices.base, choices.base_sha256)
    unpack = UnpackBase(found, recipe.distro, recipe.release, identity, tools, choices.base_proof)
    return (unpack, family(recipe).additions(recipe, names, states))


def package_names(recipe: Recipe, choices: Choices) -> tuple[str, ...]:
    """The packages that an image asks for by name."""
    return (
        *recipe.kernels[choices.kernel].packages,
        *recipe.packages,
        *recipe.boot_packages[choices.generation],
        *recipe.provisioning[choices.provisioner].packages,
    )


def _configuration(recipe: Recipe, choices: Choices) -> tuple[Step, ...]:
    parts = _parts(recipe, choices)
    provisioners = parts[0].only_generalized if choices.kind == "generalized" else ()
    files = {file.path: file for file in (*recipe.files, *(file for part in parts for file in part.files))}
    services = dict.fromkeys((*recipe.services, *(unit for part in parts for unit in part.services), *provisioners))
    settings = dict(pair for part in parts for pair in part.agent_settings)
    has_agent = any(part.agent_settings for part in parts[:1])
    return (
        WriteFiles(tuple(files.values())),
        *((SetAgentOptions(tuple(settings.items())),) if has_agent else ()),
        EnableServices(tuple(services)),
    )


def _initramfs(recipe: Recipe, choices: Choices) -> tuple[Step, ...]:
    """Where packages' own scripts do not make it."""
    made = recipe.initramfs
    if made is None or made.tool != "dracut":
        return ()
    return (MakeInitramfs(made, recipe.kernels[choices.kernel].marks),)


def _menu(recipe: Recipe, grub: Grub, choices: Choices, layout: Layout) -> Step:
    if grub.menu != "bls":
        return ConfigureGrub(grub, _with_cmdline(recipe), layout)
    assert recipe.initramfs
    marks = recipe.kernels[choices.kernel].marks
    return WriteMenu(grub, _with_cmdline(recipe), recipe.cmdline, recipe.initramfs, marks, layout)


def _parts(recipe: Recipe, choices: Choices) -> tuple[Provisioning, ...]:
    """How the image is provisioned: by its provisioner, which a specialized image then switches off."""
    chosen = recipe.provisioning[choices.provisioner]
    return (chosen, recipe.specialized) if choices.kind == "specialized" else (chosen,)


def _administrator(recipe: Recipe, choices: Choices) -> tuple[Step, ...]:
    if not choices.admin or choices.admin in (user.name for user in choices.spec.users):
        return ()
    return (AddAdministrator(choices.admin, choices.ssh_key, recipe.admin_groups),)


def _with_cmdline(recipe: Recipe) -> TextFile:
    defaults = recipe.grub_defaults
    assert defaults
    return TextFile(defaults.path, defaults.text.replace("{cmdline}", " ".join(recipe.cmdline)), defaults.mode)
