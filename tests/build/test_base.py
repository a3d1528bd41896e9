"""Images to build on: which are taken, what they are called, and one read, built on and booted for real."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from build import api, appliance, base
from build.errors import CallerError, KilnError
from build.manifest import Manifest
from build.plan import image_name
from build.progress import Progress
from build.request import BuildRequest, choose, find_recipe
from build.workspace import Workspace
from harness.initrd import read_initrd
from harness.inspect import inspect
from tests.conftest import ImageMaker
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


@pytest.mark.real
def test_makes_an_image_of_a_vendors_with_what_it_lacked(image: ImageMaker, tmp_path: Path) -> None:
    """The vendor is Kiln: a qcow2 file of its own image, which has no cloud-init."""
    folder = image("debian-12", provisioner="waagent")
    vendor = tmp_path / "Vendor-Cloud.qcow2"
    subprocess.run(["qemu-img", "convert", "-q", "-O", "qcow2", folder / "disk.vhd", vendor], check=True)
    with served(tmp_path) as server:
        url, digest = f"{server.url}/{vendor.name}", base.digest(vendor)
        request = BuildRequest("debian", "12", base=url, base_sha256=digest, output=tmp_path)
        built = api.build(request, Progress())
    assert built.folder.name == "debian-12-on-vendor-cloud-genboth-x86_64"
    before, after = (set(Manifest.load(one).packages) for one in (folder, built.folder))
    assert before < after
    assert "cloud-init" in {package.name for package in after - before}
    assert inspect(built.folder).passed
