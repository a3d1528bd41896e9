"""docs/fix.md names every finding that has a repair, and no other."""

import re
from pathlib import Path

from harness.fix.plan import repairable

PAGE = Path(__file__).resolve().parents[3] / "docs/fix.md"


def test_lists_every_repair() -> None:
    rows = re.findall(r"^\| (`.*?) \|", PAGE.read_text(), re.MULTILINE)
    assert sorted(re.findall(r"`([a-z]+\.[a-z0-9-]+)`", " ".join(rows))) == list(repairable())
