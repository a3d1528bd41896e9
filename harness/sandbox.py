"""A place without a way out: every run lives in its own network, process and mount namespace, and dies with its parent.

An ordinary user gets there by a user namespace, root by CAP_SYS_ADMIN. How a function gets in and its answer out is the
matter of `build.confined`.
"""

import importlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from build import confined
from build.command import CommandFailed, find, run
from build.errors import MachineError
from harness.scratch import scratch_folder

NAMESPACES = ("--net", "--pid", "--fork", "--kill-child", "--mount")
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}
"""What root needs to make namespaces and links, and the bits' places in /proc/self/status."""
INTERRUPTED = confined.INTERRUPTED


def run_sealed(module: str, request: Mapping[str, Any]) -> int:
    """Call `main(request)` of `module` in a sealed namespace, and return the exit status that it returns.

    Its output goes to ours. A KilnError that it raises is raised here again; Ctrl-C reaches it once as
    KeyboardInterrupt (status 130), a second one ends everything at once.
    Raises MachineError where this machine does not let us make the namespaces.
    """
    with sealed(module, request) as call:
        return call.attend()


@contextmanager
def sealed(module: str, request: Mapping[str, Any], complaints: int | None = None) -> Iterator[confined.Call]:
    """`main(request)` of `module` under way in a sealed namespace, killed when the block is left.

    `complaints` is a file descriptor that takes what it writes on standard error (None: ours). Raises MachineError
    where this machine does not let us make the namespaces.
    """
    require_namespaces()
    with scratch_folder() as scratch:
        letter = {"module": module, "request": dict(request), "scratch": str(scratch)}
        with confined.Call(_unshare(), __name__, letter, complaints) as call:
            yield call


def require_namespaces() -> None:
    """Raise MachineError, naming the right that is missing, where `run_sealed` cannot work on this machine."""
    if os.geteuid() == 0 and (missing := missing_capabilities()):
        raise MachineError(
            f"booting an image needs {' and '.join(missing)}, which this root does not have",
            "give them to the container (`--cap-add`), or run as an ordinary user where user namespaces are allowed",
        )
    try:
        run(*_unshare(), "true")
    except CommandFailed as failure:
        raise MachineError(
            f"a sealed namespace cannot be made here: {failure.output.strip()}",
            "user namespaces may be switched off or limited by AppArmor or the container; `./kiln doctor` says by what",
        ) from None


def missing_capabilities(status: str | None = None) -> list[str]:
    """The capabilities in CAPABILITIES that this process lacks, by its /proc/self/status."""
    text = Path("/proc/self/status").read_text() if status is None else status
    effective = int(next(line.split()[1] for line in text.splitlines() if line.startswith("CapEff:")), 16)
    return [name for name, bit in CAPABILITIES.items() if not effective >> bit & 1]


def main(sealed: Mapping[str, Any]) -> int:
    """The sealed side: furnish the namespace, then do what was asked."""
    _furnish()
    # What is written for a while goes where it is found again when we are killed.
    os.environ["TMPDIR"] = tempfile.tempdir = sealed["scratch"]
    return int(importlib.import_module(sealed["module"]).main(sealed["request"]) or 0)


def _unshare() -> tuple[str, ...]:
    as_user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    return (find("unshare"), *as_user, *NAMESPACES, "--")


def _furnish() -> None:
    """Loopback up, and a /proc of the namespace's own where that may be mounted (not below a masked /proc)."""
    run("ip", "link", "set", "lo", "up")
    run("mount", "-t", "proc", "proc", "/proc", expect=(0, 1, 32))
