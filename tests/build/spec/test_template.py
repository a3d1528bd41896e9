"""The example of a spec."""

from pathlib import Path

import pytest

from build.errors import CallerError
from build.spec import load
from build.spec.kinds import Kind, ListOf, Table
from build.spec.schema import SPEC_KEYS
from build.spec.template import EXAMPLE, write
from tests.build.spec.texts import refusal


def test_writes_an_example_that_is_valid_as_it_stands(tmp_path: Path) -> None:
    found = load(write(tmp_path / "example.toml"))
    assert (found.name, found.wishes.distro, found.packages) == ("web", "debian", ("curl",))
    with pytest.raises(CallerError, match="is there already"):
        write(tmp_path / "example.toml")


def test_shows_every_key_in_its_example() -> None:
    def keys(kind: Kind) -> set[str]:
        inner = kind.kind if isinstance(kind, ListOf) else kind
        return (
            {key for name, one in inner.keys.items() for key in (name, *keys(one))}
            if isinstance(inner, Table)
            else set()
        )

    words = keys(Table(SPEC_KEYS)) - {"signed_metadata"}
    assert {word for word in words if f"{word} =" not in EXAMPLE and f"[{word}]" not in EXAMPLE} == set()


def test_shows_valid_values_in_its_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What remains when all is uncommented are the files and variables that are the user's."""
    lines = (
        line.removeprefix("#") if line.startswith("#") and line[1:2] not in (" ", "") else line
        for line in EXAMPLE.splitlines()
    )
    (tmp_path / "base.toml").write_text("")
    message = refusal(tmp_path, "\n".join(line for line in lines if not line.startswith("hostname")))
    complaints = message.splitlines()[1:]
    assert complaints
    assert all("cannot be read" in one or "the environment has no" in one for one in complaints), message
