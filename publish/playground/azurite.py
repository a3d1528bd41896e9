"""Azurite, Microsoft's emulator of storage, as the real blob service: installed from its lock, bound to loopback."""

import base64
import hashlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from build import cache
from build.command import CommandFailed, run
from build.errors import MachineError
from publish.playground.certificates import Certificate

LOCK = Path(__file__).parent / "npm"
"""package.json and its lock: exact versions with digests, from whatever registry npm is set up for."""
PROGRAM = Path("node_modules/azurite/dist/src/blob/main.js")
START = 60.0
"""Seconds that it may take until it answers."""
GRACE = 10.0
DIE_WITH_US = ("setpriv", "--pdeathsig", "KILL")
"""Whoever kills us with -9 leaves no server behind (util-linux)."""


@dataclass(frozen=True)
class Azurite:
    """A running one: where, and the key of each account."""

    port: int
    keys: Mapping[str, str]

    @property
    def url(self) -> str:
        """Its address; an account is a folder of it."""
        return f"https://127.0.0.1:{self.port}"


def installed() -> Path:
    """The folder that it is installed in, in the cache. Raises MachineError where node or npm is missing."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            raise MachineError(f"{program} is missing", "`apt-get install nodejs npm`: the playground runs Azurite")
    lock = (LOCK / "package-lock.json").read_bytes()
    folder = cache.folder() / "tools" / f"azurite-{_short(lock)}"
    with cache.locked(folder.name):
        if not (folder / PROGRAM).is_file():
            _install(folder)
    return folder


def _short(lock: bytes) -> str:
    return hashlib.sha256(lock).hexdigest()[:12]


def _install(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(LOCK, folder)
    words = ("--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund", "--no-update-notifier")
    try:
        run("npm", "ci", "--prefix", folder, *words)
    except CommandFailed as failure:
        shutil.rmtree(folder, ignore_errors=True)
        raise MachineError(
            f"Azurite could not be installed: {failure.output.strip()[-400:]}", "is npm's registry reachable?"
        ) from None


@contextmanager
def running(
    folder: Path, names: Sequence[str], certificate: Certificate, keys: Mapping[str, str] | None = None
) -> Iterator[Azurite]:
    """Azurite with these accounts, its data in `folder`; it ends with this.

    `keys` are those of an earlier run on the same folder. Raises MachineError where it does not start.
    """
    program = installed() / PROGRAM
    folder.mkdir(parents=True, exist_ok=True)
    made = Azurite(_free_port(), keys or {name: base64.b64encode(secrets.token_bytes(32)).decode() for name in names})
    words = [
        *("--blobHost", "127.0.0.1", "--blobPort", str(made.port), "--location", str(folder)),
        *("--cert", str(certificate.certificate), "--key", str(certificate.key), "--oauth", "basic"),
        *("--disableTelemetry", "--skipApiVersionCheck", "--silent"),
    ]
    accounts = ";".join(f"{name}:{key}" for name, key in made.keys.items())
    with (folder / "azurite.log").open("wb") as log:
        process = subprocess.Popen(
            [*DIE_WITH_US, "node", str(program), *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # It reads from itself, over TLS, what is copied from one account to another.
            env={**os.environ, "AZURITE_ACCOUNTS": accounts, "NODE_EXTRA_CA_CERTS": str(certificate.authority)},
            start_new_session=True,
        )
        try:
            _await(process, made.port, folder / "azurite.log")
            yield made
        finally:
            _end(process)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _await(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    end = time.monotonic() + START
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        with socket.socket() as one:
            one.settimeout(1)
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise MachineError(f"Azurite did not start: {log.read_text(errors='replace').strip()[-400:]}", "try it again")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
