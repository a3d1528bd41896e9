"""Real builds: what is in the image, that it is the same each time and for everybody, and what a killed one leaves."""

import contextlib
import hashlib
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_tools.spdx.parser.json import json_parser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from build import api, cache
from build.errors import CallerError
from build.lock import Lock
from build.manifest import DISK, Manifest
from build.progress import Progress
from build.request import BuildRequest, find_recipe
from build.sbom import CYCLONEDX, SPDX
from build.vhd import LENGTH
from tests.build.leaks import find_words, host_words, unpack_root
from tests.conftest import ADMIN, HOSTNAME, ImageMaker
from tests.processes import eventually
from tests.standin.trial import mirrored

pytestmark = pytest.mark.real

PROJECT = Path(__file__).parents[2]
BUILDER = "tests/build/builder.py"
SMALL = 3 << 30
"""Bytes of a disk that can be read whole in little time."""
NEVER_KEPT = (
    *("etc/hostname", "etc/ssh/ssh_host_rsa_key", "etc/ssh/ssh_host_ed25519_key", "etc/passwd-", "etc/shadow-"),
    *("etc/.pwd.lock", "etc/.resolv.conf.systemd-resolved.bak", "etc/apt/sources.list", "root/.bash_history"),
    *(
        "etc/apt/apt.conf.d/99mmdebstrap",
        "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
        "var/log/dpkg.log",
        "var/log/bootstrap.log",
    ),
    *("var/lib/dbus/machine-id", "var/lib/systemd/random-seed", "usr/sbin/policy-rc.d", "var/cache/apt/pkgcache.bin"),
)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def small(output: Path, **more: Any) -> BuildRequest:
    return BuildRequest("debian", "13", size=SMALL, output=output, **more)


@pytest.fixture(scope="module")
def reference() -> Iterator[Path]:
    """A small image of this user's, with which others are compared."""
    folder = Path(tempfile.mkdtemp(prefix="reference-", dir=cache.folder()))
    yield api.build(small(folder), Progress()).folder
    cache.remove(folder)


@pytest.fixture
def output() -> Iterator[Path]:
    """An output folder beside the cache, as it usually is."""
    folder = Path(tempfile.mkdtemp(prefix="output-", dir=cache.folder()))
    yield folder
    cache.remove(folder)


@pytest.mark.parametrize("name", ["debian-13", "debian-12"])
def test_makes_a_sparse_vhd_of_exactly_the_size(image: ImageMaker, name: str) -> None:
    folder = image(name)
    manifest, disk = Manifest.load(folder), folder / DISK
    told = json.loads(
        subprocess.run(["qemu-img", "info", "-f", "vpc", "--output=json", disk], capture_output=True, check=True).stdout
    )
    assert told["virtual-size"] == manifest.sizes["virtual"] == 30 << 30
    assert disk.stat().st_size == (30 << 30) + LENGTH
    assert disk.stat().st_blocks * 512 < 1 << 30
    assert {"linux-image-cloud-amd64", "openssh-server"} <= {package.name for package in manifest.packages}
    assert manifest.kernel.endswith("-cloud-amd64")
    assert (folder / "build.log").stat().st_size
    bill = json.loads((folder / CYCLONEDX).read_text())
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill)) is None
    assert {(one["name"], one["version"]) for one in bill["components"]} == {
        (package.name, package.version) for package in manifest.packages
    }
    assert all(one["hashes"] and one["licenses"] for one in bill["components"] if one["name"] in ("less", "sudo"))
    document = json_parser.JsonLikeDictParser().parse(json.loads((folder / SPDX).read_text()))
    assert validate_full_spdx_document(document, "SPDX-2.3") == []


@pytest.mark.parametrize("name", ["debian-13", "debian-12"])
def test_holds_no_trace_of_the_machine_that_built_it(image: ImageMaker, output: Path, name: str) -> None:
    tree = unpack_root(image(name) / DISK, output)
    assert list(find_words(tree, host_words())) == []
    assert [path for path in NEVER_KEPT if os.path.lexists(tree / path)] == []
    assert (tree / "etc/machine-id").read_text() == ""
    assert (tree / "etc/hosts").read_text().split() == [
        "127.0.0.1",
        "localhost",
        "::1",
        "localhost",
        "ip6-localhost",
        "ip6-loopback",
    ]
    assert [path for path in (tree / "var/log").rglob("*") if path.is_file() and path.stat().st_size] in (
        [],
        [tree / "var/log/README"],
    )
    assert not (tree / "etc/resolv.conf").exists() or (tree / "etc/resolv.conf").is_symlink()
    assert not any((tree / "home").iterdir())
    shadow = [line.split(":") for line in (tree / "etc/shadow").read_text().splitlines()]
    assert {fields[1][:1] for fields in shadow} <= {"!", "*"}


