"""The doctor: what it says of lacks, each with its remedy."""

from pathlib import Path

import pytest

from harness.doctor import (
    PACKAGES,
    Finding,
    able,
    examine_archives,
    examine_programs,
    examine_space,
    read_packages,
    release_files,
)


def test_reads_the_launchers_own_list() -> None:
    groups = {group for group, _, _ in read_packages(PACKAGES)}
    assert groups == {"kiln", "build", "verify", "test"}


def test_names_missing_programs_and_the_command_that_brings_them(tmp_path: Path) -> None:
    sign = tmp_path / "firmware-4.fd"
    sign.touch()
    packages = [
        ("build", "tool|tool-ng", "no-such-program"),
        ("build", "shell", "sh"),
        ("verify", "firmware", f"{tmp_path}/firmware-*.fd"),
    ]
    build, verify = examine_programs(packages)
    assert (build.ok, build.detail) == (False, "missing: no-such-program")
    assert build.remedy.endswith("--no-install-recommends tool")
    assert (verify.ok, verify.remedy) == (True, "")


@pytest.mark.parametrize(("task", "possible"), [("build", False), ("verify", False), ("test", True), ("", True)])
def test_counts_only_what_building_and_verifying_need(task: str, possible: bool) -> None:
    assert able([Finding("fine", True, "ok", needed_for="build"), Finding("it", False, "no", "", task)]) is possible


def test_tells_silent_archives_from_those_that_answer() -> None:
    def answer(address: str) -> None:
        if "silent" in address:
            raise TimeoutError("timed out")

    silent, lively = examine_archives(["http://silent/dists/x/InRelease", "http://lively/dists/x/InRelease"], answer)
    assert (silent.ok, silent.detail) == (False, "does not answer: timed out")
    assert "--mirror" in silent.remedy
    assert lively.text == "ok    archive http://lively/dists/x: answers"


def test_asks_each_release_file_once() -> None:
    addresses = release_files()
    assert addresses
    assert len(addresses) == len(set(addresses))


def test_looks_for_room_above_a_folder_that_is_still_to_be_made(tmp_path: Path) -> None:
    (room,) = examine_space({"output": tmp_path / "to" / "come"})
    assert "GiB free" in room.detail
