"""Waiting for a guest that waits in vain, and no longer than it takes: mostly by letting its time run.

The machine is saved while its guest asks again and again, and goes on in another QEMU, whose clock counts instructions
and goes to the next timer at once whenever the guest sleeps (QEMU docs/devel/tcg-icount). The guest outruns even a host
that answers within milliseconds, so nothing that passes between them proves anything then: it is for guests of which
it is known that whatever comes, or nothing, they try for so long. With the first DHCP message they have given up and
go on: the machine is saved again, and goes on in a third QEMU, where the guest sleeps in our time. That one counts
instructions, too, lest the guest's clock stand still until ours has caught up with it.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from harness.accelerator import TCG, Accelerator
from harness.azure.host import AzureHost
from harness.deadline import Deadline, Gone, TooLate
from harness.faults.fault import Expectation, Ready
from harness.hardware import Hardware
from harness.processor import X86_64
from harness.qemu import Machine
from harness.snapshot import drop, save, take_up

RUNS = "the guest's time runs"
TRIES = 3
"""Faults that a guest has met when its loop surely runs."""
LONGEST = 600.0
"""Seconds of ours after which it is no longer waited for."""
GLANCE = 0.005
"""Seconds between two looks: a guest that sleeps goes through a second in less."""
COUNTED = ("-accel", "tcg,thread=single", "-cpu", X86_64.emulated, "-icount")
RUNNING = replace(TCG, arguments=(*COUNTED, "shift=2,sleep=off"))
"""Four of the machine's nanoseconds for an instruction: rather less than one takes, so that a guest at work does not
outrun us. The cycle counter begins anew: a guest whose clock it is stands still until it has caught up."""
STEADY = replace(TCG, arguments=(*COUNTED, "shift=2,sleep=on"))


def watch(machine: Machine, host: AzureHost, expected: Callable[[], Expectation | None], limit: float) -> None:
    """Once the guest tries in vain, wait no longer than is needed for what is expected of a sound one.

    One that gives up by itself has its time let run. One that neither does nor reports lets nobody in: that is known
    after `limit`, the seconds of a fast machine's boot, and what the fault costs, since a slow one only waits, too.
    Raises Gone then.
    """
    if not tries_in_vain(host) or (known := expected()) is None:
        return
    if known.patience:
        let_run_once(machine, host)
    enough, met = limit + known.waits, host.journal.first("fault")
    is_lost = known.ready is Ready.NEVER and not known.log_in
    if is_lost and met and host.journal.now > met.at + enough:
        raise Gone(f"nobody could log in within {enough:.0f} s after the guest had met the fault")


def let_run_once(machine: Machine, host: AzureHost) -> None:
    """See `let_run`: where it has not run before, and can."""
    if not host.journal.first("machine", RUNS) and can_run(machine.hardware):
        let_run(machine, host)


def can_run(hardware: Hardware) -> bool:
    """Whether this machine's time can run: emulated, of a kind that was tried, and one that QEMU can save."""
    emulated = hardware.accelerator.name == TCG.name and hardware.processor == X86_64
    return emulated and hardware.controller != "NVMe" and hardware.tpm is None


def tries_in_vain(host: AzureHost) -> bool:
    """Whether the guest's loop runs: it has an address, and has met faults again and again."""
    return bool(host.journal.first("dhcp", "ACK")) and len(host.journal.find("fault")) >= TRIES


def let_run(machine: Machine, host: AzureHost) -> None:
    """Let the guest's time run until it has given up. Raises Gone or MachineError where QEMU cannot."""
    begun = host.journal.add("machine", RUNS).at

    def goes_on() -> bool | None:
        machine.check_alive()
        heard = host.journal.last("dhcp")
        return (heard is not None and heard.at > begun) or None

    _move(machine, RUNNING, "running")
    with suppress(TooLate):
        Deadline.after(LONGEST).until("the guest to give up", goes_on, every=GLANCE)
    _move(machine, STEADY, "steady")
    host.journal.add("machine", "the guest's time goes by as ours", after=round(host.journal.now - begun, 1))


def _move(machine: Machine, accelerator: Accelerator, tag: str) -> None:
    """Save the machine by this tag, and have it go on in another QEMU."""
    save(machine, tag)
    hardware = replace(machine.hardware, accelerator=accelerator, dvd=_in_the_drive(machine))

    def go_on(moved: Machine) -> None:
        take_up(moved, tag)
        drop(moved, tag)

    machine.move(hardware, go_on)


def _in_the_drive(machine: Machine) -> Path | None:
    (drive,) = (one for one in machine.command("query-block") if str(one.get("qdev", "")).endswith("dvd"))
    return Path(drive["inserted"]["file"]) if "inserted" in drive else None
