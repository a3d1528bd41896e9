"""Locks: what is in them, whom they are for, and which are refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from build import locking
from build.archive import Release
from build.errors import CallerError, MachineError
from build.families.apt_locked import lists, lock_packages
from build.lock import Lock, LockedPackage, LockedSource, snapshot, without_password
from build.plan import Choices
from build.spec.value import Content, ExtraRepository, Spec
from distros import Recipe, all_recipes
from distros.recipe import Archive

RECIPE = next(recipe for recipe in all_recipes() if recipe.name == "debian-13" and recipe.arch == "x86_64")
CHOICES = Choices("both", "generalized", "cloud-init", "", 30 << 30)
LESS = LockedPackage("less", "amd64", "1:668-1", "b" * 64, 1234, "pool/main/l/less/less_668-1_amd64.deb", "trixie")
ZSTD = LockedPackage("zstd", "amd64", "1.5", "c" * 64, 99, "pool/main/z/zstd_1.5_amd64.deb", "trixie", "optional")


EPOCH = 1_700_000_000


def releases(recipe: Recipe) -> tuple[Release, ...]:
    archives = [one for one in recipe.archives if isinstance(one, Archive)]
    return tuple(
        Release(one.url, suite, one.components, "/k", "a" * 64, EPOCH) for one in archives for suite in one.suites
    )


def source(state: Any) -> LockedSource:
    return LockedSource({**vars(state), "components": list(state.components), "keys": []}, "http://then/debian")


def a_lock(recipe: Recipe = RECIPE, choices: Choices = CHOICES) -> Lock:
    sources = tuple(source(state) for state in releases(RECIPE))
    return Lock(locking.subject(recipe, choices), EPOCH, sources, sources[0], (ZSTD, LESS))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "image.lock"
    a_lock().write(path)
    return path


def test_reads_what_it_wrote(file: Path) -> None:
    lock = Lock.load(file)
    assert lock == replace(a_lock(), packages=(LESS, ZSTD))
    assert lock.text() == file.read_text() == a_lock().text()


def test_is_sorted_and_has_a_schema(file: Path) -> None:
    told = json.loads(file.read_text())
    assert told["schema"] == 1
    assert list(told) == sorted(told)
    assert [package["name"] for package in told["packages"]] == ["less", "zstd"]


def test_tells_nothing_of_the_machine_that_wrote_it(tmp_path: Path) -> None:
    state = replace(releases(RECIPE)[0], url="http://me:secret@mirror/debian")
    lock = replace(a_lock(), sources=(source(state),), tools=source(state))
    assert "secret" not in lock.text()
    assert str(tmp_path) not in lock.text()
    assert json.loads(lock.text())["sources"][0]["url"] == "http://mirror/debian"


@pytest.mark.parametrize(
    ("url", "plain"),
    [("http://a:b@c:1/d", "http://c:1/d"), ("http://c/d", "http://c/d"), ("https://user@c/d?e", "https://c/d?e")],
)
def test_keeps_no_password(url: str, plain: str) -> None:
    assert without_password(url) == plain


def test_serves_the_image_that_it_is_for(file: Path) -> None:
    assert locking.take(file, RECIPE, CHOICES).epoch == EPOCH
    assert locking.take(file, RECIPE, replace(CHOICES, kind="specialized", size=1 << 32)).packages == (LESS, ZSTD)


BOOKWORM = next(recipe for recipe in all_recipes() if recipe.name == "debian-12" and recipe.arch == "x86_64")


@pytest.mark.parametrize(
    ("recipe", "choices", "reason"),
    [
        (BOOKWORM, CHOICES, "its recipe is debian-13, not debian-12"),
        (replace(RECIPE, arch="aarch64"), CHOICES, "its arch is x86_64, not aarch64"),
        (RECIPE, replace(CHOICES, provisioner="none"), "its provisioner is cloud-init, not none"),
        (RECIPE, replace(CHOICES, generation="2"), "its generation is both, not 2"),
        (replace(RECIPE, packages=(*RECIPE.packages, "emacs")), CHOICES, "it lacks emacs"),
        (replace(RECIPE, packages=RECIPE.packages[1:]), CHOICES, f"it has {RECIPE.packages[0]}"),
    ],
)
def test_refuses_every_other_image_with_the_reason(file: Path, recipe: Recipe, choices: Choices, reason: str) -> None:
    with pytest.raises(CallerError, match="the lock is for another image") as refusal:
        locking.take(file, recipe, choices)
    assert reason in refusal.value.what
    assert "--write-lock" in refusal.value.hint


def test_refuses_a_family_that_cannot_be_locked() -> None:
    with pytest.raises(CallerError, match="images of the family nothing cannot be locked"):
        locking.subject(replace(RECIPE, family="nothing"), CHOICES)


def test_refuses_a_base_whose_digest_says_it_all() -> None:
    with pytest.raises(CallerError, match="an image on a base cannot be locked"):
        locking.subject(RECIPE, replace(CHOICES, base="vendor.qcow2", base_sha256="a" * 64))


OWN = ExtraRepository("mine", "apt", "http://me:secret@own/debian", "given:k", Content("d"), ("own",), ("main",))


def test_holds_what_a_spec_takes_out_and_where_else_it_takes_from(file: Path) -> None:
    choices = replace(CHOICES, spec=Spec(repositories=(OWN,)))
    locked = replace(a_lock(), subject=locking.subject(replace(RECIPE, removed=("nano",)), choices))
    locked.write(file)
    assert locking.take(file, replace(RECIPE, removed=("nano",)), choices).subject == locked.subject
    assert "secret" not in file.read_text()
    with pytest.raises(CallerError, match="among its removed packages it has nano"):
        locking.take(file, RECIPE, choices)
    with pytest.raises(CallerError, match="among its repositories it has mine http://own/debian"):
        locking.take(file, replace(RECIPE, removed=("nano",)), CHOICES)


def test_refuses_sources_that_it_cannot_tell_apart() -> None:
    same = replace(OWN, suites=("trixie",))
    with pytest.raises(CallerError, match="both called trixie"):
        locking.subject(RECIPE, replace(CHOICES, spec=Spec(repositories=(same,))))


def test_reads_a_lock_from_before_specs_counted(file: Path) -> None:
    told = json.loads(file.read_text())
    del told["image"]["removed"], told["image"]["repositories"]
    file.write_text(json.dumps(told))
    assert locking.take(file, RECIPE, CHOICES) == Lock.load(file)


def test_refuses_a_whole_image_in_its_own_words() -> None:
    flatcar = next(recipe for recipe in all_recipes() if recipe.family == "flatcar")
    with pytest.raises(CallerError, match="published as a whole image"):
        locking.subject(flatcar, CHOICES)


def test_refuses_another_source_date(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(EPOCH))
    locking.take(file, RECIPE, CHOICES)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    with pytest.raises(CallerError, match="the lock says"):
        locking.take(file, RECIPE, CHOICES)


def test_says_that_there_is_no_lock(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="cannot be read: No such file"):
        Lock.load(tmp_path / "none")
    with pytest.raises(CallerError, match="cannot be written"):
        a_lock().write(tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"schema": 2}, "it has schema 2"),
        ({"packages": [{**vars(LESS), "sha256": "abc"}]}, "the entry of 'less'"),
        ({"packages": [{**vars(LESS), "path": "../../etc/passwd"}]}, "the entry of 'less'"),
        ({"packages": [{**vars(LESS), "path": "/etc/passwd"}]}, "the entry of 'less'"),
        ({"packages": [{**vars(LESS), "priority": "x\nFilename: y"}]}, "the entry of 'less'"),
        ({"packages": [{**vars(LESS), "version": "1\nFilename: y"}]}, "the entry of 'less'"),
        ({"packages": [{**vars(LESS), "size": "1"}]}, "the entry of 'less'"),
        ({"packages": [{**vars(LESS), "rank": "1"}]}, "the entry of 'less'"),
        ({"packages": [{**vars(LESS), "source": "sid"}]}, "packages come from sid"),
        ({"packages": [{"name": "less"}]}, "missing"),
        ({"packages": 7}, "not iterable"),
        ({"sources": [{"suite": "x"}]}, "it lacks 'url'"),
        ({"tools": None}, "NoneType"),
    ],
)
def test_refuses_a_damaged_lock(file: Path, change: dict[str, Any], reason: str) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(CallerError, match="is no lock of ours") as refusal:
        Lock.load(file)
    assert reason in refusal.value.what


@pytest.mark.parametrize("text", ["", "[]", "{}", "{", "null", '"lock"'])
def test_refuses_what_is_no_lock_at_all(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(CallerError, match="is no lock of ours"):
        Lock.load(file)


def test_names_the_states_and_the_places_of_packages() -> None:
    assert locking.states(a_lock(), RECIPE) == releases(RECIPE)
    at = locking.places(a_lock(), RECIPE, "http://mirror/debian/")
    assert at["trixie-security"][0] == "http://mirror/debian-security"
    assert at["trixie"] == ("http://mirror/debian", RECIPE.archives[0].url, "http://then/debian")
    assert locking.places(a_lock(), RECIPE, None)["trixie"][0] == RECIPE.archives[0].url


def test_asks_for_a_snapshot_of_the_day_after() -> None:
    assert snapshot("http://s/{time}", 1795227046) == "http://s/20261122T021046Z"


PACKAGES = """\
Package: less
Version: 1:668-1
Architecture: amd64
Priority: important
Depends: libc6,
 libtinfo6
Filename: pool/main/l/less/less_668-1_amd64.deb
Size: 1234
SHA256: {0}

Package: less
Version: 1:669-1
Architecture: amd64
Filename: pool/newer.deb
Size: 1
SHA256: {1}

Package: lesstif
Version: 1:668-1
Architecture: amd64
Filename: pool/other.deb
Size: 1
SHA256: {1}
"""


def test_takes_digests_from_the_lists_of_that_very_state(tmp_path: Path) -> None:
    states = releases(RECIPE)
    folder = lists(tmp_path, states)
    folder.mkdir(parents=True)
    text = PACKAGES.format("b" * 64, "d" * 64)
    (folder / "host_debian_dists_trixie_main_binary-amd64_Packages").write_text(text)
    (folder / "host_debian_dists_trixie-updates_main_binary-amd64_Packages").write_text("")
    assert lock_packages(tmp_path, states, [("less", "1:668-1", "amd64")]) == (replace(LESS, priority="important"),)
    with pytest.raises(MachineError, match="do not tell of less 1:670-1 amd64"):
        lock_packages(tmp_path, states, [("less", "1:670-1", "amd64")])
