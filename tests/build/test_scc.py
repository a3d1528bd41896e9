"""Registrations: what a registration server is asked, and that no secret gets into what is told."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from build import scc
from build.errors import CallerError, KilnError, MachineError
from build.families import rpm
from build.families.source import Sources
from build.request import BuildRequest, choose, find_recipe
from distros.recipe import Recipe, Repository

USERNAME, PASSWORD, TOKEN = "SCC_0123456789abcdef", "correct-horse-battery", "very-secret-token-of-a-subscriber"
SECRETS = (USERNAME, PASSWORD, TOKEN)
REPOMD = "<repomd xmlns='http://linux.duke.edu/metadata/repo'><timestamp>1700000000</timestamp></repomd>"


@dataclass
class Centre:
    """A registration server over loopback. `products` are the paths that the registration has."""

    products: list[str]
    url: str = ""
    served: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str, authorization: str) -> tuple[int, str]:
        """Status and body."""
        self.asked.append(path)
        place, _, query = path.partition("?")
        own = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        if place.startswith(("/connect/", "/access/")):
            if authorization != f"Basic {own}":
                return 401, ""
            if place == "/connect/systems/activations":
                return 200, json.dumps([{"service": {"url": f"{self.url}/access/services/7?credentials=SLES"}}] * 2)
            found = "".join(f'<repo url="{self.url}{one}/?{TOKEN}" alias="x"/>' for one in self.products)
            return 200, f"<repoindex>{found}</repoindex>"
        if authorization or query != TOKEN:
            return 403, ""
        return (200, self.served[place]) if place in self.served else (404, "")


@contextmanager
def centre(*products: str) -> Iterator[Centre]:
    """The server, while the block runs."""
    made = Centre(list(products))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = made.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        made.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILN_CACHE", str(tmp_path / "cache"))


def credentials(tmp_path: Path, url: str = "", password: str = PASSWORD) -> str:
    file = tmp_path / "SCCcredentials"
    file.write_text(
        f"# of a registered machine\nusername={USERNAME}\npassword={password}\n" + (f"url={url}\n" if url else "")
    )
    return str(file)


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
        server.served = {"/SUSE/pool/repodata/repomd.xml": REPOMD, "/SUSE/pool/repodata/repomd.xml.asc": "signed"}
        (state,) = rpm.states(recipe(server.url), Sources(credentials=credentials(tmp_path, server.url)), print)
        assert state.url == f"{server.url}/SUSE/pool"
        assert f"/SUSE/pool/repodata/repomd.xml.asc?{TOKEN}" in server.asked
    assert free_of_secrets(state, state.url, state.ways)
    kept = [file.read_text(errors="replace") for file in (rpm.kept(state).parent).glob("newest-*")]
    assert free_of_secrets(*kept)


def test_hides_the_token_in_what_fails(tmp_path: Path) -> None:
    with centre("/SUSE/pool") as server, pytest.raises(MachineError) as refusal:
        rpm.states(recipe(server.url), Sources(credentials=credentials(tmp_path, server.url)), print)
    assert "404" in refusal.value.what
    assert free_of_secrets(refusal.value.what, refusal.value.hint)


def test_names_what_a_registration_lacks(tmp_path: Path) -> None:
    with centre("/SUSE/other") as server, pytest.raises(CallerError, match="pool") as refusal:
        rpm.states(recipe(server.url), Sources(credentials=credentials(tmp_path, server.url)), print)
    assert "SUSEConnect" in refusal.value.hint


def test_says_that_a_registration_is_unknown(tmp_path: Path) -> None:
    with centre("/SUSE/pool") as server, pytest.raises(CallerError, match="does not know") as refusal:
        rpm.states(recipe(server.url), Sources(credentials=credentials(tmp_path, server.url, "wrong-one")), print)
    assert free_of_secrets(refusal.value.what, refusal.value.hint)


def test_refuses_sles_without_any_registration() -> None:
    with pytest.raises(CallerError, match="subscribers") as refusal:
        rpm.states(recipe("https://updates.example"), Sources(), print)
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
