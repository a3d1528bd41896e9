"""What all nights came to, in one SQLite file beside the store's records: what they say, in a form that can be asked.

The records are the truth. The file is made of them, and made anew where it is missing, damaged, or of another version.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from build.errors import MachineError
from factory.folderstore import FolderStore
from factory.record import FOLDER, Entry, Record

GOES_ON = "has not ended"
"""The outcome of a night that goes on, or was killed."""
FILE = "history.sqlite"
VERSION = 1
PATIENCE = 30.0
"""Seconds that it is waited for while somebody else writes."""
SCHEMA = """
CREATE TABLE night (matrix TEXT, night TEXT, started TEXT, ended TEXT, host TEXT, outcome TEXT,
    PRIMARY KEY (matrix, night));
CREATE TABLE job (matrix TEXT, night TEXT, name TEXT, kind TEXT, image TEXT, outcome TEXT, reason TEXT, seconds REAL,
    began TEXT, found INTEGER, broke INTEGER, PRIMARY KEY (matrix, night, name));
CREATE TABLE run (matrix TEXT, night TEXT, job TEXT, played TEXT, passed INTEGER, seconds REAL, azure TEXT);
CREATE TABLE failure (matrix TEXT, night TEXT, job TEXT, played TEXT, id TEXT, found TEXT, known INTEGER);
CREATE TABLE package (matrix TEXT, night TEXT, image TEXT, name TEXT, version TEXT, arch TEXT);
CREATE TABLE figure (matrix TEXT, night TEXT, image TEXT, kind TEXT, name TEXT, value REAL);
CREATE INDEX job_image ON job (image, kind);
CREATE INDEX run_job ON run (job, played);
"""
TABLES = ("night", "job", "run", "failure", "package", "figure")


@dataclass(frozen=True)
class Night:
    """A night in a line: `started` is UTC, ISO 8601; how many of its jobs (of one image, if one was asked for) ended
    how, how many of them were done before, and which checks failed that nobody knew of."""

    matrix: str
    night: str
    started: str
    outcome: str
    jobs: int
    passed: int
    found: int
    seconds: float
    failed: tuple[str, ...]


@dataclass(frozen=True)
class Timing:
    """How long something took that really ran: `what` is an image's build, or its machine and what was played."""

    night: str
    image: str
    what: str
    seconds: float


@contextmanager
def opened(store: FolderStore, note: Callable[[str], None]) -> Iterator[sqlite3.Connection]:
    """The history of a store, with all nights that its records have. `note` hears why it was made anew.

    Raises MachineError where the file is sound and cannot be read or written.
    """
    path = store.root / FILE
    try:
        connection = _connected(path, store)
    except sqlite3.OperationalError as refusal:
        raise MachineError(
            f"{path} cannot be used: {refusal}", "look at its rights, and at who else has it open"
        ) from None
    except sqlite3.DatabaseError as damage:
        note(f"the history is made anew of the nights' records: {damage}")
        path.unlink(missing_ok=True)
        connection = _connected(path, store)
    with closing(connection):
        yield connection


def _connected(path: Path, store: FolderStore) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=PATIENCE)
    try:
        _require_sound(connection)
        _catch_up(connection, store)
    except BaseException:
        connection.close()
        raise
    return connection


