"""Calling a function of ours in namespaces of its own, which end with their parent.

The parent starts this module again behind the words that make the namespaces. It hands the request over in a memory
file and holds the write end of a pipe, the lifeline: when the parent ends, however it ends, the pipe closes and the
first process inside leaves. Where it is the first of a process namespace, the kernel kills all others in it; where no
namespaces can be had, it leads a session of its own, and whichever of the two is left kills what is left of that.
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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from build import errors
from build.errors import KilnError

PROJECT = Path(__file__).resolve().parent.parent
STOP = b"s"
"""On the lifeline: end in good order."""
INTERRUPTED = 130


def call(namespaces: Sequence[str], module: str, request: Mapping[str, Any]) -> int:
    """Call `main(request)` of `module` behind the words `namespaces`, and return the exit status that it returns.

    Its output goes to ours. A KilnError that it raises is raised here again; Ctrl-C reaches it once as
    KeyboardInterrupt (status 130), a second one ends everything at once.
    """
    with Call(namespaces, module, request) as one:
        return one.attend()


class Call:
    """A function's call under way in namespaces of its own, until the context is left.

    `complaints` is a file descriptor that takes what it writes on standard error (None: ours).
    """

    def __init__(
        self, namespaces: Sequence[str], module: str, request: Mapping[str, Any], complaints: int | None = None
    ) -> None:
        self._leads = not namespaces
        path = os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])])
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            letter, self._reply = _memory_file(json.dumps(request).encode()), _memory_file(b"")
            inside, self._lifeline = os.pipe()
            for stack, descriptor in ((theirs, letter), (theirs, inside), (ours, self._reply), (ours, self._lifeline)):
                stack.callback(os.close, descriptor)
            descriptors = (inside, letter, self._reply)
            self._child = subprocess.Popen(
                [*namespaces, sys.executable, "-m", "build.confined", module, *map(str, descriptors)],
                pass_fds=descriptors,
                env={**os.environ, "PYTHONPATH": path},
                stderr=complaints,
                start_new_session=self._leads,
            )
            self._ours = ours.pop_all()

    def __enter__(self) -> "Call":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill what is left of it."""
        self._child.kill()
        self._child.wait()
        if self._leads:
            _end_session(self._child.pid)
        self._ours.close()

    @property
    def ended(self) -> bool:
        """Whether it has come to its end."""
        return self._child.poll() is not None

    def wait(self) -> None:
        """Wait for its end."""
        self._child.wait()

    def attend(self) -> int:
        """Wait for its end, which the first Ctrl-C asks for, and return its exit status.

        Raises the KilnError that it raised, and KeyboardInterrupt at a second Ctrl-C.
        """
        try:
            self.wait()
        except KeyboardInterrupt:
            self.stop()
        return self.end()

    def stop(self) -> None:
        """Ask it to end in good order; it is not waited for."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._lifeline, STOP)

    def end(self) -> int:
        """Its exit status once it has come to its end. Raises the KilnError that it raised."""
        status = self._child.wait()
        _raise_again(os.pread(self._reply, 1 << 20, 0))
        return status


def _memory_file(content: bytes) -> int:
    descriptor = os.memfd_create("kiln")
    os.pwrite(descriptor, content, 0)
    return descriptor


def _end_session(leader: int) -> None:
    """Kill whatever still runs of a session, oneself apart; twice, for what was born meanwhile."""
    for _ in range(2):
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                session = int(stat.read_text().rpartition(")")[2].split()[3])
                if session == leader and (process := int(stat.parent.name)) != os.getpid():
                    os.kill(process, signal.SIGKILL)


def _raise_again(reply: bytes) -> None:
    """Raise the KilnError that the child wrote down, if it did."""
    if not reply:
        return
    told = json.loads(reply)
    kind = getattr(errors, told["class"])
    assert issubclass(kind, KilnError)
    raise kind(told["what"], told["hint"])


def main(module: str, inside: int, letter: int, reply: int) -> int:
    """The child's side: the first process of its namespaces."""
    os.set_inheritable(inside, False)
    threading.Thread(target=_hold_on, args=(inside, _once_interrupted()), daemon=True).start()
    try:
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
    if os.getsid(0) == os.getpid():
        _end_session(os.getpid())
    os._exit(errors.Bug.status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *(int(descriptor) for descriptor in sys.argv[2:])))
