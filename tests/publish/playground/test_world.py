"""What the double remembers, without any server."""

from pathlib import Path

import pytest

from publish.playground.blobs import vhd_fault
from publish.playground.world import Refused, World, shown


class NoBlobs:
    """Storage that holds nothing."""

    def footer(self, url: str) -> tuple[int, bytes] | None:
        return None

    def make_disk(self, name: str, length: int) -> str:
        return name

    def copy_disk(self, name: str, source: str) -> str:
        return name

    def address(self, url: str, seconds: int, *, write: bool) -> str:
        return url


def world(file: Path | None = None) -> World:
    return World(NoBlobs(), "secret", file)


def test_finds_a_resource_whatever_the_case_of_its_letters() -> None:
    one = world()
    one.keep({"id": "/a/Galleries/X"})
    assert one.find("/A/galleries/x") == {"id": "/a/Galleries/X"}
    with pytest.raises(Refused):
        one.need("/a/galleries/y")


def test_lists_what_lies_right_below() -> None:
    one = world()
    for id in ("/g/x", "/g/x/images", "/g/x/images/a", "/g/x/images/a/versions/1.2.3", "/g/xy/images/b"):
        one.keep({"id": id})
    assert [found["id"] for found in one.below("/g/x/images")] == ["/g/x/images/a"]


def test_goes_on_with_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "resources.json"
    one = world(file)
    one.keep({"id": "/a", "_left": 2, "properties": {"b": 1}})
    one.keep({"id": "/b"})
    one.forget("/B")
    again = world(file)
    again.load()
    assert again.resources == {"/a": {"id": "/a", "_left": 2, "properties": {"b": 1}}}


def test_shows_nothing_of_its_own() -> None:
    assert shown({"id": "/a", "_left": 2, "properties": {"_own": 1, "b": 2}}) == {"id": "/a", "properties": {"b": 2}}


def test_knows_that_a_blob_is_not_there() -> None:
    assert "not found" in vhd_fault(NoBlobs().footer("x"))
