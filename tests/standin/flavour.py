"""A distribution's own packages over the pool: what differs from one recipe to the next, derived from the recipe.

Release, kernel, loaders, accounts and settings bear the recipe's names and lie at its paths; names that only differ
become packages which require the pool's; names for which the pool has nothing become packages without content.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from build.workspace import Workspace
from distros.recipe import Recipe
from tests.standin import kernel, loaders, rpm
from tests.standin.base import CONTROL, LISTS, Base
from tests.standin.carve import ACCOUNT_FILES, ACCOUNTS, FOLDERS, Entry, Names, carve, entries
from tests.standin.dpkg import Deb, debs, owners
from tests.standin.parcel import Parcel
from tests.standin.pool import SYSTEM_RELEASE
from tests.standin.rpm import RELEASE_MARK, Package

LABEL = "stand-in"
Parcels = Callable[[], Parcel]
"""Gives an empty parcel over the build root."""
Own = Callable[[Recipe, Base, Workspace, Parcels], Iterable[tuple[Package, str]]]
"""Makes packages, each with what is to be told of it."""
UNIT = """\
[Unit]
Description=Stands in for {name}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true

{install}"""
TIMER = "[Unit]\nDescription=Stands in for {name}\n\n[Timer]\nOnBootSec=1d\n\n{install}"
INSTALL = "[Install]\nWantedBy={target}\n"


def nothing(_recipe: Recipe, _base: Base, _work: Workspace, _parcel: Parcels) -> tuple[()]:
    """The packages that a family needs besides, where it needs none."""
    return ()


@dataclass(frozen=True)
class Flavour:
    """What a family of distributions has in common.

    `like` is os-release's ID_LIKE, `cloud` the class of cloud-init; `names` tell for packages of the family which of
    the pool's they require; `units` are texts of units that do something.
    `kernel_mark` is in the versions of its kernels where the recipe names no mark, with the release for {release}.
    `kernel_core` is appended to the name of a kernel for the package that holds it; `grub_modules`, `grub_tools`,
    `grub_efi` and `shim` are the packages of the loaders' parts. `own` makes what packages the family needs besides,
    each with what is to be told of it.
    """

    like: str
    cloud: str
    names: Mapping[str, tuple[str, ...]]
    kernel_core: str
    grub_modules: str
    grub_tools: str
    grub_efi: str
    shim: str
    kernel_mark: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    own: Own = nothing


@dataclass
class Made:
    """The packages of a recipe as they come to be, and what is to be told of them."""

    packages: dict[str, Package] = field(default_factory=dict)
    repacked: list[tuple[str, str]] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)

    def add(self, package: Package, told: str) -> None:
        """A package that has or requires something."""
        self.packages[package.name] = package
        self.repacked.append((package.name, told))


def wanted(recipe: Recipe) -> tuple[str, ...]:
    """Every package name that any variant of the recipe asks for."""
    found = [
        *recipe.packages,
        *(name for kernel in recipe.kernels.values() for name in kernel.packages),
        *(name for names in recipe.boot_packages.values() for name in names),
        *(name for way in (*recipe.provisioning.values(), recipe.specialized) for name in way.packages),
    ]
    return tuple(dict.fromkeys(found))


def units(recipe: Recipe) -> tuple[str, ...]:
    """Every unit that any variant of the recipe enables and does not write itself."""
    ways = (*recipe.provisioning.values(), recipe.specialized)
    own = {Path(file.path).name for file in (*recipe.files, *(file for way in ways for file in way.files))}
    named = (*recipe.services, *(unit for way in ways for unit in (*way.services, *way.only_generalized)))
    return tuple(unit for unit in dict.fromkeys(named) if unit not in own)


def os_release(recipe: Recipe, flavour: Flavour) -> str:
    """The text of os-release: the distribution's words, marked as a stand-in."""
    fields = {
        "NAME": recipe.title,
        "ID": recipe.os_ids[0] if recipe.os_ids else recipe.distro,
        "ID_LIKE": flavour.like,
        "VERSION_ID": recipe.release,
        "PLATFORM_ID": f"platform:el{recipe.release}",
        "PRETTY_NAME": f"{recipe.title} {LABEL} (Debian inside)",
    }
    if recipe.family != "dnf":
        del fields["PLATFORM_ID"]
    return "".join(f'{name}="{value}"\n' for name, value in fields.items())


