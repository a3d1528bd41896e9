"""The guest, reached over SSH as its administrator: the one module that knows paramiko."""

import contextlib
import io
import logging
import shlex
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import paramiko

from harness.deadline import Deadline, Gone, TooLate
from harness.sshkey import Key, plain

ATTEMPT = 15.0
"""Seconds for one step of one attempt to connect (TCP, banner, login); a guest under emulation is slow to answer."""

KINDS: Mapping[str, type[paramiko.PKey]] = {
    "ssh-ed25519": paramiko.Ed25519Key,
    "ecdsa-sha2": paramiko.ECDSAKey,
    "ssh-rsa": paramiko.RSAKey,
}
"""The library's class for a key, by how its public half begins."""

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # attempts that fail are expected while a guest boots


@dataclass(frozen=True)
class Output:
    """What a command in the guest printed, and its exit status (-1: killed by a signal)."""

    status: int
    stdout: str
    stderr: str


def _paramiko_key(key: Key) -> paramiko.PKey:
    kind = next(kind for name, kind in KINDS.items() if key.public.startswith(name))
    return kind.from_private_key(io.StringIO(plain(key.private)))


class Guest:
    """One account in one guest. Commands are remembered: asked again, the first answer is given."""

    def __init__(self, address: str, user: str, key: Key, port: int = 22) -> None:
        self.address, self.user, self.port = address, user, port
        self.host_key = ""
        """The guest's own key as a known_hosts line has it, once connected."""
        self._key = _paramiko_key(key)
        self._client: paramiko.SSHClient | None = None
        self._memory: dict[tuple[str, bool], Output] = {}

    def connect(
        self,
        deadline: Deadline,
        check_alive: Callable[[], None] = lambda: None,
        address: Callable[[], str] | None = None,
    ) -> None:
        """Log in, however often it takes: a guest answers before its users and keys exist. It may move: `address` then
        tells where it is now.

        Raises TooLate with the last reason for which it failed, or what `check_alive` raises.
        """
        refusal = "no attempt was made"

        def attempt() -> bool | None:
            nonlocal refusal
            check_alive()
            self.address = address() if address else self.address
            refusal = self._log_in(min(ATTEMPT, max(1.0, deadline.left)))
            return None if refusal else True

        try:
            deadline.until("SSH", attempt)
        except TooLate:
            raise TooLate(f"waited in vain for an SSH login as {self.user}: {refusal}") from None

    def run(self, command: str, *, sudo: bool = False, timeout: float = 120, fresh: bool = False) -> Output:
        """What a shell command prints, in the C locale; as root with `sudo`, anew if `fresh`.

        Raises Gone when the connection is lost, TooLate after `timeout` seconds without a word from it.
        """
        if fresh or (command, sudo) not in self._memory:
            self._memory[command, sudo] = self._execute(command, sudo, timeout)
        return self._memory[command, sudo]

    def read(self, path: str) -> str | None:
        """A file's text, read as root; None where there is none."""
        output = self.run(f"cat -- {shlex.quote(path)}", sudo=True)
        return output.stdout if output.status == 0 else None

    @contextlib.contextmanager
    def shell(self, columns: int = 80, rows: int = 24, terminal: str = "vt100") -> Iterator[paramiko.Channel]:
        """A login shell on a terminal of that size, as a channel that harness.terminal can attach to."""
        with self._transport().open_session() as channel:
            channel.get_pty(terminal, columns, rows)
            channel.invoke_shell()
            yield channel

    def close(self) -> None:
        """Hang up, and forget all answers: after a reboot they may be others."""
        self._memory.clear()
        if self._client:
            self._client.close()
            self._client = None

    def _log_in(self, patience: float) -> str:
        """Try once; the reason why it failed, "" if it did not."""
        client = paramiko.SSHClient()
        client.set_missing_host_key_policy(paramiko.AutoAddPolicy())  # a new guest has keys nobody has seen before
        try:
            client.connect(
                self.address,
                self.port,
                self.user,
                pkey=self._key,
                allow_agent=False,
                look_for_keys=False,
                timeout=patience,
                banner_timeout=patience,
                auth_timeout=patience,
            )
        except (paramiko.SSHException, OSError, EOFError) as error:
            client.close()
            return str(error) or type(error).__name__
        self._client = client
        host = self._transport().get_remote_server_key()
        self.host_key = f"{host.get_name()} {host.get_base64()}"
        return ""

    def _transport(self) -> paramiko.Transport:
        transport = self._client.get_transport() if self._client else None
        if transport is None or not transport.is_active():
            raise Gone("there is no SSH connection to the guest")
        return transport

    def _execute(self, command: str, sudo: bool, timeout: float) -> Output:
        words = ("sudo", "-n", "sh", "-c", command) if sudo else ("sh", "-c", command)
        try:
            with self._transport().open_session(timeout=timeout) as channel:
                channel.settimeout(timeout)
                channel.exec_command(f"LC_ALL=C {shlex.join(words)}")
                channel.shutdown_write()
                return _collect(channel)
        except TimeoutError:
            raise TooLate(f"the guest was silent for {timeout:.0f} s after: {command}") from None
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise Gone(f"the SSH connection was lost at {command!r}: {error or type(error).__name__}") from None


def _collect(channel: paramiko.Channel) -> Output:
    """Read both streams at once: the one left alone could fill up and stop the command."""
    complaints: list[bytes] = []

    def drain() -> None:
        with contextlib.suppress(OSError):
            complaints.extend(iter(lambda: channel.recv_stderr(1 << 16), b""))

    reader = threading.Thread(target=drain, daemon=True)
    reader.start()
    printed = b"".join(iter(lambda: channel.recv(1 << 16), b""))
    reader.join()
    status = channel.recv_exit_status()
    return Output(status, printed.decode("utf-8", "replace"), b"".join(complaints).decode("utf-8", "replace"))