def _require_sound(connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version not in (0, VERSION):
        raise sqlite3.DatabaseError(f"it is of version {version}, and this Kiln knows {VERSION}")
    (state,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if state != "ok":
        raise sqlite3.DatabaseError(state)
    if not version:
        connection.executescript(f"{SCHEMA} PRAGMA user_version = {VERSION};")


def _catch_up(connection: sqlite3.Connection, store: FolderStore) -> None:
    """Take in the nights that have ended, or gone on, since it was looked at last; forget those that were pruned."""
    ended = dict(connection.execute("SELECT matrix || '/' || night, ended FROM night"))
    there = {name.removeprefix(f"{FOLDER}/").removesuffix(".json"): name for name in store.names(FOLDER)}
    for name, document in there.items():
        if not ended.get(name) and (text := store.read(document)):
            add(connection, Record.read(text))
    for name in ended.keys() - there.keys():
        _forget(connection, *name.rpartition("/")[::2])


def add(connection: sqlite3.Connection, record: Record) -> None:
    """Take a night in, in place of what was known of it."""
    own = (record.matrix, record.night)
    with connection:
        _forget(connection, *own)
        outcome = record.outcome.value if record.ended else GOES_ON
        told = (*own, record.started, record.ended, record.host, outcome)
        _insert(connection, "night", [told])
        for name, entry in record.jobs.items():
            for table, rows in _rows(own, name, entry):
                _insert(connection, table, rows)


def _forget(connection: sqlite3.Connection, matrix: str, night: str) -> None:
    for table in TABLES:
        connection.execute(f"DELETE FROM {table} WHERE matrix = ? AND night = ?", (matrix, night))


def _rows(own: tuple[str, str], name: str, entry: Entry) -> Iterator[tuple[str, list[tuple[object, ...]]]]:
    told = (entry.outcome, entry.reason, entry.seconds, entry.began, entry.found, len(entry.attempts))
    yield "job", [(*own, name, entry.kind, entry.image, *told)]
    runs = entry.facts.get("runs", ())
    yield "run", [(*own, name, one["played"], one["passed"], one["seconds"], one["azure"]) for one in runs]
    yield (
        "failure",
        [
            (*own, name, one["played"], failed["id"], failed["found"], failed["id"] in one["known"])
            for one in runs
            for failed in one["failed"]
        ],
    )
    packages = entry.facts.get("packages", ())
    yield "package", [(*own, entry.image, one["name"], one["version"], one.get("arch", "")) for one in packages]
    for kind in ("sizes", "durations"):
        figures: Mapping[str, float] = entry.facts.get(kind, {})
        yield "figure", [(*own, entry.image, kind, what, value) for what, value in figures.items()]


def _insert(connection: sqlite3.Connection, table: str, rows: list[tuple[object, ...]]) -> None:
    if rows:
        places = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)


def nights(connection: sqlite3.Connection, matrix: str = "", image: str = "") -> tuple[Night, ...]:
    """The nights, oldest first: of one matrix, of one image, or all."""
    found = connection.execute(
        """SELECT night.matrix, night.night, night.started, night.outcome, COUNT(job.name), SUM(job.outcome = 'passed'),
               SUM(job.found), SUM(CASE WHEN job.found THEN 0 ELSE job.seconds END)
           FROM night JOIN job USING (matrix, night)
           WHERE (? = '' OR night.matrix = ?) AND (? = '' OR job.image = ?)
           GROUP BY night.matrix, night.night ORDER BY night.started, night.night""",
        (matrix, matrix, image, image),
    ).fetchall()
    return tuple(Night(*(*one, _failed(connection, one[0], one[1], image))) for one in found)


def _failed(connection: sqlite3.Connection, matrix: str, night: str, image: str) -> tuple[str, ...]:
    """Job and id of each check that failed and that nobody knew of."""
    rows = connection.execute(
        """SELECT DISTINCT failure.job || ' ' || failure.id FROM failure
           JOIN job ON job.matrix = failure.matrix AND job.night = failure.night AND job.name = failure.job
           WHERE failure.matrix = ? AND failure.night = ? AND NOT known AND (? = '' OR job.image = ?) ORDER BY 1""",
        (matrix, night, image, image),
    )
    return tuple(one[0] for one in rows)


def timings(connection: sqlite3.Connection, matrix: str, kind: str) -> tuple[Timing, ...]:
    """How long each build ("image") or run ("boot") took in each night that really did it, oldest first."""
    if kind == "image":
        asked = """SELECT night, image, 'build', seconds FROM job JOIN night USING (matrix, night)
                   WHERE matrix = ? AND kind = 'image' AND NOT found AND job.outcome = 'passed'
                   ORDER BY started, night"""
    else:
        asked = """SELECT run.night, job.image, substr(job.name, length(job.image) + 2) || ' ' || played, run.seconds
                   FROM run
                   JOIN job ON job.matrix = run.matrix AND job.night = run.night AND job.name = run.job
                   JOIN night ON night.matrix = run.matrix AND night.night = run.night
                   WHERE run.matrix = ? AND job.kind = 'boot' AND NOT found AND passed ORDER BY started, run.night"""
    return tuple(Timing(*one) for one in connection.execute(asked, (matrix,)))
