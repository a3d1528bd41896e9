"""One playground for all tests of publishing in a process, and a target of its own for each test."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from build.progress import Progress
from publish import api, sessions, staging, targetfile
from publish.guard import anything
from publish.plan import Plan
from publish.playground import azure
from publish.playground.azure import Playground
from publish.playground.world import Faults
from publish.staging import Staging


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playground]:
    """A pretend Azure, whose every request and answer Azure's own description allows."""
    with azure.running(tmp_path_factory.mktemp("playground")) as one:
        yield one


@pytest.fixture
def playground(running: Playground, monkeypatch: pytest.MonkeyPatch) -> Iterator[Playground]:
    """It, with nothing that goes wrong yet, and its credential in the environment."""
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    running.world.faults = Faults()
    running.world.style = "azure-async"
    running.gate.faults.clear()
    running.world.violations.clear()
    yield running
    assert running.world.violations == []


@dataclass(frozen=True)
class Desk:
    """Someone who publishes: a target of their own, and what was shown to them."""

    playground: Playground
    target: Path
    name: str
    shown: list[Plan]

    def publish(self, image: Path, *, apply: bool = True, **options: object) -> api.Outcome:
        """`./kiln publish`."""
        request = api.PublishRequest(image, self.target, apply=apply, **options)  # type: ignore[arg-type]
        return api.publish(request, Progress(), self.shown.append)

    def versions(self) -> list[dict[str, object]]:
        """`./kiln published`."""
        return api.published(self.target)

    def change(self, old: str, new: str) -> None:
        """Edit the target."""
        text = self.target.read_text()
        assert old in text
        self.target.write_text(text.replace(old, new))


@pytest.fixture
def desk(playground: Playground, tmp_path: Path) -> Desk:
    """A target whose gallery and container no other test has."""
    name = f"g{len(playground.world.resources)}x{len(playground.gate.exchanges)}"
    text = playground.target.read_text()
    for line in ('name = "playground"', 'container = "kiln"'):
        text = text.replace(line, f'{line.split()[0]} = "{name}"')
    file = tmp_path / "gallery.toml"
    file.write_text(text)
    return Desk(playground, file, name, [])


@pytest.fixture
def account(desk: Desk) -> Staging:
    """The staging account of the desk's target, its container made."""
    made = sessions.account(targetfile.load(desk.target), anything)
    staging.ensure(made)
    return made
