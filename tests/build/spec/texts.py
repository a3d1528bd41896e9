"""Specs as files, for tests."""

from pathlib import Path

import pytest

from build.errors import CallerError
from build.spec import load


def spec(folder: Path, text: str, name: str = "web.toml") -> Path:
    """Write a spec into the folder."""
    file = folder / name
    file.write_text(text)
    return file


def refusal(folder: Path, text: str) -> str:
    """What a spec of that text is refused with."""
    with pytest.raises(CallerError) as raised:
        load(spec(folder, text))
    assert raised.value.hint
    return raised.value.what
