"""The apt family from a lock: where the packages come from."""

import hashlib
import os
from io import StringIO
from pathlib import Path

import pytest

from build.families import apt
from build.families.apt_locked import LockedApt
from build.lock import LockedPackage
from build.packages import LOCKED
from build.request import find_recipe
from build.workspace import Workspace

CONTENT = b"a package"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
LESS = LockedPackage("less", "amd64", "1:668-1", SHA256, len(CONTENT), "pool/less_668-1_amd64.deb", "trixie")


@pytest.mark.parametrize("shelf", ["trixie", "trixie-0123456789abcdef", LOCKED])
def test_takes_what_an_earlier_build_kept_for_whatever_key(tmp_path: Path, shelf: str) -> None:
    kept = tmp_path / "packages" / shelf / "less_1%3a668-1_amd64.deb"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(CONTENT)
    os.utime(kept, (0, 0))
    asked = apt.packages(find_recipe("debian", "13", "x86_64"), ("less",), ())
    work = Workspace(tmp_path / "tools", "image", tmp_path, StringIO(), 0, offline=True)
    assert LockedApt(asked, (LESS,), {}).files(work) == (kept,)
    assert kept.stat().st_mtime > 0
