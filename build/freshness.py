"""How new an archive's signed state must be: not past the end that its signer set, and not older than one seen before.

Whoever serves an old state again, its signature and all, keeps the security updates of a time from an image. So the
date of the newest state is kept in the cache, for each archive and suite, once its signature was found to hold.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from build import cache, wholefile
from build.errors import MachineError


class Dated(Protocol):
    """A source of packages at one moment: `date` is in seconds (`build.families.State`)."""

    @property
    def url(self) -> str: ...

    @property
    def suite(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    @property
    def date(self) -> int: ...


def require(states: Iterable[Dated], now: Callable[[], float] = time.time) -> None:
    """Raise MachineError for a state that has expired, or that is older than one that was believed before.

    Until the signature is checked this can only refuse: a date that somebody made up is found out then.
    """
    for state in states:
        _require_not_expired(state, now())
        _require_not_older(state)


def remember(state: Dated) -> None:
    """Keep the date of a state whose signature holds. Raises MachineError where a newer one was believed before."""
    _require_not_older(state)
    if state.date > newest(state):
        wholefile.write(_record(state), json.dumps({"date": state.date, "sha256": state.sha256}).encode())


def newest(state: Dated) -> int:
    """The date, in seconds, of the newest state of this archive and suite that was believed; 0 if none was."""
    try:
        return int(json.loads(_record(state).read_bytes())["date"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return 0


def _require_not_expired(state: Dated, now: float) -> None:
    # Only apt's release files say how long they count: repomd.xml has no such field.
    end = int(getattr(state, "valid_until", 0))
    if end and end < now:
        raise MachineError(
            f"{state.url} {state.suite} has expired: its release file counted until {_day(end)}",
            "is this machine's clock right? Else use an archive that is kept up; what was built from this very state "
            "can be built again with --lock",
        )


def _require_not_older(state: Dated) -> None:
    if state.date < (seen := newest(state)):
        raise MachineError(
            f"{state.url} {state.suite} is of {_day(state.date)}, older than what it was before: {_day(seen)}",
            "the archive lags behind, or somebody serves an old state to keep updates away: try again later, or use "
            f"another mirror; where it was set back on purpose, remove {_record(state)}",
        )


def _record(state: Dated) -> Path:
    name = hashlib.sha256(json.dumps([state.url, state.suite]).encode()).hexdigest()[:24]
    return cache.folder() / "releases" / f"seen-{name}.json"


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
