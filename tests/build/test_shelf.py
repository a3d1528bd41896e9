"""The folder of an image: whole under its name or not there, and nobody else's."""

from dataclasses import replace
from pathlib import Path

import pytest

from build.errors import CallerError
from build.manifest import Manifest
from build.shelf import fresh_folder, place, put, recover, require_ours

MANIFEST = Manifest(
    *("debian-13", "debian", "13", "x86_64", (1, 2), "generalized", "none", "", "", "digest", "plan", 0, "6.12", ""),
    *("", {}, (), (), {}, {}, {}),
)


def image(folder: Path, digest: str = "one", *, runs: bool = False) -> Path:
    folder.mkdir(exist_ok=True)
    replace(MANIFEST, digest=digest).save(folder)
    (folder / "disk.vhd").write_text(digest)
    if runs:
        (folder / "runs/gen2").mkdir(parents=True)
    return folder


def build(folder: Path, digest: str) -> None:
    with fresh_folder(folder) as fresh:
        image(fresh, digest)
        put(fresh, folder)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_appears_whole_and_leaves_nothing_beside(tmp_path: Path) -> None:
    build(tmp_path / "image", "one")
    assert names(tmp_path) == ["image"]
    assert names(tmp_path / "image") == ["disk.vhd", "manifest.json"]


@pytest.mark.parametrize(("digest", "kept"), [("one", True), ("two", False)])
def test_keeps_reports_about_equal_content_alone(tmp_path: Path, digest: str, kept: bool) -> None:
    image(tmp_path / "image", "one", runs=True)
    build(tmp_path / "image", digest)
    assert (tmp_path / "image/disk.vhd").read_text() == digest
    assert (tmp_path / "image/runs/gen2").is_dir() == kept
    assert names(tmp_path) == ["image"]


def test_leaves_the_earlier_image_alone_when_a_build_fails(tmp_path: Path) -> None:
    image(tmp_path / "image", "one")
    with pytest.raises(OSError, match="full"), fresh_folder(tmp_path / "image") as fresh:
        (fresh / "disk.vhd").write_text("half")
        raise OSError("full")
    assert names(tmp_path) == ["image"]
    assert Manifest.load(tmp_path / "image").digest == "one"


def test_brings_back_an_image_that_had_just_stepped_aside(tmp_path: Path) -> None:
    image(tmp_path / ".image.old", "one", runs=True)
    recover(tmp_path / "image")
    assert names(tmp_path) == ["image"]
    assert (tmp_path / "image/runs/gen2").is_dir()


@pytest.mark.parametrize(("digest", "kept"), [("one", True), ("two", False)])
def test_finishes_what_was_cut_off_after_the_new_image_had_its_name(tmp_path: Path, digest: str, kept: bool) -> None:
    image(tmp_path / ".image.old", "one", runs=True)
    image(tmp_path / "image", digest)
    recover(tmp_path / "image")
    assert names(tmp_path) == ["image"]
    assert (tmp_path / "image/runs/gen2").is_dir() == kept


def test_drops_what_a_killed_build_had_made_ready(tmp_path: Path) -> None:
    image(tmp_path / ".image.new", "half")
    build(tmp_path / "image", "two")
    assert names(tmp_path) == ["image"]


@pytest.mark.parametrize("present", ["nothing", "empty", "image", "damaged"])
def test_takes_a_place_that_is_free_or_ours(tmp_path: Path, present: str) -> None:
    folder = tmp_path / "image"
    if present != "nothing":
        folder.mkdir()
    if present == "image":
        image(folder)
    if present == "damaged":
        (folder / "manifest.json").write_text("{")
    require_ours(folder)
    build(folder, "new")
    assert Manifest.load(folder).digest == "new"


def test_leaves_a_folder_of_somebody_else_alone(tmp_path: Path) -> None:
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / "thesis.txt").write_text("ten years of work")
    with pytest.raises(CallerError, match="holds something else than an image"):
        require_ours(folder)
    with pytest.raises(CallerError, match="holds something else than an image"):
        build(folder, "new")
    assert names(tmp_path) == ["image"]
    assert names(folder) == ["thesis.txt"]


@pytest.mark.parametrize("kind", ["file", "link", "dangling"])
def test_refuses_what_is_no_folder(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "image"
    if kind == "file":
        place.touch()
    else:
        place.symlink_to(tmp_path if kind == "link" else "nowhere")
    with pytest.raises(CallerError, match="is not a folder"):
        require_ours(place)


def test_refuses_an_output_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "output").touch()
    with pytest.raises(CallerError, match=r"the output folder .* is a file"):
        require_ours(tmp_path / "output/image")


def test_places_a_disk_without_taking_it_away(tmp_path: Path) -> None:
    source = tmp_path / "disk"
    source.write_text("content")
    place(source, tmp_path / "other")
    assert source.read_text() == (tmp_path / "other").read_text() == "content"
    assert source.stat().st_ino == (tmp_path / "other").stat().st_ino
