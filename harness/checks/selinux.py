"""SELinux: an image that enforces it must have its labels (catalogue 2.11)."""

from harness.checks.check import Complaints, check
from harness.etc import read_settings
from harness.tree import Tree

LABEL = "security.selinux"
PROGRAMS = (
    "/usr/lib/systemd/systemd",
    "/usr/sbin/sshd",
    "/usr/bin/bash",
    "/etc/shadow",
    "/etc/passwd",
    "/usr/bin/sudo",
)
"""What a machine cannot do without, of several types: who wrote into the image without labels hardly left them all."""


@check(
    "selinux.labels", source="SELinux Project: restorecon, fixfiles", repair="Label the files, or make /.autorelabel"
)
def files_have_their_labels(tree: Tree) -> Complaints:
    """A file without a label is of nobody's type: where SELinux enforces, sshd may not read it and nobody gets in."""
    mode = read_settings(tree.read_text("/etc/selinux/config")).get("SELINUX", "disabled").lower()
    if mode not in ("enforcing", "permissive") or tree.exists("/.autorelabel"):
        return
    for path in PROGRAMS:
        if tree.is_file(path) and tree.attribute(path, LABEL) == b"":
            yield f"{path} has no label, and /etc/selinux/config says {mode}"
