"""Playing a scenario, with a machine, a console and a guest that do as the test says."""

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.accelerator import KVM
from harness.azure.extensions import told_by_probe
from harness.azure.host import BEGINS, AzureHost
from harness.console import Console
from harness.deadline import Deadline, Gone, TooLate
from harness.evidence import MARK, QUESTIONS
from harness.faults.fault import Expectation, Ready
from harness.guest import Output
from harness.injection import NOTHING, Injection
from harness.play import Boot, act, first_boot, reboot, switch_off, troubled_boot
from harness.stage import Stage
from harness.stint import CHOSEN, RENAMED, Deed
from tests.harness.guests import ANSWERS, CLOUD_INIT, SPECIALIZED_PROFILE, VM

PRINTED = "".join(f"{MARK}{name}\n{ANSWERS.get(name, '')}\n" for name in QUESTIONS)


@dataclass
class Player:
    """A guest and its machine in one. `script` maps a moment (login, ask, reboot) to what happens there."""

    host: AzureHost
    script: Mapping[str, Callable[[], object]] = field(default_factory=dict)
    user: str = "azureuser"
    host_key: str = ""
    ended: str = ""
    done: list[str] = field(default_factory=list)

    def happen(self, moment: str) -> None:
        self.done.append(moment)
        self.script.get(moment, lambda: None)()

    def connect(self, deadline: Deadline, check_alive: Callable[[], None], address: Callable[[], str]) -> None:
        check_alive()
        assert address() == VM.address
        self.happen("login")

    def run(self, command: str, **_: Any) -> Output:
        moments = {"systemctl reboot": "reboot", f"hostnamectl set-hostname {CHOSEN}": "name"}
        self.happen(moments.get(command, "ask"))
        return Output(0, PRINTED, "")

    def powerdown(self) -> None:
        self.happen("power button")

    def wait(self, deadline: Deadline) -> str:
        raise TooLate("still on")

    @property
    def alive(self) -> bool:
        return not self.ended

    def close(self) -> None:
        self.done.append("hang up")

    def check_alive(self) -> None:
        if self.ended:
            raise Gone(self.ended)

    def remove_dvd(self) -> None:
        self.happen("no disc")

    def forget_translations(self) -> None:
        self.happen("forget")

    def reset(self) -> None:
        self.host.journal.add("qmp", "RESET", guest=True)


def stage(
    folder: Path, console: str = "SeaBIOS (version 1)\n", **script: Callable[[Player], object]
) -> tuple[Stage, Player]:
    host = AzureHost(VM)
    host.journal.add("machine", "switched on")
    player = Player(host)
    player.script = {moment: lambda act=act: act(player) for moment, act in script.items()}  # type: ignore[misc]
    (folder / "console.log").write_text(console)
    told = Console(folder / "console.log", player.check_alive)
    made = SimpleNamespace(
        vm=VM,
        host=host,
        machine=player,
        guest=player,
        console=told,
        accelerator=KVM,
        folder=folder,
        injection=NOTHING,
        address=VM.address,
    )
    return cast(Stage, made), player


def gone(reason: str) -> Callable[[Player], object]:
    def act(player: Player) -> None:
        raise Gone(reason)

    return act


def test_waits_for_ready_then_logs_in_and_asks(tmp_path: Path) -> None:
    made, _ = stage(tmp_path)
    made.host.take_health("Ready")
    boot = first_boot(made, CLOUD_INIT, True)
    assert boot.ending == ""
    assert boot.facts is not None and boot.facts["kernel-name"] == "kiln-vm"
    assert [one.event for one in made.host.journal.find("guest")] == ["SSH login", "boot finished"]


def test_takes_no_agents_beginning_for_its_last_word(tmp_path: Path) -> None:
    def begins(player: Player) -> None:
        player.host.take_health("NotReady", BEGINS, "Starting", "WALinuxAgent")
        threading.Timer(0.3, player.host.take_health, ("Ready", "", "", "WALinuxAgent")).start()

    made, _ = stage(tmp_path, ask=begins)
    made.host.take_health("Ready", client="cloud-init")
    first_boot(made, CLOUD_INIT, True)
    assert made.host.latest_health and made.host.latest_health.ready


def test_waits_for_no_agent_that_stays_at_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.play.BEGIN_LIMIT", 0.1)
    made, _ = stage(tmp_path, ask=lambda player: player.host.take_health("NotReady", BEGINS, "Starting"))
    made.host.take_health("Ready")
    assert first_boot(made, CLOUD_INIT, True).facts
    assert made.host.latest_health and not made.host.latest_health.ready


