"""What is different between two nights: found, in its order, and no more than that."""

import json
from pathlib import Path
from typing import Any

import pytest

from build.errors import CallerError
from factory import api, record
from factory.difference import KINDS, Change, differences
from factory.folderstore import FolderStore
from factory.record import Entry, Record

RUN = {"played": "first-boot", "azure": "Succeeded", "failed": []}
VM = "48a4c2e9-f255-5847-98ca-87817d706bb5"
AGAIN = "00000000-f255-5847-98ca-87817d706bb5"


def asked(service: str, path: str, status: int = 200, agent: str = "agent/1") -> dict[str, Any]:
    details = {"method": "GET", "path": path, "status": status, "agent": agent, "seconds": 0.1}
    return {"at": 1.5, "source": service, "event": "exchange", "details": details}


def dhcp(name: str | None, event: str = "REQUEST") -> dict[str, Any]:
    return {"at": 1.0, "source": "dhcp", "event": event, "details": {"host_name": name} if name else {}}


READY = {"at": 2.0, "source": "health", "event": "Ready", "details": {"substatus": "", "client": "cloud-init"}}
JOURNAL = (dhcp(None), dhcp("kiln-vm"), dhcp("kiln-vm"), asked("wireserver", f"/machine/{VM}._kiln?comp=config"))


def night(store: FolderStore, folder: Path, *journal: dict[str, Any], **other: Any) -> Record:
    """A night of one image `i`, whose only run left that journal."""
    run = folder / "runs" / "gen2-first-boot"
    run.mkdir(parents=True)
    (run / "journal.jsonl").write_text("\n".join(map(json.dumps, journal or JOURNAL)) + '\n{"cut')
    made = {
        "kernel": "6.1",
        "packages": [{"name": "bash", "version": "5", "arch": "amd64"}],
        "sizes": {"root": 1000},
        **other.get("made", {}),
    }
    jobs = {
        "i/image": Entry("image", "i", "passed", facts=made),
        "i/gen2": Entry(
            *("boot", "i", other.get("outcome", "passed")),
            artefacts={"runs": store.keep(folder / "runs")},
            facts={"runs": [{**RUN, **other.get("run", {})}]},
        ),
    }
    return Record(other.get("name", "2026-01-01.01"), "m", "", jobs, ended="then")


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def test_finds_nothing_where_only_ids_and_times_differ(store: FolderStore, tmp_path: Path) -> None:
    later = (dhcp(None), dhcp("kiln-vm"), *([asked("wireserver", f"/machine/{AGAIN}._kiln?comp=config")] * 3))
    nights = night(store, tmp_path / "a"), night(store, tmp_path / "b", *later, made={"sizes": {"root": 1050}})
    assert differences(*nights, store) == ()


def test_counts_no_request_that_came_once_the_guest_was_ready(store: FolderStore, tmp_path: Path) -> None:
    more = (*JOURNAL, READY, asked("hostplugin", "/status"))
    assert differences(night(store, tmp_path / "a", *JOURNAL, READY), night(store, tmp_path / "b", *more), store) == ()


@pytest.mark.parametrize(
    ("journal", "other", "change"),
    [
        ((), {"outcome": "failed"}, ("verdict", "gen2", "passed", "failed")),
        (
            (),
            {"run": {"failed": [{"id": "run.boot-ssh", "found": "nobody"}]}},
            ("verdict", "gen2 first-boot run.boot-ssh", "", "failed: nobody"),
        ),
        (
            (),
            {"run": {"azure": "OSProvisioningTimedOut"}},
            ("verdict", "gen2 first-boot Azure's answer", "Succeeded", "OSProvisioningTimedOut"),
        ),
        (
            (dhcp("localhost"), *JOURNAL[1:]),
            {},
            ("host name", "gen2 gen2-first-boot", "-, kiln-vm", "localhost, kiln-vm"),
        ),
        (
            (*JOURNAL, asked("imds", "/metadata/instance", 404)),
            {},
            ("host protocol", "gen2 gen2-first-boot imds GET /metadata/instance → 404", "", "agent/1"),
        ),
        (
            (*JOURNAL[:3], asked("wireserver", f"/machine/{VM}?comp=config", agent="agent/2")),
            {},
            (
                "host protocol",
                "gen2 gen2-first-boot wireserver GET /machine/ID?comp=config → 200",
                "agent/1",
                "agent/2",
            ),
        ),
        ((), {"made": {"kernel": "6.2"}}, ("kernel", "version", "6.1", "6.2")),
        (
            (),
            {"made": {"packages": [{"name": "bash", "version": "6", "arch": "amd64"}]}},
            ("package", "bash.amd64", "5", "6"),
        ),
        ((), {"made": {"packages": []}}, ("package", "bash.amd64", "5", "")),
        ((), {"made": {"sizes": {"root": 1051}}}, ("size", "root", "1000", "1051")),
    ],
)
def test_finds_what_changed(
    journal: Any, other: dict[str, Any], change: tuple[str, ...], store: FolderStore, tmp_path: Path
) -> None:
    found = differences(night(store, tmp_path / "a"), night(store, tmp_path / "b", *journal, **other), store)
    assert found == (Change("i", *change),)


def test_tells_the_most_important_first(store: FolderStore, tmp_path: Path) -> None:
    worse = {
        "made": {"kernel": "6.2", "packages": [], "sizes": {"root": 5000}},
        "outcome": "failed",
        "run": {"azure": ""},
    }
    journal = (dhcp("other"), asked("imds", "/metadata"))
    after = night(store, tmp_path / "b", *journal, **worse)
    found = differences(night(store, tmp_path / "a"), after, store)
    assert list(dict.fromkeys(one.kind for one in found)) == list(KINDS)
    assert (found[0].name, found[1].name) == ("gen2", "gen2 first-boot Azure's answer")
    assert differences(after, after, store, "another") == ()


def test_an_image_that_one_night_lacks_is_a_change(store: FolderStore, tmp_path: Path) -> None:
    before = night(store, tmp_path / "a")
    found = differences(before, Record("n", "m", "", {}), store)
    assert {one.after for one in found} == {""} and {one.kind for one in found} == set(KINDS)


def test_a_night_is_known_by_its_name(store: FolderStore, tmp_path: Path) -> None:
    first = night(store, tmp_path / "a")
    record.keep(store, first)
    assert record.named(store, "2026-01-01.01") == first == record.named(store, "m/2026-01-01.01")
    with pytest.raises(CallerError, match="there is no night 2026-01-02") as refused:
        record.named(store, "2026-01-02")
    assert refused.value.hint == "the last ones are m/2026-01-01.01"
    record.keep(store, Record(**{**vars(first), "matrix": "other"}))
    with pytest.raises(CallerError, match="of several matrices"):
        record.named(store, "2026-01-01.01")


def test_refuses_an_image_that_neither_night_has(store: FolderStore, tmp_path: Path) -> None:
    record.keep(store, night(store, tmp_path / "a"))
    with pytest.raises(CallerError, match="no image j is in these nights") as refused:
        api.changes(store.root, "2026-01-01.01", "2026-01-01.01", "j")
    assert refused.value.hint == "they have i"
    assert api.changes(store.root, "2026-01-01.01", "2026-01-01.01", "i") == ()
