"""What a failed guest leaves behind, fetched from it or read from its disk."""

import base64
import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any, cast

import pytest

from build.diskfile import open_image
from build.diskfile import overlay as laid
from harness import belongings
from harness.belongings import ASKED, FILES, by_ssh, kept, offline
from harness.deadline import Gone
from harness.guest import Guest, Output


class Shell:
    """A guest whose commands run here, below a folder that stands for its root."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, command: str, **_: Any) -> Output:
        here = command.replace("-C / ", f"-C {self.root} ").replace("/run/kiln", f"{self.root}/kiln")
        done = subprocess.run(["sh", "-c", f"cd {self.root}; {here}"], capture_output=True, text=True, check=False)
        return Output(done.returncode, done.stdout, done.stderr)


class Lost:
    def run(self, command: str, **_: Any) -> Output:
        raise Gone("the connection was lost")


class Talker:
    def __init__(self, *members: tuple[str, bytes, bytes]) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for name, kind, content in members:
                entry = tarfile.TarInfo(name)
                entry.type, entry.size, entry.linkname = kind, len(content), "/etc/passwd"
                archive.addfile(entry, io.BytesIO(content))
        self.answer = base64.b64encode(packed.getvalue()).decode()

    def run(self, command: str, **_: Any) -> Output:
        return Output(0, self.answer, "")


def test_fetches_what_is_there(tmp_path: Path) -> None:
    root, run = tmp_path / "root", tmp_path / "run"
    for name in (
        "var/log/cloud-init.log",
        "var/lib/waagent/history/1.zip",
        "var/lib/hyperv/.kvp_pool_1",
        "var/log/else",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    assert by_ssh(cast(Guest, Shell(root)), run / "evidence", 5) == ""
    assert set(kept(run)) == {
        *ASKED,
        "var/log/cloud-init.log",
        "var/lib/waagent/history/1.zip",
        "var/lib/hyperv/.kvp_pool_1",
    }
    assert (run / "evidence/var/log/cloud-init.log").read_text() == "var/log/cloud-init.log"


def test_says_why_there_is_nothing(tmp_path: Path) -> None:
    assert by_ssh(cast(Guest, Lost()), tmp_path, 5) == "its files could not be fetched: the connection was lost"
    broken = Talker()
    broken.answer = "bm8gYXJjaGl2ZQ=="
    assert "could not be fetched" in by_ssh(cast(Guest, broken), tmp_path, 5)


def test_a_guest_cannot_write_anywhere_else(tmp_path: Path) -> None:
    guest = Talker(
        ("../../../escaped", tarfile.REGTYPE, b"x"),
        ("/absolute", tarfile.REGTYPE, b"y"),
        ("link", tarfile.SYMTYPE, b""),
        ("device", tarfile.CHRTYPE, b""),
    )
    assert by_ssh(cast(Guest, guest), tmp_path / "run" / "evidence", 5) == ""
    assert list(kept(tmp_path / "run")) == ["absolute", "escaped"]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_keeps_no_more_than_is_reasonable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(belongings, "LARGEST", 3)
    monkeypatch.setattr(belongings, "MOST", 2)
    guest = Talker(*((f"file-{number}", tarfile.REGTYPE, b"12345") for number in range(5)))
    by_ssh(cast(Guest, guest), tmp_path / "evidence", 5)
    assert [(tmp_path / "evidence" / name).read_bytes() for name in kept(tmp_path)] == [b"123", b"123"]


def test_reads_them_from_the_disk_of_a_machine_that_is_off(good: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "disk.qcow2"
    size = good.stat().st_size - 512
    laid(open_image(good), overlay, size)
    assert offline(overlay, tmp_path / "evidence") == ""
    assert "etc/fstab" in set(kept(tmp_path))
    assert all(any(f"/{name}".startswith(path.partition("*")[0]) for path in FILES) for name in kept(tmp_path))


def test_a_disk_without_a_system_leaves_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "1M"], check=True)
    assert offline(disk, tmp_path / "evidence")
    assert not (tmp_path / "evidence").exists()
