"""What this machine can do for Kiln, and the remedy for each lack. It looks and tries; it changes nothing."""

import os
import platform
import pwd
import re
import shutil
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from build.command import run, search_path
from build.errors import KilnError
from distros import Recipe, all_recipes
from distros.debian import TOOLS
from distros.recipe import ARCHITECTURES, Archive, Repository

PACKAGES = Path(__file__).resolve().parent.parent / "system-packages"
INSTALL = "apt-get install --yes --no-install-recommends"
APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
TUN = Path("/dev/net/tun")
ENOUGH_IDS = 65536
ENOUGH_SPACE = 6 << 30
"""Bytes that a tools tree, a package cache, a cached tree and an image take together, rounded up."""
ADVICE = ("kiln", "aarch64", "playground")
"""Groups whose lack stops nobody: Python is there, or this would not run; few boot images for aarch64 or need a pretend
Azure."""
REGISTER = Path("/proc/sys/fs/binfmt_misc")
PATIENCE = 5.0
"""Seconds that an archive gets to answer."""
SUBSCRIBERS = {
    "entitlement": "who give --entitlement DIR or --mirror URL",
    "scc": "who give --scc-credentials or --rmt",
}
WAYS_ON = "build --proxy URL or --mirror URL"


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `needed_for` is the task that it stops where it is not ok; without one it is advice."""

    topic: str
    ok: bool
    detail: str
    remedy: str = ""
    needed_for: str = ""

    @property
    def text(self) -> str:
        """The finding as a person reads it."""
        mark = "ok   " if self.ok else "LACKS" if self.needed_for else "note "
        return f"{mark} {self.topic}: {self.detail}" + (f"\n      remedy: {self.remedy}" if self.remedy else "")

    def as_dict(self) -> dict[str, object]:
        """The finding as `--json` prints it."""
        return asdict(self)


def examine(output: Path) -> list[Finding]:
    """Everything that building and verifying need of this machine; `output` is where images would go."""
    programs = examine_programs(read_packages(PACKAGES))
    rights = [examine_namespaces(), examine_sandbox(), examine_subordinate_ids(), examine_tun(), examine_accelerator()]
    rights += examine_foreign()
    space = examine_space({"cache": cache_folder(), "output": output})
    return [*programs, *rights, *space, *examine_archives(all_recipes())]


def able(findings: Iterable[Finding]) -> bool:
    """Whether building and verifying are possible."""
    return all(one.ok or one.needed_for not in ("build", "verify") for one in findings)


def read_packages(file: Path) -> Iterator[tuple[str, str, str]]:
    """Group, package and sign of each line of `system-packages`, whose head describes them."""
    for line in file.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            group, package, sign = line.split()
            yield group, package, sign


def examine_programs(packages: Iterable[tuple[str, str, str]]) -> Iterator[Finding]:
    """One finding a group: whether the signs of all its packages are there."""
    missing: dict[str, list[tuple[str, str]]] = {}
    for group, package, sign in packages:
        missing.setdefault(group, []).extend([] if _present(sign) else [(package, sign)])
    for group, lacks in missing.items():
        detail = f"missing: {', '.join(sign for _, sign in lacks)}" if lacks else "all there"
        remedy = f"as root: {INSTALL} {' '.join(package.split('|')[0] for package, _ in lacks)}" if lacks else ""
        yield Finding(f"programs for {group}", not lacks, detail, remedy, "" if group in ADVICE else group)


def _present(sign: str) -> bool:
    if sign.startswith("/"):
        return any(Path("/").glob(sign.lstrip("/")))
    return shutil.which(sign, path=search_path()) is not None


def examine_namespaces() -> Finding:
    """Whether a user namespace with subordinate ids and mounts works, tried by making one; root needs none."""
    topic = "user namespaces"
    if os.geteuid() == 0:
        return Finding(topic, True, "not needed: this is root")
    try:
        run("unshare", "--user", "--map-root-user", "--map-auto", "--mount", "true")
    except KilnError as refusal:
        detail = refusal.what.replace("\n", " ")
        return Finding(topic, False, detail, _namespace_remedy(), "build")
    return Finding(topic, True, "one with subordinate ids and mounts was made")


def _namespace_remedy() -> str:
    if APPARMOR.exists() and APPARMOR.read_text().strip() == "1":
        return (
            f"AppArmor forbids them to ordinary users: as root, `sysctl -w kernel.{APPARMOR.name}=0`, or build as root"
        )
    return (
        "as root: `sysctl -w user.max_user_namespaces=15000 kernel.unprivileged_userns_clone=1`, subordinate ids "
        "(below), or build as root"
    )


def examine_sandbox() -> Finding:
    """Whether the sealed namespace of a run can be made: root needs capabilities for it too."""
    from harness.sandbox import require_namespaces

    try:
        require_namespaces()
    except KilnError as refusal:
        return Finding("sealed namespace", False, refusal.what.replace("\n", " "), refusal.hint, "verify")
    return Finding("sealed namespace", True, "it can be made")


def examine_subordinate_ids() -> Finding:
    """Whether this user has a range of ids for the owners of an image's files (subuid(5)); root needs none."""
    topic = "subordinate ids"
    if os.geteuid() == 0:
        return Finding(topic, True, "not needed: this is root")
    name = pwd.getpwuid(os.geteuid()).pw_name
    counts = {file: _subordinate_ids(Path(file), name) for file in ("/etc/subuid", "/etc/subgid")}
    detail = ", ".join(f"{count} in {file}" for file, count in counts.items())
    if min(counts.values()) >= ENOUGH_IDS:
        return Finding(topic, True, detail)
    remedy = f"as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}"
    return Finding(topic, False, f"{detail}; {ENOUGH_IDS} are needed", remedy, "build")


