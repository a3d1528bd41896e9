"""Playing a scenario on a stage: waiting for what must come, and noticing at once when it no longer can."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import takewhile

from build.errors import Bug
from harness.azure.extensions import probe, told_by_probe
from harness.azure.host import BEGINS
from harness.console import last_sign_of_life, trouble
from harness.deadline import Deadline, Gone, TooLate
from harness.evidence import GuestFacts, ask
from harness.faults.fault import Expectation
from harness.profile import Profile
from harness.qemu import FIRMWARE
from harness.stage import Stage
from harness.stint import CHOSEN, PROBED, RENAMED, Deed
from harness.warp import RUNS, watch

BOOT_LIMIT = 120.0
"""Seconds until a machine must report ready, on real hardware: six times what Azure images take. Under emulation the
accelerator's factor makes it Azure's own 20 minutes."""
SIGN_LIMIT = 30.0
"""Seconds until a machine must give its first sign of life: a word on the console, or a packet."""
LOGIN_LIMIT = 30.0
"""Seconds from Ready to a login: cloud-init reports before it has made users and keys."""
MOST_RESTARTS = 4
"""Restarts within one boot after which nothing else is to come: firmware makes one or two."""
BURST = 1.0
"""Seconds within which resets are one restart: kernel and SeaBIOS both ask the keyboard controller again and again
until the machine obeys."""
SILENCE_LIMIT = 60.0
"""Seconds that a command in the guest may be silent."""
BEGIN_LIMIT = 6.0
"""Seconds that an agent may need from saying that it begins until it reports ready."""
OFF_LIMIT = 30.0
"""Seconds that a guest has to switch itself off once its power button was pressed."""


@dataclass(frozen=True)
class Boot:
    """One boot of the guest: what it said of itself, or else why it came to nothing."""

    facts: GuestFacts | None
    ending: str = ""


def first_boot(stage: Stage, profile: Profile, reports: bool, limit: float | None = None) -> Boot:
    """Wait for Ready where the guest `reports`, for a login, and for the end of its boot; then gather its facts."""
    deadline = Deadline.after(limit or BOOT_LIMIT * stage.accelerator.factor)
    try:
        _wait_for_sign(stage, deadline)
        if reports and profile.kind == "generalized":
            _wait_for_ready(stage, deadline)
            deadline = deadline.sooner(LOGIN_LIMIT * stage.accelerator.factor)
        return _log_in(stage, deadline)
    except (TooLate, Gone) as ended:
        return Boot(None, _ending(stage, ended))


def troubled_boot(stage: Stage, waits: float, expected: Callable[[], Expectation | None] = lambda: None) -> Boot:
    """Wait under faults for whatever the guest reports, and for a login, which may come without any report.

    `waits` are the seconds that the faults cost the guest beyond a boot without them: by its own clock, which runs as
    fast as ours whatever runs it, but where it is let run (`harness.warp`). `expected` tells what a sound guest does,
    as far as is known by then.
    """
    deadline = Deadline.after(BOOT_LIMIT * stage.accelerator.factor + waits)

    def look() -> None:
        sound = expected()
        # Where even a sound guest lets nobody in, its report is the last that the faults have kept it from.
        _check_report(stage, 0.0 if sound and not sound.log_in else waits)
        watch(stage.machine, stage.host, expected, BOOT_LIMIT)

    try:
        _wait_for_sign(stage, deadline)
        stage.guest.connect(deadline, look, lambda: stage.address)
        # Some provisioners make the user first, and report then; one that has given up does not.
        if not stage.host.journal.first("machine", RUNS):
            _wait_for_report(stage, deadline.sooner(LOGIN_LIMIT * stage.accelerator.factor))
        return _log_in(stage, deadline)
    except (TooLate, Gone) as ended:
        return Boot(None, _ending(stage, ended))


def _wait_for_report(stage: Stage, deadline: Deadline) -> None:
    """Wait for any report, which need not come."""

    def reported() -> bool | None:
        return stage.host.ready is not None or stage.host.failure is not None or None

    with suppress(TooLate):
        _wait(stage, deadline, "a report", reported)


def _check_report(stage: Stage, waits: float) -> None:
    """Raise Gone where nobody got in long after the guest's report."""
    _check_alive(stage)
    reports = [one for one in (stage.host.ready, stage.host.failure) if one]
    patience = LOGIN_LIMIT * stage.accelerator.factor + waits
    if reports and stage.host.journal.now > min(one.at for one in reports) + patience:
        raise Gone(f"nobody could log in within {patience:.0f} s after the guest's report")


def act(stage: Stage, deed: Deed, waits: float = 0.0) -> Boot:
    """Do something to the running guest, and gather its facts afterwards: after a boot, where the deed wants one."""
    try:
        if deed in PROBED:
            return _extend(stage, deed, waits)
        if deed is Deed.RENAME:
            _rename(stage, RENAMED)
        elif deed is Deed.CHOOSE:
            stage.guest.run(f"hostnamectl set-hostname {CHOSEN}", sudo=True, fresh=True)
            stage.host.journal.add("guest", "named by its administrator", name=CHOSEN)
    except (TooLate, Gone) as ended:
        return Boot(None, _ending(stage, ended))
    return reboot(stage, waits)


