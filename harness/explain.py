"""What a check asks, in words: `inspect --explain` and `checks`."""

import difflib
from collections.abc import Iterator

from build.errors import CallerError
from harness.checks import all_checks
from harness.checks.check import Check
from harness.foresight import foreseen
from harness.inspect import FACTS
from harness.report import Status, Verdict


def find(id: str) -> Check:
    """The check of that id. Raises CallerError that names the nearest one."""
    known = {one.id: one for one in all_checks()}
    if id in known:
        return known[id]
    near = difflib.get_close_matches(id, known, 1) or [one for one in known if one.partition(".")[2] == id][:1]
    raise CallerError(
        f"there is no check {id!r}" + (f"; did you mean {near[0]!r}?" if near else ""), "`./kiln checks` lists them"
    )


def where(one: Check) -> str:
    """Who asks it: `inspect` of an image's files, or `verify` of the booted guest."""
    return "inspect" if set(one.needs) <= FACTS else "verify"


def lines(one: Check) -> Iterator[str]:
    """Everything about a check, for a person."""
    yield f"{one.id}: {one.title}"
    yield f"  {one.severity}, asked by `{where(one)}` of {one.when.text if one.when else 'every image'}"
    yield from ("", "Why it matters on Azure", f"  {' '.join(one.why.split())}")
    yield from ("", "How to repair it", f"  {one.repair}")
    yield from ("", "Who says so", f"  {one.source}")
    if azure := foreseen(Verdict(one.id, one.title, Status.FAILED, one.severity)):
        yield from ("", "What Azure would answer", f"  {azure.outcome}. {azure.text} ({azure.source})")


def as_dict(one: Check) -> dict[str, str]:
    """A check as `checks --json` lists it."""
    return {
        "id": one.id,
        "title": one.title,
        "severity": one.severity,
        "asked_by": where(one),
        "for": one.when.text if one.when else "every image",
        "why": " ".join(one.why.split()),
        "repair": one.repair,
        "source": one.source,
    }


def every() -> list[dict[str, str]]:
    """All checks, as `checks --json` lists them."""
    return [as_dict(one) for one in all_checks()]


def table() -> Iterator[str]:
    """A line for each check."""
    for one in all_checks():
        yield f"{one.id:<28} {one.severity:<11} {where(one):<7} {one.title}"
