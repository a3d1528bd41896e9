"""Where in an image a spec may write."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from build.spec.complaint import Complaint, complaint
from build.spec.document import Node
from build.spec.kinds import described

SET_AT_BOOT = (
    *("/dev", "/proc", "/sys", "/run", "/tmp", "/var/tmp"),
    *("/var/lib/cloud", "/var/lib/waagent", "/var/cache/apt", "/var/lib/apt/lists", "/var/log", "/root/.ssh"),
)
"""Folders of which an image keeps nothing: they belong to a running machine, or to one machine alone."""
KILNS_OWN = {
    "/etc/hostname": "the key 'hostname' names a specialized image",
    "/etc/hosts": "Azure names each machine",
    "/etc/machine-id": "each machine makes its own",
    "/etc/fstab": "it is written for the image's own disk",
}
NAMES_OF_HOST_KEYS = re.compile(r"/etc/ssh/ssh_host_.*")


@dataclass(frozen=True)
class Inside:
    """A path of the image."""

    def check(self, node: Node) -> Iterator[Complaint]:
        """That it is absolute, plain, and will be there in the image."""
        path = node.value
        if not isinstance(path, str):
            yield complaint(node.place, f"this is {described(path)}, it takes text")
        elif not path.startswith("/") or path == "/" or {".", "..", ""} & {*path[1:].split("/")} or "\0" in path:
            yield complaint(
                node.place, f"{path!r} is no path of a file: write it from / on, without '.', '..' and '//'"
            )
        elif folder := next((one for one in SET_AT_BOOT if path == one or path.startswith(f"{one}/")), None):
            yield complaint(node.place, f"{path!r} would not stay: an image keeps nothing in {folder}")
        elif path in KILNS_OWN:
            yield complaint(node.place, f"{path!r} is not for a spec to write: {KILNS_OWN[path]}")
        elif NAMES_OF_HOST_KEYS.fullmatch(path):
            yield complaint(node.place, f"{path!r} would be shared by all machines: each makes its own")
