"""How a build becomes root of its own view of the machine, and only of that.

As root with CAP_SYS_ADMIN: a mount namespace. As root without it, as in a plain container: nothing, and no mounts.
As an ordinary user: a user namespace with the user's subordinate ids, so that the files of a tree keep their owners.
"""

import os
import sys
from functools import cache
from pathlib import Path

from build.command import run
from build.errors import KilnError, MachineError

CAP_SYS_ADMIN = 21
PROJECT = Path(__file__).resolve().parent.parent
OWN_IDS = (sys.executable, "-m", "build.mapped")
NAMESPACE = ("--mount", "--pid", "--fork", "--kill-child", "--propagation", "private")


def entry(*, own_register: bool = False) -> tuple[str, ...]:
    """The words to put before a command so that it runs as root of its own view.

    With `own_register` it has, where that can be, a register of its own of programs for other processors
    (`build.foreign`): root, too, gets a user namespace then.
    Raises MachineError where an ordinary user may not have a user namespace with more than one id.
    """
    if os.geteuid() == 0:
        mapped = OWN_IDS if own_register and _can_have_own_ids() else ()
        return (*mapped, "unshare", *NAMESPACE) if can_mount() or mapped else ()
    _require_user_namespace()
    return ("unshare", "--user", "--map-root-user", "--map-auto", *NAMESPACE)


def can_mount() -> bool:
    """Whether this process may mount: CAP_SYS_ADMIN is in its effective set (capabilities(7))."""
    fields = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    return bool(int(fields["CapEff"], 16) >> CAP_SYS_ADMIN & 1)


def _can_have_own_ids() -> bool:
    try:
        run(*OWN_IDS, "true", env={"PYTHONPATH": str(PROJECT)})
    except KilnError:
        return False
    return True


@cache
def _require_user_namespace() -> None:
    try:
        run("unshare", "--user", "--map-root-user", "--map-auto", "true")
    except KilnError as refusal:
        raise MachineError(
            f"this user cannot have a user namespace with subordinate ids: {refusal.what}",
            "give the user ranges in /etc/subuid and /etc/subgid (usermod --add-subuids 100000-165535 "
            "--add-subgids 100000-165535 USER) and install uidmap, or build as root; `./kiln doctor` tells more",
        ) from None
