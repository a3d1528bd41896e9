"""A real image from a spec that says everything: what is in it, and where its secrets are not."""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from build import api, cache
from build.errors import CallerError, MachineError
from build.manifest import DISK, Manifest
from build.progress import Progress
from build.request import BuildRequest
from tests.build.leaks import unpack_root
from tests.conftest import offline

pytestmark = pytest.mark.real

HASH = "$y$j9T$abcdefghijklmnop$0123456789abcdefABCDEF"
SECRETS = {"KILN_TOKEN": "secret-of-a-variable", "KILN_HASH": HASH}
FILE_SECRET = "secret-of-a-file"
BOOT_SECRET = "secret-of-the-first-boot"
BASE = """\
distro = "debian"
size = "3G"
[packages]
add = ["jq"]
[[files]]
path = "/etc/base"
content = "base"
[[commands]]
run = "test -e /etc/base"
"""
EVERYTHING = """\
name = "every"
extends = "base.toml"
release = "13"
arch = "x86_64"
generation = "both"
type = "specialized"
provisioner = "cloud-init"
hostname = "every-1"
locale = "de_AT.UTF-8"
timezone = "Europe/Vienna"
[packages]
add = ["tzdata", "cowsay"]
remove = ["nano"]
[kernel_arguments]
add = ["audit=1"]
remove = ["consoleblank"]
[services]
enable = ["fstrim.timer"]
disable = ["unattended-upgrades"]
mask = ["ctrl-alt-del.target"]
[[users]]
name = "ada"
groups = ["adm", "sudo"]
ssh_keys = [{ from_file = "key.pub" }]
sudo = true
shell = "/bin/sh"
password_hash = { from_env = "KILN_HASH" }
[[files]]
path = "/srv/www"
source = "www"
owner = "ada"
group = "www-data"
[[files]]
path = "/etc/token"
content = { from_file = "token" }
[[files]]
path = "/etc/motd"
content = "Hi\\n"
mode = "0640"
group = "adm"
[[commands]]
run = \"\"\"
grep -v -e Inter -e face /proc/net/dev | cut -d: -f1 | tr -d ' ' > /etc/interfaces
printf %s "$TOKEN" | sha256sum | cut -d' ' -f1 > /etc/token-digest
echo "the token is $TOKEN"
echo "$PLAIN" > /etc/plain
\"\"\"
environment = { TOKEN = { from_env = "KILN_TOKEN" }, PLAIN = "x y" }
[[commands]]
run = ["/bin/sh", "-c", "grep -c : /proc/net/dev > /etc/interfaces-outside; cp /etc/resolv.conf /etc/resolver-seen"]
network = true
[first_boot]
user_data = { from_file = "boot" }
"""


@dataclass(frozen=True)
class Made:
    """What was built: the image's folder, the unpacked root, and what the build and its plan said."""

    folder: Path
    tree: Path
    spec: Path
    planned: str


def write_spec(folder: Path) -> Path:
    (folder / "www/sub").mkdir(parents=True)
    (folder / "www/index.html").write_text("hello\n")
    (folder / "www/sub/run").write_text("#!/bin/sh\n")
    (folder / "www/sub/run").chmod(0o700)
    (folder / "www/link").symlink_to("index.html")
    (folder / "token").write_text(f"{FILE_SECRET}\n")
    (folder / "boot").write_text(f"#!/bin/sh\necho {BOOT_SECRET} > /var/lib/boot\n")
    (folder / "key.pub").write_text("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFoo ada\n")
    (folder / "base.toml").write_text(BASE)
    (folder / "all.toml").write_text(EVERYTHING)
    return folder / "all.toml"


@pytest.fixture(scope="module")
def made() -> Iterator[Made]:
    folder = Path(tempfile.mkdtemp(prefix="spec-", dir=cache.folder()))
    before = {name: os.environ.get(name) for name in SECRETS}
    os.environ.update(SECRETS)
    spec = write_spec(folder)
    request = BuildRequest(None, spec=spec, output=folder / "output", offline=offline())
    planned = "\n".join(api.describe_plan(request))
    image = api.build(request, Progress()).folder
    (folder / "unpacked").mkdir()
    yield Made(image, unpack_root(image / DISK, folder / "unpacked"), spec, planned)
    for name, value in before.items():
        if value is None:
            del os.environ[name]
    cache.remove(folder)


