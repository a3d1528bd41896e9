"""The guest over SSH, with paramiko's own server on loopback as the guest."""

import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from build.errors import CallerError
from harness.deadline import Deadline, Gone, TooLate
from harness.guest import Guest
from harness.sshkey import Key, load_key, make_key

KEY = make_key()


class Administrator(paramiko.ServerInterface):
    """Lets the key in after some refusals, and runs commands in a shell of this machine."""

    def __init__(self, server: "Server") -> None:
        self.server = server

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self.server.logins += 1
        known = f"{key.get_name()} {key.get_base64()}" == KEY.public.rpartition(" ")[0]
        late = self.server.logins > self.server.refusals
        return paramiko.AUTH_SUCCESSFUL if known and late and username == "kiln" else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.server.commands.append(command.decode())
        threading.Thread(target=answer, args=(channel, command), daemon=True).start()
        return True


def answer(channel: paramiko.Channel, command: bytes) -> None:
    channel.recv(1)  # until the caller ends its input, which it does once it was told that the command has begun
    done = subprocess.run(["sh", "-c", command.replace(b"sudo -n ", b"")], capture_output=True, check=False)
    channel.sendall(done.stdout)
    channel.sendall_stderr(done.stderr)
    channel.send_exit_status(done.returncode)
    channel.close()


class Server:
    """An SSH server on a loopback port."""

    def __init__(self, refusals: int) -> None:
        self.refusals, self.logins = refusals, 0
        self.commands: list[str] = []
        self.host_key = paramiko.RSAKey.generate(2048)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.transports: list[paramiko.Transport] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                transport = paramiko.Transport(self.listener.accept()[0])
            except OSError:
                return
            transport.add_server_key(self.host_key)
            self.transports.append(transport)
            transport.start_server(event=threading.Event(), server=Administrator(self))

    def close(self) -> None:
        self.listener.close()
        for transport in self.transports:
            transport.close()


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    started = Server(getattr(request, "param", 0))
    yield started
    started.close()


@pytest.fixture
def guest(server: Server) -> Iterator[Guest]:
    connected = Guest("127.0.0.1", "kiln", KEY, server.port)
    connected.connect(Deadline.after(20))
    yield connected
    connected.close()


def test_makes_keys_that_openssh_would_take() -> None:
    key = make_key("me@here")
    assert key.private.startswith("-----BEGIN OPENSSH PRIVATE KEY-----")
    assert key.public.startswith("ssh-ed25519 AAAA")
    assert key.public.endswith(" me@here")
    assert key != make_key("me@here")


def test_runs_a_command_and_parts_its_streams(guest: Guest) -> None:
    output = guest.run("echo out; echo err >&2; exit 3")
    assert (output.status, output.stdout, output.stderr) == (3, "out\n", "err\n")


def test_reads_much_of_both_streams(guest: Guest) -> None:
    output = guest.run("head -c 5000000 /dev/zero; head -c 5000000 /dev/zero >&2")
    assert (len(output.stdout), len(output.stderr)) == (5_000_000, 5_000_000)


def test_keeps_quotes_whole_on_their_way(guest: Guest) -> None:
    assert guest.run("""printf '%s|' "a b" 'c"d' "it's" """).stdout == "a b|c\"d|it's|"


def test_asks_each_question_once(guest: Guest, server: Server) -> None:
    for _ in range(3):
        guest.run("hostname")
    guest.run("hostname", sudo=True)
    assert server.commands == ["LC_ALL=C sh -c hostname", "LC_ALL=C sudo -n sh -c hostname"]
    guest.run("hostname", fresh=True)
    assert len(server.commands) == 3


def test_reads_files_and_their_absence(guest: Guest, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("guest") / "it's here"
    file.write_text("content\n")
    assert guest.read(str(file)) == "content\n"
    assert guest.read(f"{file}.not") is None


def test_records_the_host_key(guest: Guest, server: Server) -> None:
    assert guest.host_key == f"ssh-rsa {server.host_key.get_base64()}"


@pytest.mark.parametrize("server", [2], indirect=True)
def test_tries_again_while_the_account_is_not_yet_there(server: Server) -> None:
    guest = Guest("127.0.0.1", "kiln", KEY, server.port)
    guest.connect(Deadline.after(20))
    assert server.logins > 2
    guest.close()


def test_tells_the_last_refusal_when_time_is_up(server: Server) -> None:
    with pytest.raises(TooLate, match="SSH login as kiln: Authentication failed"):
        Guest("127.0.0.1", "kiln", make_key(), server.port).connect(Deadline.after(0.1))


def test_tells_that_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(TooLate, match="Unable to connect"):
        Guest("127.0.0.1", "kiln", KEY, port).connect(Deadline.after(0.1))


def test_gives_up_at_once_when_the_machine_is_gone() -> None:
    def check_alive() -> None:
        raise Gone("QEMU died")

    with pytest.raises(Gone, match="QEMU died"):
        Guest("127.0.0.1", "kiln", KEY, 1).connect(Deadline.after(60), check_alive)


def test_knows_a_lost_connection(guest: Guest, server: Server) -> None:
    server.close()
    with pytest.raises(Gone):
        guest.run("hostname")


def test_does_not_wait_for_ever(guest: Guest) -> None:
    with pytest.raises(TooLate, match="silent for 0 s after: sleep 3"):
        guest.run("sleep 3", timeout=0.3)


def test_refuses_to_run_before_it_is_connected() -> None:
    with pytest.raises(Gone, match="no SSH connection"):
        Guest("127.0.0.1", "kiln", Key(KEY.private, KEY.public)).run("true")


@pytest.mark.parametrize(
    ("kind", "name"), [("ed25519", "ssh-ed25519"), ("rsa", "ssh-rsa"), ("ecdsa", "ecdsa-sha2-nistp256")]
)
@pytest.mark.parametrize("form", ["RFC4716", "PEM"])
def test_loads_keys_as_ssh_keygen_makes_them(kind: str, name: str, form: str, tmp_path: Path) -> None:
    keygen(tmp_path / "key", kind, form)
    key = load_key((tmp_path / "key").read_text())
    public = (tmp_path / "key.pub").read_text().split()
    assert key.public.split() == public[:2]
    assert public[0] == name


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_says_that_a_key_is_locked(kind: str, tmp_path: Path) -> None:
    keygen(tmp_path / "key", kind, "RFC4716", "secret")
    with pytest.raises(CallerError, match=r"no usable private key: .*password") as refusal:
        load_key((tmp_path / "key").read_text())
    assert refusal.value.hint == "give a key without a passphrase"


@pytest.mark.parametrize("text", ["", "ssh-ed25519 AAAA me", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"])
def test_says_that_a_text_is_no_key(text: str) -> None:
    with pytest.raises(CallerError, match="no usable private key"):
        load_key(text)


def keygen(path: Path, kind: str, form: str, passphrase: str = "") -> None:
    words = ["ssh-keygen", "-q", "-t", kind, "-m", form, "-N", passphrase, "-C", "", "-f", path]
    subprocess.run(words, check=True)
