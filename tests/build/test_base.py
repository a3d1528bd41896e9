"""Images to build on: which are taken, what they are called, and one read, built on and booted for real."""

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from build import api, appliance, base, confined, traces
from build.errors import CallerError, KilnError
from build.manifest import Manifest
from build.plan import image_name
from build.privileges import entry
from build.progress import Progress
from build.request import BuildRequest, choose, find_recipe
from build.workspace import Workspace
from distros import Recipe
from harness.initrd import read_initrd
from harness.inspect import inspect
from tests.conftest import ImageMaker, offline
from tests.standin import Standin, standin
from tests.standin.serve import served


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KILN_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("debian-13-genericcloud-amd64.qcow2", "debian-13-genericcloud-amd64"),
        ("Rocky-9-GenericCloud.latest.x86_64.qcow2", "rocky-9-genericcloud-latest-x86-64"),
        ("disk.vhd.xz", "disk"),
        ("___.raw", "base"),
    ],
)
def test_calls_an_image_by_its_files_stem(file: str, name: str) -> None:
    assert base.name_of(file) == name


def test_keeps_a_file_under_its_digest(cached: Path) -> None:
    file = cached / "Vendor.img"
    file.write_bytes(b"disk")
    taken = base.take(str(file), None, offline=True, waiting=print)
    assert taken == base.Base("vendor", base.digest(file))
    assert taken.file.read_bytes() == b"disk"
    assert base.take(str(file), taken.sha256, offline=True, waiting=print) == taken


def test_takes_an_image_from_a_server_by_its_digest(cached: Path) -> None:
    (cached / "served").mkdir()
    (cached / "served/cloud.qcow2").write_bytes(b"disk of a vendor")
    digest = base.digest(cached / "served/cloud.qcow2")
    with served(cached / "served") as server:
        taken = base.take(f"{server.url}/cloud.qcow2", digest, offline=False, waiting=print)
        with pytest.raises(KilnError, match="digest"):
            base.take(f"{server.url}/cloud.qcow2", "0" * 64, offline=False, waiting=print)
    assert taken.name == "cloud"
    assert taken.file.read_bytes() == b"disk of a vendor"


@pytest.mark.parametrize(
    ("word", "sha256", "message"),
    [
        ("nowhere.img", None, "there is no file nowhere.img"),
        ("https://vendor.example/cloud.img", None, "who vouches for https://vendor.example/cloud.img"),
        ("https://vendor.example/cloud.img", "abc", "'abc' is no sha256"),
        ("HERE/file.img", "0" * 64, "has the digest"),
    ],
)
def test_refuses_what_nobody_vouches_for(cached: Path, word: str, sha256: str | None, message: str) -> None:
    (cached / "file.img").write_bytes(b"disk")
    with pytest.raises(CallerError, match=message):
        base.take(word.replace("HERE", str(cached)), sha256, offline=True, waiting=print)


@pytest.mark.parametrize(
    ("told", "fits"),
    [
        ('ID=debian\nVERSION_ID="13"\n', True),
        ('ID="rhel"\nVERSION_ID="13.2"\n', True),
        ("ID=debian\n", True),  # testing has no version
        ('ID=debian\nVERSION_ID="12"\n', False),
        ('ID=debian\nVERSION_ID="130"\n', False),
        ('ID=fedora\nVERSION_ID="13"\n', False),
        ("", False),
    ],
)
def test_builds_on_the_release_that_the_recipe_is_for(tmp_path: Path, told: str, fits: bool) -> None:
    step = base.UnpackBase(base.Base("disk", "0" * 64), "debian", "13", ("debian", "rhel"), None)  # type: ignore[arg-type]
    with (tmp_path / "log").open("w") as log:
        work = Workspace(tmp_path, "image", tmp_path, log, 0)
        (work.tree / "usr/lib").mkdir(parents=True)
        (work.tree / "usr/lib/os-release").write_text(told)
        if fits:
            step.require_same(work)
        else:
            with pytest.raises(CallerError, match="the recipe is for debian 13"):
                step.require_same(work)


