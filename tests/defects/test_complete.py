"""The planted defects, all together: there is one for every offline check."""

import ast
from pathlib import Path

from harness.inspect import offline_checks

HERE = Path(__file__).parent
TABLES = (*HERE.glob("test_*.py"), *(HERE.parent / "harness" / "checks").glob("test_*.py"))
"""Where defects are planted in whole images, and in what one check alone looks at."""


def _planted() -> set[object]:
    """Every word of the tables: ids of checks, and names of those that a test takes by itself."""
    nodes = [node for table in TABLES for node in ast.walk(ast.parse(table.read_text()))]
    words = {node.value for node in nodes if isinstance(node, ast.Constant)}
    return words | {node.id for node in nodes if isinstance(node, ast.Name)}


def test_plants_a_defect_for_every_offline_check() -> None:
    planted = _planted()
    assert [one.id for one in offline_checks() if not planted & {one.id, one.complain.__name__}] == []
