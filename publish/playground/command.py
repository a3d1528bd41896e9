"""What `./kiln playground` does: starts everything, says how to use it, and ends it at Ctrl-C."""

import signal
import threading
from contextlib import ExitStack, suppress
from pathlib import Path

from build.progress import Progress
from publish.playground import azure


def run(folder: Path, progress: Progress) -> None:
    """A pretend Azure until Ctrl-C or SIGTERM; its state stays in `folder`. Raises MachineError where it cannot be."""
    over = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda number, frame: over.set())
    try:
        with ExitStack() as stack:
            with progress.step("Starting the playground"):
                one = stack.enter_context(azure.running(folder))
            print(*lines(one), sep="\n", flush=True)
            with suppress(KeyboardInterrupt):
                over.wait()
    finally:
        signal.signal(signal.SIGTERM, before)
    progress.note(f"The playground has ended; its state stays in {folder}.")


def lines(one: azure.Playground) -> list[str]:
    """How to use it, to be pasted into another shell."""
    return [
        f"The playground is no Azure: what is published here stays below {one.target.parent}.",
        f"Its target: {one.target}",
        "In another shell:",
        *(f"  export {name}={value}" for name, value in one.environment.items()),
        f"  ./kiln publish --image output/debian-13-genboth-x86_64 --to {one.target}",
        "Ctrl-C ends it.",
    ]
