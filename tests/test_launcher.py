"""The launcher, run for real in a small checkout of its own, between scripts in the place of system programs."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
PROGRAMS = ("cat", "cksum", "cmp", "cp", "env", "flock", "mkdir", "readlink", "rm", "sh", "touch")
HAND_OVER = '#!/bin/sh\nprintf "%s|" "$PWD" "$@"\n'


class Machine:
    """A checkout with a finished environment, and a PATH that holds only what the launcher may count on."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.checkout, self.log = folder / "bin", folder / "a checkout", folder / "log"
        self.bin.mkdir()
        self.checkout.mkdir()
        for name in PROGRAMS:
            (self.bin / name).symlink_to(str(shutil.which(name)))
        shutil.copy(PROJECT / "kiln", self.checkout)
        (self.checkout / "system-packages").write_text(
            f"# head\n\nbuild thing {self.bin}/thi*\nverify other other-program\n"
        )
        for lock, environment in (("requirements.lock", ".venv"), ("requirements-dev.lock", ".venv-dev")):
            (self.checkout / lock).write_text(f"# {environment}\n")
            (self.checkout / environment / "bin").mkdir(parents=True)
            self.script(self.checkout / environment / "bin" / "python", HAND_OVER)
            shutil.copy(self.checkout / lock, self.checkout / environment / "finished-from.lock")
        self.user(1000)

    def script(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def user(self, number: int) -> None:
        self.script(self.bin / "id", f"#!/bin/sh\necho {number}\n")

    def apt(self, body: str = "case $* in *install*) touch {bin}/thing;; esac") -> None:
        self.script(self.bin / "apt-get", f'#!/bin/sh\necho "apt-get $*" >> {self.log}\n{body.format(bin=self.bin)}\n')

    def sudo(self) -> None:
        self.script(self.bin / "sudo", f'#!/bin/sh\necho sudo >> {self.log}\nexec "$@"\n')

    def run(
        self, *words: str, cwd: Path | None = None, kiln: Path | None = None, **env: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [kiln or self.checkout / "kiln", *words],
            cwd=cwd or self.bin,
            env={"PATH": str(self.bin), **env},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def calls(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_hands_its_words_over_in_the_callers_folder(machine: Machine, tmp_path: Path) -> None:
    done = machine.run("doctor", "--output", "my images", cwd=tmp_path)
    assert done.stdout == f"{tmp_path}|{machine.checkout}/tasks.py|doctor|--output|my images|"
    assert (done.stderr, done.returncode) == ("", 0)


def test_finds_its_checkout_through_a_link(machine: Machine, tmp_path: Path) -> None:
    link = tmp_path / "bin" / "kiln"
    link.symlink_to(machine.checkout / "kiln")
    done = machine.run("doctor", kiln=link)
    assert f"|{machine.checkout}/tasks.py|doctor|" in done.stdout


@pytest.mark.parametrize(
    "words", [(), ("--list",), ("--help",), ("doctor",), ("clean",), ("build", "--help"), ("build", "-h")]
)
def test_needs_no_system_package_to_help(machine: Machine, words: tuple[str, ...]) -> None:
    done = machine.run(*words)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("task", ["build", "plan", "distros", "inspect", "fix", "standin"])
def test_says_the_command_where_it_can_install_nothing(machine: Machine, task: str) -> None:
    machine.apt()
    done = machine.run(task, "--distro", "debian")
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr == (
        "kiln: missing system packages: thing\n"
        "      as root: apt-get update && apt-get install --yes --no-install-recommends thing\n"
    )
    assert machine.calls == []


def test_asks_for_more_where_a_guest_is_booted(machine: Machine) -> None:
    machine.apt()
    assert "missing system packages: thing other\n" in machine.run("verify", "image").stderr


def test_asks_for_the_programs_of_aarch64_only_where_such_an_image_is_booted(machine: Machine) -> None:
    (machine.checkout / "system-packages").write_text("aarch64 arm-thing arm-program\n")
    machine.apt()
    for words in (("verify", "output/debian-13-genboth-x86_64"), ("build", "--arch", "aarch64"), ("test", "--fast")):
        assert machine.run(*words).returncode == 0
    for words in (("verify", "--gen", "2", "output/debian-13-gen2-aarch64"), ("test", "--all")):
        assert "missing system packages: arm-thing\n" in machine.run(*words).stderr


def test_answers_a_program_with_an_object(machine: Machine) -> None:
    machine.apt()
    answer = json.loads(machine.run("build", "--json").stdout)
    assert answer["error"] == "missing system packages: thing"
    assert (answer["who"], answer["status"]) == ("machine", 3)


def test_names_the_signs_where_there_is_no_apt(machine: Machine) -> None:
    done = machine.run("boot", "image")
    assert done.returncode == 3
    assert f"kiln: missing: {machine.bin}/thi* other-program" in done.stderr
    assert "this system has no apt-get" in done.stderr


def test_installs_as_root(machine: Machine) -> None:
    machine.apt()
    machine.user(0)
    done = machine.run("build")
    assert (done.returncode, done.stderr) == (0, "kiln: installing thing\n")
    assert machine.calls[-1].startswith("apt-get install -qq --yes --no-install-recommends")
    assert machine.calls[-1].endswith(" thing")


def test_says_that_it_installs_by_sudo(machine: Machine) -> None:
    machine.apt()
    machine.sudo()
    done = machine.run("build")
    assert (done.returncode, done.stderr) == (0, "kiln: installing by sudo: thing\n")
    assert "sudo" in machine.calls


def test_asks_for_new_lists_where_a_package_is_not_found(machine: Machine) -> None:
    machine.apt(
        "case $* in *install*) [ -e {bin}/updated ] || exit 100; touch {bin}/thing;; *) touch {bin}/updated;; esac"
    )
    machine.user(0)
    assert machine.run("build").returncode == 0
    assert [call.split()[1] for call in machine.calls][-2:] == ["update", "install"]


def test_ends_where_apt_fails(machine: Machine) -> None:
    machine.apt("exit 100")
    machine.user(0)
    done = machine.run("build")
    assert done.returncode == 3
    assert "kiln: could not install thing\n      as root: apt-get update && apt-get install" in done.stderr


def test_takes_the_first_name_that_apt_knows(machine: Machine) -> None:
    (machine.checkout / "system-packages").write_text("build old|older|new program-of-old\n")
    machine.script(machine.bin / "apt-cache", '#!/bin/sh\n[ "$2" = new ]\n')
    machine.apt()
    assert "packages: new\n" in machine.run("build").stderr


def test_keeps_what_only_tests_need_apart(machine: Machine) -> None:
    (machine.checkout / ".venv-dev" / "bin" / "python").write_text("#!/bin/sh\necho dev\n")
    assert machine.run("lint").stdout == "dev\n"
    assert machine.run("clean").stdout != "dev\n"


@pytest.mark.parametrize(
    "spoilt", ["no stamp", *(pytest.param(how, marks=pytest.mark.real) for how in ("another lock", "no python"))]
)
def test_makes_a_spoilt_environment_anew(machine: Machine, spoilt: str) -> None:
    environment = machine.checkout / ".venv"
    (environment / "left-over").touch()
    if spoilt == "no stamp":
        (environment / "finished-from.lock").unlink()
    elif spoilt == "another lock":
        (environment / "finished-from.lock").write_text("older")
    else:
        (environment / "bin" / "python").unlink()
    # pip has nothing to do for an empty lock; the tasks stand for the real ones.
    (machine.checkout / "tasks.py").write_text("import sys\nprint(sys.prefix, sys.argv[1:])")
    done = machine.run("doctor", HOME=str(machine.bin))
    assert done.stdout == f"{environment} ['doctor']\n", done.stderr
    assert f"kiln: making {environment} with " in done.stderr
    assert not (environment / "left-over").exists()
    assert machine.run("doctor").stderr == ""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="kiln-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.real
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_runs_from_a_checkout_of_another_user(open_folder: Path) -> None:
    machine = Machine(open_folder)
    shutil.rmtree(machine.checkout / ".venv")
    (machine.checkout / "tasks.py").write_text("import sys\nprint(sys.prefix)")
    cache = open_folder / "cache"
    cache.mkdir()
    os.chown(cache, 65534, 65534)
    done = subprocess.run(
        [machine.checkout / "kiln", "doctor"],
        env={"PATH": str(machine.bin), "KILN_CACHE": str(cache)},
        user=65534,
        group=65534,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith(f"{cache}/venv-"), done.stderr
    assert not (machine.checkout / ".venv").exists()


def test_ends_with_3_where_packages_cannot_be_had(machine: Machine) -> None:
    (machine.checkout / "requirements.lock").write_text("kiln-no-such-package==1 --hash=sha256:" + "0" * 64 + "\n")
    done = machine.run("doctor", PIP_NO_INDEX="1", PIP_FIND_LINKS="")
    assert (done.returncode, done.stdout) == (3, "")
    assert f"kiln: the Python environment {machine.checkout}/.venv could not be made\n" in done.stderr
