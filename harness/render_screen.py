"""An inspection as text that fits a screen: the verdict, what to do first and why it is judged so, the rest by ids."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from io import StringIO

from rich.console import Console
from rich.text import Text

from harness.console import ESCAPES
from harness.report import UNREAD, Report, Status, Verdict
from harness.urgency import failed

MOST_TOLD = 8
"""Findings that are told in full, so that a bad image's first word is still on the screen; of the others the ids."""
MOST_LINES = 2
"""Lines of what was found, and of how to repair it."""
WORDS = {
    2: ("NOTHING JUDGED", "bold yellow"),
    0: ("PASSED", "bold green"),
    1: ("FAILED", "bold red"),
    3: ("NOT FULLY INSPECTED", "bold yellow"),
}
"""The verdict in a word and its look, by the exit status."""
WIDTH = 80
"""Columns of a text that goes to a file."""


def render(report: Report, status: int, strict: bool = False) -> str:
    """The text for a file. `status` is what the inspection comes to, `strict` counts recommended findings."""
    text = StringIO()
    print_inspection(report, Console(file=text, width=WIDTH, color_system=None), status, strict)
    return text.getvalue()


def print_inspection(report: Report, console: Console, status: int, strict: bool = False) -> None:
    """Print it as wide as the console is."""
    for line in _lines(report, console.width, status, strict):
        console.print(line, highlight=False, soft_wrap=True)


def _lines(report: Report, width: int, status: int, strict: bool) -> Iterator[Text]:
    found = [one for one in failed(report.verdicts) if not one.id.startswith(UNREAD)]
    counted = [one for one in found if strict or one.severity == "required"]
    unread = report.unread
    word, style = WORDS[status]
    yield Text.assemble((word, style), f"  {ESCAPES.sub('', report.image)}: ", (_counts(found, unread), "bold"))
    yield from _context(report, width)
    if counted:
        yield from _to_do(counted, width)
    if unread:
        yield from _unread(unread, width)
    if advised := [one.id for one in found if one not in counted]:
        yield Text()
        yield from _wrapped(f"Recommended: {', '.join(advised)}", width, "  ", "yellow")
    yield from _waived(report.verdicts, width)
    yield Text()
    if first := [*counted, *unread, *found]:
        yield Text(f"./kiln inspect --explain {_word(first[0].id)} says why, and by which document.")
    ended = Counter(one.status for one in report.verdicts)
    passed, skipped = ended[Status.PASSED], ended[Status.SKIPPED]
    yield Text(f"{passed} checks passed, {skipped} skipped ({report.seconds:.1f} s)", style="dim")


def _counts(found: Iterable[Verdict], unread: tuple[Verdict, ...]) -> str:
    numbers = Counter(one.severity for one in found)
    told = [f"{numbers[severity]} {severity}" for severity in ("required", "recommended") if numbers[severity]]
    findings = f"findings: {' and '.join(told)}" if told else "no finding"
    return f"{findings}; {len(unread)} not inspected" if unread else findings


def _context(report: Report, width: int) -> Iterator[Text]:
    """As what the image was judged, how that is known, and what Azure would say to the file."""
    yield from _wrapped(f"  judged as {report.machine['profile']}", width, "    ", "")
    told = {one.reason for one in report.unread}
    for note in report.notes:
        if note not in told:
            yield from _wrapped(f"  {note}", width, "    ", "dim")
    if azure := report.azure:
        yield from _wrapped(f"  Azure would answer: {azure.outcome}. {azure.evidence}", width, "    ", "")


def _to_do(counted: list[Verdict], width: int) -> Iterator[Text]:
    yield Text("\nDo this first:" if len(counted) > 1 else "\nDo this:")
    for verdict in counted[:MOST_TOLD]:
        yield from _finding(verdict, width, "bold red" if verdict.severity == "required" else "yellow")
    if rest := [one.id for one in counted[MOST_TOLD:]]:
        yield from _wrapped(f"  then: {', '.join(rest)}", width, "    ", "red")


def _finding(verdict: Verdict, width: int, style: str) -> Iterator[Text]:
    """What was found where, and what to do about it."""
    seen = verdict.findings or (verdict.title,)
    more = f" (and {len(seen) - 1} more)" if len(seen) > 1 else ""
    head = f"  {verdict.id}: "
    first, *others = _cut(f"{head}{seen[0]}{more}", width, "    ")
    yield Text.assemble((first[: len(head)], style), first[len(head) :])
    yield from (Text(line) for line in others)
    if verdict.repair:
        yield from (Text(line, style="cyan") for line in _cut(f"    → {verdict.repair}", width, "      "))


def _unread(unread: tuple[Verdict, ...], width: int) -> Iterator[Text]:
    yield Text("\nCould not be inspected, so nothing is known of it:")
    for verdict in unread:
        yield from _finding(verdict, width, "bold yellow")


def _waived(verdicts: Iterable[Verdict], width: int) -> Iterator[Text]:
    waived = [one for one in verdicts if one.status is Status.WAIVED]
    if waived:
        yield Text()
    for one in waived:
        yield from (Text(line, style="dim") for line in _cut(f"{one.id}: {one.reason}", width, "  "))


def _cut(text: str, width: int, indent: str) -> list[str]:
    """The text in few lines; what has no room in them is left to the other formats."""
    return textwrap.wrap(
        *(ESCAPES.sub("", text), width),
        subsequent_indent=indent,
        max_lines=MOST_LINES,
        placeholder=" …",
        break_on_hyphens=False,
    )


def _wrapped(text: str, width: int, indent: str, style: str) -> Iterator[Text]:
    for line in textwrap.wrap(ESCAPES.sub("", text), width, subsequent_indent=indent, break_on_hyphens=False):
        yield Text(line, style=style)


def _word(id: str) -> str:
    """An id as a shell takes it."""
    return f"'{id}'" if " " in id else id
