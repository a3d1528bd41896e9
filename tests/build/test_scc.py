"""Registrations: what a registration server is asked, and that no secret gets into what is told."""

from dataclasses import replace
from pathlib import Path

import pytest

from build import scc
from build.access import other_archive, private
from build.errors import CallerError, KilnError, MachineError
from build.families.rpm.asking import states
from build.families.rpm.state import kept
from build.families.source import Sources
from build.request import BuildRequest, choose, find_recipe
from distros.recipe import Recipe, Repository
from tests.build.centre import PASSWORD, SECRETS, TOKEN, USERNAME, centre, credentials
from tests.standin.serve import served

REPOMD = b"<repomd xmlns='http://linux.duke.edu/metadata/repo'><timestamp>1700000000</timestamp></repomd>"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILN_CACHE", str(tmp_path / "cache"))


def recipe(url: str) -> Recipe:
    one = Repository("pool", f"{url}/SUSE/pool", "SUSE/pool", "/keyring", ("A" * 40,), True, "test", access="scc")
    return replace(find_recipe("sles", None, None), archives=(one,))


def free_of_secrets(*texts: object) -> bool:
    return not any(secret in str(text) for text in texts for secret in SECRETS)


def test_reads_what_suseconnect_writes(tmp_path: Path) -> None:
    found = scc.load(Path(credentials(tmp_path)))
    assert (found.username, found.password, found.server) == (USERNAME, PASSWORD, "https://scc.suse.com")
    assert PASSWORD not in repr(found)


