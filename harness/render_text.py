"""A report of a run as text for a terminal: what failed first and what to do about it, then a count."""

from collections import Counter
from collections.abc import Iterable
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.text import Text

from harness.console import ESCAPES
from harness.report import Report, Status, Verdict

_MOST_EVIDENCE = 3


def print_report(report: Report, console: Console, everything: bool = False, folder: Path | None = None) -> None:
    """Print the findings, required ones first; with `everything` also what passed, and why the rest was skipped.

    `folder` is where the run's report and the raw evidence lie.
    """
    console.print(f"[bold]{escape(report.image)}[/]: {escape(headline(report))}", highlight=False)
    if machine := machine_facts(report):
        console.print(_plain(f"  {machine}", style="dim"))
    if azure := report.azure:
        console.print(_plain(f"  Azure would answer: {azure.outcome}. {azure.evidence} ({azure.source})"))
    for note in report.notes:
        console.print(_plain(f"  {note}", style="dim"))
    if wrong := [one for one in report.names if not one.right]:
        console.print(_plain(f"  other names: {'; '.join(f'{one.where} {one.boot}: {one.name}' for one in wrong)}"))
    failed = [verdict for verdict in report.verdicts if verdict.status is Status.FAILED]
    for verdict in sorted(failed, key=lambda one: (one.severity != "required", one.id)):
        _finding(verdict, console)
    for verdict in (one for one in report.verdicts if one.status is Status.WAIVED):
        console.print(Text(f"waived      {verdict.id}: {verdict.reason}", style="dim"))
    if everything:
        _rest(report.verdicts, console)
    console.print(_plain(summary(report)), style="bold red" if not report.passed else "bold green", highlight=False)
    if folder:
        console.print(_plain(f"  everything about it: {folder}"))


def text(report: Report) -> str:
    """The same as plain text."""
    told = StringIO()
    print_report(report, Console(file=told, highlight=False, soft_wrap=True))
    return told.getvalue()


def headline(report: Report) -> str:
    """What was played with the image, or what it was taken for."""
    return report.played or report.machine.get("profile", report.scenario)


def machine_facts(report: Report) -> str:
    """What booted, on one line; nothing where nothing did."""
    told = {name: value for name, value in report.machine.items() if name not in ("profile", "machine", "generation")}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in told.items())


def summary(report: Report) -> str:
    """The report in one line."""
    failed = Counter(verdict.severity for verdict in report.verdicts if verdict.status is Status.FAILED)
    counts = Counter(verdict.status for verdict in report.verdicts)
    word = "passed" if report.passed else "failed"
    return (
        f"{word}: {failed['required']} required and {failed['recommended']} recommended findings, "
        f"{counts[Status.PASSED]} passed, {counts[Status.SKIPPED]} skipped"
        + (f", {counts[Status.WAIVED]} waived" if counts[Status.WAIVED] else "")
        + f" ({report.seconds:.1f} s)"
    )


def _finding(verdict: Verdict, console: Console) -> None:
    style = "bold red" if verdict.severity == "required" else "yellow"
    console.print(Text.assemble((f"{verdict.severity:<11} ", style), (verdict.id, "bold")), highlight=False)
    seen = verdict.findings
    for line in seen[:_MOST_EVIDENCE]:
        console.print(_plain(f"    {line}"))
    if len(seen) > _MOST_EVIDENCE:
        console.print(_plain(f"    and {len(seen) - _MOST_EVIDENCE} more"))
    if verdict.repair:
        console.print(_plain(f"    → {verdict.repair}", style="cyan"))


def _plain(text: str, style: str = "") -> Text:
    """A line without what a terminal would obey: a guest may have written it."""
    return Text(ESCAPES.sub("", text), style=style)


def _rest(verdicts: Iterable[Verdict], console: Console) -> None:
    for verdict in verdicts:
        if verdict.status is Status.PASSED:
            console.print(_plain(f"passed      {verdict.id}: {verdict.title}", style="green"))
        elif verdict.status is Status.SKIPPED:
            console.print(_plain(f"skipped     {verdict.id}: {verdict.reason}", style="dim"))
