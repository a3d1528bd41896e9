"""A guest's answers: put in one script, parted again, and told apart from a guest that broke off."""

import subprocess
from pathlib import Path

import pytest

from harness import evidence
from harness.azure.ovf import ovf_environment
from harness.deadline import Gone
from harness.evidence import MARK, QUESTIONS, SHOW, GuestFacts, ask, parse, script
from harness.guest import Output
from tests.harness.azure.machines import GENERALIZED
from tests.harness.guests import units


class Shell:
    """A guest that answers all but the questions from the `broken` one on."""

    host_key = "ssh-ed25519 AAAA"

    def __init__(self, broken: str = "") -> None:
        self.broken = broken
        self.script = ""

    def run(self, command: str, *, sudo: bool, timeout: float, fresh: bool) -> Output:
        self.script = command
        printed = "".join(f"{MARK}{name}\nof {name}\n\n" for name in QUESTIONS)
        return Output(0, printed.partition(f"{MARK}{self.broken}\n")[0] if self.broken else printed, "")


def test_asks_everything_at_once() -> None:
    facts = ask(Shell(), 5)  # type: ignore[arg-type]
    assert [facts[name] for name in QUESTIONS] == [f"of {name}" for name in QUESTIONS]
    assert facts.host_key == "ssh-ed25519 AAAA"


def test_notices_a_guest_that_breaks_off() -> None:
    with pytest.raises(Gone, match="broke off before it answered all: hosts was next"):
        ask(Shell(broken="hosts"), 5)  # type: ignore[arg-type]


def test_asks_in_a_script_that_a_shell_understands() -> None:
    guest = Shell()
    ask(guest, 5)  # type: ignore[arg-type]
    subprocess.run(["sh", "-n", "-c", guest.script], check=True)


def test_asks_all_at_once_and_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = "until test -e $kept/flag; do sleep 0.01; done; echo 1"
    asked = {"state": "echo begun", "one": first, "two": ": >$kept/flag\necho 2", "uptime": "echo $(ls $kept)"}
    monkeypatch.setattr(evidence, "QUESTIONS", asked)
    words = ["sh", "-c", script().replace("/run/", f"{tmp_path}/")]
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)
    assert parse(done.stdout) == {"state": "begun", "one": "1", "two": "2", "uptime": "flag one state two uptime"}
    assert (done.stderr, list(tmp_path.iterdir())) == ("", [])


def test_asks_what_no_longer_changes_while_the_boot_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {
        "state": "until test -s $kept/ptp; do sleep 0.01; done; echo done",
        "ptp": "echo clock",
        "hosts": "tail -n 2 $kept/state",
        "uptime": "echo 9",
    }
    monkeypatch.setattr(evidence, "QUESTIONS", asked)
    words = ["sh", "-c", script().replace("/run/", f"{tmp_path}/")]
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)
    assert parse(done.stdout) == {"state": "done", "ptp": "clock", "hosts": "done", "uptime": "9"}


@pytest.mark.parametrize(("state", "logs"), [("running", {}), ("degraded", {"one.service": ["log of one.service"]})])
def test_reads_the_logs_of_units_where_some_failed(tmp_path: Path, state: str, logs: dict[str, list[str]]) -> None:
    (tmp_path / "state").write_text(f"{MARK}state\n{state}\n\n")
    for name, text in {"systemctl": "echo one.service loaded failed", "journalctl": 'echo "log of ${7#*=}"'}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    words = ["sh", "-c", f"kept={tmp_path}; PATH={tmp_path}:$PATH; {QUESTIONS['failed']}"]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert GuestFacts({"failed": told}).failed == logs


@pytest.mark.parametrize("text", ["", "one\n", "  one \\n\n\n-n two", "\ttab\\"])
def test_shows_a_file_as_it_is(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    words = ["sh", "-c", f"{SHOW}\nshow {tmp_path / 'file'}; show {tmp_path / 'missing'} 2>/dev/null"]
    shown = subprocess.run(words, check=False, capture_output=True, text=True).stdout
    assert shown.removesuffix("\n") == text.removesuffix("\n")


@pytest.mark.parametrize(
    ("printed", "answers"),
    [
        ("", {}),
        ("a greeting of the shell\n", {}),
        ("==kiln==one\nfirst\n", {"one": "first"}),
        ("==kiln==one\n\n==kiln==two\n a\n\n b \n\n", {"one": "", "two": " a\n\n b "}),
        ("noise\n==kiln==one\nno end of line at its end==kiln==\n", {"one": "no end of line at its end==kiln=="}),
        ("==kiln==one\r\nfirst\r\n", {"one": "first"}),
    ],
)
def test_parts_the_answers(printed: str, answers: dict[str, str]) -> None:
    assert parse(printed) == answers


def test_reads_answers_as_what_they_are() -> None:
    answers = {"lines": " a \n\n b\n", "number": "  34359738368\n", "json": '{"v1": {}}', "odd": "[1]", "no": "x"}
    facts = GuestFacts(answers)
    assert facts.lines("lines") == ["a", "b"]
    assert (facts.number("number"), facts.number("no"), facts.number("absent")) == (34359738368, -1, -1)
    assert (facts.json("json"), facts.json("odd"), facts.json("no"), facts.json("absent")) == ({"v1": {}}, {}, {}, {})
    assert facts["absent"] == ""
    assert facts.settled == 0


def test_tells_the_state_of_units_and_when_the_guest_had_settled() -> None:
    facts = GuestFacts({"units": units("failed")})
    assert (facts.units["walinuxagent.service"]["ActiveState"], facts.settled) == ("failed", 71.0)


def test_reads_sizes_of_partitions() -> None:
    listed = 'NAME="/dev/sda" TYPE="disk" SIZE="4096"\nNAME="/dev/sda1" TYPE="part" SIZE="1024" FSTYPE="ext4"'
    assert GuestFacts({"disks": listed}).partitions == {"/dev/sda1": 1024}


def test_finds_the_name_in_the_discs_file(tmp_path: Path) -> None:
    (tmp_path / "ovf-env.xml").write_text(ovf_environment(GENERALIZED))
    command = QUESTIONS["disc-name"].replace("/var/lib/waagent", str(tmp_path))
    done = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "vm-alpha"
