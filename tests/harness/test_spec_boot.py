"""Images of specs, booted: what they bake for a first boot happens, once, with each way of setting machines up."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from build import api, cache
from build.progress import Progress
from build.request import BuildRequest
from tests.conftest import offline
from tests.harness.test_boots import boot, failures, passed

pytestmark = [pytest.mark.real, pytest.mark.combination]

SPEC = """\
distro = "debian"
release = "13"
timezone = "Etc/UTC"
[[files]]
path = "/srv/greeting"
content = "hello"
owner = "www-data"
[[commands]]
run = "cat /srv/greeting > /srv/copy"
[services]
mask = ["ctrl-alt-del.target"]
[first_boot]
"""
SCRIPT = '''\
user_data = """
#!/bin/sh
echo "kiln-script says $(cat /srv/copy) $(stat -c %U /srv/greeting)" > /dev/console
"""
'''
CLOUD = '''\
user_data = """
#cloud-config
bootcmd:
  - [sh, -c, "echo kiln-script says $(cat /srv/copy) $(stat -c %U /srv/greeting) > /dev/console"]
"""
'''


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="spec-boot-", dir=cache.folder()))
    yield path
    cache.remove(path)


def made(folder: Path, text: str, **flags: str) -> Path:
    (folder / "booted.toml").write_text(text)
    request = BuildRequest(None, spec=folder / "booted.toml", output=folder / "output", offline=offline(), **flags)  # type: ignore[arg-type]
    return api.build(request, Progress()).folder


@pytest.mark.parametrize("user_data", [SCRIPT, CLOUD], ids=["script", "cloud-config"])
def test_does_at_first_boot_what_the_spec_bakes(folder: Path, user_data: str) -> None:
    """The user data that the host sends at the same time arrives as well."""
    image = made(folder, SPEC + user_data)
    report = boot(image, 2, scenario="reboot")
    assert failures(report) == {}
    assert {"run.boot-ssh", "run.user-data", "run.report-ready"} <= passed(report)
    console = (image / "runs/gen2-reboot/console.log").read_text(errors="replace")
    assert "kiln-script says hello www-data" in console
    if user_data == SCRIPT:
        assert console.count("kiln-script says") == 1


def test_opens_a_specialized_image_to_the_spec_s_user(folder: Path, admin_key: Path) -> None:
    users = f'type = "specialized"\nhostname = "spec-1"\n{SPEC}{SCRIPT}'
    users += f'[[users]]\nname = "ada"\nsudo = true\nssh_keys = [{{ from_file = "{admin_key}.pub" }}]\n'
    image = made(folder, users)
    report = boot(image, 1, ssh_key=admin_key)
    assert failures(report) == {}
    assert "run.boot-ssh" in passed(report)
    console = (image / "runs/gen1-first-boot/console.log").read_text(errors="replace")
    assert "kiln-script says hello www-data" in console
