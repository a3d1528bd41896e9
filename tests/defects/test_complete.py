"""The planted defects, all together: there is one for every offline check."""

import ast
from pathlib import Path

from harness.inspect import offline_checks

TABLES = ("test_tree.py", "test_disk.py", "test_kinds.py", "test_layout.py", "test_containers.py")


def _planted() -> set[object]:
    """Every word of the tables, the ids among them."""
    trees = [ast.parse(Path(__file__).with_name(name).read_text()) for name in TABLES]
    return {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}


def test_plants_a_defect_for_every_offline_check() -> None:
    assert sorted({one.id for one in offline_checks()} - _planted()) == []
