"""The spec's commands, run in the tree, without the network unless asked for."""

import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from build.command import CommandFailed
from build.errors import CallerError, MachineError
from build.privileges import can_mount
from build.spec.value import Command
from build.workspace import Workspace, resolved, way_out

RESOLVER = "/etc/resolv.conf"
FROM_INPUT = 'eval "$(cat)"; exec "$@" </dev/null'
"""Takes variables from standard input: a program's words are seen by all, and are in the log."""


@dataclass(frozen=True)
class RunCommand:
    """A command of the spec, run in the tree as its root."""

    command: Command
    number: int
    of: int

    once = True
    """It need not give the same when it is run again on what a cut-off attempt left: the build begins anew then."""

    def describe(self) -> str:
        """Its title, and what it comes to."""
        words = (
            self.command.words[-1] if self.command.words[:2] == ("/bin/sh", "-ec") else shlex.join(self.command.words)
        )
        network = "with the network" if self.command.network else "without any network"
        values = (
            f"{name} from {value.secret}" if value.secret else f"{name}={value.read().decode()}"
            for name, value in self.command.environment
        )
        return "\n    ".join([f"Run command {self.number} of {self.of}, {network}", *words.splitlines(), *values])

    def run(self, work: Workspace) -> None:
        """Without the network it gets a namespace that has none; on this machine alone that may be impossible."""
        require_isolation((self.command,))
        variables = {name: value.read().decode() for name, value in self.command.environment}
        if self.command.network:
            variables = {**way_out(), **variables}
        text = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
        words = ("/bin/sh", "-c", FROM_INPUT, "sh", *self.command.words)
        with _resolver(work) if self.command.network else nullcontext():
            try:
                work.inside(*words, text=text, isolated=not self.command.network)
            except CommandFailed as failure:
                tail = "\n".join(failure.output.rstrip().splitlines()[-12:])
                alone = "" if self.command.network else "it had no network: say network = true where it needs one; "
                raise CallerError(
                    f"{self.command.place} ended with status {failure.exit_status}:\n{tail}", f"{alone}see the log"
                ) from None


def require_isolation(commands: Iterable[Command]) -> None:
    """Raise MachineError where a command must have no network and this process cannot take it away."""
    if can_mount() or all(one.network for one in commands):
        return
    raise MachineError(
        "a command of the spec must run without the network, and root without CAP_SYS_ADMIN cannot see to that",
        "give the container that right (--cap-add SYS_ADMIN), build as an ordinary user, or say network = true",
    )


@contextmanager
def _resolver(work: Workspace) -> Iterator[None]:
    """This machine's name servers in the tree while a command runs; what was there comes back."""
    path = resolved(work.tree, Path(RESOLVER).parts)
    before = path.read_bytes() if path.is_file() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(Path(RESOLVER).read_bytes())
    try:
        yield
    finally:
        if before is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(before)
