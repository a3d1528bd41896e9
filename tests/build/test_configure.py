"""Steps that configure a tree: options of the agent, files, and what the seal takes out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build.configure import is_taken, with_options

WAAGENT = """\
# Enable or disable provisioning
Provisioning.Enabled=y
# ResourceDisk.Format=y is what it would be
ResourceDisk.Format=y
ResourceDisk.Format=n

  Indented=1
"""


@pytest.mark.parametrize(
    ("settings", "has", "has_not"),
    [
        ({"Provisioning.Enabled": "n"}, ["Provisioning.Enabled=n"], ["Provisioning.Enabled=y"]),
        ({"ResourceDisk.Format": "n"}, ["ResourceDisk.Format=n"], ["ResourceDisk.Format=y"]),
        ({"New.Key": "auto"}, ["New.Key=auto"], []),
        ({"Indented": "2"}, ["  Indented=1", "Indented=2"], []),
    ],
)
def test_sets_a_key_where_it_stands_or_at_the_end(settings: dict[str, str], has: list[str], has_not: list[str]) -> None:
    lines = with_options(WAAGENT, settings).splitlines()
    assert all(lines.count(line) == 1 for line in has)
    assert not [line for line in has_not if line in lines]


def test_keeps_comments_and_all_other_keys() -> None:
    text = with_options(WAAGENT, {"Other": "y"})
    assert text == WAAGENT + "Other=y\n"


keys = st.from_regex(r"[A-Z][A-Za-z]{0,8}\.[A-Z][a-z]{0,8}", fullmatch=True)
settings_of_any_kind = st.dictionaries(keys, st.sampled_from(["y", "n", "auto", "300", "/dev/sdb"]), max_size=5)


@given(
    lines=st.lists(st.one_of(keys.map(lambda key: f"{key}=y"), st.just("# note"), st.just(""))),
    settings=settings_of_any_kind,
)
def test_has_each_key_once_and_setting_twice_is_setting_once(lines: list[str], settings: dict[str, str]) -> None:
    once = with_options("\n".join(lines), settings)
    assert with_options(once, settings) == once
    found = [line.partition("=") for line in once.splitlines()]
    assert {key: value for key, _, value in found if key in settings} == settings
    assert len([key for key, _, _ in found if key in settings]) == len(settings)


@pytest.mark.parametrize(
    ("name", "taken"),
    [("root", True), ("backup", True), ("nobody", True), ("left", False), ("new", False), ("bac", False)],
)
def test_knows_accounts_of_the_system_from_one_that_a_killed_build_left(name: str, taken: bool) -> None:
    text = (
        "root:x:0:0::/root:/bin/sh\nbackup:x:34:34::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\nleft:x:1000:1000::/:\n"
    )
    assert is_taken(text, name) == taken
