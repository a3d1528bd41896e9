"""The sealed namespace: what goes in and comes out, that nothing else does, and that it dies with its parent."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from build.errors import CallerError, KilnError, MachineError
from harness import sandbox
from harness.sandbox import missing_capabilities, run_sealed
from tests.processes import called, eventually

PROJECT = Path(__file__).parents[2]

ECHO = """
import os, json, pathlib
def main(request):
    pathlib.Path(request["file"]).write_text(json.dumps({"text": request["text"], "pid": os.getpid()}))
    return 7
"""
RAISES = """
from build.command import CommandFailed
from build.errors import CallerError
def main(request):
    if request["kind"] == "caller":
        raise CallerError("what was asked", "ask otherwise")
    if request["kind"] == "command":
        raise CommandFailed(("false",), 1, "no")
    raise RuntimeError("unforeseen")
"""
NETWORK = """
import pathlib, socket, subprocess
def attempt(address):
    try:
        socket.create_connection(tuple(address), timeout=2).close()
        return "reached"
    except OSError as error:
        return error.strerror
def main(request):
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True).stdout
    own = socket.create_server(("127.0.0.1", 0))
    lines = [attempt(address) for address in [*request["addresses"], own.getsockname()]]
    names = ",".join(line.split(": ")[1] for line in links.splitlines())
    pathlib.Path(request["file"]).write_text("\\n".join([names, routes.strip(), *lines]))
"""
SECONDS = f"9{os.getpid()}.5"
"""The length of a sleep that no other test sleeps, to know our own by."""
LINGERS = """
import pathlib, subprocess, time
def main(request):
    child = subprocess.Popen(["sh", "-c", "setsid sleep SECONDS & exec sleep SECONDS"], start_new_session=True)
    pathlib.Path(request["file"]).write_text("ready")
    try:
        time.sleep(1000)
    except KeyboardInterrupt:
        time.sleep(0.5)
        pathlib.Path(request["file"]).write_text("tidied up")
        raise
""".replace("SECONDS", SECONDS)

needs_namespaces = pytest.mark.real


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Writes a module that the sealed side can import."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(source: str) -> str:
        (tmp_path / "guestwork.py").write_text(source)
        return "guestwork"

    yield write


def sleepers() -> list[int]:
    return called("sleep", SECONDS)


def start_lingering(name: str, file: Path) -> "subprocess.Popen[bytes]":
    code = (
        f"from harness.sandbox import run_sealed; import sys; sys.exit(run_sealed({name!r}, {{'file': {str(file)!r}}}))"
    )
    path = f"{PROJECT}:{os.environ['PYTHONPATH']}"
    parent = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path})
    assert eventually(lambda: file.exists() and len(sleepers()) == 2)
    return parent


@pytest.mark.parametrize(
    ("effective", "missing"),
    [
        ("000001fffeffffff", []),
        ("0000000000000000", ["CAP_NET_ADMIN", "CAP_SYS_ADMIN"]),
        ("000001fffedfffff", ["CAP_SYS_ADMIN"]),
        ("00000000a80425fb", ["CAP_NET_ADMIN", "CAP_SYS_ADMIN"]),
    ],
)
def test_sees_which_capability_is_missing(effective: str, missing: list[str]) -> None:
    assert missing_capabilities(f"Name:\tpython3\nCapEff:\t{effective}\n") == missing


def test_names_the_capability_that_root_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(sandbox, "missing_capabilities", lambda: ["CAP_SYS_ADMIN"])
    with pytest.raises(MachineError, match="needs CAP_SYS_ADMIN"):
        run_sealed("json", {})


def test_passes_on_what_unshare_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sandbox, "_unshare", lambda: ("sh", "-c", "echo 'write failed: not permitted'; exit 1"))
    with pytest.raises(MachineError, match="write failed: not permitted"):
        run_sealed("json", {})


@needs_namespaces
def test_hands_the_request_in_and_the_status_out(module: Callable[[str], str], tmp_path: Path) -> None:
    assert run_sealed(module(ECHO), {"file": str(tmp_path / "out"), "text": "ü" * 100_000}) == 7
    told = (tmp_path / "out").read_text()
    assert '"pid": 1}' in told
    assert told.count("\\u00fc") == 100_000


@needs_namespaces
def test_raises_the_errors_of_the_sealed_side_again(module: Callable[[str], str]) -> None:
    name = module(RAISES)
    with pytest.raises(CallerError, match="what was asked") as caught:
        run_sealed(name, {"kind": "caller"})
    assert caught.value.hint == "ask otherwise"
    with pytest.raises(KilnError, match="false ended with status 1"):
        run_sealed(name, {"kind": "command"})


@needs_namespaces
def test_shows_what_nobody_foresaw(module: Callable[[str], str], capfd: pytest.CaptureFixture[str]) -> None:
    assert run_sealed(module(RAISES), {"kind": "other"}) == 5
    assert "RuntimeError: unforeseen" in capfd.readouterr().err


@needs_namespaces
def test_has_no_way_out(module: Callable[[str], str], tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as outside, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        port = outside.getsockname()[1]
        probe.connect(("192.0.2.1", 9))
        addresses = [("127.0.0.1", port), (probe.getsockname()[0], port), ("169.254.169.254", 80), ("192.0.2.1", 80)]
        run_sealed(module(NETWORK), {"file": str(tmp_path / "out"), "addresses": addresses})
    links, routes, *answers = (tmp_path / "out").read_text().splitlines()
    assert (links, routes) == ("lo", "")
    assert answers == ["Connection refused", *["Network is unreachable"] * 3, "reached"]


@needs_namespaces
def test_dies_with_a_parent_that_is_killed(module: Callable[[str], str], tmp_path: Path) -> None:
    parent = start_lingering(module(LINGERS), tmp_path / "out")
    parent.kill()
    parent.wait()
    assert eventually(lambda: not sleepers())


@needs_namespaces
def test_tidies_up_after_one_interrupt(module: Callable[[str], str], tmp_path: Path) -> None:
    parent = start_lingering(module(LINGERS), tmp_path / "out")
    parent.send_signal(signal.SIGINT)
    assert parent.wait(timeout=20) == 130
    assert (tmp_path / "out").read_text() == "tidied up"
    assert not sleepers()


@needs_namespaces
def test_ends_at_once_after_the_second_interrupt(module: Callable[[str], str], tmp_path: Path) -> None:
    source = LINGERS.replace("time.sleep(0.5)", "time.sleep(1000)")
    parent = start_lingering(module(source), tmp_path / "out")
    parent.send_signal(signal.SIGINT)
    time.sleep(0.5)
    parent.send_signal(signal.SIGINT)
    parent.wait(timeout=20)
    assert (tmp_path / "out").read_text() == "ready"
    assert eventually(lambda: not sleepers())


CAPSH = shutil.which("capsh", path="/usr/sbin:/sbin:/usr/bin")


@needs_namespaces
@pytest.mark.skipif(os.geteuid() != 0 or CAPSH is None, reason="needs root and capsh")
def test_says_what_a_bare_container_lacks() -> None:
    code = "from harness.sandbox import run_sealed; run_sealed('json', {})"
    command = [str(CAPSH), "--drop=cap_sys_admin", "--shell=/usr/bin/env", "--", "-C", str(PROJECT)]
    told = subprocess.run([*command, sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "MachineError: booting an image needs CAP_SYS_ADMIN" in told.stderr
