"""What of a store is kept: the results of the last nights, of one night a week, of whatever was promoted or pinned.

Everything else can be made again, and is shown before it goes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from factory.job import Result
from factory.matrix import Retention
from factory.record import Record


@dataclass(frozen=True)
class Kept:
    """Why a night is kept, "" where it is not."""

    record: Record
    reason: str


@dataclass(frozen=True)
class Pruning:
    """What goes: nights by matrix and name, keys of results, digests of artefacts; `kept` says why others stay."""

    nights: tuple[tuple[str, str], ...]
    results: tuple[str, ...]
    artefacts: tuple[str, ...]
    kept: tuple[Kept, ...]


def pruning(
    nights: Iterable[Record],
    rules: Mapping[str, Retention],
    results: Mapping[str, Result],
    artefacts: Iterable[str],
    pinned: Iterable[str],
) -> Pruning:
    """What goes by the rules of each matrix; nights of a matrix without one all stay.

    `results` are all that the store has, by key; `artefacts` the digests of all that is old enough to go, and `pinned`
    the digests that somebody needs.
    """
    judged = [one for own in _by_matrix(nights).values() for one in _judged(own, rules.get(own[0].matrix))]
    stays = {*pinned, *(digest for one in judged if one.reason for digest in _digests(one.record))}
    goes = tuple(sorted(set(artefacts) - stays))
    without = tuple(sorted(key for key, one in results.items() if {*one.artefacts.values()} & {*goes}))
    dropped = tuple((one.record.matrix, one.record.night) for one in judged if not one.reason)
    return Pruning(dropped, without, goes, tuple(one for one in judged if one.reason))


def _by_matrix(nights: Iterable[Record]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for one in nights:
        found.setdefault(one.matrix, []).append(one)
    return found


def _judged(nights: Sequence[Record], rule: Retention | None) -> Iterator[Kept]:
    """Each night of a matrix with the reason why it stays, newest first."""
    newest = sorted(nights, key=lambda one: (one.started, one.night), reverse=True)
    weeks: dict[tuple[int, int], str] = {}
    for one in newest:
        weeks.setdefault(_week(one), one.night)
    weekly = set(list(weeks.values())[: rule.weeks]) if rule else set()
    for number, one in enumerate(newest):
        yield Kept(one, _reason(one, number, rule, one.night in weekly))


def _reason(one: Record, number: int, rule: Retention | None, is_weekly: bool) -> str:
    if rule is None:
        return "its matrix was not named"
    if not one.ended:
        return "it has not ended"
    if promoted := sorted({job.image for job in one.jobs.values() if job.kind == "promote" and _passed(job.outcome)}):
        return f"promoted: {', '.join(promoted)}"
    if number < rule.nights:
        return f"one of the last {rule.nights}"
    return "the last of its week" if is_weekly else ""


def _passed(outcome: str) -> bool:
    return outcome == "passed"


def _week(one: Record) -> tuple[int, int]:
    return date.fromisoformat(one.started[:10]).isocalendar()[:2]


def _digests(one: Record) -> Iterator[str]:
    for job in one.jobs.values():
        yield from job.artefacts.values()