@pytest.mark.parametrize("text", ["", "username=x\n", "password=correct-horse-battery\n", "\0\xff"])
def test_refuses_a_file_without_name_or_password(tmp_path: Path, text: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(CallerError) as refusal:
        scc.load(file)
    assert "SCCcredentials" in refusal.value.hint
    assert free_of_secrets(refusal.value.what)


@pytest.mark.parametrize("url", ["http://rmt.example", "https://me:secret@rmt.example"])
def test_sends_no_password_over_a_bare_wire_and_takes_none_in_an_address(tmp_path: Path, url: str) -> None:
    with pytest.raises(CallerError, match="https") as refusal:
        scc.load(Path(credentials(tmp_path, url)))
    assert "secret" not in refusal.value.what


def test_asks_with_the_token_and_tells_without_it(tmp_path: Path) -> None:
    with centre("/SUSE/pool") as server:
        server.served = {"/SUSE/pool/repodata/repomd.xml": REPOMD, "/SUSE/pool/repodata/repomd.xml.asc": b"signed"}
        (state,) = states(recipe(server.url), Sources(credentials=credentials(tmp_path, server.url)), print)
        assert state.url == f"{server.url}/SUSE/pool"
        assert f"/SUSE/pool/repodata/repomd.xml.asc?{TOKEN}" in server.asked
    assert free_of_secrets(state, state.url, state.ways)
    records = [file.read_text(errors="replace") for file in kept(state).parent.glob("newest-*")]
    assert free_of_secrets(*records)


def test_hides_the_token_in_what_fails(tmp_path: Path) -> None:
    with centre("/SUSE/pool") as server, pytest.raises(MachineError) as refusal:
        states(recipe(server.url), Sources(credentials=credentials(tmp_path, server.url)), print)
    assert "404" in refusal.value.what
    assert free_of_secrets(refusal.value.what, refusal.value.hint)


def test_names_what_a_registration_lacks(tmp_path: Path) -> None:
    with centre("/SUSE/other") as server, pytest.raises(CallerError, match="pool") as refusal:
        states(recipe(server.url), Sources(credentials=credentials(tmp_path, server.url)), print)
    assert "SUSEConnect" in refusal.value.hint


def test_says_that_a_registration_is_unknown(tmp_path: Path) -> None:
    with centre("/SUSE/pool") as server, pytest.raises(CallerError, match="does not know") as refusal:
        states(recipe(server.url), Sources(credentials=credentials(tmp_path, server.url, "wrong-one")), print)
    assert free_of_secrets(refusal.value.what, refusal.value.hint)


def test_refuses_sles_without_any_registration() -> None:
    with pytest.raises(CallerError, match="subscribers") as refusal:
        states(recipe("https://updates.example"), Sources(), print)
    assert "--scc-credentials" in refusal.value.hint and "--rmt" in refusal.value.hint


@pytest.mark.parametrize(
    "request_",
    [
        BuildRequest("debian", rmt="https://rmt.example"),
        BuildRequest("debian", scc_credentials=Path("/x")),
        BuildRequest("sles", rmt="https://me:secret@rmt.example"),
        BuildRequest("sles", rmt="https://rmt.example", scc_credentials=Path("/x")),
        BuildRequest("sles", mirror="https://m.example", scc_credentials=Path("/x")),
    ],
)
def test_refuses_what_does_not_fit(request_: BuildRequest) -> None:
    with pytest.raises(KilnError) as refusal:
        choose(find_recipe(request_.distro, None, None), request_)
    assert type(refusal.value) is CallerError and refusal.value.hint
    assert "secret" not in refusal.value.what


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The file of a mirror's key: nothing of it is read before it is needed."""
    return tmp_path / "key.asc"


def test_takes_the_key_of_a_server_of_ones_own_with_its_registration(tmp_path: Path, key: Path) -> None:
    own = BuildRequest("sles", scc_credentials=Path(credentials(tmp_path, "https://rmt.example/")), mirror_key=key)
    for request in (own, BuildRequest("sles", rmt="https://rmt.example", mirror_key=key)):
        choose(find_recipe("sles", None, None), request)
        assert private(request).startswith("https://rmt.example")
    assert other_archive(own) == "https://rmt.example"


def test_refuses_another_key_for_what_suse_signed(tmp_path: Path, key: Path) -> None:
    request = BuildRequest("sles", scc_credentials=Path(credentials(tmp_path)), mirror_key=key)
    with pytest.raises(CallerError, match="which has what SUSE signed") as refusal:
        choose(find_recipe("sles", None, None), request)
    assert "url=https://HOST" in refusal.value.hint
    assert (other_archive(request), private(request)) == (None, "")


def test_says_that_a_mirror_is_shown_no_registration() -> None:
    request = BuildRequest("sles", mirror="https://m.example", scc_credentials=Path("/x"))
    with pytest.raises(CallerError, match="without any registration") as refusal:
        choose(find_recipe("sles", None, None), request)
    assert "url=https://HOST" in refusal.value.hint


def test_finds_repositories_where_a_server_of_ones_own_has_them(tmp_path: Path) -> None:
    product = "/SUSE/Products/SLE-Product-SLES/16.0/x86_64/product"
    sles = find_recipe("sles", "16.0", None)
    with centre(f"/older{product}2", f"/repo{product}", f"/longer/repo{product}") as server:
        place = f"/repo{product}/repodata/repomd.xml"
        server.served = {place: REPOMD, f"{place}.asc": b"signed"}
        sources = Sources(server.url, credentials=credentials(tmp_path, server.url))
        (state,) = states(sles, sources, print)
    assert server.asked[-1] == f"{place}.asc?{TOKEN}"
    assert state.url == f"{server.url}{product}"
    assert states(sles, replace(sources, offline=True), print) == (state,)


def test_sends_no_token_over_a_bare_wire(tmp_path: Path) -> None:
    told = [f"http://rmt.example/repo/SUSE/pool?{TOKEN}", "https://rmt.example/repo/SUSE/other?x"]
    assert scc._way("https://rmt.example/SUSE/pool", told, own=True) == ""
    assert scc._way("https://rmt.example/SUSE/other", told, own=True) == told[1]
    assert scc._way("https://updates.suse.com/SUSE/other", told, own=False) == ""


def test_finds_an_rmt_servers_packages_below_its_folder() -> None:
    assert other_archive(BuildRequest("sles", rmt="https://rmt.example/")) == "https://rmt.example/repo"
    assert "rmt.example" not in repr(BuildRequest("sles", rmt="https://rmt.example/"))


def test_asks_an_rmt_server_without_any_registration(tmp_path: Path) -> None:
    product = "repo/SUSE/Products/SLE-Product-SLES/16.0/x86_64/product"
    (tmp_path / product / "repodata").mkdir(parents=True)
    for name, content in (("repomd.xml", REPOMD), ("repomd.xml.asc", b"signed")):
        (tmp_path / product / "repodata" / name).write_bytes(content)
    with served(tmp_path) as rmt:
        mirror = other_archive(BuildRequest("sles", rmt=rmt.url))
        (state,) = states(find_recipe("sles", "16.0", None), Sources(mirror), print)
    assert state.url == f"{rmt.url}/{product}"
    assert rmt.asked == [f"/{product}/repodata/repomd.xml", f"/{product}/repodata/repomd.xml.asc"]