def packages(recipe: Recipe, flavour: Flavour, base: Base, work: Workspace, pool: frozenset[str]) -> Made:
    """The recipe's packages, their files in the workspace's folder `root`."""
    made = Made()
    root = work.file("root")
    held = carve(base.tree, owners(base.tree, base.tree / LISTS))
    shared = frozenset(entry.path for entry in held[FOLDERS] if entry.kind == "folder")

    def parcel() -> Parcel:
        return Parcel(root, shared)

    _release(recipe, flavour, base, parcel(), made)
    _accounts(recipe, base, parcel(), made)
    _kernels(recipe, flavour, base, work, parcel, made)
    if recipe.grub:
        _loaders(recipe, flavour, base, work, parcel, held, made)
    for package, told in flavour.own(recipe, base, work, parcel):
        made.add(package, told)
    _others(recipe, flavour, pool, made)
    return made


def _release(recipe: Recipe, flavour: Flavour, base: Base, parcel: Parcel, made: Made) -> None:
    """Release package: who it is, presets, rpm's settings, cloud-init's class, and units that only it has."""
    assert recipe.rpm
    name = next((one for one in wanted(recipe) if one.lower().endswith("-release")), "standin-release")
    pretty = f"{recipe.title} {LABEL}\n"
    parcel.write("/usr/lib/os-release", os_release(recipe, flavour))
    parcel.link("/etc/os-release", "../usr/lib/os-release")
    for path in ("/etc/system-release", "/etc/issue"):
        parcel.write(path, pretty)
    parcel.write("/usr/lib/systemd/system-preset/99-default-disable.preset", "disable *\n")
    parcel.write("/usr/lib/systemd/system-preset/90-default.preset", _preset())
    settings = f"%_dbpath {recipe.rpm.database_path}\n%_db_backend {recipe.rpm.database}\n"
    parcel.write("/usr/lib/rpm/macros.d/macros.zz-standin", settings)
    parcel.write("/etc/cloud/cloud.cfg", cloud_config((base.tree / "etc/cloud/cloud.cfg").read_text(), flavour.cloud))
    for unit in CLOUD_UNITS:
        shipped = (base.tree / "usr/lib/systemd/system" / unit).read_text()
        parcel.write(f"/etc/systemd/system/{unit}", cloud_unit(shipped))
    parcel.write("/etc/sudoers.d/50-standin-wheel", "%wheel ALL=(ALL) ALL\n", 0o440)
    for unit, text in _missing_units(recipe, flavour, base):
        parcel.write(f"/usr/lib/systemd/system/{unit}", text)
        made.repacked.append((name, f"has a unit {unit} that only stands in for the distribution's"))
    version = re.sub(r"[^0-9.]", "", recipe.release) or "1"
    made.add(
        Package(
            name,
            version,
            f"1.{RELEASE_MARK}",
            requires=(FOLDERS,),
            provides=(f"{SYSTEM_RELEASE} = {version}",),
            files=parcel.entries,
        ),
        "os-release with this mark, presets, rpm's and cloud-init's settings, sudo for wheel",
    )


def _preset() -> str:
    units = ("NetworkManager", "NetworkManager-dispatcher", "sshd", "chronyd", "rsyslog", "waagent")
    return "".join(f"enable {unit}.service\n" for unit in units) + "enable dbus.socket\nenable getty@.service\n"


def cloud_config(text: str, distro: str) -> str:
    """Debian's cloud.cfg with the settings that the distribution's own package of cloud-init has."""
    head = text.partition("system_info:")[0]
    renderers = "network-manager" if distro == "rhel" else "network-manager, sysconfig"
    return f"""{head}system_info:
  distro: {distro}
  default_user:
    name: cloud-user
    lock_passwd: true
    gecos: Cloud user
    groups: [adm, systemd-journal]
    sudo: ["ALL=(ALL) NOPASSWD:ALL"]
    shell: /bin/bash
  network:
    renderers: [{renderers}]
  paths:
    cloud_dir: /var/lib/cloud
    templates_dir: /etc/cloud/templates
  ssh_svcname: sshd
"""


