"""Content keys: what a job's result is kept under. Equal inputs have equal keys, on every machine, in every night."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from factory.job import Job, Result

PROJECT = Path(__file__).resolve().parent.parent
CODE: Mapping[str, tuple[str, ...]] = {
    "image": ("build", "distros"),
    "inspect": ("harness", "distros"),
    "boot": ("harness", "distros"),
    "publish": ("publish",),
    "promote": ("publish",),
}
"""The packages whose sources decide what a kind's job finds; the packages that they import count with them."""


def key(job: Job, inputs: Mapping[str, Result]) -> str:
    """The key (sha256, hexadecimal) of a job whose needs came to these results."""
    told = {
        "kind": job.kind,
        "order": job.order,
        "inputs": {name: inputs[name].stands for name in sorted(job.needs)},
        "code": [code(package) for package in CODE.get(job.kind, ())],
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@cache
def code(package: str) -> str:
    """A digest of a package's sources: what another Kiln found is not what this one would find."""
    digest = hashlib.sha256()
    for file in sorted((PROJECT / package).rglob("*.py")):
        digest.update(f"{file.relative_to(PROJECT)}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
