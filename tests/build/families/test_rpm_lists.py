"""Package lists of rpm-md repositories: what a lock learns from them, whatever they are packed by."""

import gzip
import hashlib
import lzma
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from build.errors import MachineError
from build.families.locked import lockable
from build.families.rpm.lists import listed
from build.families.rpm.state import Metadata, kept
from build.families.rpm.step import kept_lists
from build.lock import LockedPackage
from distros import all_recipes

PRIMARY = """\
<?xml version="1.0" encoding="UTF-8"?>
<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="4">
{0}
</metadata>
"""
ENTRY = """\
<package type="rpm">
  <name>{name}</name><arch>x86_64</arch><version epoch="{epoch}" ver="{version}" rel="1.el10"/>
  <checksum type="{algorithm}" pkgid="YES">{digest}</checksum>
  <summary>&lt;{name}&gt;</summary><description>About <![CDATA[<name>bash</name>]]></description>
  <size package="1234" installed="5" archive="6"/>
  <location href="Packages/{name}-{version}-1.el10.x86_64.rpm"/>
  <format><rpm:license>MIT</rpm:license><rpm:provides><rpm:entry name="{name}"/></rpm:provides></format>
</package>
"""
REPOMD = """\
<repomd xmlns="http://linux.duke.edu/metadata/repo">
  <data type="filelists"><location href="repodata/other.xml.gz"/></data>
  <data type="primary"><checksum type="{algorithm}">{digest}</checksum><location href="repodata/{file}"/></data>
</repomd>
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KILN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def entry(name: str, version: str = "1.0", epoch: str = "0", algorithm: str = "sha256") -> str:
    digest = hashlib.sha256(f"{name}{version}".encode()).hexdigest()
    return ENTRY.format(name=name, version=version, epoch=epoch, algorithm=algorithm, digest=digest)


def packed(text: str, suffix: str) -> bytes:
    if suffix == ".zst":
        return subprocess.run(["zstd", "-c"], input=text.encode(), capture_output=True, check=True).stdout
    packers: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".xz": lzma.compress, "": bytes}
    return packers[suffix](text.encode())


def repository(folder: Path, *entries: str, suffix: str = ".gz", suite: str = "base") -> Metadata:
    """A repository whose lists lie in `folder`, as the cache keeps them."""
    content = packed(PRIMARY.format("".join(entries)), suffix)
    file = folder / "repodata" / f"abc-primary.xml{suffix}"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    told = REPOMD.format(algorithm="sha256", digest=hashlib.sha256(content).hexdigest(), file=file.name)
    state = Metadata(suite, hashlib.sha256(told.encode()).hexdigest(), 1, "/k", ("A" * 40,), True, url="https://one")
    kept(state).parent.mkdir(parents=True, exist_ok=True)
    kept(state).write_text(told)
    return state


BASH, LESS = ("bash", "5.2-1.el10", "x86_64"), ("less", "1:668-1.el10", "x86_64")


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".zst"])
def test_tells_of_the_wanted_packages_and_no_others(tmp_path: Path, suffix: str) -> None:
    entries = (entry("less", "668", "1"), entry("less", "669", "1"), entry("zsh"), entry("bash", "5.2"))
    state = repository(tmp_path / "lists", *entries, suffix=suffix)
    less, bash = listed({"base": tmp_path / "lists"}, [state], [BASH, LESS])
    digest = hashlib.sha256(b"less668").hexdigest()
    assert less == LockedPackage(*LESS[::2], LESS[1], digest, 1234, "Packages/less-668-1.el10.x86_64.rpm", "base")
    assert (bash.name, bash.rank) == ("bash", 1)


def test_takes_an_epoch_of_zero_for_none(tmp_path: Path) -> None:
    state = repository(tmp_path / "lists", entry("bash", "5.2"))
    (bash,) = listed({"base": tmp_path / "lists"}, [state], [("bash", "0:5.2-1.el10", "x86_64")])
    assert bash.version == "0:5.2-1.el10"


def test_refuses_lists_of_another_state(tmp_path: Path) -> None:
    state = repository(tmp_path / "lists", entry("bash", "5.2"))
    (tmp_path / "lists/repodata/abc-primary.xml.gz").write_bytes(gzip.compress(b"another"))
    with pytest.raises(MachineError, match="lacks the package lists"):
        list(listed({"base": tmp_path / "lists"}, [state], [BASH]))


def test_refuses_digests_that_a_lock_does_not_hold(tmp_path: Path) -> None:
    state = repository(tmp_path / "lists", entry("bash", "5.2", algorithm="sha512"))
    with pytest.raises(MachineError, match="no sha256 digests"):
        list(listed({"base": tmp_path / "lists"}, [state], [BASH]))


@pytest.mark.parametrize(
    ("family", "folder"), [("dnf", "{suite}-0123456789abcdef"), ("zypper", "raw/{suite}")], ids=["dnf", "zypper"]
)
def test_makes_a_lock_of_what_is_installed(tmp_path: Path, cache: Path, family: str, folder: str) -> None:
    recipe = next(one for one in all_recipes() if one.family == family)
    lists = {"base": [entry("bash", "5.2")], "more": [entry("bash", "5.2"), entry("less", "668", "1")]}
    states = tuple(repository(tmp_path / suite, *entries, suite=suite) for suite, entries in lists.items())
    made = lockable(recipe)
    with pytest.raises(MachineError, match="lacks the package lists"):
        made.lock_packages(cache, states, [BASH])
    for state in states:
        target = kept_lists(cache, family, states) / folder.format(suite=state.suite)
        target.parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / state.suite).rename(target)
        (target / "repodata/repomd.xml").write_bytes(kept(state).read_bytes())
    found = made.lock_packages(cache, states, [LESS, BASH])
    assert [(one.name, one.source) for one in found] == [("bash", "base"), ("less", "more")]
    with pytest.raises(MachineError, match="do not tell of zsh"):
        made.lock_packages(cache, states, [("zsh", "1-1", "x86_64")])
