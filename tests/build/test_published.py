"""An image that is published whole: fetched, believed when it is signed, unpacked, grown."""

import bz2
import struct
import uuid
from pathlib import Path

import pytest

from build import gptgrow
from build.errors import CallerError, KilnError, MachineError
from build.gpt import read_table
from build.published import FetchImage, GrowDisk, UnpackImage, sha512s
from build.vhd import append_footer
from tests.build.flatcar_release import FILE, FIXED, MIB, asked, disk, folder_of, publish, workspace
from tests.build.publisher import Publisher
from tests.standin.key import SigningKey


@pytest.fixture
def release(publisher: Publisher) -> Publisher:
    publish(publisher, b"an image")
    return publisher


def test_takes_digests_of_sha512_alone_from_a_list() -> None:
    text = "# MD5 HASH\naa  one\n# SHA1 HASH\nbb  one\n# SHA512 HASH\ncc  one\nDD *two\n"
    assert dict(sha512s(text)) == {"one": "cc", "two": "dd"}


def test_refuses_an_image_that_was_altered(release: Publisher, tmp_path: Path) -> None:
    state = asked(release)
    (folder_of(release) / FILE).write_bytes(b"another!")
    with pytest.raises(MachineError, match="digest"):
        FetchImage(state).run(workspace(tmp_path))


def test_refuses_an_image_whose_own_signature_is_somebody_elses(
    release: Publisher, tmp_path: Path, made_keys: tuple[SigningKey, SigningKey]
) -> None:
    state = asked(release)
    with made_keys[1].opened() as opened:
        opened.detach_sign(folder_of(release) / FILE, folder_of(release) / f"{FILE}.sig", armor=False)
    with pytest.raises(CallerError, match="does not hold"):
        FetchImage(state).run(workspace(tmp_path))


def test_refuses_an_image_whose_signature_is_none(release: Publisher, tmp_path: Path) -> None:
    state = asked(release)
    (folder_of(release) / f"{FILE}.sig").write_bytes(b"no signature")
    with pytest.raises(CallerError, match="does not hold"):
        FetchImage(state).run(workspace(tmp_path))
    publish(release, b"an image")
    FetchImage(state).run(workspace(tmp_path))


def test_fetches_it_once(release: Publisher, tmp_path: Path) -> None:
    state = asked(release)
    FetchImage(state).run(workspace(tmp_path))
    _take_away(release)
    FetchImage(state).run(workspace(tmp_path))


def _take_away(release: Publisher) -> None:
    for path in folder_of(release).iterdir():
        path.unlink()


def test_unpacks_the_disk_without_its_footer_and_with_holes(tmp_path: Path) -> None:
    work, made = workspace(tmp_path), disk(tmp_path)
    plain = made.read_bytes()
    append_footer(made, uuid.UUID(FIXED), 1_700_000_000)
    work.file("packed").write_bytes(bz2.compress(made.read_bytes()))
    UnpackImage().run(work)
    assert work.disk.read_bytes() == plain
    assert work.disk.stat().st_blocks * 512 < len(plain) // 2


@pytest.mark.parametrize("damage", ["cut", "foreign", "no footer"])
def test_says_that_an_image_is_broken(damage: str, tmp_path: Path) -> None:
    work, made = workspace(tmp_path), disk(tmp_path)
    packed = bz2.compress(made.read_bytes())
    work.file("packed").write_bytes({"cut": packed[:-50], "foreign": b"no bzip2 at all", "no footer": packed}[damage])
    with pytest.raises(KilnError) as refusal:
        UnpackImage().run(work)
    assert refusal.value.status in (2, 3)


def test_grows_a_disk_and_keeps_its_ids(tmp_path: Path) -> None:
    work = workspace(tmp_path)
    disk(tmp_path).rename(work.disk)
    with work.disk.open("rb") as file:
        before = read_table(file, 16 * MIB)
    for _ in range(2):
        GrowDisk(64 * MIB).run(work)
        with work.disk.open("rb") as file:
            after = read_table(file, 64 * MIB)
            file.seek(16 * MIB - 512)
            assert not any(file.read(512))
        assert after.problems == ()
        assert after.disk_guid == before.disk_guid
        assert after.partitions == before.partitions
        assert after.last_usable == 64 * MIB // 512 - 34
    assert struct.unpack_from("<I", work.disk.read_bytes()[:512], 458)[0] == 64 * MIB // 512 - 1


def test_never_cuts_a_disk(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="too small"):
        gptgrow.grow(disk(tmp_path), 8 * MIB)