def _subordinate_ids(file: Path, name: str) -> int:
    """How many ids the file gives this user, by name or by number."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    ranges = [line.split(":") for line in lines if line.count(":") == 2]
    return sum(int(count) for owner, _, count in ranges if owner in (name, str(os.geteuid())))


def examine_tun() -> Finding:
    """Whether taps can be made; where they cannot, Kiln relays the guest's frames itself."""
    topic = str(TUN)
    try:
        os.close(os.open(TUN, os.O_RDWR))
    except OSError as refusal:
        remedy = "none needed: frames are relayed, a little slower"
        return Finding(topic, False, f"cannot be opened: {refusal.strerror}", remedy)
    return Finding(topic, True, "can be opened")


def examine_accelerator() -> Finding:
    """Whether KVM really runs a guest, tried by booting one."""
    from harness.accelerator import choose_accelerator

    try:
        chosen = choose_accelerator()
    except KilnError as refusal:
        return Finding("accelerator", False, refusal.what, refusal.hint)
    if chosen.name == "kvm":
        return Finding("accelerator", True, "KVM runs a guest")
    remedy = "none needed: guests run emulated, many times slower; a machine with KVM, and the right to /dev/kvm, helps"
    return Finding("accelerator", False, f"{chosen.name}: {chosen.why}", remedy)


def examine_foreign() -> list[Finding]:
    """Whether images for other processors can be built: packages' scripts run by an emulator that the kernel calls.

    Either this machine is set up so, or the kernel has a register of such programs in each user namespace (Linux 6.7).
    """
    mount = ("mount", "-t", "binfmt_misc", "binfmt_misc", str(REGISTER))
    try:
        run("unshare", "--user", "--map-root-user", "--mount", *mount)
        own = ""
    except KilnError as refusal:
        own = refusal.what.strip().splitlines()[-1]
    return [_foreign(arch, own) for arch in ARCHITECTURES if arch != platform.machine()]


