"""The journal."""

import json
import threading
from pathlib import Path

from harness.azure.journal import Journal


def test_keeps_order_and_finds_by_source_and_event() -> None:
    journal = Journal()
    for source, event in (("dhcp", "DISCOVER"), ("imds", "exchange"), ("dhcp", "ACK")):
        journal.add(source, event)
    assert [entry.event for entry in journal.find("dhcp")] == ["DISCOVER", "ACK"]
    assert journal.first(event="exchange") == journal.entries[1]
    assert journal.last("dhcp") == journal.entries[2]
    assert journal.last("dns") is None


def test_writes_each_entry_as_it_happens(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.jsonl") as journal:
        journal.add("health", "Ready", client="cloud-init", matches=True)
        told = json.loads((tmp_path / "journal.jsonl").read_text())
    assert told["source"] == "health"
    assert told["details"] == {"client": "cloud-init", "matches": True}
    assert told["time"].endswith("+00:00")


def test_goes_on_in_memory_after_its_file_is_closed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.close()
    journal.add("dvd", "ejected")
    assert len(journal.entries) == 1


def test_takes_entries_from_many_threads(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    threads = [threading.Thread(target=lambda: [journal.add("imds", "exchange") for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = (tmp_path / "journal.jsonl").read_text().splitlines()
    assert len(lines) == len(journal.entries) == 400
    times = [json.loads(line)["at"] for line in lines]
    assert times == sorted(times)