def test_names_and_opens_a_specialized_image(image: ImageMaker, admin_key: Path, output: Path) -> None:
    folder = image("debian-13", kind="specialized")
    tree = unpack_root(folder / DISK, output)
    manifest = Manifest.load(folder)
    assert (manifest.hostname, manifest.admin) == (HOSTNAME, ADMIN)
    assert (tree / "etc/hostname").read_text() == f"{HOSTNAME}\n"
    assert f"127.0.1.1\t{HOSTNAME}" in (tree / "etc/hosts").read_text()
    assert (tree / f"home/{ADMIN}/.ssh/authorized_keys").read_text() == admin_key.with_suffix(".pub").read_text()
    assert "Provisioning.Agent=disabled" in (tree / "etc/waagent.conf").read_text()
    assert not list((tree / "etc/ssh").glob("ssh_host_*"))
    assert (tree / "etc/machine-id").read_text() == ""


def test_finds_an_unchanged_image_and_writes_its_lock(reference: Path, tmp_path: Path) -> None:
    again = api.build(small(reference.parent, offline=True, write_lock=tmp_path / "lock"), Progress())
    assert again.reused
    assert len(Lock.load(tmp_path / "lock").packages) == len(again.manifest.packages)


def test_refuses_a_disk_that_cannot_hold_what_is_installed(output: Path) -> None:
    with pytest.raises(CallerError, match="too small for what is installed") as refusal:
        api.build(BuildRequest("debian", "13", size=700 << 20, output=output, offline=True), Progress())
    assert not any(output.iterdir())
    least = int(refusal.value.hint.rpartition(" ")[2].removesuffix("M")) << 20
    built = api.build(BuildRequest("debian", "13", size=least, output=output, offline=True), Progress())
    assert built.manifest.sizes["virtual"] == least


class Running:
    """A build in a process of its own whose progress is watched."""

    def __init__(self, request: dict[str, Any], log: Path, before: tuple[str, ...] = (), **env: str) -> None:
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [*before, sys.executable, str(PROJECT / BUILDER), json.dumps(request)],
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, **env},
                start_new_session=True,
            )

    def wait_for(self, text: str, seconds: float = 300) -> None:
        limit = time.monotonic() + seconds
        while text not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < limit, self.log.read_text()
            time.sleep(0.01)

    def descendants(self) -> list[int]:
        """Every process below the build's first, that one first."""
        parents: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
        found = [self.process.pid]
        for process in found:
            found += parents.get(process, [])
        return found

    def worker(self) -> int:
        """The process that runs the steps."""
        for process in self.descendants()[1:]:
            words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            if b"build.confined" in words and b"unshare" not in words[0]:
                return process
        raise AssertionError("there is no worker")

    def outcome(self, seconds: float = 300) -> dict[str, Any]:
        status = self.process.wait(seconds)
        *_, last = self.log.read_text().splitlines()
        return {"exit": status, **json.loads(last)}


