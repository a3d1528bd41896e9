"""The content digest: about bytes, never about how a file stores them."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from build.digest import BLOCK, content_digest

SIZE = 12 * BLOCK + 1000
pieces = st.dictionaries(st.integers(0, SIZE // 4096 - 1), st.binary(min_size=1, max_size=4096), max_size=12)


def dense(path: Path, content: dict[int, bytes]) -> Path:
    """Every byte written: no holes at all."""
    whole = bytearray(SIZE)
    for page, data in content.items():
        whole[page * 4096 : page * 4096 + len(data)] = data
    path.write_bytes(whole)
    return path


def sparse(path: Path, content: dict[int, bytes], zeros: set[int]) -> Path:
    """Only the pieces written, and some pages of zeros."""
    with path.open("wb") as file:
        file.truncate(SIZE)
        for page in zeros:
            file.seek(page * 4096)
            file.write(bytes(4096))
        for page, data in content.items():
            file.seek(page * 4096)
            file.write(data)
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(content=pieces, zeros=st.sets(st.integers(0, SIZE // 4096 - 2), max_size=12))
def test_is_equal_for_equal_bytes_whatever_is_a_hole(
    tmp_path: Path, content: dict[int, bytes], zeros: set[int]
) -> None:
    one, other = dense(tmp_path / "dense", content), sparse(tmp_path / "sparse", content, zeros)
    assert one.read_bytes() == other.read_bytes()
    assert content_digest(one, SIZE) == content_digest(other, SIZE)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(content=pieces, at=st.integers(0, SIZE - 1))
def test_differs_by_one_byte(tmp_path: Path, content: dict[int, bytes], at: int) -> None:
    path = dense(tmp_path / "disk", content)
    before = content_digest(path, SIZE)
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0xFF]))
    assert content_digest(path, SIZE) != before


def test_counts_the_place_of_data_and_the_size_of_the_disk(tmp_path: Path) -> None:
    digests = {
        content_digest(sparse(tmp_path / "one", {0: b"x"}, set()), SIZE),
        content_digest(sparse(tmp_path / "other", {1: b"x"}, set()), SIZE),
        content_digest(sparse(tmp_path / "next", {16: b"x"}, set()), SIZE),
        content_digest(sparse(tmp_path / "one", {0: b"x"}, set()), SIZE - 512),
    }
    assert len(digests) == 4


def test_leaves_a_footer_behind_the_disk_out(tmp_path: Path) -> None:
    path = dense(tmp_path / "disk", {3: b"content"})
    before = content_digest(path, SIZE)
    with path.open("ab") as file:
        file.write(b"conectix".ljust(512, b"\0"))
    assert content_digest(path, SIZE) == before


@pytest.mark.parametrize("size", [0, 1, BLOCK, BLOCK * 3 + 7])
def test_of_an_empty_disk_depends_on_its_size_alone(tmp_path: Path, size: int) -> None:
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate(size)
    written = tmp_path / "zeros"
    written.write_bytes(bytes(size))
    assert content_digest(path, size) == content_digest(written, size)