def _foreign(arch: str, refusal: str) -> Finding:
    topic, entry = f"building for {arch}", REGISTER / f"qemu-{arch}"
    if entry.is_file() and re.search(r"^flags: \w*F", entry.read_text(encoding="utf-8"), re.MULTILINE):
        return Finding(topic, True, "this machine runs its programs, emulated")
    if not refusal:
        return Finding(topic, True, "an emulator of Kiln's own can be registered")
    remedy = "Linux 6.7 or newer; before that, as root: apt-get install qemu-user-static binfmt-support"
    return Finding(topic, False, f"its programs do not run here: {refusal}", remedy)


def cache_folder() -> Path:
    """Where Kiln's caches go (the rule is build.cache's)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("KILN_CACHE") or Path(base, "kiln"))


def examine_space(folders: dict[str, Path]) -> Iterator[Finding]:
    """Whether each folder, or the nearest above it that exists, can be written and has room for a build."""
    for name, folder in folders.items():
        there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        free = shutil.disk_usage(there).free
        detail = f"{free / (1 << 30):.1f} GiB free in {folder}"
        remedy = "" if free >= ENOUGH_SPACE else f"make room: {ENOUGH_SPACE >> 30} GiB are enough"
        if not os.access(there, os.W_OK):
            detail = f"{there} cannot be written"
            remedy = "name another folder in KILN_CACHE" if name == "cache" else "name another folder by --output"
        yield Finding(f"room for {name}", not remedy, detail, remedy, "build")


def examine_archives(recipes: Iterable[Recipe], answer: Callable[[str], None] | None = None) -> list[Finding]:
    """Whether the archive of each release answers, and that of the tools, which every build needs; all asked at once.

    A release's archive is advice: whoever builds another one, or from a mirror, does without.
    """
    ask = answer or fetch_head
    tools = Place("the tools tree (debian)", addresses_of(TOOLS, "x86_64"), needed_for="build")
    with ThreadPoolExecutor(max_workers=32) as pool:
        return list(pool.map(lambda place: examine_place(place, ask), (tools, *places(recipes))))


@dataclass(frozen=True)
class Place:
    """Addresses that stand for the state of what `name` comes from; `access` is what it asks of whoever comes."""

    name: str
    addresses: tuple[str, ...]
    access: str = ""
    needed_for: str = ""


def places(recipes: Iterable[Recipe]) -> Iterator[Place]:
    """One for each release, whatever its architectures: they are in one archive, or beside each other."""
    first: dict[str, Recipe] = {}
    for one in recipes:
        first.setdefault(one.name, one)
    for recipe in first.values():
        addresses = [address for one in recipe.archives for address in addresses_of(one, recipe.arch)]
        addresses += [recipe.image.version or recipe.image.url] if recipe.image else []
        access = next((one.access for one in recipe.archives if isinstance(one, Repository)), "")
        yield Place(recipe.name, tuple(addresses), access)


def addresses_of(archive: Archive | Repository, arch: str) -> tuple[str, ...]:
    """Where an archive's signed state can be had."""
    if isinstance(archive, Archive):
        return tuple(f"{archive.url}/dists/{suite}/InRelease" for suite in archive.suites)
    return (f"{archive.url.replace('{arch}', arch)}/repodata/repomd.xml",)


def examine_place(place: Place, ask: Callable[[str], None]) -> Finding:
    """Whether each of its addresses answers. What is for subscribers alone is not asked: it would refuse."""
    topic = f"archive of {place.name}"
    if place.access:
        return Finding(topic, True, f"not asked: it is for subscribers, {SUBSCRIBERS[place.access]}")
    for address in place.addresses:
        try:
            ask(address)
        except (OSError, ValueError) as refusal:
            remedy = f"look at the network, or name a proxy or a mirror: {WAYS_ON}"
            return Finding(topic, False, f"{address} does not answer: {refusal}", remedy, place.needed_for)
    return Finding(topic, True, "answers")


def fetch_head(address: str) -> None:
    """Read the first bytes of a file. Raises OSError."""
    with urllib.request.urlopen(address, timeout=PATIENCE) as reply:
        reply.read(64)
