"""Processes that tests start and watch: by their ids, never by a name that others could have."""

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path


def started(command: Sequence[str | Path], log: Path, **env: str) -> "subprocess.Popen[bytes]":
    """A program in a session of its own, whose output goes to a file."""
    with log.open("wb") as file:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env},
            start_new_session=True,
        )


def descendants(process: int) -> list[int]:
    """The children of a process, and theirs."""
    children = []
    with suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            children += [int(word) for word in (task / "children").read_text().split()]
    return children + [below for child in children for below in descendants(child)]


def runs(process: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def eventually(holds: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether it holds within that time."""
    limit = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > limit:
            return False
        time.sleep(0.1)
    return True


def called(*words: str) -> list[int]:
    """The processes with exactly this command line, which must be one that only its test would use."""
    wanted = "".join(f"{word}\0" for word in words).encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (entry / "cmdline").read_bytes() == wanted:
                found.append(int(entry.name))
    return found
