"""The host as the Azure agents of Debian's releases understand it: their own code, in a sealed namespace."""

import json
from pathlib import Path
from typing import Any

import pytest

from build import cache
from build.command import run
from harness.azure.extensions import probe
from harness.sandbox import run_sealed

pytestmark = pytest.mark.real
RELEASES = ("bookworm", "trixie")


@pytest.fixture(scope="module", params=RELEASES)
def facts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    shelf = cache.folder() / "packages" / request.param
    wanted = [sorted(shelf.glob(f"{name}_*.deb")) for name in ("waagent", "python3-distro")]
    if not all(wanted):
        pytest.skip(f"no image of {request.param} with the Azure agent was built on this machine yet")
    folder = tmp_path_factory.mktemp("agent")
    for packages in wanted:
        run("dpkg-deb", "--extract", str(packages[-1]), str(folder / "tree"))
    assert run_sealed("tests.harness.azure.sealed_agent", {"folder": str(folder), "tree": str(folder / "tree")}) == 0
    return json.loads(Path(folder, "facts.json").read_text())


def test_take_settings_open_and_sealed_whichever_way_they_come(facts: Any) -> None:
    told = [(look["number"], look["word"], look["secret"], look["source"]) for look in facts["looks"][:3]]
    assert told == [
        (0, "open", "sesame", "Fabric"),
        (1, "newer", "basil", "Fabric"),
        (2, "fast", "thyme", "FastTrack"),
    ]


def test_keep_their_goal_when_their_container_changes(facts: Any) -> None:
    assert facts["looks"][3] == facts["looks"][2]


def test_leave_extensions_alone_while_they_are_held(facts: Any) -> None:
    assert [look["held"] for look in facts["looks"]] == [False, False, False, False, True, False]


def test_find_the_package_by_the_host_plugin(facts: Any) -> None:
    assert facts["packages"] == [probe("", "").package_url]


def test_read_who_may_log_in_for_a_while(facts: Any) -> None:
    assert facts["remote_users"] == [["visitor", "pässword", "Fri, 03 Feb 2040 04:05:06 GMT"]]


def test_are_heard(facts: Any) -> None:
    assert (facts["ready"], facts["status"], facts["log"]) == ("WALinuxAgent", ["Ready"], "an archive")


def test_are_refused_nothing(facts: Any) -> None:
    assert [status for status in facts["answers"] if status >= 400] == []
