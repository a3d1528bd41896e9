"""A place without a way out: every run lives in its own network, process and mount namespace, and dies with its parent.

The parent starts this module again inside `unshare`. It hands the request over in a memory file and holds the write end
of a pipe, the lifeline: when the parent ends, however it ends, the pipe closes, the first process of the namespace
leaves, and the kernel kills all others in it. An ordinary user gets there by a user namespace, root by CAP_SYS_ADMIN.
"""

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from build import errors
from build.command import CommandFailed, find, run
from build.errors import KilnError, MachineError

PROJECT = Path(__file__).resolve().parent.parent
NAMESPACES = ("--net", "--pid", "--fork", "--kill-child", "--mount")
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}
"""What root needs to make namespaces and links, and the bits' places in /proc/self/status."""
STOP = b"s"
"""On the lifeline: end in good order."""
INTERRUPTED = 130


def run_sealed(module: str, request: Mapping[str, Any]) -> int:
    """Call `main(request)` of `module` in a sealed namespace, and return the exit status that it returns.

    Its output goes to ours. A KilnError that it raises is raised here again; Ctrl-C reaches it once as
    KeyboardInterrupt (status 130), a second one ends everything at once.
    Raises MachineError where this machine does not let us make the namespaces.
    """
    require_namespaces()
    letter, reply = _memory_file(json.dumps(request).encode()), _memory_file(b"")
    inside, lifeline = os.pipe()
    descriptors = (inside, letter, reply)
    command = [*_unshare(), sys.executable, "-m", "harness.sandbox", module, *map(str, descriptors)]
    path = os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])])
    try:
        sealed = subprocess.Popen(command, pass_fds=descriptors, env={**os.environ, "PYTHONPATH": path})
        os.close(inside)
        status = _attend(sealed, lifeline)
        _raise_again(os.pread(reply, 1 << 20, 0))
        return status
    finally:
        for descriptor in (letter, reply, lifeline):
            os.close(descriptor)


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


def _unshare() -> tuple[str, ...]:
    as_user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    return (find("unshare"), *as_user, *NAMESPACES, "--")


def _memory_file(content: bytes) -> int:
    descriptor = os.memfd_create("kiln")
    os.pwrite(descriptor, content, 0)
    return descriptor


def _attend(sealed: "subprocess.Popen[bytes]", lifeline: int) -> int:
    """Wait for the namespace's end; the first Ctrl-C asks it to end, the second kills it."""
    try:
        return sealed.wait()
    except KeyboardInterrupt:
        with contextlib.suppress(BrokenPipeError):
            os.write(lifeline, STOP)
    try:
        return sealed.wait()
    finally:
        sealed.kill()
        sealed.wait()


def _raise_again(reply: bytes) -> None:
    """Raise the KilnError that the sealed side wrote down, if it did."""
    if not reply:
        return
    told = json.loads(reply)
    kind = getattr(errors, told["class"])
    assert issubclass(kind, KilnError)
    raise kind(told["what"], told["hint"])


def main(module: str, inside: int, letter: int, reply: int) -> int:
    """The sealed side: the first process of the namespace."""
    os.set_inheritable(inside, False)
    threading.Thread(target=_hold_on, args=(inside, _once_interrupted()), daemon=True).start()
    try:
        _furnish()
        request = json.loads(os.pread(letter, os.fstat(letter).st_size, 0))
        return int(importlib.import_module(module).main(request) or 0)
    except KilnError as error:
        kind = next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
        os.pwrite(reply, json.dumps({"class": kind, "what": error.what, "hint": error.hint}).encode(), 0)
        return error.status
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit:
        raise
    except BaseException:  # the namespace's first process must not print its traceback after its output is gone
        traceback.print_exc()
        return errors.Bug.status


def _furnish() -> None:
    """Loopback up, and a /proc of the namespace's own where that may be mounted (not below a masked /proc)."""
    run("ip", "link", "set", "lo", "up")
    run("mount", "-t", "proc", "proc", "/proc", expect=(0, 1, 32))


def _once_interrupted() -> Callable[[], None]:
    """Make the first of Ctrl-C, SIGTERM and a stop on the lifeline a KeyboardInterrupt; later ones do nothing.

    A terminal's Ctrl-C reaches us by itself and by the parent: the second must not cut the tidying up short.
    """
    seen = threading.Event()

    def interrupt(*_: object) -> None:
        if not seen.is_set():
            seen.set()
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    me = threading.main_thread().ident or 0
    return lambda: signal.pthread_kill(me, signal.SIGINT)  # to the thread that may sleep, not the one that calls


def _hold_on(lifeline: int, stop: Callable[[], None]) -> None:
    """Leave at once, and all in the namespace with us, when the parent is gone."""
    while os.read(lifeline, 1):
        stop()
    os._exit(errors.Bug.status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *(int(descriptor) for descriptor in sys.argv[2:])))
