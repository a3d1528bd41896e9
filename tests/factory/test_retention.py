"""What of a store stays and what goes, and that nothing goes which somebody needs."""

import json
from pathlib import Path
from threading import Thread
from time import sleep

import pytest

from build.errors import CallerError, MachineError
from factory import api, folderstore, pruning, record
from factory.folderstore import FolderStore
from factory.job import Outcome, Result
from factory.matrix import Retention
from factory.record import Entry, Record
from factory.retention import pruning as judged

RULE = {"m": Retention(nights=2, weeks=2)}


def night(day: int, digest: str, *, kind: str = "image", ended: bool = True, matrix: str = "m") -> Record:
    """A night in January 2026, which begins on a Thursday."""
    jobs = {
        "i/image": Entry("image", "i", "passed", artefacts={"image": digest}),
        "i/last": Entry(kind, "i", "passed"),
    }
    return Record(
        f"2026-01-{day:02}.01", matrix, f"2026-01-{day:02}T01:00:00+00:00", jobs, ended="then" if ended else ""
    )


def goes(*nights: Record, pinned: tuple[str, ...] = ()) -> tuple[set[str], set[str]]:
    """The days and the artefacts that go, of one result and one artefact for each night and a stray one."""
    digests = [one.jobs["i/image"].artefacts["image"] for one in nights]
    results = {f"key-{one}": Result(Outcome.PASSED, artefacts={"image": one}) for one in digests}
    todo = judged(nights, RULE, results, [*digests, "stray"], pinned)
    assert set(todo.results) == {f"key-{one}" for one in todo.artefacts if one != "stray"}
    return {name[8:10] for _, name in todo.nights}, set(todo.artefacts)


def test_the_last_nights_and_the_last_of_each_week_stay() -> None:
    # The weeks of 2026 begin on the 5th, the 12th and the 19th of January.
    nights = [night(day, f"d{day}") for day in (6, 8, 13, 15, 19, 20, 21)]
    assert goes(*nights) == ({"06", "08", "13", "19"}, {"d6", "d8", "d13", "d19", "stray"})


@pytest.mark.parametrize(
    "old", [night(6, "old", kind="promote"), night(6, "old", ended=False), night(6, "old", matrix="another")]
)
def test_what_was_promoted_goes_on_or_belongs_to_another_matrix_stays(old: Record) -> None:
    assert goes(old, *(night(day, f"d{day}") for day in (13, 20, 21))) == (set(), {"stray"})


def test_what_is_pinned_or_made_again_stays_though_its_night_goes() -> None:
    nights = [night(6, "pinned"), night(7, "again"), *(night(day, "again") for day in (13, 20, 21))]
    assert goes(*nights, pinned=("pinned",)) == ({"06", "07"}, {"stray"})


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderStore:
    """A store with four nights, each with an artefact of its own; all of it old enough to go."""
    monkeypatch.setattr(folderstore, "ABANDONED", -1.0)
    made = FolderStore(tmp_path / "store")
    for day in (6, 7, 20, 21):
        folder = tmp_path / "made"
        folder.mkdir()
        (folder / "content").write_text(str(day))
        digest = made.keep(folder)
        made.put(f"key{day}", Result(Outcome.PASSED, artefacts={"image": digest}))
        record.keep(made, night(day, digest))
        (made.root / "logs" / "m" / f"2026-01-{day:02}.01").mkdir(parents=True)
    return made


def left(store: FolderStore) -> tuple[set[str], set[str], int, int]:
    nights = {name[-10:-8] for name in store.names(record.FOLDER)}
    results = {key for key, _ in store.results()}
    return nights, results, len(list(store.old_artefacts())), len(list((store.root / "logs/m").iterdir()))


def test_takes_out_what_goes_and_nothing_else(store: FolderStore) -> None:
    with pruning.alone(store, "me") as hold:
        pruning.apply(store, pruning.planned(store, RULE, hold.beat), hold.beat)
    assert left(store) == ({"07", "20", "21"}, {"key7", "key20", "key21"}, 3, 3)
    assert not store.held(pruning.PRUNE)
    assert pruning.planned(store, RULE).artefacts == ()


def test_a_pin_keeps_what_it_names(store: FolderStore) -> None:
    found = store.result("key6")
    assert found
    store.note(f"{pruning.PINS}/bisect", json.dumps({"reason": "a bisect", "digests": list(found.artefacts.values())}))
    assert pruning.planned(store, RULE).artefacts == ()


def test_what_is_young_stays(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folderstore, "ABANDONED", 3600.0)
    todo = pruning.planned(store, RULE)
    assert (todo.artefacts, todo.results, len(todo.nights)) == ((), (), 1)


def test_goes_on_after_it_was_cut_off(store: FolderStore) -> None:
    todo = pruning.planned(store, RULE)
    store.drop_result(todo.results[0])
    gone = store.artefact(todo.artefacts[0])
    assert gone
    gone.rename(store.root / "fresh" / "half")
    with pruning.alone(store, "me") as hold:
        pruning.apply(store, pruning.planned(store, RULE, hold.beat), hold.beat)
    assert left(store)[0] == {"07", "20", "21"}
    store.sweep()
    assert not list((store.root / "fresh").iterdir())


def test_refuses_while_a_night_goes_on(store: FolderStore) -> None:
    with (
        pruning.present(store, "farm 7", lambda text: None),
        pytest.raises(MachineError, match=r"goes on in this store \(farm 7\)"),
        pruning.alone(store, "me"),
    ):
        pass
    with pruning.alone(store, "me"):
        pass


def test_a_night_waits_while_somebody_prunes(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "LOOK", 0.01)
    told: list[str] = []

    def begin() -> None:
        with pruning.present(store, "farm", told.append):
            told.append("began")

    with pruning.alone(store, "me"):
        thread = Thread(target=begin)
        thread.start()
        thread.join(0.2)
        assert told == ["waiting: the store is being pruned by me"]
    thread.join(10)
    assert told[1:] == ["began"]


def test_ends_where_it_was_silent_for_so_long_that_a_night_may_have_begun(store: FolderStore) -> None:
    store.silent = 0.3
    with pruning.alone(store, "me") as hold:
        for _ in range(8):
            sleep(0.06)
            hold.beat()
        assert store.held(pruning.PRUNE) == ("me",)
        sleep(0.4)
        assert not store.held(pruning.PRUNE)
        with pytest.raises(MachineError, match="the hold on the store was lost"):
            pruning.apply(store, pruning.planned(store, RULE), hold.beat)
    assert left(store)[0] == {"06", "07", "20", "21"}


def test_prunes_by_the_rules_of_a_matrix(store: FolderStore, tmp_path: Path) -> None:
    matrix = tmp_path / "m.toml"
    matrix.write_text(
        'name = "m"\nstore = "store"\n[[images]]\ndistros = ["debian"]\n[retention]\nnights = 2\nweeks = 2\n'
    )
    assert api.prune([matrix], apply=False).nights == (("m", "2026-01-06.01"),)
    assert left(store)[0] == {"06", "07", "20", "21"}
    assert api.prune([matrix], apply=True).nights == (("m", "2026-01-06.01"),)
    assert left(store)[0] == {"07", "20", "21"}
    (tmp_path / "n.toml").write_text('name = "n"\n[[images]]\ndistros = ["debian"]\n')
    with pytest.raises(CallerError, match="these matrices have 2 stores"):
        api.prune([matrix, tmp_path / "n.toml"], apply=False)
