"""rpm's databases: names and versions as `rpm -qa` tells them, from each kind that can be read, and from no other."""

import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import pytest

from harness.inspect import gather, inspect
from harness.rpmdb import read_header, read_rpm
from harness.tree import FolderTree, Unreadable
from tests.harness.images import put
from tests.harness.planted import failed, remove
from tests.harness.rpmdbs import header, ndb, sqlite

HEADERS = (
    header("bash", "5.1.8", "9.el9"),
    header("kernel-core", "5.14.0", "1.el9"),
    header("gpg-pubkey", "8483c65d", "5ccc5b19"),
    header("dbus", "1.12.20", "8.el9", epoch=1),
    header("kernel-core", "5.14.0", "2.el9"),
)
FOUND = {"bash": "5.1.8-9.el9", "kernel-core": "5.14.0-2.el9", "dbus": "1:1.12.20-8.el9"}
PLACES = [
    (sqlite, "usr/lib/sysimage/rpm/rpmdb.sqlite"),
    (sqlite, "var/lib/rpm/rpmdb.sqlite"),
    (ndb, "usr/lib/sysimage/rpm/Packages.db"),
]


@pytest.mark.parametrize(("make", "path"), PLACES, ids=[path for _, path in PLACES])
def test_reads_what_is_installed(tmp_path: Path, make, path: str) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path / "root" / path, HEADERS)
    assert read_rpm(FolderTree(tmp_path / "root"), tmp_path) == FOUND


def test_reads_what_only_the_log_has_yet(tmp_path: Path) -> None:
    made = sqlite(tmp_path / "made/rpmdb.sqlite", HEADERS[:1])
    with closing(sqlite3.connect(made)) as database:
        database.execute("PRAGMA wal_autocheckpoint = 0")
        database.execute("INSERT INTO Packages (blob) VALUES (?)", (header("late"),))
        database.commit()
        for end in ("", "-wal"):
            put(tmp_path, f"root/var/lib/rpm/rpmdb.sqlite{end}")
            copy = tmp_path / f"root/var/lib/rpm/rpmdb.sqlite{end}"
            copy.write_bytes(made.with_name(f"rpmdb.sqlite{end}").read_bytes())
    assert set(read_rpm(FolderTree(tmp_path / "root"), tmp_path) or {}) == {"bash", "late"}


def test_changes_nothing_in_the_image(tmp_path: Path) -> None:
    path = sqlite(tmp_path / "root/var/lib/rpm/rpmdb.sqlite", HEADERS)
    before = path.read_bytes()
    read_rpm(FolderTree(tmp_path / "root"), tmp_path)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == ["rpmdb.sqlite"]


def overlapping(raw: bytes) -> bytes:
    """Two slots that lead to the same place."""
    return raw[:48] + struct.pack("<4sI", b"Slot", 77) + raw[40:48] + raw[64:]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda raw: b"", "cannot be read"),
        (lambda raw: b"RpmX" + raw[4:], "it begins with b'RpmX'"),
        (lambda raw: raw[:12] + b"\xff\xff\xff\xff" + raw[16:], "pages of slots"),
        (lambda raw: raw[:-200], "cannot be read"),
        (lambda raw: raw.replace(b"BlbS", b"blob"), "no header where its slot points"),
        (overlapping, "lies over another one"),
    ],
)
def test_says_what_is_wrong_with_an_ndb(tmp_path: Path, change, why: str) -> None:  # type: ignore[no-untyped-def]
    path = ndb(tmp_path / "root/usr/lib/sysimage/rpm/Packages.db", HEADERS)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(Unreadable, match=why):
        read_rpm(FolderTree(tmp_path / "root"), tmp_path)


@pytest.mark.parametrize(
    "schema",
    [
        "CREATE TABLE Other (a)",
        "CREATE TABLE Packages (hnum, blob); INSERT INTO Packages VALUES (1, 'text')",
        "CREATE TABLE Packages (hnum, blob); INSERT INTO Packages VALUES (1, x'00')",
        "CREATE VIEW Packages AS WITH RECURSIVE n(hnum, blob) AS "
        "(SELECT 1, x'00' UNION ALL SELECT hnum + 1, blob FROM n) SELECT count(*) AS hnum, blob FROM n",
    ],
    ids=["no packages", "text", "no header", "endless"],
)
def test_survives_a_hostile_schema(tmp_path: Path, schema: str) -> None:
    put(tmp_path, "root/var/lib/rpm/rpmdb.sqlite", "")
    with closing(sqlite3.connect(tmp_path / "root/var/lib/rpm/rpmdb.sqlite")) as database:
        database.executescript(schema)
    with pytest.raises(Unreadable, match=r"rpmdb\.sqlite cannot be read"):
        read_rpm(FolderTree(tmp_path / "root"), tmp_path)


def test_tells_of_a_database_that_it_cannot_read(root: Path) -> None:
    remove("var/lib/dpkg/status")(root)
    put(root, "var/lib/rpm/Packages", "Berkeley")
    report = inspect(root)
    assert failed(report) == {"inspect.packages"}
    assert [one.id for one in report.unread] == ["inspect.packages"]
    assert "Berkeley DB's format" in report.unread[0].reason


def test_lets_checks_ask_for_packages_by_the_names_that_rpm_has(root: Path, tmp_path: Path) -> None:
    remove("var/lib/dpkg/status")(root)
    agent = header("WALinuxAgent", "2.2.46", "1.el9")
    sqlite(root / "var/lib/rpm/rpmdb.sqlite", [agent, header("hyperv-daemons"), header("omi", "1.6.4", "0")])
    (root / "etc/waagent.conf").write_text("AutoUpdate.Enabled=n\n")
    assert {"pkg.omi", "agent.version"} <= failed(inspect(root))
    assert gather(root, tmp_path, {}).known["packages"]["omi"] == "1.6.4-0"


def test_says_so_where_there_is_no_database_at_all(root: Path) -> None:
    remove("var/lib/dpkg/status")(root)
    verdicts = {one.id: one for one in inspect(root).verdicts}
    assert verdicts["pkg.omi"].reason == "the image has neither dpkg's database nor rpm's"


@pytest.mark.parametrize("raw", [b"", bytes(8), b"\xff" * 64, struct.pack(">II", 1, 4) + bytes(20)])
def test_refuses_what_is_no_header(raw: bytes) -> None:
    with pytest.raises((ValueError, struct.error)):
        read_header(raw)
