"""What is judged: folders of builds, their disks, foreign files; and the generations that may be booted."""

from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from build.digest import content_digest
from build.errors import CallerError
from build.vhd import append_footer
from harness.subject import Subject, digest_of, generations, open_subject
from tests.build.test_manifest import MANIFEST

MIB = 1 << 20


def disk(path: Path, content: bytes = b"content", footer: bool = True) -> Path:
    """A disk of 2 MiB with a boot sector's mark."""
    path.write_bytes((content.ljust(510, b"\0") + b"\x55\xaa").ljust(2 * MIB, b"\0"))
    if footer:
        append_footer(path, UUID(int=1), 1_700_000_000)
    return path


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image's folder, as a build leaves it."""
    folder = tmp_path / "output" / MANIFEST.name
    folder.mkdir(parents=True)
    disk(folder / "disk.vhd")
    MANIFEST.save(folder)
    return folder


@pytest.mark.parametrize("inside", ["", "disk.vhd"])
def test_takes_the_folder_of_a_build_or_the_disk_in_it(image: Path, inside: str) -> None:
    subject = open_subject(image / inside, Path("elsewhere"))
    assert (subject.name, subject.runs) == (MANIFEST.name, image / "runs")
    assert subject.manifest == MANIFEST


def test_keeps_the_runs_of_a_foreign_file_below_the_output(tmp_path: Path) -> None:
    subject = open_subject(disk(tmp_path / "server.raw", footer=False), tmp_path / "output")
    assert (subject.name, subject.manifest) == ("server", None)
    assert subject.runs == tmp_path / "output" / "server" / "runs"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no .*manifest.json"),
        (b"", "is not a file"),
    ],
)
def test_refuses_a_folder_that_is_no_image(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        MANIFEST.save(tmp_path)
    with pytest.raises(CallerError, match=message):
        open_subject(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is not a disk"), (b"text\n", "is not a disk"), (bytes(MIB), "it has no partition table")],
)
def test_refuses_a_file_that_is_no_disk(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(CallerError, match=message):
        open_subject(tmp_path / "file", tmp_path)


def test_counts_the_content_alone_in_whatever_file(tmp_path: Path) -> None:
    plain, sealed = disk(tmp_path / "a.raw", footer=False), disk(tmp_path / "b.vhd")
    digests = {digest_of(open_subject(path, tmp_path).disk, tmp_path) for path in (plain, sealed)}
    assert digests == {content_digest(plain, 2 * MIB)}


def built(image: Path, *claimed: int) -> Subject:
    return replace(open_subject(image, image), manifest=replace(MANIFEST, generations=claimed))


def test_boots_what_the_manifest_claims(image: Path) -> None:
    assert generations(built(image, 1, 2), None) == (1, 2)
    assert generations(built(image, 1, 2), 2) == (2,)
    assert generations(replace(built(image), manifest=None), 1) == (1,)


@pytest.mark.parametrize(
    ("claimed", "asked", "message", "hint"),
    [
        ((1,), 2, "is not made for generation 2", "it boots as generation 1"),
        ((1, 2), 3, "is not made for generation 3", "it boots as generation 1 and 2"),
        (None, None, "has no manifest", "say --gen 1 (BIOS) or --gen 2 (UEFI)"),
        (None, 3, "there is no generation 3", "say --gen 1 (BIOS) or --gen 2 (UEFI)"),
    ],
)
def test_refuses_other_generations(
    image: Path, claimed: tuple[int, ...] | None, asked: int | None, message: str, hint: str
) -> None:
    subject = replace(open_subject(image, image), manifest=None) if claimed is None else built(image, *claimed)
    with pytest.raises(CallerError, match=message) as refusal:
        generations(subject, asked)
    assert refusal.value.hint == hint
