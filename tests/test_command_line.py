"""The command line as a program and its caller see it: statuses, streams, and one object for `--json`."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
TASKS = {
    *("build", "verify", "boot", "inspect", "distros", "plan", "scenarios", "faults", "doctor", "clean", "spec"),
    *("checks", "fix", "convert", "standin", "lint", "test", "nightly", "history", "diff", "prune"),
    *("publish", "promote", "rollback", "retire", "published", "pull", "playground"),
}


def kiln(*words: str, cwd: Path = PROJECT) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(PROJECT / "tasks.py"), *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_lists_every_task() -> None:
    done = kiln("--list")
    assert done.returncode == 0
    assert set(re.findall(r"^  ([a-z]+) ", done.stdout, re.MULTILINE)) == TASKS


def test_plain_invoke_lists_the_same() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "invoke", "--list"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert all(f"  {name} " in done.stdout for name in TASKS)


@pytest.mark.parametrize("task", sorted(TASKS))
@pytest.mark.parametrize("help_first", [True, False])
def test_explains_every_option(task: str, help_first: bool) -> None:
    done = kiln("--help", task) if help_first else kiln(task, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: kiln [--core-opts] {task} ")
    assert not re.search(r"^  -\S+( \S+)?\n(?!    )", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("biuld",), "No idea what 'biuld' is!"),
        (("--help", "biuld"), "No idea what 'biuld' is!"),
        (("build", "--distor", "debian"), "No idea what '--distor' is!"),
        (("build", "--distro"), "needed value"),
        (("verify",), "'verify' did not receive required positional arguments: 'image'"),
        (("verify", "--scenaro", "reboot"), "No idea what '--scenaro' is!"),
        (("--list-depth", "deep"), "is no whole number"),
        (("build",), "which distribution?"),
        (("build", "--distro", "debian", "--gen", "3"), "--gen 3 does not exist"),
        (("plan", "--distro", "debian", "--type", "special"), "--type special does not exist"),
        (("build", "--distro", "debian", "--provisioner", "ignition"), "debian-13 has no --provisioner ignition"),
        (("build", "--distro", "debian", "--size", "1000"), "the size 1000 is not a multiple of 1 MiB"),
        (("verify", "image", "--gen", "both"), "--gen both does not exist"),
        (("verify", "image", "--seed", "openstack"), "--seed openstack does not exist"),
        (("boot", "image", "--memory", "lots"), "'lots' is not a size"),
        (("inspect", "no-such-file"), "no-such-file is not an image"),
        (("fix", "no-such-file"), "no-such-file is not an image"),
        (("fix", "image", "--type", "special"), "--type special does not exist"),
        (("fix", "image", "--gen", "3"), "--gen 3 does not exist"),
        (("standin", "deb"), "there is no stand-in of the kind 'deb'"),
    ],
)
def test_ends_with_2_and_a_hint_for_what_cannot_be_understood(words: tuple[str, ...], what: str) -> None:
    done = kiln(*words)
    assert done.returncode == 2, done.stderr
    assert what in done.stderr
    assert done.stderr.splitlines()[-1].startswith(" hint: ")
    assert done.stdout == ""


@pytest.mark.parametrize(
    "words", [("build", "--json", "--distor", "debian"), ("build", "--json"), ("inspect", "no-such", "--json")]
)
def test_answers_a_program_with_one_object_even_for_errors(words: tuple[str, ...]) -> None:
    done = kiln(*words)
    answer = json.loads(done.stdout)
    assert (answer["who"], answer["status"], done.returncode) == ("caller", 2, 2)
    assert answer["error"]
    assert answer["hint"]


def test_lists_recipes_for_a_program() -> None:
    answer = json.loads(kiln("distros", "--json").stdout)
    assert {"distro", "release", "default"} <= answer["distros"][0].keys()


def test_takes_an_image_by_name_or_first_word(tmp_path: Path) -> None:
    assert kiln("inspect", "there").stderr == kiln("inspect", "--image", "there").stderr


def play(body: str) -> "subprocess.CompletedProcess[str]":
    """Run the body as a task's, in a process of its own."""
    script = f"""
from invoke.collection import Collection
from build.errors import *
from commandline import Kiln, command

@command()
def play(c, json=False):
    {body}

Kiln(namespace=Collection(play)).run()
"""
    command = [sys.executable, "-c", script, "play"]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("return None", 0),
        ("return 1", 1),
        ("raise CallerError('it')", 2),
        ("raise MachineError('it')", 3),
        ("raise RecipeError('it')", 4),
        ("raise Bug('it')", 5),
        ("raise SubscriptionError('it')", 6),
        ("raise KeyboardInterrupt", 130),
    ],
)
def test_ends_with_the_status_of_whoever_must_act(body: str, status: int) -> None:
    done = play(body)
    assert done.returncode == status
    assert done.stderr == {0: "", 1: "", 130: "interrupted\n"}.get(status, "error: it\n")


def test_keeps_the_traceback_of_what_was_not_foreseen() -> None:
    done = play("raise LookupError('nothing there')")
    assert done.returncode == 5
    assert "Traceback" in done.stderr
    assert done.stderr.endswith(
        "error: LookupError: nothing there\n"
        " hint: This is a fault of Kiln, not yours: please report it with the lines above.\n"
    )


def test_two_words_are_two_nights_and_no_image(tmp_path: Path) -> None:
    done = kiln("diff", "2026-11-23.01", "2026-11-24.01", "--store", str(tmp_path))
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, f"error: {tmp_path} holds no nights")
