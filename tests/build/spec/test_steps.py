"""A spec's steps on a small tree, where no program of an image is needed; and how refusals name the spec's lines."""

import io
from pathlib import Path

import pytest

from build.errors import CallerError
from build.spec import Spec, letter, load
from build.spec.blame import explained
from build.spec.kept import KeepRepositories
from build.spec.steps import steps
from build.spec.value import ExtraRepository, shown
from build.workspace import Workspace

PASSWD = "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33::/var/www:/usr/sbin/nologin\n"
GROUP = "root:x:0:\nwww-data:x:33:\nadm:x:4:\n"


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "tools", "image", tmp_path / "cache", io.StringIO(), 0)
    made.tree.mkdir(parents=True)
    made.write("/etc/passwd", PASSWD)
    made.write("/etc/group", GROUP)
    made.write("/usr/lib/systemd/system/ssh.service", "")
    made.write("/usr/lib/systemd/system/backup@.timer", "")
    made.write("/usr/share/zoneinfo/Europe/Vienna", "")
    return made


def loaded(folder: Path, text: str) -> Spec:
    """The spec as the worker has it: by letter."""
    (folder / "web.toml").write_text(text)
    return letter.read(letter.write(load(folder / "web.toml")))


def run(work: Workspace, spec: Spec) -> None:
    with explained(spec):
        for step in steps(spec):
            step.run(work)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '[services]\ndisable = ["ssh"]\nenable = ["backup@daily.timer",\n"sshh"]',
            "web.toml:4: services.enable[2]: the image has no unit 'sshh.service'; did you mean 'ssh.service'?",
        ),
        (
            '[[files]]\npath = "/a"\ncontent = ""\n[[files]]\npath = "/b"\ncontent = ""\nowner = "wwwdata"',
            "web.toml:7: files[2].owner: /b cannot belong to 'wwwdata', which is not in the image's /etc/passwd; "
            "did you mean 'www-data'?",
        ),
        (
            '[[files]]\npath = "/a"\ncontent = ""\ngroup = "admin"',
            "web.toml:4: files[1].group: /a cannot belong to 'admin', which is not in the image's /etc/group; "
            "did you mean 'adm'?",
        ),
        (
            '[[files]]\npath = "/etc"\ncontent = ""',
            "web.toml:2: files[1].path: /etc is a folder of the image",
        ),
        (
            'timezone = "Europe/Viena"',
            "web.toml:1: timezone: the image has no 'Europe/Viena'; did you mean 'Europe/Vienna'?",
        ),
        (
            'type = "specialized"\n[[users]]\nname = "www-data"',
            "web.toml:3: users[1].name: the image has an account www-data already",
        ),
        (
            'type = "specialized"\n[[users]]\nname = "ada"\ngroups = ["adm",\n"weel"]',
            "web.toml:5: users[1].groups[2]: ada cannot join 'weel', which is not in the image's /etc/group; "
            "there is: root, www-data, adm",
        ),
        (
            'type = "specialized"\n[[users]]\nname = "ada"\nshell = "/bin/zsh"',
            "web.toml:4: users[1].shell: ada's shell /bin/zsh is not in the image",
        ),
    ],
)
def test_names_file_line_and_key_of_what_the_image_has_not(
    work: Workspace, tmp_path: Path, text: str, message: str
) -> None:
    spec = loaded(tmp_path, text)
    with pytest.raises(CallerError) as refusal:
        run(work, spec)
    assert refusal.value.what == message


def test_names_the_file_that_says_so_where_specs_extend_each_other(work: Workspace, tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text('\n\ntimezone = "Europe/Viena"\n')
    spec = loaded(tmp_path, 'extends = "base.toml"')
    with pytest.raises(CallerError, match=r"^base\.toml:3: timezone: "):
        run(work, spec)


APT = ExtraRepository("a", "apt", "https://a.example", "given:0", shown("-----BEGIN"), ("s", "t"), ("main",))
RPM = ExtraRepository("r", "rpm", "https://r.example/{arch}", "given:0", shown("k"), signed_metadata=False)


def test_keeps_an_apt_repository_with_its_key(work: Workspace) -> None:
    KeepRepositories((APT,)).run(work)
    assert work.path("/etc/apt/sources.list.d/a.sources").read_text().splitlines() == [
        "Types: deb",
        "URIs: https://a.example",
        "Suites: s t",
        "Components: main",
        "Signed-By: /etc/apt/keyrings/a.asc",
    ]
    assert work.path("/etc/apt/keyrings/a.asc").read_text() == "-----BEGIN"


@pytest.mark.parametrize("folder", ["/etc/yum.repos.d", "/etc/zypp/repos.d"])
def test_keeps_an_rpm_repository_with_its_key(work: Workspace, folder: str) -> None:
    work.path("/etc/zypp" if "zypp" in folder else "/etc").mkdir(exist_ok=True)
    work.path(folder).mkdir()
    KeepRepositories((RPM,)).run(work)
    assert work.path(f"{folder}/r.repo").read_text().splitlines() == [
        "[r]",
        "name=r",
        "baseurl=https://r.example/$basearch",
        "enabled=1",
        "gpgcheck=1",
        "repo_gpgcheck=0",
        "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-r",
        *(["autorefresh=1"] if "zypp" in folder else []),
    ]
    assert work.path("/etc/pki/rpm-gpg/RPM-GPG-KEY-r").read_bytes() == b"k"
