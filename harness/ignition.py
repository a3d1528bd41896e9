"""What Ignition is given on its first boot, where the caller gives nothing: the administrator, and a mark."""

import json

from harness.expected import RAN

MARK = "configured by Ignition\n"
VERSION = "3.3.0"
"""Of the config's specification: the newest that Ignition 2.14 knows, and every Flatcar that is supported."""


def config(admin: str, keys: tuple[str, ...]) -> bytes:
    """A config with an administrator who logs in by key and may do all, and the file by which it is seen to have run.

    Azure passes the administrator on the disc; Ignition does not read that, its users come from its config.
    """
    sudo = f"{admin} ALL=(ALL) NOPASSWD: ALL\n"
    told = {
        "ignition": {"version": VERSION},
        "passwd": {"users": [{"name": admin, "sshAuthorizedKeys": list(keys), "shell": "/bin/bash"}]},
        "storage": {"files": [_file(f"/etc/sudoers.d/kiln-{admin}", sudo, 0o440), _file(RAN, MARK, 0o644)]},
    }
    return json.dumps(told).encode()


def _file(path: str, content: str, mode: int) -> dict[str, object]:
    encoded = content.replace("%", "%25").replace("\n", "%0A").replace(" ", "%20")
    return {"path": path, "mode": mode, "overwrite": True, "contents": {"source": f"data:,{encoded}"}}
