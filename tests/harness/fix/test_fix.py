"""What a repair leaves alone, refuses, and says; where its result goes, and that the image is whole at every moment."""

import json
import os
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from build.digest import bill_id, content_digest, disk_id
from build.errors import Bug, CallerError
from build.manifest import Manifest, Package
from build.progress import Progress
from build.vhd import LENGTH, read_footer
from harness.ext import ExtTree
from harness.fix import api, ext
from harness.fix.api import Fixed, FixRequest, fix
from harness.fix.proof import prove
from harness.fix.render import lines
from harness.fix.repair import Unsafe
from harness.inspect import inspect
from harness.tree import FolderTree
from tests.harness import images
from tests.harness.fix.conftest import DiskMaker
from tests.harness.images import MIB, put
from tests.harness.planted import cut, failed, footer, in_root, patch, write

KEY = "etc/ssh/ssh_host_ed25519_key"
SECRET = b"this is nobody's business"


def repair(image: Path, **more: Any) -> Fixed:
    return fix(FixRequest(image, **more), Progress())


def ids(fixed: Fixed) -> set[str]:
    return {one.id for one in fixed.repaired}


def reasons(fixed: Fixed) -> dict[str, str]:
    return {one.id: one.why for one in fixed.left}


@pytest.fixture
def keyed(root: Path, made: DiskMaker) -> Path:
    """A disk with a host key of the build."""
    put(root, KEY, SECRET.decode())
    return made(root)


@pytest.fixture
def folder(keyed: Path, tmp_path: Path) -> Path:
    """An image's folder, as a build leaves it, with a run."""
    image = tmp_path / "debian-12-gen2-x86_64"
    (image / "runs/gen2-first-boot").mkdir(parents=True)
    (image / "runs/gen2-first-boot/report.json").write_text("{}")
    (image / "build.log").write_text("$ mke2fs\n")
    keyed.rename(image / "disk.vhd")
    digest = content_digest(image / "disk.vhd", images.SIZE)
    Manifest(
        *(image.name, "debian", "12", "x86_64", (1, 2), "generalized", "cloud-init", "", "", digest),
        *("plan", 1700000000, "6.1", images.ROOT, "", {"allocated": 1}, (), (Package("sl", "5", "amd64"),), {}, {}, {}),
    ).save(image)
    bill = {"serial": str(bill_id(image.name, digest)), "version": digest[:12], "value": f"sha256:{digest}"}
    (image / "sbom.cdx.json").write_text(json.dumps(bill))
    return image


def test_changes_a_copy_and_overwrites_what_was_removed(keyed: Path) -> None:
    before = keyed.read_bytes()
    fixed = repair(keyed)
    assert fixed.image == keyed.with_name("disk-fixed.vhd")
    assert (ids(fixed), fixed.left, failed(fixed.report)) == ({"clean.hostkeys"}, (), set())
    assert keyed.read_bytes() == before
    assert SECRET in before
    assert SECRET not in fixed.image.read_bytes()
    assert {one.name for one in keyed.parent.iterdir() if "vhd" in one.name} == {"disk.vhd", "disk-fixed.vhd"}


def test_gives_equal_bytes_each_time_and_an_id_of_the_content(keyed: Path, tmp_path: Path) -> None:
    first, second = (repair(keyed, output=tmp_path / name).image for name in ("one.vhd", "two.vhd"))
    assert first.read_bytes() == second.read_bytes()
    told = read_footer(first)
    assert told
    assert told.unique_id == disk_id(content_digest(first, images.SIZE))
    assert told.timestamp == 1700000000


def test_takes_the_images_place_only_if_it_is_asked_to(keyed: Path) -> None:
    keyed.chmod(0o600)
    fixed = repair(keyed, in_place=True)
    assert fixed.image == keyed
    assert failed(inspect(keyed)) == set()
    assert keyed.stat().st_mode & 0o777 == 0o600
    assert not [one for one in keyed.parent.iterdir() if one.name.startswith(".")]


def test_makes_a_folder_that_tells_of_the_new_content(folder: Path) -> None:
    fixed = repair(folder)
    assert fixed.image == folder.with_name(f"{folder.name}-fixed")
    digest = content_digest(fixed.image / "disk.vhd", images.SIZE)
    old, new = Manifest.load(folder), Manifest.load(fixed.image)
    assert (new.digest, new.plan_id, new.packages) == (digest, "", old.packages)
    assert new.warnings == ("repaired after its build: clean.hostkeys",)
    bill = json.loads((fixed.image / "sbom.cdx.json").read_text())
    assert bill["value"] == f"sha256:{digest}"
    assert (bill["version"], bill["serial"]) == (digest[:12], str(bill_id(folder.name, digest)))
    assert sorted(one.name for one in fixed.image.iterdir()) == [
        *("build.log", "disk.vhd", "manifest.json", "sbom.cdx.json")
    ]
    assert (folder / "runs/gen2-first-boot/report.json").is_file()


