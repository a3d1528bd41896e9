"""One job in a process of its own: `python -m factory.work` reads a letter, does the job, and keeps what came of it.

It is told by its result in the store alone: a process that dies leaves nothing but a folder that is swept later.
"""

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from build.errors import KilnError, MachineError
from factory.folderstore import FolderStore
from factory.job import Job, Result
from factory.keys import key
from factory.kinds import Bench, kind

BROKEN = 75
"""The exit status of a job that broke (sysexits.h, EX_TEMPFAIL): its last line says by what."""
PREFIX = "kiln-job-"


def letter(job: Job, inputs: Mapping[str, Result], store: str, scratch: Path) -> str:
    """What a process gets to do a job: all that it needs to know, as JSON."""
    told = {
        "job": asdict(job),
        "key": key(job, inputs),
        "inputs": {name: json.loads(one.text()) for name, one in inputs.items()},
        "store": store,
        "scratch": str(scratch),
    }
    return json.dumps(told)


def do(told: Mapping[str, Any]) -> Result:
    """Do a letter's job and keep its result; the one that the store has is returned."""
    job = _job(told["job"])
    inputs = {name: Result.read(json.dumps(one)) for name, one in told["inputs"].items()}
    own = key(job, inputs)
    if own != told["key"]:
        raise MachineError("Kiln's own files were changed while the night went on", "run it again")
    store = FolderStore(Path(told["store"]))
    scratch = Path(told["scratch"])
    scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=scratch))
    began, started = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    try:
        result = kind(job.kind).run(job.order, Bench(store, inputs, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    taken = round(time.monotonic() - started, 2)
    return store.put(own, replace(result, seconds=taken, began=began))


def _job(told: Mapping[str, Any]) -> Job:
    from factory.job import Slots

    return Job(**{**told, "needs": tuple(told["needs"]), "slots": Slots(**told["slots"])})


def main() -> int:
    """Read the letter from standard input."""
    os.umask(0o022)
    try:
        do(json.load(sys.stdin))
    except KilnError as error:
        print(f"{error.what}" + (f" ({error.hint})" if error.hint else ""), file=sys.stderr, flush=True)
        return BROKEN
    except OSError as refusal:
        print(f"{type(refusal).__name__}: {refusal}", file=sys.stderr, flush=True)
        return BROKEN
    return 0


if __name__ == "__main__":
    sys.exit(main())
