"""Archives of subscribers: their secrets are shown to the archive, and left nowhere."""

import base64
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from build import api, archive, cache, tools
from build.families import FAMILIES, zypper
from build.manifest import DISK
from build.progress import Progress
from build.request import BuildRequest, find_recipe
from build.sbom import CYCLONEDX, SPDX
from distros.debian import TOOLS
from distros.recipe import Repository
from tests.build.centre import PASSWORD, SECRETS, TOKEN, USERNAME, centre, credentials
from tests.build.families.trial import trial
from tests.build.leaks import files_with, find_words, unpack_root
from tests.build.test_real_lock import with_tools
from tests.conftest import offline
from tests.standin import standin, subscription

pytestmark = [
    pytest.mark.combination,
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's tools tree cannot be linked into another cache"),
]

SMALL = 3 << 30
"""Bytes of a disk that can be read whole in little time."""


@pytest.fixture
def own_cache() -> Iterator[Path]:
    """A cache of nothing but tools, beside the shared one: all else in it is the trial's."""
    with tempfile.TemporaryDirectory(prefix="subscribed-", dir=cache.folder()) as folder:
        yield Path(folder)
        cache.remove(Path(folder))


SHOWN = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
"""What goes over the wire of name and password."""


def shown_by_scc(tmp_path: Path) -> dict[str, Any]:
    return {"folder": str(tmp_path), "secrets": [*SECRETS, SHOWN]}


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


def test_a_whole_image_of_sles_holds_nothing_of_the_registration_that_it_was_built_with(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a registration server of one's own whose packages bear its own key. Its address is nobody's business."""
    recipe = find_recipe("sles", "16.0", "x86_64")
    made = standin(recipe, Progress(), offline=offline())
    with_tools(own_cache, zypper.TOOLS)
    monkeypatch.setenv("KILN_CACHE", str(own_cache))
    products = [f"/{one.path.replace('{arch}', recipe.arch)}" for one in recipe.archives if isinstance(one, Repository)]
    with centre(*products, root=made.served) as server:
        shown = credentials(tmp_path, server.url)
        request = BuildRequest(
            *("sles", "16.0"),
            size=SMALL,
            output=own_cache / "output",
            scc_credentials=Path(shown),
            mirror_key=made.key.public,
            write_lock=own_cache / "lock",
        )
        folder = api.build(request, Progress()).folder
        secret = {word.encode() for word in (*SECRETS, SHOWN)}
        address = server.url.encode()
    assert any(path.endswith(f".rpm?{TOKEN}") for path in server.asked)
    assert list(files_with(secret, Path(shown))) == [Path(shown)]
    assert {DISK, "manifest.json", "build.log", CYCLONEDX, SPDX} <= {path.name for path in folder.iterdir()}
    assert list(files_with({*secret, address}, folder)) == []
    assert list(files_with({*secret, address}, own_cache / "lock")) == []
    assert list(files_with(secret, own_cache)) == []
    assert list(find_words(unpack_root(folder / DISK, own_cache), {*secret, address})) == []