def test_drops_reports_of_what_the_image_was_before(folder: Path) -> None:
    fixed = repair(folder, in_place=True)
    assert fixed.image.samefile(folder)
    assert not (folder / "runs").exists()
    assert Manifest.load(folder).digest == content_digest(folder / "disk.vhd", images.SIZE)
    assert [one.name for one in folder.iterdir() if one.name.startswith(".")] == []


def test_ends_what_was_interrupted_before_the_disk_was_there(folder: Path, tmp_path: Path) -> None:
    whole = Path(shutil.copytree(folder, tmp_path / "whole"))
    repair(whole, in_place=True)
    shutil.rmtree(folder / "runs")
    shutil.copy(whole / "manifest.json", folder)
    repair(folder, in_place=True)
    assert (folder / "disk.vhd").read_bytes() == (whole / "disk.vhd").read_bytes()
    assert asdict(Manifest.load(folder))["digest"] == Manifest.load(whole).digest
    assert Manifest.load(folder).warnings == Manifest.load(whole).warnings


def test_leaves_the_image_as_it_is_where_repairs_would_break_it(keyed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, whole = keyed.read_bytes(), ext.apply

    def breaking(copy: Path, *rest: Any) -> None:
        whole(copy, *rest)
        in_root("rm /etc/fstab")(copy)

    monkeypatch.setattr(api.ext, "apply", breaking)
    with pytest.raises(Bug, match=r"would break fstab\.root-match"):
        repair(keyed, in_place=True)
    assert keyed.read_bytes() == before
    assert not [one for one in keyed.parent.iterdir() if one.name.startswith(".")]


def test_says_what_it_cannot_repair(root: Path, made: DiskMaker) -> None:
    write("home/bob/notes")(root)
    disk = made(root)
    fixed = repair(disk)
    assert (fixed.image, fixed.repaired) == (disk, ())
    assert "Remove the account" in reasons(fixed)["acct.no-users"]
    text = "\n".join(lines(fixed))
    assert text.startswith("nothing was changed\nleft as it is:\n  acct.no-users: nothing here repairs it")
    assert not disk.with_name("disk-fixed.vhd").exists()


def test_repairs_only_what_it_is_asked_to(root: Path, made: DiskMaker) -> None:
    put(root, KEY)
    put(root, "etc/machine-id", f"{'a' * 32}\n")
    fixed = repair(made(root), only=("clean.machine-id",))
    assert ids(fixed) == {"clean.machine-id"}
    assert reasons(fixed) == {"clean.hostkeys": "it was not asked for"}


@pytest.mark.parametrize(
    ("only", "message"), [("no.such", r"no offline check is called no\.such"), ("acct.no-users", "nothing repairs")]
)
def test_refuses_ids_that_it_has_no_repair_for(keyed: Path, only: str, message: str) -> None:
    with pytest.raises(CallerError, match=message):
        repair(keyed, only=(only,))


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (f"sif /{KEY} links_count 2", "other names"),
        (f"sif /{KEY} flags 0x80010", "flags (0x10) that would be lost"),
        (f"ea_set /{KEY} security.capability abc", "attributes that would be lost: security.capability"),
        ("ssv state 2", "was not unmounted"),
        ("feature needs_recovery", "was not unmounted"),
        ("sif /etc/fstab links_count 5", "e2fsck says: Inode"),
    ],
)
def test_leaves_alone_what_it_cannot_prove(keyed: Path, command: str, reason: str) -> None:
    in_root(command)(keyed)
    before = keyed.read_bytes()
    fixed = repair(keyed)
    assert reason in reasons(fixed)["clean.hostkeys"]
    assert (fixed.image, keyed.read_bytes()) == (keyed, before)


def test_changes_no_file_system_that_lies_elsewhere(keyed: Path, tmp_path: Path) -> None:
    tree = ExtTree(keyed, 6 * MIB, tmp_path)
    assert prove(tree, "/etc/hostname", keyed).path == "/etc/hostname"
    with pytest.raises(Unsafe, match="not in one piece"):
        prove(tree, "/etc/hostname", tmp_path / "other.vhd")
    with pytest.raises(Unsafe, match="not written offline"):
        prove(FolderTree(tmp_path), "/etc/hostname", keyed)


