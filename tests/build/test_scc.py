"""Registrations: what a registration server is asked, and that no secret gets into what is told."""

from dataclasses import replace
from pathlib import Path

import pytest

from build import scc
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


def test_sends_no_password_over_a_bare_wire(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="https"):
        scc.load(Path(credentials(tmp_path, "http://rmt.example")))


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


def test_finds_an_rmt_servers_packages_below_its_folder() -> None:
    assert BuildRequest("sles", rmt="https://rmt.example/").archive == "https://rmt.example/repo"
    assert "rmt.example" not in repr(BuildRequest("sles", rmt="https://rmt.example/"))


def test_asks_an_rmt_server_without_any_registration(tmp_path: Path) -> None:
    product = "repo/SUSE/Products/SLE-Product-SLES/16.0/x86_64/product"
    (tmp_path / product / "repodata").mkdir(parents=True)
    for name, content in (("repomd.xml", REPOMD), ("repomd.xml.asc", b"signed")):
        (tmp_path / product / "repodata" / name).write_bytes(content)
    with served(tmp_path) as rmt:
        mirror = BuildRequest("sles", rmt=rmt.url).archive
        (state,) = states(find_recipe("sles", "16.0", None), Sources(mirror), print)
    assert state.url == f"{rmt.url}/{product}"
    assert rmt.asked == [f"/{product}/repodata/repomd.xml", f"/{product}/repodata/repomd.xml.asc"]
