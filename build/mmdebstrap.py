"""The door to mmdebstrap, which says of its failures who must act."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from build import command, emulated
from build.command import CommandFailed
from build.errors import KilnError, MachineError, RecipeError

NOT_THERE = "the recipe names a package that the archive does not have"
BLAME: tuple[tuple[str, type[KilnError], str], ...] = (
    ("Unable to locate package", RecipeError, NOT_THERE),
    ("has no installation candidate", RecipeError, NOT_THERE),
    ("unmet dependencies", RecipeError, "the recipe's packages exclude each other; the build's log has apt's reasons"),
    ("No space left on device", MachineError, "free some space, or name another folder in KILN_CACHE"),
    ("is expired", MachineError, "the archive is no longer renewed, or old files are replayed; use another mirror"),
    ("127.0.0.1:9", MachineError, "the cache lacks what is needed; build once without --offline"),
    ("Hash Sum mismatch", MachineError, "the archive is being renewed, or something on the way alters it; try again"),
    ("Failed to fetch", MachineError, "the archive broke off; run the build again, or use --mirror"),
    ("dpkg-deb: error", MachineError, "a package in the cache is damaged: `./kiln clean`, then build again"),
)
"""What apt prints, who must act then, and what to do. The first that is found counts."""


PROXIES = tuple(name for kind in ("http", "https", "no") for name in (f"{kind}_proxy", f"{kind.upper()}_PROXY"))
ENVIRONMENT = {
    "HOME": "/root",
    "DEBIAN_FRONTEND": "noninteractive",
    # Modules that package scripts import would leave caches that hold times.
    "PYTHONDONTWRITEBYTECODE": "1",
    **emulated.ENVIRONMENT,
}


def run(*argv: str | Path, log: IO[str], env: Mapping[str, str]) -> None:
    """Run mmdebstrap with these words and this environment, to which only the way to the archive is added.

    Package scripts inherit what mmdebstrap has: nothing of the caller's may decide what they do.
    Raises MachineError or RecipeError where apt's output tells who must act.
    """
    proxies = {name: os.environ[name] for name in PROXIES if name in os.environ}
    try:
        command.run("mmdebstrap", *argv, log=log, env={**ENVIRONMENT, **proxies, **env}, inherit=False)
    except CommandFailed as failure:
        raise blamed(failure) from None


def blamed(failure: CommandFailed) -> KilnError:
    """The failure as an error of whoever must act; itself where that cannot be told."""
    lines = failure.output.splitlines()
    for needle, error, hint in BLAME:
        if found := next((line for line in lines if needle in line), None):
            return error(f"installing the packages failed: {found.strip()}", hint)
    return failure