@pytest.mark.parametrize(("profile", "reports"), [(SPECIALIZED_PROFILE, True), (CLOUD_INIT, False)])
def test_waits_for_no_report_where_none_comes(profile: Any, reports: bool, tmp_path: Path) -> None:
    made, _ = stage(tmp_path)
    assert first_boot(made, profile, reports).ending == ""


@pytest.mark.parametrize(
    ("console", "health", "ending"),
    [
        ("", "", "waited in vain for the guest to give a sign of life; not a sign of life: neither"),
        (
            "Linux version 6.1\n",
            "",
            "waited in vain .* last sign of life: kernel; its last line was: Linux version 6.1",
        ),
        ("Kernel panic - not syncing: No init", "", "the kernel panicked: Kernel panic - not syncing: No init; last"),
        ("grub rescue> ", "", "GRUB is in its rescue shell"),
        ("kiln login: ", "Failed", "the guest reported failed provisioning: no key; last sign of life: login prompt"),
    ],
)
def test_tells_why_no_report_came(console: str, health: str, ending: str, tmp_path: Path) -> None:
    made, _ = stage(tmp_path, console)
    if health:
        made.host.take_health("NotReady", "ProvisioningFailed", "no key")
    boot = first_boot(made, CLOUD_INIT, True, 0.2)
    assert boot.facts is None
    assert re.match(ending, boot.ending), boot.ending


def test_notices_a_machine_that_ends(tmp_path: Path) -> None:
    made, player = stage(tmp_path, "kiln login: ")
    player.ended = "QEMU died with status 9: without a word"
    assert first_boot(made, CLOUD_INIT, True).ending.startswith("QEMU died with status 9: without a word; last sign")


def test_notices_a_machine_that_restarts_without_end(tmp_path: Path) -> None:
    made, player = stage(tmp_path)
    for second in range(0, 10, 2):
        made.host.journal.began = time.monotonic() - second
        player.reset()
    assert first_boot(made, CLOUD_INIT, True).ending.startswith("the machine restarts again and again; ")


def test_takes_resets_that_come_all_at_once_for_one_restart(tmp_path: Path) -> None:
    def again_and_again(player: Player) -> None:
        for _ in range(10):
            player.reset()

    made, _ = stage(tmp_path, reboot=again_and_again)
    assert reboot(made).ending == ""


@pytest.mark.parametrize("moment", ["login", "ask"])
def test_ends_with_what_broke_the_login(moment: str, tmp_path: Path) -> None:
    made, _ = stage(tmp_path, "kiln login: ", **{moment: gone("the connection was lost")})
    made.host.take_health("Ready")
    boot = first_boot(made, CLOUD_INIT, True)
    assert boot == Boot(
        None, "the connection was lost; last sign of life: login prompt; its last line was: kiln login:"
    )


def test_reboots_without_the_disc_and_asks_anew(tmp_path: Path) -> None:
    made, player = stage(tmp_path, reboot=Player.reset)
    assert reboot(made).ending == ""
    assert player.done == ["no disc", "reboot", "hang up", "forget", "hang up", "login", "ask"]


def test_a_reboot_may_break_the_connection(tmp_path: Path) -> None:
    def cut(player: Player) -> None:
        player.reset()
        raise TooLate("silent")

    made, _ = stage(tmp_path, reboot=cut)
    assert reboot(made).facts is not None


def test_old_troubles_do_not_count_after_a_reboot(tmp_path: Path) -> None:
    made, _ = stage(tmp_path, "Kernel panic - not syncing: before\n", reboot=Player.reset)
    assert reboot(made).ending == ""


def test_leaves_the_disc_in_the_drive_where_that_is_the_fault(tmp_path: Path) -> None:
    made, player = stage(tmp_path, reboot=Player.reset)
    made = cast(Stage, SimpleNamespace(**{**vars(made), "injection": Injection(disc_stays=True)}))
    assert reboot(made).ending == ""
    assert "no disc" not in player.done


