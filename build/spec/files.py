"""The spec's own files, written into a tree."""

import os
from dataclasses import dataclass

from build.spec.accounts import ids, require_names
from build.spec.complaint import Unfit
from build.spec.value import File
from build.workspace import Workspace


@dataclass(frozen=True)
class WriteSpecFiles:
    """The spec's own files."""

    files: tuple[File, ...]

    def describe(self) -> str:
        """Its title, and what it comes to; of a secret only where it comes from."""
        return "\n    ".join(["Write the spec's files", *map(_line, self.files)])

    def run(self, work: Workspace) -> None:
        """They replace what is there; a folder is not replaced by a file."""
        users, groups = ids(work, "/etc/passwd"), ids(work, "/etc/group")
        for file in self.files:
            require_names(work, "/etc/passwd", (file.owner,), "files.owner", f"{file.path} cannot belong to")
            require_names(work, "/etc/group", (file.group,), "files.group", f"{file.path} cannot belong to")
        for file in self.files:
            path = work.path(file.path)
            if path.is_dir() and not path.is_symlink():
                raise Unfit("files.path", file.path, f"{file.path} is a folder of the image", "name a file below it")
            if file.content is None:
                path.parent.mkdir(parents=True, exist_ok=True)
                work.remove(file.path)
                path.symlink_to(file.target)
            else:
                work.write(file.path, file.content.read(), 0o600 if file.content.secret else file.mode)
            owner = users[file.owner] if file.owner in users else int(file.owner)
            os.chown(
                path, owner, groups[file.group] if file.group in groups else int(file.group), follow_symlinks=False
            )
            if file.content is not None:
                path.chmod(file.mode)


def _line(file: File) -> str:
    if file.content is None:
        return f"{file.path} -> {file.target}"
    secret = f", secret from {file.content.secret}" if file.content.secret else ""
    return f"{file.path} ({file.mode:04o} {file.owner}:{file.group}{secret})"