def _extend(stage: Stage, deed: Deed, waits: float) -> Boot:
    """Give the guest's agent an extension or other settings for it, and wait for its word; none is for a check to
    say."""
    word, secret, number = PROBED[deed]
    deadline = Deadline.after(BOOT_LIMIT * stage.accelerator.factor + waits)
    stage.host.give(probe(word, secret, number))

    def said() -> bool | None:
        return bool(told_by_probe(stage.host.status, number)) or None

    with suppress(TooLate):
        _wait(stage, deadline, "the extension's status", said)
    return Boot(ask(stage.guest, SILENCE_LIMIT * stage.accelerator.factor))


def _rename(stage: Stage, name: str) -> None:
    """Let the metadata service tell another name from now on; the disc is gone by then, and keeps the old one."""
    if stage.host.vm.os_profile is None:
        raise Bug("a machine without a profile cannot be renamed")
    stage.host.vm = replace(stage.host.vm, os_profile=replace(stage.host.vm.os_profile, computer_name=name))
    stage.host.journal.add("machine", "renamed in the metadata service", name=name)


def switch_off(stage: Stage) -> None:
    """Press the power button; a guest that does not obey is switched off all the same, as Azure does."""
    stage.guest.close()
    with suppress(Gone, TooLate):
        stage.machine.powerdown()
        stage.machine.wait(Deadline.after(OFF_LIMIT * stage.accelerator.factor))
    stage.host.journal.add("machine", "switched off", obeyed=not stage.machine.alive)


def reboot(stage: Stage, waits: float = 0.0) -> Boot:
    """Restart the guest by itself, and gather its facts anew. Azure has taken the disc away by then.

    `waits` are the seconds that faults cost it.
    """
    deadline = Deadline.after(BOOT_LIMIT * stage.accelerator.factor + waits)
    try:
        if not stage.injection.disc_stays:
            stage.machine.remove_dvd()
        stage.console.mark()
        stage.host.journal.add("machine", "rebooted")
        with suppress(Gone, TooLate):  # the connection may break before the command has ended
            stage.guest.run("systemctl reboot", sudo=True, fresh=True)
        stage.guest.close()
        _wait(stage, deadline, "the guest to restart", lambda: _restarts(stage) > 0 or None)
        stage.machine.forget_translations()
        return _log_in(stage, deadline)
    except (TooLate, Gone) as ended:
        return Boot(None, _ending(stage, ended))


def _restarts(stage: Stage) -> int:
    """How often the machine restarted since it was switched on, or told to reboot."""
    since = list(takewhile(lambda entry: entry.source != "machine", reversed(stage.host.journal.entries)))
    restarts: list[float] = []
    for entry in reversed(since):
        is_reset = (entry.source, entry.event) == ("qmp", "RESET")
        if is_reset and (not restarts or entry.at - restarts[-1] > BURST):
            restarts.append(entry.at)
    return len(restarts)


def _wait_for_sign(stage: Stage, deadline: Deadline) -> None:
    """A machine without boot loader may hang without a word, and need not be waited for any longer."""

    def sign() -> bool | None:
        return bool(stage.console.text.strip() or stage.host.journal.first("dhcp")) or None

    _wait(stage, deadline.sooner(SIGN_LIMIT * stage.accelerator.factor), "the guest to give a sign of life", sign)


def _wait_for_ready(stage: Stage, deadline: Deadline) -> None:
    def ready() -> bool | None:
        if stage.host.failure:
            raise Gone(f"the guest reported failed provisioning: {stage.host.failure.description}")
        return stage.host.ready is not None or None

    _wait(stage, deadline, "the guest to report ready", ready)


def _wait(stage: Stage, deadline: Deadline, what: str, probe: Callable[[], bool | None]) -> None:
    """Ask `probe` until it says yes, unless the machine ends or gets stuck."""

    def look() -> bool | None:
        if probe():
            return True
        _check_alive(stage)
        return None

    deadline.until(what, look, every=0.2)


def _log_in(stage: Stage, deadline: Deadline) -> Boot:
    stage.guest.close()
    stage.guest.connect(deadline, lambda: _check_alive(stage), lambda: stage.address)
    stage.host.journal.add("guest", "SSH login", user=stage.guest.user)
    facts = ask(stage.guest, max(deadline.left, SILENCE_LIMIT * stage.accelerator.factor))
    _let_agents_begin(stage)
    stage.host.journal.add("guest", "boot finished", state=facts["state"])
    return Boot(facts)


def _let_agents_begin(stage: Stage) -> None:
    """WALinuxAgent says that it is not ready as it begins, after cloud-init's Ready: that is not its last word."""

    def begun() -> bool | None:
        latest = stage.host.latest_health
        return not (latest and latest.substatus == BEGINS) or None

    with suppress(TooLate):
        _wait(stage, Deadline.after(BEGIN_LIMIT * stage.accelerator.factor), "the agent to begin", begun)


def _check_alive(stage: Stage) -> None:
    stage.machine.check_alive()
    if _restarts(stage) > MOST_RESTARTS:
        raise Gone("the machine restarts again and again")
    if reason := trouble(stage.console.recent):
        raise Gone(reason)


def _ending(stage: Stage, ended: Exception) -> str:
    firmware = stage.folder / FIRMWARE
    log = firmware.read_text(errors="replace") if firmware.exists() else ""
    return f"{ended}; {last_sign_of_life(stage.console.text, log)}"
