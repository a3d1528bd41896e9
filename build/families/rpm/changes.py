"""Changes of a tree that is there already: what it lacks of some packages, and packages that it must lose."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from build.command import CommandFailed
from build.errors import KilnError, RecipeError
from build.families.rpm.database import let_fail
from build.workspace import Workspace
from distros.recipe import Rpm

NOBODY = "no package provides "
NEEDED = " is needed by "
"""What rpm prints of names that nothing in the database has, and of those that it must keep."""


def describe_additions(names: tuple[str, ...], removed: tuple[str, ...]) -> str:
    """What a plan shows of packages that a tree must have, and of those that it must not."""
    lines = [f"Add what the image lacks of {len(names)} packages"]
    return "\n    ".join([*lines, *([f"and take out {', '.join(removed)}"] if removed else [])])


def missing(work: Workspace, rpm: Rpm, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of these names that no package in the tree has or provides."""
    told = work.tool(*_query(work, rpm), "--whatprovides", *names, expect=(0, *range(1, len(names) + 1))).stdout
    nowhere = {line.removeprefix(NOBODY) for line in told.splitlines() if line.startswith(NOBODY)}
    return tuple(name for name in names if name in nowhere)


def erase(work: Workspace, rpm: Rpm, names: tuple[str, ...], environment: Mapping[str, str]) -> None:
    """Take these packages out of the tree, as far as they are in it. `environment` is of `write_settings`.

    What only they needed stays. Raises RecipeError where another package needs one of them.
    """
    present = work.tool(*_query(work, rpm), "--all", "--queryformat", "%{NAME}\\n").stdout.split() if names else []
    if not (here := tuple(name for name in names if name in present)):
        return
    try:
        told = work.installer("/usr/bin/rpm", "--root", work.tree, "--erase", *here, env=environment).stdout
    except CommandFailed as failure:
        raise kept_back(failure, here) from None
    for line in let_fail(told):
        work.warn(line)


def _query(work: Workspace, rpm: Rpm) -> tuple[str | Path, ...]:
    backend = ("--define", f"_db_backend {rpm.database}", "--dbpath", work.path(rpm.database_path))
    return ("/usr/bin/rpm", *backend, "--query")


def kept_back(failure: CommandFailed, names: Sequence[str]) -> KilnError:
    """The failure as what the tree needs of the packages that were to go; itself where that is not the reason."""
    needed = [line.strip() for line in failure.output.splitlines() if NEEDED in line]
    if not needed:
        return failure
    return RecipeError(f"{', '.join(names)} cannot be removed: {'; '.join(needed)}", "leave it in, or remove both")
