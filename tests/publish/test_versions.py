"""Names of versions, and which is the latest."""

from datetime import date

import pytest

from build.errors import CallerError
from publish import versions

DAY = date(2026, 11, 22)


def version(name: str, *, excluded: bool = False, state: str = "Succeeded", digest: str = "") -> dict[str, object]:
    properties = {"provisioningState": state, "publishingProfile": {"excludeFromLatest": excluded}}
    return {"name": name, "properties": properties, "tags": {versions.DIGEST: digest} if digest else None}


@pytest.mark.parametrize(
    ("taken", "name"),
    [
        ([], "12.20261122.1"),
        (["12.20261122.1", "12.20261122.9", "12.20261122.10"], "12.20261122.11"),
        (["12.20261121.4", "13.20261122.4", "no-version"], "12.20261122.1"),
    ],
)
def test_takes_the_next_number_of_the_day(taken: list[str], name: str) -> None:
    assert versions.following(12, DAY, taken) == name


def test_is_latest_by_number_and_not_by_letters() -> None:
    every = [version("12.20261122.9"), version("12.20261122.10"), version("12.20261123.1", excluded=True)]
    assert versions.latest(every) == "12.20261122.10"
    assert versions.latest([*every, version("13.20260101.1", state="Failed")]) == "12.20261122.10"
    assert versions.latest([version("1.2.3", excluded=True)]) == ""


def test_finds_what_holds_the_same_content() -> None:
    every = [version("1.2.10", digest="a"), version("1.2.9", digest="a"), version("1.2.11", digest="b")]
    assert [one["name"] for one in versions.ours(every, "a")] == ["1.2.9", "1.2.10"]


@pytest.mark.parametrize("name", ["1.2", "1.2.3.4", "1.2.x", "1.2.2147483648", ""])
def test_refuses_what_is_no_version(name: str) -> None:
    with pytest.raises(CallerError, match="is no version"):
        versions.parse(name)
