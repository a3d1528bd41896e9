"""rpm-md repositories: asked in order, kept by digest, believed only when a pinned key signed."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

import build.fetch
from build import keys
from build.certificates import certificates
from build.errors import CallerError, KilnError, MachineError, RecipeError
from build.families.rpm.asking import states
from build.families.rpm.database import let_fail
from build.families.rpm.settings import POLICY, macros
from build.families.rpm.state import Metadata, kept, read_state
from build.families.rpm.trust import pinned, verify
from build.families.source import Sources
from build.fetch import is_safe
from distros import Recipe, all_recipes
from distros.recipe import Repository, Rpm
from tests.build.archives import FakeArchive, Signer, served

REPOMD = """\
<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo">
  <data type="primary"><timestamp>1700000000</timestamp></data>
  <data type="other"><timestamp>1700000007.5</timestamp></data>
</repomd>
"""
METALINK = """\
<?xml version="1.0" encoding="utf-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/">
 <files><file name="repomd.xml">
  <verification><hash type="md5">x</hash><hash type="sha256">{digest}</hash></verification>
  <resources>
   <url protocol="http" preference="50">{base}/second/repodata/repomd.xml</url>
   <url protocol="http" preference="99">{base}/first/repodata/repomd.xml</url>
   <url protocol="rsync" preference="100">rsync://nowhere/first/repodata/repomd.xml</url>
  </resources>
 </file></files>
