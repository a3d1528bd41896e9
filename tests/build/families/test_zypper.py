"""zypper: what it is told, and who is blamed for what it says."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from build.command import CommandFailed
from build.errors import KilnError, MachineError, RecipeError
from build.families import zypper
from build.families.rpm.state import Metadata
from build.families.rpm.step import remote
from build.families.zypper_told import _plain, blamed, chosen
from build.workspace import Workspace
from distros import all_recipes

RECIPE = next(one for one in all_recipes() if one.family == "zypper")
STATE = Metadata("oss", "a" * 64, 1, "/keyring", ("A" * 40,), True, url="https://one", ways=("https://two",))


def step(state: Metadata = STATE) -> zypper.ZypperPackages:
    return zypper.packages(RECIPE, ("kernel-default",), (state,))


@pytest.mark.parametrize(
    ("output", "error"),
    [
        ("'nosuch' not found in package names. Trying capabilities.\nNo provider of 'nosuch' found.", RecipeError),
        ("Problem: nothing provides 'libx' needed by the to be installed y-1-1.noarch", RecipeError),
        ("x-1-1.x86_64 (oss): Signature verification failed [6-File is unsigned]", MachineError),
        ("Signature verification failed for file 'repomd.xml' from repository 'oss'.", MachineError),
        ("Warning: Digest verification failed for file 'primary.xml'", MachineError),
        ("File './x.rpm' not found on medium 'http://m/repo'", MachineError),
        ("Specified path '/nonexistent' is not a directory: dir:/nonexistent", MachineError),
        ("Timeout exceeded when accessing 'http://m/x.rpm'.", MachineError),
        ("installing package x-1-1.x86_64 needs 8MB more space on the / filesystem", MachineError),
        ("error: unpacking of archive failed: cpio: write failed - No space left on device", MachineError),
        ("error: %prein(x-1-1.x86_64) scriptlet failed, exit status 7", RecipeError),
    ],
)
def test_says_who_must_act(output: str, error: type[KilnError]) -> None:
    found = blamed(CommandFailed(("zypper",), 8, output))
    assert type(found) is error
    assert found.hint
    assert "\n" not in found.what


def test_leaves_the_unknown_as_it_is() -> None:
    failure = CommandFailed(("zypper",), 1, "never seen before")
    assert blamed(failure) is failure


def test_gives_a_tree_the_same_name_wherever_its_packages_come_from() -> None:
    elsewhere = replace(STATE, url="https://three", ways=(), signature="b" * 64)
    assert step().key == step(elsewhere).key
    assert step().key != step(replace(STATE, sha256="b" * 64)).key


def test_checks_packages_and_metadata() -> None:
    text = zypper._repository(remote(STATE))
    assert "\ngpgcheck=1\nrepo_gpgcheck=1\npkg_gpgcheck=1\n" in text
    assert "https://one\n        https://two\n" in text


def test_leaves_metadata_that_another_key_signs_to_gpgv() -> None:
    told = zypper._repository(remote(replace(STATE, metadata_keys=("B" * 40,))))
    assert "\nrepo_gpgcheck=0\npkg_gpgcheck=1\n" in told


def test_asks_nobody_offline(work: Workspace) -> None:
    told = zypper._with_way(remote(STATE), {"https://one": "https://one?token"}, replace(work, offline=True))
    assert "https://" not in zypper._repository(told)


def test_shows_a_subscribers_token_where_there_is_one(work: Workspace) -> None:
    told = zypper._with_way(remote(STATE), {"https://one": "https://one?token"}, work)
    assert "baseurl=https://one?token\n        https://two\n" in zypper._repository(told)


SUMMARY = """\
<?xml version='1.0'?>
<stream>
<message type="info">Resolving package dependencies...</message>
<install-summary download-size="1" space-usage-diff="2" packages-to-change="3">
<to-install>
<solvable type="package" name="bash" edition="5.2-1" arch="x86_64" repository="oss"/>
<solvable type="pattern" name="base" edition="1-1" arch="noarch" repository="oss"/>
</to-install>
<to-upgrade>
<solvable type="package" name="less" edition="1:668-1" edition-old="1:1-1" arch="x86_64" repository="update"/>
</to-upgrade>
<to-remove>
<solvable type="package" name="old" edition="1-1" arch="x86_64" repository="@System"/>
</to-remove>
</install-summary>
</stream>
"""


def test_knows_what_zypper_chose() -> None:
    bash, less = ("bash", "5.2-1", "x86_64"), ("less", "1:668-1", "x86_64")
    assert chosen(SUMMARY) == {("oss", *bash): bash, ("update", *less): less}
    assert chosen("Nothing to do.\n") == {}


def test_reads_a_refusal_that_is_told_as_xml() -> None:
    output = """<?xml version='1.0'?>\n<message type="error">&apos;x&apos; not found in package names.</message>\n"""
    failure = _plain(CommandFailed(("zypper",), 104, output))
    assert failure.output.strip() == "'x' not found in package names."


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workspace]:
    with (tmp_path / "log").open("w") as log:
        made = Workspace(tmp_path / "tools", "image", tmp_path / "cache", log, 1)
        made.tree.mkdir(parents=True)
        yield made


def test_keeps_packages_out_only_while_it_installs(work: Workspace) -> None:
    with zypper._locked(work, ("plymouth",)):
        assert "solvable_name: plymouth\n" in work.path(zypper.LOCKS).read_text()
    assert not work.path(zypper.LOCKS).exists()


def test_keeps_the_locks_that_an_image_has(work: Workspace) -> None:
    work.write(zypper.LOCKS, "mine\n")
    with zypper._locked(work, ("plymouth",)):
        assert work.path(zypper.LOCKS).read_text().startswith("mine\n")
    assert work.path(zypper.LOCKS).read_text() == "mine\n"


def test_takes_out_what_tells_of_one_build(work: Workspace) -> None:
    work.write("/var/lib/zypp/AnonymousUniqueId", "me")
    work.write("/var/log/zypp/history", "today")
    work.write("/work/image/zypper/solv/@System/solv", "cache")
    work.write(zypper.AUTOMATIC, "# generated today\nzlib\nbash\n")
    zypper._tidy(work)
    left = sorted(str(path.relative_to(work.tree)) for path in work.tree.rglob("*") if path.is_file())
    assert left == ["var/lib/zypp/AutoInstalled"]
    assert work.path(zypper.AUTOMATIC).read_text() == "bash\nzlib\n"
    assert not work.path("/work").exists()