def test_writes_an_initial_file_system_as_kernels_read_it(tmp_path: Path) -> None:
    with (tmp_path / "initrd").open("wb") as file:
        appliance.write_cpio(
            file, [("bin", 0o040755, b""), ("bin/odd", 0o100755, b"abc"), ("init", 0o100755, b"x" * 8)]
        )
    read = read_initrd(tmp_path / "initrd", keep=("bin/odd", "init"))
    assert set(read.names) == {"bin", "bin/odd", "init"}
    assert (read.files["bin/odd"], read.files["init"]) == (b"abc", b"x" * 8)


def test_names_an_image_by_what_it_is_built_on() -> None:
    recipe = find_recipe("debian", "13", "x86_64")
    on_base = replace(choose(recipe, BuildRequest("debian")), base="cloud", base_sha256="0" * 64)
    assert image_name(recipe, on_base) == "debian-13-on-cloud-genboth-x86_64"


@pytest.mark.parametrize(
    ("mounts", "told"),
    [
        ([("/", "ext4"), ("/boot/efi", "vfat")], []),
        ([("/", "xfs")], ["the root of cloud was xfs, and is ext4; its snapshots and quotas are gone"]),
        (
            [("/", "ext4"), ("/boot", "xfs"), ("/boot/efi", "vfat"), ("/var", "ext4")],
            ["cloud had file systems of their own, which are folders of the root now: /boot (xfs), /var (ext4)"],
        ),
    ],
)
def test_tells_what_becomes_of_an_images_file_systems(mounts: list[tuple[str, str]], told: list[str]) -> None:
    assert list(base.told("cloud", [appliance.Mount(*mount) for mount in mounts])) == told


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace whose tree is empty."""
    with (tmp_path / "log").open("w") as log:
        work = Workspace(tmp_path, "image", tmp_path, log, 0)
        work.tree.mkdir(parents=True)
        yield work


def test_forgets_the_disk_that_a_tree_lay_on(bare: Workspace) -> None:
    bare.write("/etc/default/grub.d/40-force-partuuid.cfg", "# cloud\nGRUB_FORCE_PARTUUID=1234-abcd\n")
    bare.write("/etc/default/grub.d/10_cloud.cfg", "GRUB_DISABLE_LINUX_UUID=true\nGRUB_TERMINAL=console\n", 0o600)
    bare.path("/etc/default/grub.d/99.cfg").symlink_to("/etc/hostname")
    bare.write("/etc/snapper/configs/root", 'FSTYPE="btrfs"\n')
    bare.write("/etc/sysconfig/snapper", 'A="b"\nSNAPPER_CONFIGS="root home"\n')
    bare.write("/etc/lvm/devices/system.devices", "IDTYPE=sys_wwid\n")
    traces.forget_disk(bare)
    files = {path.name: path.read_text() for path in bare.tree.rglob("*") if path.is_file() and not path.is_symlink()}
    assert files == {
        "40-force-partuuid.cfg": "# cloud\n",
        "10_cloud.cfg": "GRUB_TERMINAL=console\n",
        "snapper": 'A="b"\nSNAPPER_CONFIGS=""\n',
    }
    assert bare.path("/etc/default/grub.d/10_cloud.cfg").stat().st_mode & 0o777 == 0o600


def read(vendor: str, tmp_path: Path) -> list[str]:
    """What the appliance reads of such a vendor's image."""
    letter = {"vendor": vendor, "log": str(tmp_path / "log"), "result": str(tmp_path / "result")}
    assert confined.call(entry(), "tests.build.vendor", letter) == 0, (tmp_path / "log").read_text()[-4000:]
    return (tmp_path / "result").read_text().splitlines()


@pytest.mark.real
@pytest.mark.combination
def test_reads_an_image_as_rhel_lays_it_out(tmp_path: Path) -> None:
    told = read("xfs", tmp_path)
    assert told[:3] == ["xfs at /", "xfs at /boot", "vfat at /boot/efi"]
    assert "-rw-r----- 0/7 110000 ./srv/data" in told
    assert "-rw-r----- 0/7 7 ./boot/vmlinuz-1" in told
    assert any(line.endswith("2 ./boot/efi/loader.efi") for line in told)


