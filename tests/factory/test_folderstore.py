"""The store in a folder: put if absent, whole or not at all, leases by its own clock."""

import os
import time
from pathlib import Path

import pytest

from build.errors import MachineError
from factory.folderstore import FolderStore, digest_of
from factory.job import Outcome, Result

KEY = "ab" * 32
PASSED = Result(Outcome.PASSED, facts={"x": 1})


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store", silent=30.0)


def folder(path: Path, text: str = "text") -> Path:
    path.mkdir(parents=True)
    (path / "file").write_text(text)
    return path


def aged(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def test_keeps_the_first_of_two_results(store: FolderStore) -> None:
    assert store.put(KEY, PASSED) == PASSED
    assert store.put(KEY, Result(Outcome.FAILED, "later")) == PASSED
    assert store.result(KEY) == PASSED
    assert not list((store.root / "fresh").iterdir())


def test_puts_a_sound_result_in_place_of_a_damaged_one(store: FolderStore) -> None:
    store.put(KEY, PASSED)
    (store.root / "results" / KEY[:2] / KEY).write_text("{")
    assert store.result(KEY) is None
    assert store.put(KEY, PASSED) == PASSED
    assert store.result(KEY) == PASSED


def test_keeps_a_folder_by_its_content(store: FolderStore, tmp_path: Path) -> None:
    first = store.keep(folder(tmp_path / "a"))
    second = store.keep(folder(tmp_path / "b"))
    assert first == second
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()
    kept = store.artefact(first)
    assert kept and (kept / "file").read_text() == "text"
    assert store.artefact("0" * 64) is None


def test_leaves_holes_where_it_copies_from_another_file_system(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = folder(tmp_path / "a")
    with (made / "disk").open("wb") as disk:
        disk.seek(80 << 20)
        disk.write(b"end")
    whole = digest_of(made)
    rename = Path.rename

    def elsewhere(path: Path, target: Path) -> Path:
        if path == made:
            raise OSError(18, "Invalid cross-device link")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", elsewhere)
    kept = store.artefact(store.keep(made))
    assert kept and digest_of(kept) == whole
    assert (kept / "disk").stat().st_blocks < 2048


@pytest.mark.parametrize("change", ["content", "name", "mode"])
def test_tells_folders_apart(change: str, tmp_path: Path) -> None:
    one, other = folder(tmp_path / "a"), folder(tmp_path / "b", "other" if change == "content" else "text")
    if change == "name":
        (other / "file").rename(other / "file2")
    if change == "mode":
        (other / "file").chmod(0o755)
    assert digest_of(one) != digest_of(other)


def test_gives_a_lease_to_one_alone(store: FolderStore) -> None:
    lease = store.lease("job", "a")
    assert lease and lease.renew()
    assert store.lease("job", "b") is None
    lease.release()
    again = store.lease("job", "b")
    assert again and not lease.renew()
    lease.release()
    assert again.renew()


def test_takes_a_lease_over_from_one_who_is_silent(store: FolderStore) -> None:
    lease = store.lease("job", "a")
    assert lease
    aged(lease.path, 31)
    other = store.lease("job", "b")
    assert other and other.renew()
    assert not lease.renew()


def test_measures_silence_by_the_store_s_own_clock(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = store.lease("job", "a")
    assert lease
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert store.lease("job", "b") is None


def test_sweeps_what_a_dead_writer_left(store: FolderStore) -> None:
    old, new = folder(store.root / "fresh" / "old"), folder(store.root / "fresh" / "new")
    lease, other = store.lease("a", "dead"), store.lease("b", "alive")
    assert lease and other
    aged(old, 25 * 3600)
    aged(lease.path, 25 * 3600)
    store.sweep()
    assert (old.exists(), new.exists(), lease.path.exists(), other.renew()) == (False, True, False, True)


def test_keeps_documents_in_order(store: FolderStore) -> None:
    store.note("nights/m/2026-11-02.01.json", "two")
    store.note("nights/m/2026-11-01.01.json", "one")
    store.note("nights/m/2026-11-01.01.json", "one again")
    assert [store.read(name) for name in store.names("nights/m")] == ["one again", "two"]
    assert store.read("nights/m/none.json") is None


def test_says_where_it_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot be made"):
        FolderStore(tmp_path / "file" / "store")
