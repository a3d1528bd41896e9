"""What code and documents say of other documents is true."""

import re
import subprocess
from pathlib import Path

PROJECT = Path(__file__).parents[1]
SECTIONS = re.compile(r"(docs/azure/[a-z-]+\.md) ((?:\d+(?:\.\d+)?(?:, | and | to )?)+)")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def tracked(pattern: str) -> list[Path]:
    """The project's files whose names match."""
    listed = subprocess.run(["git", "ls-files", pattern], check=True, capture_output=True, text=True, cwd=PROJECT)
    return [PROJECT / name for name in listed.stdout.split()]


def test_every_section_of_a_study_that_is_named_exists() -> None:
    named = {
        (match[1], number)
        for path in (*tracked("*.py"), *tracked("*.md"))
        for match in SECTIONS.finditer(path.read_text())
        for number in re.findall(r"[\d.]*\d", match[2])
    }
    assert len(named) > 10
    headings = {
        (f"docs/azure/{study.name}", number)
        for study in (PROJECT / "docs" / "azure").glob("*.md")
        for number in re.findall(r"^#+ ([\d.]*\d)\.? ", study.read_text(), re.MULTILINE)
    }
    assert sorted(named - headings) == []


def test_every_link_between_documents_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(PROJECT)}: {target}"
        for page in tracked("*.md")
        for target in LINK.findall(page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []
