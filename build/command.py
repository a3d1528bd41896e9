"""The one door through which programs are called: each call is logged, its failure carries the end of its output."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from build.errors import KilnError, MachineError

TAIL = 12
"""Lines of a failed program's output that its error repeats."""


class CommandFailed(KilnError):
    """A program ended with a status that its caller did not expect."""

    def __init__(self, argv: tuple[str, ...], status: int, output: str) -> None:
        self.argv, self.exit_status, self.output = argv, status, output
        tail = "\n".join(output.rstrip().splitlines()[-TAIL:])
        super().__init__(f"{argv[0]} ended with status {status}:\n{tail}", f"the call was: {shlex.join(argv)}")


@dataclass(frozen=True)
class Result:
    """What a program printed (standard output and standard error together, unless parted) and its exit status."""

    stdout: str
    status: int


def find(program: str) -> str:
    """The program's path; sbin folders count even where the caller's PATH leaves them out.

    Raises MachineError where it is not installed.
    """
    found = shutil.which(program, path=search_path())
    if found is None:
        raise MachineError(
            f"{program} is not installed", "`./kiln doctor` lists every program that is missing, and its package"
        )
    return found


def search_path() -> str:
    """PATH with the folders of administration programs, which Debian keeps out of a user's PATH."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(folders + [extra for extra in ("/usr/sbin", "/sbin") if extra not in folders])


def run(
    *argv: str | Path,
    log: IO[str] | None = None,
    text: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    expect: tuple[int, ...] = (0,),
    timeout: float | None = None,
    only_stdout: bool = False,
    inherit: bool = True,
    worth: Callable[[str], bool] = lambda line: True,
) -> Result:
    """Run a program to its end.

    `text` is its standard input, `env` is added to the environment, of which it gets nothing else than PATH unless it
    may `inherit` it; `timeout` is in seconds, and with `only_stdout` what it writes to standard error goes to the log
    alone. Of what it prints the log gets the lines that are `worth` it; all of them where its exit status is not in
    `expect`.
    Raises MachineError where it is missing or takes too long, CommandFailed for an exit status not in `expect`.
    """
    words = tuple(str(word) for word in argv)
    program = words[0] if Path(words[0]).is_absolute() else find(words[0])
    if log:
        print("$", shlex.join(words), file=log, flush=True)
    try:
        done = subprocess.run(
            (program, *words[1:]),
            check=False,
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if only_stdout else subprocess.STDOUT,
            env={**(os.environ if inherit else {}), "PATH": search_path(), "LC_ALL": "C.UTF-8", **(env or {})},
            cwd=cwd,
            timeout=timeout,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError:
        raise MachineError(f"{words[0]} is not installed", "`./kiln doctor` lists what is missing") from None
    except subprocess.TimeoutExpired:
        raise MachineError(f"{words[0]} did not end within {timeout:.0f} s", shlex.join(words)) from None
    if log:
        told = ((done.stderr or "") + done.stdout).splitlines(keepends=True)
        print(*filter(worth if done.returncode in expect else None, told), sep="", end="", file=log, flush=True)
    if done.returncode not in expect:
        raise CommandFailed(words, done.returncode, (done.stderr or "") + done.stdout)
    return Result(done.stdout, done.returncode)
