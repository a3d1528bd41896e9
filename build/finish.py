"""The end of a build: the footer, the digest, the manifest, and the folder under its final name."""

import os
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from build import cache, sbom
from build.bill import Bill, components, distribution
from build.command import run
from build.digest import content_digest, disk_id
from build.errors import CallerError, MachineError
from build.families import family
from build.families.locked import lockable
from build.initramfs import chosen_kernel
from build.lock import LockedPackage
from build.manifest import DISK, Manifest, Package
from build.order import Order
from build.plan import GENERATIONS
from build.shelf import fresh_folder, place, put
from build.vhd import LENGTH, append_footer
from build.workspace import Workspace
from distros import lifetime

TOOLS = {
    "mmdebstrap": ("mmdebstrap", "--version"),
    "tar": ("tar", "--version"),
}
TOOLS_TREE = {"mke2fs": ("/usr/sbin/mke2fs", "-V"), "mtools": ("/usr/bin/mtools", "--version")}


def deliver(order: Order, work: Workspace, durations: dict[str, float], log: Path) -> None:
    """Make the disk a VHD and put it with its manifest and log into the order's folder."""
    recipe, choices, todo, folder = order.recipe, order.choices, order.plan, order.folder
    digest = content_digest(work.disk, todo.layout.size)
    if work.disk.stat().st_size != todo.layout.size + LENGTH:
        os.truncate(work.disk, todo.layout.size)
        append_footer(work.disk, disk_id(digest), todo.epoch)
    manifest = Manifest(
        name=todo.image,
        distro=recipe.distro,
        release=recipe.release,
        arch=recipe.arch,
        generations=GENERATIONS[choices.generation],
        kind=choices.kind,
        provisioner=choices.provisioner,
        hostname=choices.hostname,
        admin=choices.admin,
        digest=digest,
        plan_id=todo.id,
        source_date_epoch=todo.epoch,
        kernel=chosen_kernel(work, recipe.kernels[choices.kernel].marks),
        root_uuid=todo.layout.root_uuid,
        cmdline=" ".join(recipe.cmdline),
        sizes=_sizes(work.disk, todo.layout.size),
        archives=tuple(
            {"url": order.public(one.url), "suite": one.suite, "sha256": one.sha256} for one in order.states
        ),
        packages=tuple(Package(*package) for package in family(recipe).installed(recipe, work)),
        recipe=asdict(recipe),
        durations=durations,
        tools=_versions(work),
        normalized=tuple(path for pattern in recipe.normalized for path in work.glob(pattern)),
        warnings=(*lifetime.warnings(recipe, datetime.now(UTC).date()), *work.warnings()),
    )
    with fresh_folder(folder) as fresh:
        manifest.save(fresh)
        sbom.write(_bill(order, work, manifest), fresh)
        shutil.copyfile(log, fresh / "build.log")
        place(work.disk, fresh / DISK)
        put(fresh, folder)


def _sizes(disk: Path, virtual: int) -> dict[str, int]:
    return {"virtual": virtual, "file": virtual + LENGTH, "allocated": disk.stat().st_blocks * 512}


def _versions(work: Workspace) -> dict[str, str]:
    """First lines of what the tools say of themselves."""
    found = {name: run(*argv).stdout.splitlines()[0] for name, argv in TOOLS.items()}
    return found | {name: work.tool(*argv).stdout.splitlines()[0] for name, argv in TOOLS_TREE.items()}


def _bill(order: Order, work: Workspace, manifest: Manifest) -> Bill:
    found = components(work, order.recipe.rpm, _digests(order, manifest))
    title = order.recipe.title
    return Bill(manifest.name, title, manifest.digest, manifest.source_date_epoch, distribution(work), found)


def _digests(order: Order, manifest: Manifest) -> dict[tuple[str, str, str], str]:
    """The digests of the packages' files by name, version and architecture, as far as anything here tells them."""
    installed = tuple((one.name, one.version, one.arch) for one in manifest.packages)
    try:
        packages = order.lock.packages if order.lock else _listed(order, installed)
    except (CallerError, MachineError):  # a family without such lists, or packages of an image that was built on
        return {}
    return {(one.name, one.version, one.arch): one.sha256 for one in packages}


def _listed(order: Order, installed: tuple[tuple[str, str, str], ...]) -> tuple[LockedPackage, ...]:
    return lockable(order.recipe).lock_packages(cache.folder(), order.states, installed)
