"""Files that are written whole or not at all, whoever else reads or writes the same at the same time."""

import tempfile
from pathlib import Path

PRIVATE, PUBLIC = 0o600, 0o644


def write(path: Path, content: bytes, mode: int = PRIVATE) -> None:
    """Put a file in place at once, with this mode; its folder is made if missing. Raises OSError, leaving nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name[:100]}.", delete=False) as file:
        fresh = Path(file.name)
        try:
            file.write(content)
            file.flush()
            fresh.chmod(mode)
            fresh.replace(path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