CLOUD_UNITS = ("cloud-init-main.service", "cloud-init-local.service", "cloud-init-network.service")
DEBIANS_ORDER = ("DefaultDependencies=no", "Before=sysinit.target", "After=networking.service")


def cloud_unit(text: str) -> str:
    """Debian's unit of cloud-init in the order that RHEL's and SUSE's have: the name is set through D-Bus there.

    So cloud-init's own template of these units has it for that family: behind D-Bus, around NetworkManager.
    """
    side = "Before" if "Before=network-pre.target" in text else "After"
    order = "Requires=dbus.socket\nAfter=dbus.socket\n"
    if "cloud-init/share" in text:
        order += f"{side}=NetworkManager.service\n"
        order += "After=NetworkManager-wait-online.service\n" if side == "After" else ""
    kept = [line for line in text.splitlines() if line not in DEBIANS_ORDER]
    return "\n".join(kept).replace("[Unit]\n", f"[Unit]\n{order}", 1) + "\n"


def _missing_units(recipe: Recipe, flavour: Flavour, base: Base) -> Iterable[tuple[str, str]]:
    there = {*(path.name for path in (base.tree / "usr/lib/systemd/system").iterdir()), *RENAMED}
    missing = [unit for unit in units(recipe) if unit not in there]
    for unit in missing:
        name, _, kind = unit.rpartition(".")
        install = INSTALL.format(target="timers.target" if kind == "timer" else "multi-user.target")
        service = flavour.units.get(name, UNIT)
        if kind == "timer":
            yield unit, TIMER.format(name=unit, install=install)
            yield f"{name}.service", service.format(name=f"{name}.service", install="")
        else:
            yield unit, service.format(name=unit, install=install)


RENAMED = ("sshd.service", "chronyd.service", "waagent.service")


def _accounts(recipe: Recipe, base: Base, parcel: Parcel, made: Made) -> None:
    """Debian's accounts, and the groups that the recipe's administrators are to be in."""
    groups = tuple(dict.fromkeys(("wheel", *recipe.admin_groups)))
    for path in ACCOUNT_FILES:
        text = (base.tree / path.lstrip("/")).read_text()
        if path in ("/etc/group", "/etc/gshadow"):
            text = with_groups(text, groups, "x:{id}:" if path == "/etc/group" else "!::")
        parcel.write(path, text, 0o644 if path in ("/etc/passwd", "/etc/group") else 0)
    made.add(Package(ACCOUNTS, files=parcel.entries), f"Debian's accounts and the groups {', '.join(groups)}")


def with_groups(text: str, names: Iterable[str], rest: str) -> str:
    """A group file with these groups as well; `rest` is a line's end, {id} in it a number that is free."""
    present = [line.split(":") for line in text.splitlines()]
    missing = [name for name in names if name not in {row[0] for row in present}]
    lines = (f"{name}:{rest.format(id=10 + 880 + number)}\n" for number, name in enumerate(missing))
    return text + "".join(lines)


def _kernels(recipe: Recipe, flavour: Flavour, base: Base, work: Workspace, parcel: Parcels, made: Made) -> None:
    (folder,) = (base.tree / "usr/lib/modules").iterdir()
    for one in recipe.kernels.values():
        mark = flavour.kernel_mark.format(release=recipe.release)
        name = kernel.name_for(folder.name, one.marks or ((mark,) if mark else ()))
        first = one.packages[0]
        core = first if first.endswith(flavour.kernel_core) else f"{first}{flavour.kernel_core}"
        own = parcel()
        _kernel_files(own, work, base, folder, name)
        version, release = rpm.split_version(name)
        what = f"Debian's kernel {folder.name}" + (f" called {name}" if name != folder.name else "")
        provides = ("installonlypkg(kernel)", f"kernel-uname-r = {version}")
        made.add(Package(core, version, release, (FOLDERS, "kmod"), provides, own.entries), what)
        meta = dict.fromkeys((*one.packages, first, f"{first.removesuffix(flavour.kernel_core)}-modules"))
        for other in meta if flavour.kernel_core else one.packages:
            if other != core:
                made.add(Package(other, version, release, (core,)), f"requires {core}, which has all of it")


