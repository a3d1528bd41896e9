"""Running a command in a user namespace of its own in which every id means the same as outside.

Root needs one for what the kernel keeps for each user namespace, so that it leaves no trace in the machine's own:
which programs of other processors are run by what (binfmt_misc, since Linux 6.7).
"""

import ctypes
import os
import sys
from pathlib import Path

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
REFUSED = 125


def main(argv: list[str]) -> int:
    """Replace this process by the command `argv` in the new namespaces; returns only where they are refused."""
    process = os.getpid()
    entered, enter = os.pipe()
    mapper = os.fork()
    if not mapper:
        # Only a process outside may give it all ids (user_namespaces(7)).
        os.close(enter)
        os._exit(_map(process) if os.read(entered, 1) else REFUSED)
    os.close(entered)
    libc = ctypes.CDLL(None, use_errno=True)
    refused = libc.unshare(CLONE_NEWUSER | CLONE_NEWNS) and os.strerror(ctypes.get_errno())
    if not refused:
        os.write(enter, b"1")
    os.close(enter)
    _, status = os.waitpid(mapper, 0)
    if refused or status:
        print(f"no user namespace with all ids: {refused or 'they cannot be mapped'}", file=sys.stderr)
        return REFUSED
    return os.execvp(argv[0], argv)


def _map(process: int) -> int:
    """Give the process every id of this namespace under its own number."""
    try:
        for name in ("uid_map", "gid_map"):
            lines = (line.split() for line in Path("/proc/self", name).read_text().splitlines())
            text = "".join(f"{inside} {inside} {count}\n" for inside, _, count in lines)
            Path(f"/proc/{process}/{name}").write_text(text)
    except OSError:
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