def test_names_the_image_after_the_spec(made: Made) -> None:
    assert made.folder.name == "debian-13-every-genboth-specialized-x86_64"
    manifest = Manifest.load(made.folder)
    assert (manifest.hostname, manifest.admin) == ("every-1", "ada")
    assert "audit=1" in manifest.cmdline
    assert "consoleblank" not in manifest.cmdline
    names = {package.name for package in manifest.packages}
    assert {"jq", "cowsay", "tzdata", "locales"} <= names
    assert "nano" not in names


def test_puts_everything_where_the_spec_says(made: Made) -> None:
    tree = made.tree
    assert (tree / "etc/base").read_text() == "base"
    assert (tree / "etc/motd").read_text() == "Hi\n"
    assert (tree / "srv/www/index.html").read_text() == "hello\n"
    assert (tree / "srv/www/link").readlink() == Path("index.html")
    assert (tree / "etc/locale.conf").read_text() == "LANG=de_AT.UTF-8\n"
    assert (tree / "etc/localtime").readlink() == Path("../usr/share/zoneinfo/Europe/Vienna")
    assert (tree / "etc/systemd/system/ctrl-alt-del.target").readlink() == Path("/dev/null")
    assert (tree / "etc/systemd/system/timers.target.wants/fstrim.timer").is_symlink()
    assert not (tree / "etc/systemd/system/multi-user.target.wants/unattended-upgrades.service").is_symlink()
    assert (tree / "etc/systemd/system/multi-user.target.wants/kiln-first-boot.service").is_symlink()
    menu = (tree / "boot/grub/grub.cfg").read_text()
    assert "audit=1" in menu
    assert "consoleblank" not in menu


def test_makes_users_and_gives_them_files(made: Made) -> None:
    accounts = {line.split(":")[0]: line.split(":") for line in (made.tree / "etc/passwd").read_text().splitlines()}
    groups = {line.split(":")[0]: line.split(":") for line in (made.tree / "etc/group").read_text().splitlines()}
    assert accounts["ada"][6] == "/bin/sh"
    assert "ada" in groups["sudo"][3].split(",")
    assert (made.tree / "etc/sudoers.d/90-ada").is_file()
    assert "AAAAIFoo" in (made.tree / "home/ada/.ssh/authorized_keys").read_text()
    assert f"ada:{HASH}:" in (made.tree / "etc/shadow").read_text()
    assert "ada:x:1000:1000" in (made.tree / "etc/passwd").read_text()
    listing = debugfs(made, "stat /srv/www/sub/run")
    assert "Mode:  0755" in listing
    assert "User:  1000   Group:    33" in listing
    assert "Mode:  0600" in debugfs(made, "stat /etc/token")
    assert "Mode:  0640" in debugfs(made, "stat /etc/motd")
    assert "Mode:  0700" in debugfs(made, "stat /usr/lib/kiln/first-boot")


def debugfs(made: Made, question: str) -> str:
    """What the image's root file system itself says: a tree that an ordinary user unpacks has lost its owners."""
    root = made.folder / f"{DISK}?offset={128 << 20}"
    done = subprocess.run(["debugfs", "-R", question, root], capture_output=True, text=True, check=True)
    return done.stdout


def test_runs_commands_without_the_network_unless_asked(made: Made) -> None:
    assert (made.tree / "etc/interfaces").read_text().split() == ["lo"]
    assert int((made.tree / "etc/interfaces-outside").read_text()) >= 1
    assert (made.tree / "etc/resolver-seen").read_text() == Path("/etc/resolv.conf").read_text()
    assert (made.tree / "etc/plain").read_text() == "x y\n"
    expected = hashlib.sha256(SECRETS["KILN_TOKEN"].encode()).hexdigest()
    assert (made.tree / "etc/token-digest").read_text().strip() == expected
    assert not (made.tree / "etc/resolv.conf").exists() or (made.tree / "etc/resolv.conf").is_symlink()