def _kernel_files(parcel: Parcel, work: Workspace, base: Base, folder: Path, name: str) -> None:
    """Modules and kernel in one folder, as rpm distributions have them."""
    there = f"/usr/lib/modules/{name}"
    for entry in _below(folder, Names.of(base.tree)):
        parcel.copy(f"{there}{entry.path}", folder / entry.path.lstrip("/"), entry)
    boot = base.tree / "boot"
    parcel.copy(f"{there}/vmlinuz", kernel.image(work, boot / f"vmlinuz-{folder.name}", folder.name, name))
    for part in ("config", "System.map"):
        parcel.copy(f"{there}/{part}", boot / f"{part}-{folder.name}")


def _below(folder: Path, names: Names) -> Iterable[Entry]:
    return (entry for entry in entries(folder, names) if entry.kind != "folder")


def _loaders(
    recipe: Recipe,
    flavour: Flavour,
    base: Base,
    work: Workspace,
    parcel: Parcels,
    held: Mapping[str, tuple[Entry, ...]],
    made: Made,
) -> None:
    grub = recipe.grub
    assert grub
    found: dict[str, Deb] = debs(base.tree, base.tree / CONTROL)
    version, release = rpm.split_version(found["grub2-common"].version)
    tools, modules = parcel(), parcel()
    loaders.tools(tools, base.tree, grub, held["grub2-common"])
    if grub.menu == "bls":
        tools.link("/loader", "boot/loader")
        made.repacked.append((flavour.grub_tools, "a link /loader, where upstream's GRUB looks for boot entries"))
    loaders.bios_modules(modules, base.tree, grub, work.file("i386-pc"))
    libraries = ("gettext-base", "libdevmapper1.02.1", "libefiboot1t64", "libefivar1t64", "libfreetype6")
    needed = (FOLDERS, *(name for name in libraries if name in found))
    parts: dict[str, tuple[Parcel, tuple[str, ...]]] = {
        flavour.grub_tools: (tools, needed),
        flavour.grub_modules: (modules, (FOLDERS,)),
    }
    told = {flavour.grub_tools: "GRUB's programs under these names too", flavour.grub_modules: "blsuki named blscfg"}
    files = loaders.efi_files(work, base.tree, grub)
    for name, kind in ((flavour.grub_efi, "grub"), (flavour.shim, "shim")):
        efi = parcel()
        for path, content in files[kind].items():
            efi.write(path, content, 0o700 if path.startswith("/boot/efi/") else 0o644)
        parts[name] = (efi, (FOLDERS,))
        told[name] = (
            f"looks in {loaders.prefix(grub) or 'the folder where it starts'}, not signed"
            if kind == "grub"
            else "Debian's"
        )
    for name, (one, requires) in parts.items():
        made.add(
            Package(name, version, release, requires=requires, files=one.entries), f"{told[name]} (Debian's {version})"
        )


def _others(recipe: Recipe, flavour: Flavour, pool: frozenset[str], made: Made) -> None:
    """What is left of the names that the recipe asks for."""
    needed = [name for name in (*wanted(recipe), *flavour.names) if name not in pool and name not in made.packages]
    for name in dict.fromkeys(needed):
        others = flavour.names.get(name)
        if others is None:
            made.packages[name] = Package(name, requires=(FOLDERS,))
            made.empty.append(name)
        else:
            missing = [one for one in others if one not in pool and one not in made.packages]
            assert not missing, f"{name} is to require {missing}, which the pool does not have"
            made.add(Package(name, requires=(FOLDERS, *others)), f"requires {', '.join(others) or 'nothing'}")