def runs(process: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def end_by(how: str, build: Running) -> None:
    if how == "parent":
        build.process.kill()
    elif how == "worker":
        os.kill(build.worker(), signal.SIGKILL)
    else:
        os.killpg(build.process.pid, signal.SIGINT)


def test_resumes_where_it_was_ended_and_leaves_nothing_behind(reference: Path, output: Path, tmp_path: Path) -> None:
    request = {"distro": "debian", "release": "13", "size": SMALL, "output": str(output)}
    for how, moment in (
        ("parent", "Enable 5 units"),
        ("worker", "Make a disk of"),
        ("interrupt", "Make the root file system"),
        ("parent", "Write the BIOS boot loader"),
    ):
        build = Running(request, tmp_path / "log")
        build.wait_for(moment)
        processes = build.descendants()
        end_by(how, build)
        status = build.process.wait(20)
        assert status != 0
        assert eventually(lambda: not any(runs(process) for process in processes)), (how, moment)  # noqa: B023
        assert not (output / reference.name).exists()
        assert str(cache.folder()) not in Path("/proc/self/mountinfo").read_text()
    last = Running(request, tmp_path / "log")
    assert last.outcome()["exit"] == 0
    assert "Write the BIOS boot loader" not in last.log.read_text()
    assert [path.name for path in output.iterdir()] == [reference.name]
    assert sha256(output / reference.name / DISK) == sha256(reference / DISK)
    assert not list(cache.folder().glob(f"tools/*/work/{reference.name}-*"))


def test_builds_one_image_after_the_other_where_two_ask_for_it(output: Path, tmp_path: Path) -> None:
    """Two of the same image, and a third that shares their tree."""
    same = {"distro": "debian", "release": "13", "size": SMALL, "output": str(output)}
    keyless = {**same, "kind": "specialized", "hostname": "a", "admin": "b", "ssh_key": str(tmp_path / "key.pub")}
    (tmp_path / "key.pub").write_text("ssh-ed25519 AAAA me\n")
    builds = [Running(request, tmp_path / f"log{number}") for number, request in enumerate((same, same, keyless))]
    outcomes = [build.outcome() for build in builds]
    assert [outcome["exit"] for outcome in outcomes] == [0, 0, 0]
    assert sorted(outcome["reused"] for outcome in outcomes[:2]) == [False, True]
    assert len(list(output.iterdir())) == 2


def test_asks_nobody_when_offline(reference: Path, output: Path, tmp_path: Path) -> None:
    request = {"distro": "debian", "release": "13", "size": SMALL, "output": str(output), "offline": True}
    alone = ("unshare", "--net") if os.geteuid() == 0 else ("unshare", "--user", "--map-root-user", "--net")
    build = Running(request, tmp_path / "log", alone)
    assert build.outcome()["exit"] == 0
    assert sha256(output / reference.name / DISK) == sha256(reference / DISK)


def copy_libraries(name: str, target: Path, seen: tuple[str, ...] = ()) -> None:
    """Copy an installed library and what it needs: a system's own Python has none of them."""
    found = metadata.distribution(name)
    for file in found.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(file.locate()), target / file)
    for needed in found.requires or ():
        other = re.match(r"[\w.-]+", needed)
        if other and other[0] not in seen and "extra ==" not in needed:
            with contextlib.suppress(metadata.PackageNotFoundError):  # for another Python
                copy_libraries(other[0], target, (*seen, name))


@pytest.fixture
def somebody() -> Iterator[tuple[str, Path]]:
    """An ordinary user with subordinate ids, a home of its own, and a copy of the project that it may read."""
    if os.geteuid() != 0:
        pytest.skip("only root makes users")
    name = f"kiln{os.getpid() % 100000}"
    base = Path(tempfile.mkdtemp(prefix="kiln-user-"))
    base.chmod(0o755)
    subprocess.run(["useradd", "--create-home", "--home-dir", base / "home", name], check=True)
    for part in ("build", "distros", "tests"):
        shutil.copytree(PROJECT / part, base / "project" / part, ignore=shutil.ignore_patterns("__pycache__"))
    copy_libraries("cyclonedx-python-lib", base / "libraries")
    subprocess.run(["chmod", "-R", "a+rX", base / "project", base / "libraries"], check=True)
    try:
        yield name, base
    finally:
        subprocess.run(["userdel", name], check=True)
        shutil.rmtree(base)


def builder_of(somebody: tuple[str, Path], request: dict[str, object]) -> list[str]:
    """The words of a build as that user, with nothing of ours in its environment."""
    name, base = somebody
    account = pwd.getpwnam(name)
    environment = ("env", "-i", f"HOME={base / 'home'}", f"PYTHONPATH={base / 'libraries'}", "PATH=/usr/bin:/bin")
    command = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", *environment]
    return [*command, "/usr/bin/python3", str(base / "project" / BUILDER), json.dumps(request)]