@pytest.mark.real
@pytest.mark.combination
def test_reads_subvolumes_and_no_snapshots(tmp_path: Path) -> None:
    told = read("btrfs", tmp_path)
    assert told[:2] == ["btrfs at /", "btrfs at /srv"]
    assert "-rw-r--r-- 0/0 110000 ./srv/data" in told
    assert any(line.endswith("./usr/bin/link -> program") for line in told)
    assert not any(".snapshots" in line for line in told)


@pytest.mark.real
@pytest.mark.combination
def test_reads_a_root_on_a_logical_volume(tmp_path: Path) -> None:
    told = read("lvm", tmp_path)
    assert told[0] == "ext4 at /"
    assert "-rw-r--r-- 0/0 110000 ./srv/data" in told


@pytest.mark.real
@pytest.mark.combination
def test_refuses_an_image_whose_files_lie_elsewhere_as_well(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match=r"fstab wants UUID=.* at /usr, which is not there"):
        read("incomplete", tmp_path)


@pytest.mark.real
def test_makes_an_image_of_a_vendors_with_what_it_lacked(image: ImageMaker, tmp_path: Path) -> None:
    """The vendor is Kiln: a qcow2 file of its own image, which has no cloud-init, and nano."""
    folder = image("debian-12", provisioner="waagent")
    vendor = tmp_path / "Vendor-Cloud.qcow2"
    subprocess.run(["qemu-img", "convert", "-q", "-O", "qcow2", folder / "disk.vhd", vendor], check=True)
    with served(tmp_path) as server:
        url, digest = f"{server.url}/{vendor.name}", base.digest(vendor)
        spec = tmp_path / "own.toml"
        spec.write_text('name = "own"\n[packages]\nadd = ["jq"]\nremove = ["nano"]\n')
        request = BuildRequest("debian", "12", base=url, base_sha256=digest, spec=spec, output=tmp_path)
        built = api.build(request, Progress())
    assert built.folder.name == "debian-12-own-on-vendor-cloud-genboth-x86_64"
    before, after = (set(Manifest.load(one).packages) for one in (folder, built.folder))
    assert {package.name for package in before - after} == {"nano"}
    assert {"cloud-init", "jq"} < {package.name for package in after - before}
    assert inspect(built.folder).passed


def publish(recipe: Recipe, disk: Path, folder: Path, made: Standin) -> None:
    """Put a disk as the image that the recipe's distribution offers into a mirror, with its signed list of digests."""
    image = recipe.offered
    assert image
    target = folder / image.path
    target.parent.mkdir(parents=True)
    subprocess.run(["qemu-img", "convert", "-q", "-O", "qcow2", disk, target], check=True)
    places = {"url": target, "folder": target.parent}
    listed = Path(image.digests.format(**places))
    name = target.name.replace("-Cloud", "-1.0.0-Cloud-Build1") if image.listed else target.name
    listed.write_text(f"{base.digest(target)}  {name}\n")
    with made.key.opened() as opened:
        opened.detach_sign(listed, Path(image.signature.format(**places)))


@pytest.mark.real
@pytest.mark.combination
@pytest.mark.parametrize("name", ["almalinux-10", "opensuse-16.0"])
def test_makes_an_image_of_the_one_that_a_distribution_offers(image: ImageMaker, tmp_path: Path, name: str) -> None:
    """The mirror is the stand-in's, and the image one of Kiln's own making from it."""
    recipe = find_recipe(*name.split("-"), "x86_64")
    folder = image(name)
    made = standin(recipe, Progress(), offline=offline())
    mirror = tmp_path / "mirror"
    shutil.copytree(made.served, mirror)
    publish(recipe, folder / "disk.vhd", mirror, made)
    spec = tmp_path / "own.toml"
    spec.write_text('name = "own"\n[packages]\nadd = ["createrepo-c"]\nremove = ["lsscsi"]\n')
    with served(mirror) as server:
        request = BuildRequest(*name.split("-"), base="published", spec=spec, output=tmp_path)
        request = replace(request, mirror=server.url + made.mirror, mirror_key=made.key.public)
        built = api.build(request, Progress())
    before, after = (set(Manifest.load(one).packages) for one in (folder, built.folder))
    assert {package.name for package in before - after} == {"lsscsi"}
    assert "createrepo-c" in {package.name for package in after - before}
    assert inspect(built.folder).passed