</metalink>
"""
DIGEST = hashlib.sha256(REPOMD.encode()).hexdigest()
RECIPE = next(one for one in all_recipes() if one.family == "dnf")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(build.fetch.time, "sleep", lambda seconds: None)


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signer]:
    made = Signer(tmp_path_factory.mktemp("key") / "gnupg")
    yield made
    made.end()


@pytest.fixture
def fake() -> Iterator[FakeArchive]:
    with served(FakeArchive()) as archive:
        archive.url = archive.url.removesuffix("/debian")
        yield archive


def offer(fake: FakeArchive, place: str, signer: Signer | None = None, content: str = REPOMD) -> None:
    fake.files[f"/{place}/repodata/repomd.xml"] = content.encode()
    if signer:
        words = ("--armor", "--detach-sign")
        fake.files[f"/{place}/repodata/repomd.xml.asc"] = signer._gpg(*words, content=content.encode())


def recipe(*repositories: Repository) -> Recipe:
    return replace(RECIPE, archives=repositories, arch="x86_64")


def repository(url: str, *, path: str = "10/{arch}/os", signed: bool = True, access: str = "") -> Repository:
    return Repository("base", url, path, "/keyring.gpg", ("A" * 40,), signed, "test", access=access)


def state(fake: FakeArchive, **more: object) -> Metadata:
    values: dict[str, object] = {"url": f"{fake.url}/repo", **more}
    (found,) = states(recipe(repository(**values)), Sources(), print)  # type: ignore[arg-type]
    return found


def test_tells_digest_date_and_place_of_a_repository(fake: FakeArchive, signer: Signer) -> None:
    offer(fake, "repo/x86_64", signer)
    found = state(fake, url=f"{fake.url}/repo/{{arch}}/")
    assert (found.sha256, found.date, found.url) == (DIGEST, 1700000007, f"{fake.url}/repo/x86_64")
    assert kept(found).read_text() == REPOMD


def test_finds_a_mirrors_repository_below_its_path(fake: FakeArchive, signer: Signer) -> None:
    offer(fake, "mirror/10/x86_64/os", signer)
    (found,) = states(recipe(repository("https://nowhere")), Sources(f"{fake.url}/mirror/"), print)
    assert found.url == f"{fake.url}/mirror/10/x86_64/os"


def test_asks_further_mirrors_in_order(fake: FakeArchive) -> None:
    offer(fake, "third", content=REPOMD)
    places = replace(repository(f"{fake.url}/one", signed=False), mirrors=(f"{fake.url}/two", f"{fake.url}/third"))
    (found,) = states(recipe(places), Sources(), print)
    assert found.url == f"{fake.url}/third"
    assert fake.asked == [f"/{place}/repodata/repomd.xml" for place in ("one", "two", "third")]


@pytest.mark.parametrize(("digest", "found"), [(DIGEST, True), ("0" * 64, False)])
def test_takes_from_a_metalink_what_has_its_digest(fake: FakeArchive, digest: str, found: bool) -> None:
    offer(fake, "first")
    offer(fake, "second")
    fake.files["/metalink"] = METALINK.format(digest=digest, base=fake.url).encode()
    places = replace(repository(f"{fake.url}/gone", signed=False), metalink=f"{fake.url}/metalink")
    if found:
        (told,) = states(recipe(places), Sources(), print)
        assert (told.url, told.ways) == (f"{fake.url}/first", (f"{fake.url}/second",))
    else:
        with pytest.raises(MachineError, match="is not what the metalink says"):
            states(recipe(places), Sources(), print)


def test_is_the_same_wherever_it_was_found(fake: FakeArchive) -> None:
    offer(fake, "one")
    offer(fake, "two")
    found = [state(fake, url=f"{fake.url}/{place}", signed=False) for place in ("one", "two")]
    assert repr(found[0]) == repr(found[1])


def test_names_all_that_was_tried(fake: FakeArchive) -> None:
    with pytest.raises(MachineError, match=r"/repo/repodata/repomd.xml is out of reach: HTTP 404"):
        state(fake)


def test_knows_offline_what_it_was_told_last(fake: FakeArchive, signer: Signer) -> None:
    offer(fake, "repo", signer)
    before, asked = state(fake), len(fake.asked)
    again = states(recipe(repository(f"{fake.url}/repo")), Sources(offline=True), print)
    assert (again, len(fake.asked)) == ((before,), asked)
    with pytest.raises(MachineError, match="has never been asked for here"):
        states(recipe(repository(f"{fake.url}/other")), Sources(offline=True), print)


def test_survives_the_way_to_the_worker(fake: FakeArchive, signer: Signer) -> None:
    offer(fake, "repo", signer)
    before = state(fake)
    assert read_state(json.loads(json.dumps(asdict(before)))) == before


def test_takes_no_other_answer_for_a_repository(fake: FakeArchive) -> None:
    offer(fake, "repo", content="<html>Please log in</html>")
    with pytest.raises(MachineError, match="is no list of a repository"):
        state(fake, signed=False)


def given(fake: FakeArchive, signer: Signer, place: str = "repo") -> Metadata:
    file = signer.home / "keyring.gpg"
    file.write_bytes(signer.keyring().read_bytes())
    sources = Sources(f"{fake.url}", keys.take(file))
    (found,) = states(recipe(repository("https://x", path=place)), sources, print)
    return found


def test_believes_what_the_mirrors_own_key_signed(fake: FakeArchive, signer: Signer, tmp_path: Path) -> None:
    offer(fake, "repo", signer)
    verify(given(fake, signer), tmp_path, mirror=True)


@pytest.mark.parametrize(("mirror", "own_key"), [(True, False), (False, True), (False, False)])
def test_blames_the_caller_for_a_mirror_and_for_a_key_that_he_gave(
    fake: FakeArchive, signer: Signer, tmp_path: Path, mirror: bool, own_key: bool
) -> None:
    offer(fake, "repo", signer)
    found = given(fake, signer)
    fake.files["/repo/repodata/repomd.xml"] = REPOMD.replace("7.5", "8").encode()
    altered = given(fake, signer)
    assert found.signature == altered.signature
    if not own_key:
        content = signer.keyring().read_bytes()
        (tmp_path / "distribution.gpg").write_bytes(content)
        altered = replace(altered, keyring="/distribution.gpg", keys=(certificates(content)[0].fingerprint,))
    with pytest.raises(KilnError, match="does not hold") as refusal:
        verify(altered, tmp_path, mirror=mirror)
    assert isinstance(refusal.value, CallerError if mirror or own_key else MachineError)


def test_refuses_an_unsigned_repository(fake: FakeArchive, signer: Signer, tmp_path: Path) -> None:
    offer(fake, "repo")
    with pytest.raises(CallerError, match="is not signed"):
        verify(given(fake, signer), tmp_path, mirror=True)


def test_refuses_another_key(fake: FakeArchive, signer: Signer, tmp_path: Path) -> None:
    other = Signer(tmp_path / "gnupg")
    offer(fake, "repo", other)
    other.end()
    with pytest.raises(CallerError, match="does not hold"):
        verify(given(fake, signer), tmp_path, mirror=True)


def test_notices_a_damaged_cache(fake: FakeArchive, signer: Signer, tmp_path: Path) -> None:
    offer(fake, "repo", signer)
    found = given(fake, signer)
    kept(found).write_text("rubbish")
    with pytest.raises(MachineError, match="is damaged, and removed now"):
        verify(found, tmp_path, mirror=True)
    assert not kept(found).exists()


def test_counts_the_named_keys_of_a_keyring_and_no_others(signer: Signer, tmp_path: Path) -> None:
    other = Signer(tmp_path / "gnupg")
    bundle = signer.keyring().read_bytes() + other.keyring().read_bytes()
    other.end()
    (tmp_path / "bundle").write_bytes(bundle)
    first, second = (one.fingerprint for one in certificates(bundle))
    assert [one.fingerprint for one in pinned("/bundle", (second,), tmp_path)] == [second]
    assert first != second
    with pytest.raises(RecipeError, match=r"has no key B{40}"):
        pinned("/bundle", (first, "B" * 40), tmp_path)
    with pytest.raises(RecipeError, match="that is named"):
        pinned("/bundle", (), tmp_path)


def test_trusts_unsigned_metadata_to_no_open_wire() -> None:
    url = "http://packages.example/x"
    with pytest.raises(CallerError, match="is not signed, and nothing guards it"):
        states(recipe(repository("https://x", signed=False)), Sources(url), print)
    with pytest.raises(RecipeError, match="not signed"):
        states(recipe(repository(url, signed=False)), Sources(), print)


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        *(("https://a.example/", True), ("http://127.0.0.9:80/", True), ("http://[::1]/", True)),
        *(("http://localhost/", True), ("http://localhost.example/", False), ("http://10.0.0.1/", False)),
    ],
)
def test_tells_a_safe_way_from_an_open_one(url: str, safe: bool) -> None:
    assert is_safe(url) == safe


def test_refuses_a_subscribers_archive_without_certificates(tmp_path: Path) -> None:
    subscribed = recipe(repository("https://cdn.example", access="entitlement"))
    with pytest.raises(CallerError, match="subscribers") as refusal:
        states(subscribed, Sources(), print)
    assert "--entitlement" in refusal.value.hint
    with pytest.raises(CallerError, match=r"holds no NUMBER\.pem"):
        states(subscribed, Sources(credentials=str(tmp_path)), print)


def test_writes_rpms_settings_for_a_release() -> None:
    text = macros(Rpm("15", "ndb", "/usr/lib/sysimage/rpm"))
    assert "%_dbpath /usr/lib/sysimage/rpm\n%_db_backend ndb\n%_pkgverify_level all\n" in text


def test_lets_sha1_tie_a_key_to_its_name_and_nothing_else() -> None:
    assert 'sha1.second_preimage_resistance = "always"' in POLICY
    assert "sha1.collision_resistance" not in POLICY
    assert 'default_disposition = "never"' in POLICY


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("Complete!\n", []),
        (
            "warning: %post(x-1-1) scriptlet failed, exit status 1\nError in POSTIN scriptlet in rpm package x\n",
            ["Error in POSTIN scriptlet in rpm package x"],
        ),
        (
            "warning: %posttrans(x-1-1.noarch) scriptlet failed, exit status 2\n" * 2,
            ["%posttrans(x-1-1.noarch) scriptlet failed, exit status 2"],
        ),
        (
            'error: lua script failed: [string "%post(x-1-1.x86_64)"]:1: not today\n',
            ['lua script failed: [string "%post(x-1-1.x86_64)"]'],
        ),
    ],
)
def test_tells_once_of_every_script_that_was_let_fail(output: str, told: list[str]) -> None:
    assert [text.partition(": the package")[0] for text in let_fail(output)] == told