def test_makes_the_same_image_for_an_ordinary_user(reference: Path, somebody: tuple[str, Path], tmp_path: Path) -> None:
    """Its packages are installed anew, and it is killed in the middle of that: three claims in one long build."""
    name, base = somebody
    home = base / "home"
    for part in ("packages", "releases"):
        shutil.copytree(cache.folder() / part, home / ".cache/kiln" / part)
    subprocess.run(["chown", "-R", f"{name}:", home], check=True)
    command = builder_of(somebody, {"distro": "debian", "release": "13", "size": SMALL, "output": str(home / "output")})

    def start() -> Running:
        made = Running.__new__(Running)
        made.log = tmp_path / "log"
        with made.log.open("wb") as file:
            made.process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
        return made

    first = start()
    first.wait_for("Making the tools tree")
    partial = home / ".cache/kiln/trees"
    assert eventually(lambda: bool(list(home.glob(".cache/kiln/tools/*/work/*/tree/usr/bin/dpkg"))), 120)
    processes = first.descendants()
    first.process.kill()
    first.process.wait()
    assert eventually(lambda: not any(runs(process) for process in processes))
    second = start()
    assert second.outcome(600)["exit"] == 0, second.log.read_text()
    assert sha256(home / "output" / reference.name / DISK) == sha256(reference / DISK)
    assert not list(partial.glob("*partial*"))
    assert not list(home.glob(".cache/kiln/tools/*/work/*"))
    assert (home / "output" / reference.name / DISK).stat().st_uid == pwd.getpwnam(name).pw_uid


@pytest.mark.combination
def test_makes_the_same_image_of_rpm_packages_for_an_ordinary_user(
    image: ImageMaker, somebody: tuple[str, Path]
) -> None:
    """dnf, package scripts and labels, in a user namespace."""
    name, base = somebody
    reference, key = image("almalinux-10"), base / "home/mirror.asc"
    request = {"distro": "almalinux", "release": "10", "output": str(base / "home/output"), "mirror_key": str(key)}
    with mirrored(find_recipe("almalinux", "10", "x86_64"), Progress()) as mirror:
        shutil.copyfile(mirror["mirror_key"], key)
        subprocess.run(["chown", "-R", f"{name}:", base / "home"], check=True)
        command = builder_of(somebody, {**request, "mirror": mirror["mirror"]})
        told = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    made = base / "home/output" / reference.name
    assert (made / DISK).stat().st_uid == pwd.getpwnam(name).pw_uid
    assert Manifest.load(made).digest == Manifest.load(reference).digest
    assert not list(base.glob("home/.cache/kiln/tools/*/work/*"))


def test_makes_the_same_image_without_the_right_to_mount(reference: Path, output: Path, tmp_path: Path) -> None:
    """As root in a bare container; from the cached tree, whose making is the combination tier's matter."""
    if os.geteuid() != 0:
        pytest.skip("an ordinary user has no such right to lose")
    request = {"distro": "debian", "release": "13", "size": SMALL, "output": str(output)}
    build = Running(request, tmp_path / "log", ("setpriv", "--bounding-set=-sys_admin"))
    assert build.outcome()["exit"] == 0
    assert sha256(output / reference.name / DISK) == sha256(reference / DISK)


@pytest.mark.combination
def test_installs_the_same_tree_without_the_right_to_mount(reference: Path, output: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("an ordinary user has no such right to lose")
    own = output / "cache"
    shutil.copytree(cache.folder() / "packages", own / "packages", copy_function=os.link)
    request = {"distro": "debian", "release": "13", "size": SMALL, "output": str(output / "output")}
    build = Running(request, tmp_path / "log", ("setpriv", "--bounding-set=-sys_admin"), KILN_CACHE=str(own))
    assert build.outcome(600)["exit"] == 0
    assert sha256(output / "output" / reference.name / DISK) == sha256(reference / DISK)


@pytest.mark.combination
@pytest.mark.parametrize("provisioner", ["cloud-init", "waagent", "none"])
@pytest.mark.parametrize("kind", ["generalized", "specialized"])
@pytest.mark.parametrize("gen", ["1", "2", "both"])
@pytest.mark.parametrize("name", ["debian-13", "debian-12"])
def test_builds_every_variant(image: ImageMaker, name: str, gen: str, kind: str, provisioner: str) -> None:
    folder = image(name, gen, kind, provisioner)
    assert (folder / DISK).stat().st_size == (30 << 30) + LENGTH
