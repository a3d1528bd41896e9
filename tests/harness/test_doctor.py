"""The doctor: what it says of lacks, each with its remedy."""

from dataclasses import replace
from pathlib import Path

import pytest

from distros import all_recipes
from distros.recipe import PublishedImage, Repository
from harness.doctor import (
    PACKAGES,
    Finding,
    able,
    examine_archives,
    examine_programs,
    examine_space,
    read_packages,
)

RECIPES = {recipe.name: recipe for recipe in all_recipes() if recipe.arch == "x86_64"}
REPOSITORIES = [one for one in RECIPES["almalinux-10"].archives if isinstance(one, Repository)]
SAMPLES = zip(("lively", "silent"), REPOSITORIES, strict=False)


def test_reads_the_launchers_own_list() -> None:
    groups = {group for group, _, _ in read_packages(PACKAGES)}
    assert groups == {"kiln", "build", "verify", "playground", "test", "aarch64"}


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

    lively = RECIPES["almalinux-10"]
    there, silent = (replace(repository, url=f"https://{name}/{{arch}}") for name, repository in SAMPLES)
    told = examine_archives([replace(lively, release="silent", archives=(there, silent)), lively], answer)
    assert [(finding.topic, finding.ok) for finding in told] == [
        ("archive of the tools tree (debian)", True),
        ("archive of almalinux-silent", False),
        ("archive of almalinux-10", True),
    ]


def test_asks_for_every_repository_of_a_release() -> None:
    asked: list[str] = []
    examine_archives([RECIPES["oracle-9"]], asked.append)
    assert len([address for address in asked if address.endswith("/x86_64/repodata/repomd.xml")]) == 4
    assert not [address for address in asked if "{" in address]


def test_stops_building_where_the_tools_archive_is_silent() -> None:
    def answer(address: str) -> None:
        raise TimeoutError("timed out")

    tools, alma = examine_archives([RECIPES["almalinux-10"]], answer)
    assert (tools.ok, tools.needed_for, able([tools])) == (False, "build", False)
    assert (alma.ok, alma.needed_for, able([alma])) == (False, "", True)
    assert alma.detail.endswith("repomd.xml does not answer: timed out")
    assert "--mirror" in alma.remedy
    assert "--proxy" in alma.remedy


@pytest.mark.parametrize(("name", "flag"), [("rhel-10", "--entitlement"), ("sles-16.0", "--scc-credentials")])
def test_does_not_knock_where_only_subscribers_get_in(name: str, flag: str) -> None:
    asked: list[str] = []
    _, found = examine_archives([RECIPES[name]], asked.append)
    assert found.ok
    assert flag in found.detail
    assert not [address for address in asked if "debian" not in address]


def test_asks_for_the_newest_version_of_a_published_image() -> None:
    asked: list[str] = []
    image = PublishedImage("https://there/{version}/disk", "", (), version="https://there/version.txt")
    examine_archives([replace(RECIPES["almalinux-10"], archives=(), image=image)], asked.append)
    assert "https://there/version.txt" in asked
    assert not [address for address in asked if "{" in address]


def test_has_one_finding_for_each_release() -> None:
    topics = [finding.topic for finding in examine_archives(all_recipes(), lambda address: None)]
    assert len(topics) == len(set(topics)) == len(RECIPES) + 1


def test_looks_for_room_above_a_folder_that_is_still_to_be_made(tmp_path: Path) -> None:
    (room,) = examine_space({"output": tmp_path / "to" / "come"})
    assert "GiB free" in room.detail