def test_names_the_machine_by_the_metadata_service_or_by_its_administrator(tmp_path: Path) -> None:
    made, player = stage(tmp_path, reboot=Player.reset)
    assert act(made, Deed.RENAME).ending == ""
    assert made.host.vm.os_profile is not None and made.host.vm.os_profile.computer_name == RENAMED
    assert "name" not in player.done
    assert act(made, Deed.CHOOSE).ending == ""
    assert player.done.index("name") < player.done.index("reboot", player.done.index("name"))


def test_gives_an_extension_and_waits_for_its_word(tmp_path: Path) -> None:
    made, player = stage(tmp_path)

    told = {"status": {"formattedMessage": {"message": "word first word, secret first secret"}}}
    settings = {"sequenceNumber": 0, "settingsStatus": told}
    handler = {"handlerName": "Kiln.Test.Probe", "runtimeSettingsStatus": settings}
    made.host.take_status({"aggregateStatus": {"handlerAggregateStatus": [handler]}})
    assert act(made, Deed.EXTEND).facts is not None
    assert "reboot" not in player.done
    assert made.host.vm.incarnation == VM.incarnation + 1
    assert told_by_probe(made.host.status) == "word first word, secret first secret"


def test_an_extension_that_says_nothing_is_for_a_check_to_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.play.BOOT_LIMIT", 0.0)
    made, _ = stage(tmp_path)
    assert act(made, Deed.RESET_EXTENSION).facts is not None


def test_a_machine_that_ignores_its_power_button_is_switched_off_all_the_same(tmp_path: Path) -> None:
    made, player = stage(tmp_path)
    switch_off(made)
    assert "power button" in player.done
    assert made.host.journal.last("machine", "switched off").details == {"obeyed": False}  # type: ignore[union-attr]


def test_under_faults_a_login_is_what_is_waited_for(tmp_path: Path) -> None:
    made, _ = stage(tmp_path)
    made.host.take_health("NotReady", "ProvisioningFailed", "http error 403")
    assert troubled_boot(made, 0).ending == ""


def test_under_faults_a_report_may_come_after_the_login(tmp_path: Path) -> None:
    made, player = stage(tmp_path, login=lambda player: player.host.take_health("Ready"))
    assert troubled_boot(made, 0).ending == ""
    assert player.done[0] == "login"


def test_under_faults_a_report_need_not_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.play.LOGIN_LIMIT", 0.0)
    made, _ = stage(tmp_path)
    assert troubled_boot(made, 0).ending == ""
    assert made.host.ready is None


def test_a_guest_that_is_to_be_lost_is_waited_for_no_longer_than_a_fast_one(tmp_path: Path) -> None:
    made, _ = stage(tmp_path, "kiln login: ", login=gone("never"))
    made.host.journal.add("dhcp", "ACK", address=VM.address)
    for _ in range(3):
        made.host.journal.add("fault", "imds", does="status 503")
    made.host.journal.began -= 421
    lost = Expectation(Ready.NEVER, log_in=False, waits=300)
    assert troubled_boot(made, 300, lambda: lost).ending.startswith(
        "nobody could log in within 420 s after the guest had"
    )
    assert troubled_boot(made, 300, lambda: replace(lost, waits=310)).ending.startswith("never; last")
    for other in (replace(lost, log_in=True), replace(lost, ready=Ready.SOON)):
        assert troubled_boot(made, 300, lambda other=other: other).ending.startswith("never; last")  # type: ignore[misc]


def test_under_faults_nobody_is_waited_for_long_after_the_report(tmp_path: Path) -> None:
    made, _ = stage(tmp_path, "kiln login: ", login=gone("never"))
    made.host.take_health("NotReady", "ProvisioningFailed", "http error 403")
    made.host.journal.began -= 31
    assert troubled_boot(made, 0).ending.startswith("nobody could log in within 30 s after the guest's report; last")
    made.host.journal.began += 31
    assert troubled_boot(made, 10).ending.startswith("never; last")


def test_whom_the_faults_lock_out_gets_none_of_their_time_after_the_report(tmp_path: Path) -> None:
    made, _ = stage(tmp_path, "kiln login: ", login=gone("never"))
    made.host.take_health("NotReady", "ProvisioningFailed", "connection error")
    made.host.journal.began -= 31
    out = Expectation(Ready.FAILED, log_in=False, waits=300)
    assert troubled_boot(made, 300, lambda: out).ending.startswith("nobody could log in within 30 s after the guest's")
    for other in (None, replace(out, log_in=True)):
        assert troubled_boot(made, 300, lambda other=other: other).ending.startswith("never; last")  # type: ignore[misc]