def test_keeps_secrets_where_they_were_asked_for_and_nowhere_else(made: Made) -> None:
    wanted = {FILE_SECRET: {"etc/token"}, HASH: {"etc/shadow"}, BOOT_SECRET: {"usr/lib/kiln/first-boot"}}
    for secret in (*SECRETS.values(), FILE_SECRET, BOOT_SECRET):
        found = {
            str(path.relative_to(made.tree))
            for path in made.tree.rglob("*")
            if path.is_file() and not path.is_symlink() and secret.encode() in path.read_bytes()
        }
        assert found == wanted.get(secret, set())
        beside = [path for path in made.folder.rglob("*") if path.is_file() and path.name != DISK]
        logs = (cache.folder() / "logs").glob(f"{made.folder.name}*")
        assert [path for path in (*beside, *logs) if secret.encode() in path.read_bytes()] == []
        assert secret not in made.planned
    log = (made.folder / "build.log").read_text()
    assert "the token is [secret]" in log
    assert "environment variable KILN_TOKEN" in log


def test_has_each_secret_on_the_disk_as_often_as_in_its_files(made: Made) -> None:
    """Neither a journal nor a removed file may hold one."""
    for secret, times in ((SECRETS["KILN_TOKEN"], 0), (FILE_SECRET, 1), (BOOT_SECRET, 1)):
        assert occurrences(made.folder / DISK, secret.encode()) == times


def occurrences(disk: Path, word: bytes) -> int:
    found, kept = 0, b""
    with disk.open("rb") as file:
        while block := file.read(16 << 20):
            found += (kept + block).count(word)
            kept = block[-len(word) + 1 :]
    return found


def test_makes_the_same_image_again(made: Made) -> None:
    """From the same spec in another folder."""
    with tempfile.TemporaryDirectory(dir=cache.folder()) as name:
        spec = write_spec(Path(name))
        request = BuildRequest(None, spec=spec, output=Path(name) / "output", offline=True)
        again = api.build(request, Progress())
        assert not again.reused
        assert again.manifest.digest == Manifest.load(made.folder).digest
        assert again.manifest.plan_id == Manifest.load(made.folder).plan_id
        assert api.build(request, Progress()).reused


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[commands]]\nrun = "echo it says this; exit 7"', r"bad.toml:3: commands\[1\] ended with status 7"),
        (
            '[services]\nenable = ["sshh"]',
            r"bad.toml:4: services.enable\[1\]: the image has no unit 'sshh.service'; did you mean 'ssh.service'",
        ),
        (
            '[[files]]\npath = "/a"\ncontent = ""\nowner = "wwwdata"',
            r"bad.toml:6: files\[1\].owner: .* did you mean 'www-data'",
        ),
        ('[[files]]\npath = "/etc"\ncontent = ""', r"bad.toml:4: files\[1\].path: /etc is a folder of the image"),
        ('timezone = "Europe/Viena"', r"bad.toml:3: timezone: .* did you mean 'Europe/Vienna'"),
        (
            '[first_boot]\nuser_data = """#cloud-config\nruncmd: 5\n"""',
            r"bad.toml:4: first_boot.user_data: this is no valid cloud-config",
        ),
    ],
)
def test_blames_the_spec_for_what_the_image_has_not(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.toml").write_text(f'distro = "debian"\nsize = "3G"\n{text}\n')
    with pytest.raises(CallerError, match=message):
        api.build(
            BuildRequest(None, release="13", spec=tmp_path / "bad.toml", output=tmp_path / "output", offline=offline()),
            Progress(),
        )


def test_never_says_a_secret_when_a_command_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILN_TOKEN", SECRETS["KILN_TOKEN"])
    text = '[[commands]]\nrun = "echo got $TOKEN; exit 3"\nenvironment = { TOKEN = { from_env = "KILN_TOKEN" } }\n'
    (tmp_path / "leaky.toml").write_text(f'distro = "debian"\nsize = "3G"\n{text}')
    with pytest.raises(CallerError) as refusal:
        api.build(BuildRequest(None, spec=tmp_path / "leaky.toml", output=tmp_path, offline=offline()), Progress())
    assert "got [secret]" in refusal.value.what
    assert SECRETS["KILN_TOKEN"] not in refusal.value.what + refusal.value.hint


def test_refuses_commands_where_the_network_cannot_be_taken_away(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("an ordinary user always has a namespace of its own")
    (tmp_path / "a.toml").write_text('distro = "debian"\nsize = "3G"\n[[commands]]\nrun = "true"\n')
    words = ["setpriv", "--bounding-set=-sys_admin", "./kiln", "build", "--spec", str(tmp_path / "a.toml")]
    project = Path(__file__).parents[2]
    words += ["--output", str(tmp_path / "output"), *(["--offline"] if offline() else [])]
    done = subprocess.run(words, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == MachineError.status
    assert "must run without the network" in done.stderr
