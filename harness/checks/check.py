"""What a check is: a generator of complaints whose parameters are its requirements.

No complaint means that it passed. A check that asks for a fact which a run does not have (a booted guest, say) is
skipped, not failed. Facts are passed by parameter name; `harness.checks.facts` lists the names.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.report import Status, Verdict

Complaints = Iterator[str]


@dataclass(frozen=True)
class Check:
    """A check under its id of the requirements' catalogue.

    `severity` is "required" or "recommended"; `source` is the document that says so; `repair` tells the image's maker
    what to do; the function's docstring says why it matters on Azure.
    """

    id: str
    severity: str
    source: str
    repair: str
    complain: Callable[..., Complaints]

    @property
    def needs(self) -> tuple[str, ...]:
        """The facts it asks for."""
        return tuple(inspect.signature(self.complain).parameters)

    @property
    def title(self) -> str:
        """What holds when it passes: the function's name as a sentence."""
        return self.complain.__name__.replace("_", " ")

    @property
    def why(self) -> str:
        """Why it matters on Azure."""
        return inspect.getdoc(self.complain) or ""


REGISTRY: dict[str, Check] = {}


def check(
    id: str, *, severity: str = "required", source: str, repair: str
) -> Callable[[Callable[..., Complaints]], Callable[..., Complaints]]:
    """Register a function as the check of this id. An id can be taken once."""

    def register(complain: Callable[..., Complaints]) -> Callable[..., Complaints]:
        if id in REGISTRY:
            raise ValueError(f"two checks are called {id}")
        REGISTRY[id] = Check(id, severity, source, repair, complain)
        return complain

    return register


def judge(checks: Iterable[Check], facts: Mapping[str, Any]) -> Iterator[Verdict]:
    """Each check's verdict, in order, from the facts at hand."""
    for one in checks:
        yield _verdict(one, facts)


def _verdict(one: Check, facts: Mapping[str, Any]) -> Verdict:
    missing = [name for name in one.needs if facts.get(name) is None]
    if missing:
        return Verdict(one.id, one.title, Status.SKIPPED, one.severity, f"needs {', '.join(missing)}")
    try:
        complaints = tuple(one.complain(*(facts[name] for name in one.needs)))
    except Exception as broken:  # one broken check must not hide the other verdicts
        reason = f"the check itself broke: {type(broken).__name__}: {broken}"
        return Verdict(one.id, one.title, Status.FAILED, one.severity, reason)
    if not complaints:
        return Verdict(one.id, one.title, Status.PASSED, one.severity)
    return Verdict(one.id, one.title, Status.FAILED, one.severity, f"{complaints[0]}. {one.repair}", complaints)
