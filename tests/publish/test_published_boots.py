"""What was published is brought back and booted before the pretend host: the same bytes, the same verdict."""

from pathlib import Path

import pytest

from build.progress import Progress
from publish import pulling
from tests.conftest import ImageMaker
from tests.harness.test_boots import boot, failures, passed
from tests.publish.conftest import Desk

pytestmark = [pytest.mark.real, pytest.mark.combination]


def test_boots_what_was_published(image: ImageMaker, desk: Desk, tmp_path: Path) -> None:
    folder = image("debian-12", provisioner="none")
    desk.publish(folder, unverified=True)
    name = f"{folder.name}-{desk.versions()[0]['digest'][:16]}.vhd"  # type: ignore[index]
    url = f"{desk.playground.endpoint}/{desk.name}/{name}"
    file = pulling.pull(pulling.PullRequest(tmp_path / "back.vhd", blob=url, to=desk.target), Progress())
    report = boot(file, 2)
    assert failures(report) == {}
    assert "run.report-ready" in passed(report)
    assert report.digest == desk.versions()[0]["digest"]
