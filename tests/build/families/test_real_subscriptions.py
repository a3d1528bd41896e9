"""Archives of subscribers: their secrets are shown to the archive, and left nowhere."""

import base64
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from build import archive, cache, tools
from build.families import FAMILIES
from distros.debian import TOOLS
from tests.build.centre import PASSWORD, SECRETS, USERNAME
from tests.build.families.trial import trial
from tests.build.test_real_lock import with_tools
from tests.conftest import offline
from tests.standin import subscription

pytestmark = [
    pytest.mark.combination,
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's tools tree cannot be linked into another cache"),
]


@pytest.fixture
def own_cache() -> Iterator[Path]:
    """A cache of nothing but tools, beside the shared one: all else in it is the trial's."""
    with tempfile.TemporaryDirectory(prefix="subscribed-", dir=cache.folder()) as folder:
        yield Path(folder)
        cache.remove(Path(folder))


def shown_by_scc(tmp_path: Path) -> dict[str, Any]:
    header = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
    return {"folder": str(tmp_path), "secrets": [*SECRETS, header]}


def shown_by_entitlement(tmp_path: Path) -> dict[str, Any]:
    made = subscription.make(tmp_path)
    folders = {"folder": str(made.entitlement), "private": str(made.private)}
    return {**folders, "secrets": [word.decode() for word in made.secrets]}


@pytest.mark.parametrize(("family", "shown"), [("zypper", shown_by_scc), ("dnf", shown_by_entitlement)])
def test_builds_and_locks_for_a_subscriber_whose_secrets_stay_out(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, family: str, shown: Any
) -> None:
    (state,) = archive.releases((TOOLS,), offline=offline())
    if not tools.folder(state, FAMILIES[family].TOOLS).is_dir():
        trial(tmp_path, family, "good")
    with_tools(own_cache, FAMILIES[family].TOOLS)
    monkeypatch.setenv("KILN_CACHE", str(own_cache))
    first, again = trial(tmp_path, family, "good", module="tiny_subscribed", **shown(tmp_path))
    assert first == again
