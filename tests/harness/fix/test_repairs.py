"""Every planted defect that has a repair: it is repaired, nothing else changes, and the file system stays whole."""

from pathlib import Path
from typing import Any

import pytest

from build.command import run
from build.progress import Progress
from harness.fix.api import FixRequest, fix
from harness.fix.plan import repairable
from tests.defects import test_disk, test_kinds, test_tree
from tests.defects.kinds import KINDS
from tests.harness.fix.conftest import DiskMaker
from tests.harness.images import MIB, put
from tests.harness.planted import Change, failed

pytestmark = pytest.mark.real
ROOT_AT = 6 * MIB
IN_TREES = [(id, change) for id, change in test_tree.DEFECTS if id in repairable()]
IN_KINDS = [(kind, id, change) for kind, id, change in test_kinds.DEFECTS if id in repairable()]
ON_DISKS = [row[1:] for row in test_disk.DISK_DEFECTS if row[1] <= set(repairable()) and row[0] != "cut"]


def _files(disk: Path, folder: Path) -> dict[str, tuple[Any, ...]]:
    """Every path of the root file system with its mode, and content or target."""
    folder.mkdir()
    run("debugfs", "-R", f'rdump / "{folder}"', f"{disk}?offset={ROOT_AT}")
    return {f"/{path.relative_to(folder)}": _about(path) for path in folder.rglob("*")}


def _about(path: Path) -> tuple[Any, ...]:
    if path.is_symlink():
        return (str(path.readlink()),)
    return (path.stat().st_mode, path.stat().st_uid, path.read_bytes() if path.is_file() else b"")


def _repair(request: FixRequest, tmp_path: Path, id: str, companions: set[str]) -> None:
    bytes_before = request.image.read_bytes()
    fixed = fix(request, Progress())
    assert id in [one.id for one in fixed.repaired], fixed.left
    assert failed(fixed.report) <= companions - {id}
    assert run("e2fsck", "-fn", f"{fixed.image}?offset={ROOT_AT}").status == 0
    assert request.image.read_bytes() == bytes_before
    old, new = _files(request.image, tmp_path / "old"), _files(fixed.image, tmp_path / "new")
    done = " ".join(line for one in fixed.repaired for line in one.done)
    changed = [path for path in old | new if old.get(path) != new.get(path)]
    assert changed
    assert [path for path in changed if path not in done] == []
    assert all(old[path][:2] == new[path][:2] for path in changed if path in old and path in new)


@pytest.mark.parametrize(("id", "change"), IN_TREES, ids=[f"{id}-{n}" for n, (id, _) in enumerate(IN_TREES)])
def test_repairs_a_defect_of_the_files(root: Path, tmp_path: Path, made: DiskMaker, id: str, change: Change) -> None:
    change(root)
    put(root, "usr/lib/tmpfiles.d/dbus.conf", "L /var/lib/dbus/machine-id - - - - /etc/machine-id\n")
    _repair(FixRequest(made(root)), tmp_path, id, test_tree.COMPANIONS.get(id, set()))


@pytest.mark.parametrize(
    ("kind", "id", "change"), IN_KINDS, ids=[f"{kind}-{id}-{n}" for n, (kind, id, _) in enumerate(IN_KINDS)]
)
def test_repairs_a_defect_of_another_kind_of_image(
    root: Path, tmp_path: Path, made: DiskMaker, kind: str, id: str, change: Change
) -> None:
    KINDS[kind].make(root)
    change(root)
    _repair(FixRequest(made(root), **KINDS[kind].told), tmp_path, id, {"efi.fallback"})


@pytest.mark.parametrize(("ids", "change"), ON_DISKS, ids=["+".join(sorted(ids)) for ids, _ in ON_DISKS])
def test_repairs_a_defect_of_the_disk(disk: Path, ids: set[str], change: Change) -> None:
    change(disk)
    fixed = fix(FixRequest(disk), Progress())
    assert {one.id for one in fixed.repaired} == ids, fixed.left
    assert failed(fixed.report) == set()