def test_keeps_owner_mode_and_label_of_what_it_writes_anew(root: Path, made: DiskMaker) -> None:
    put(root, "etc/waagent.conf", images.WAAGENT.replace("Agent=auto", "Agent=cloudinit"))
    disk = made(root)
    label = "system_u:object_r:etc_t:s0"
    for command in ("mode 0100640", "uid 7", "gid 70000"):
        in_root(f"sif /etc/waagent.conf {command}")(disk)
    in_root(f"ea_set /etc/waagent.conf security.selinux {label}")(disk)
    said = _stat(repair(disk).image, "/etc/waagent.conf")
    assert "Mode:  0640" in said
    assert "User:     7   Group: 70000" in said
    assert label in said


def _stat(disk: Path, path: str) -> str:
    words = ["debugfs", "-R", f"stat {path}", f"{disk}?offset={6 * MIB}"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("labels", [("a_t", "a_t"), ("a_t", "b_t")])
def test_labels_a_new_file_as_its_neighbours(root: Path, made: DiskMaker, labels: tuple[str, str]) -> None:
    (root / "etc/cloud/cloud.cfg.d/91-azure_datasource.cfg").unlink()
    disk = made(root)
    for name, label in zip(("05_logging", "10-azure-kvp"), labels, strict=True):
        in_root(f"ea_set /etc/cloud/cloud.cfg.d/{name}.cfg security.selinux {label}")(disk)
    fixed = repair(disk)
    if labels[0] == labels[1]:
        assert f'= "{labels[0]}' in _stat(fixed.image, "/etc/cloud/cloud.cfg.d/91-azure_datasource.cfg")
    else:
        assert "SELinux label" in reasons(fixed)["ci.datasource"]


def test_keeps_host_keys_where_nothing_makes_new_ones(keyed: Path) -> None:
    fixed = repair(keyed, provisioner="none")
    assert "nothing in the image makes new host keys" in reasons(fixed)["clean.hostkeys"]


def test_makes_a_vhd_of_a_raw_disk(disk: Path, tmp_path: Path) -> None:
    raw = disk.rename(tmp_path / "disk.raw")
    cut(raw, images.SIZE)
    fixed = repair(raw)
    assert ids(fixed) == {"vhd.fixed"}
    assert fixed.image == tmp_path / "disk-fixed.vhd"
    assert fixed.image.stat().st_size == images.SIZE + LENGTH
    assert failed(fixed.report) == set()


def test_grows_a_disk_to_whole_mib_and_moves_its_table(disk: Path) -> None:
    words = ["-f", "raw", "-O", "vpc", "-o", "subformat=fixed"]
    raw, odd = disk.with_suffix(".raw"), disk.with_name("odd.vhd")
    disk.rename(raw)
    cut(raw, images.SIZE)
    subprocess.run(["qemu-img", "convert", *words, raw, odd], check=True)
    fixed = repair(odd)
    assert ids(fixed) == {"vhd.align", "part.table"}
    assert failed(fixed.report) == set()
    assert (fixed.image.stat().st_size - LENGTH) % MIB == 0
    with raw.open("rb") as old, fixed.image.open("rb") as new:
        for file in (old, new):
            file.seek(MIB)
        assert old.read(22 * MIB) == new.read(22 * MIB)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda disk: os.truncate(disk, disk.stat().st_size - 8 * MIB), "behind the disk's last"),
        (footer(disk_type=4, data_offset=512), "a differencing VHD is made a fixed VHD by"),
        (lambda disk: (patch(512, bytes(512))(disk), patch(images.SIZE - 512, bytes(512))(disk)), "no readable"),
        (patch(446, bytes(66)), "protective"),
    ],
)
def test_never_guesses_what_a_disk_was(disk: Path, change: Any, reason: str) -> None:
    change(disk)
    before = disk.read_bytes()
    fixed = repair(disk)
    assert fixed.repaired == ()
    assert any(reason in why for why in reasons(fixed).values()), fixed.left
    assert disk.read_bytes() == before


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"output": Path("there.vhd")}, "exists already"),
        ({"output": Path("no/where/there.vhd")}, "is no folder"),
        ({"in_place": True, "output": Path("x.vhd")}, "names no other place"),
    ],
)
def test_refuses_places_that_do_not_do(
    keyed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.vhd").touch()
    with pytest.raises(CallerError, match=message):
        repair(keyed, **more)


def test_refuses_what_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="is not an image"):
        repair(tmp_path)


def test_tells_programs_the_same(keyed: Path) -> None:
    told = repair(keyed).as_dict()
    assert told["repaired"] == [{"id": "clean.hostkeys", "done": (f"removed /{KEY}",)}]
    assert told["inspection"]["passed"]
