"""SELinux labels, set where nobody needs the right to: computed from the image's own policy, written by debugfs.

The kernel lets only a root with CAP_SYS_ADMIN set security.selinux, and a build may have less. So the tree stays
without labels, the tools tree's setfiles says which they would be, and the finished file system gets them: the same
for all.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from build.command import CommandFailed
from build.errors import MachineError
from build.layout import Layout
from build.workspace import Workspace

LABELS = "labels"
"""The file beside the tree that holds what was computed: a label and a path each line."""
ATTRIBUTE = "security.selinux"
LABEL = "Would relabel "
"""How setfiles begins the line of each of thousands of files, which would make up nearly all of a build's log."""
WOULD = re.compile(LABEL + r"(/.*) from (?:<no context>|\S+) to (\S+)")
MADE_BY_MKE2FS = ("/lost+found", "system_u:object_r:lost_found_t:s0")
FORGOTTEN = "no SELinux labels could be computed: the first boot sets them, takes long for it, and restarts once"


@dataclass(frozen=True)
class ComputeLabels:
    """Which label every file gets, by the image's own file_contexts."""

    policy: str

    def describe(self) -> str:
        """What a plan shows."""
        return f"Compute the SELinux labels of every file by the image's policy {self.policy}"

    def run(self, work: Workspace) -> None:
        """Where that fails, the image labels itself at its first boot, which is said."""
        contexts = work.path(f"/etc/selinux/{self.policy}/contexts/files/file_contexts")
        work.remove("/.autorelabel")
        work.file(LABELS).unlink(missing_ok=True)
        try:
            words = ("/usr/sbin/setfiles", "-n", "-v", "-F", "-r", work.tree, contexts, work.tree)
            told = work.tool(*words, worth=lambda line: not line.startswith(LABEL)).stdout
        except CommandFailed as failure:
            print(failure.what, file=work.log)
            told = ""
        root = f"/{work.tree.relative_to(work.tools)}"
        found = dict(labels(told.splitlines(), root))
        if not found:
            work.warn(FORGOTTEN)
            work.write("/.autorelabel", "-F\n")
            return
        work.file(LABELS).write_text("".join(f"{label} {path}\n" for path, label in sorted(found.items())))


def labels(lines: Iterable[str], root: str) -> Iterator[tuple[str, str]]:
    """Paths of the image and their labels, from what setfiles prints of a tree at `root`."""
    for line in lines:
        if match := WOULD.fullmatch(line.strip()):
            path = match[1].removeprefix(root) or "/"
            yield path, match[2]


@dataclass(frozen=True)
class WriteLabels:
    """Write the labels into the root file system."""

    layout: Layout

    def describe(self) -> str:
        """What a plan shows."""
        return "Write the SELinux labels into the root file system"

    def run(self, work: Workspace) -> None:
        """A label that is there already is replaced by the same one."""
        if not work.file(LABELS).is_file():
            return
        pairs = [line.split(" ", 1) for line in work.file(LABELS).read_text().splitlines()]
        folder = work.file("label-values")
        folder.mkdir(exist_ok=True)
        files: dict[str, Path] = {}
        for label in sorted({label for label, _ in pairs} | {MADE_BY_MKE2FS[1]}):
            files[label] = folder / str(len(files))
            files[label].write_bytes(label.encode() + b"\0")
        script = work.file("label-script")
        with script.open("w") as file:
            for label, path in (*pairs, MADE_BY_MKE2FS[::-1]):
                value = f"/{files[label].relative_to(work.tools)}"
                print(f"ea_set -f {value} {quoted(path)} {ATTRIBUTE}", file=file)
        disk = f"/{work.disk.relative_to(work.tools)}?offset={self.layout.root.start}"
        told = work.tool("/usr/sbin/debugfs", "-w", "-f", script, disk, worth=is_complaint).stdout
        complaints = list(filter(is_complaint, told.splitlines()))
        if complaints:
            raise MachineError(f"writing SELinux labels failed: {complaints[0]}", "the build's log has all of it")


def is_complaint(line: str) -> bool:
    """Whether debugfs, which repeats each command behind its name, printed more than that."""
    return bool(line.strip()) and not line.startswith("debugfs")


def quoted(path: str) -> str:
    """A path as debugfs reads it: in double quotes, of which one inside is written twice."""
    return '"{}"'.format(path.replace('"', '""'))
