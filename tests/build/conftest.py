"""A publisher of signed files, and the keys that sign them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.build.publisher import Publisher, published
from tests.standin.key import SigningKey


@pytest.fixture(scope="session")
def made_keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[SigningKey, SigningKey]:
    """The publisher's key, and somebody else's."""
    folders = [tmp_path_factory.mktemp(name) for name in ("own", "foreign")]
    return SigningKey.make(folders[0]), SigningKey.make(folders[1])


@pytest.fixture
def publisher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_keys: tuple[SigningKey, SigningKey]
) -> Iterator[Publisher]:
    """A publisher, and a cache that has nothing of it yet."""
    monkeypatch.setenv("KILN_CACHE", str(tmp_path / "cache"))
    with published(tmp_path / "served", made_keys[0]) as one:
        yield one
