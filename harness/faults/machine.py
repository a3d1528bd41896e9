"""Faults of the machine itself: power and clock; and what of a machine's life is a scenario rather than a fault."""

from dataclasses import replace

from harness.faults.fault import SOON, Elsewhere, Fault, cases, late
from harness.injection import FIRST_IMDS, READY, Do, Injection, Moment

DAY = 86400
RESTARTS = 600.0
"""Seconds that a machine may need to come up once more."""

FAULTS = (
    Fault(
        "power-cut-local",
        "the power is cut at the guest's first question to the metadata service",
        lambda _: Injection(moments=(Moment(Do.CUT_POWER, FIRST_IMDS),)),
        cases(late(RESTARTS)),
    ),
    Fault(
        "power-cut-ready",
        "the power is cut right after the guest has reported ready",
        lambda _: Injection(moments=(Moment(Do.CUT_POWER, READY),)),
        cases(replace(SOON, waits=RESTARTS)),
    ),
    Fault(
        "clock",
        "the clock is wrong by so many days",
        lambda it: Injection(clock=int(it * DAY)),
        cases(SOON),
        -1,
        "days",
    ),
)
IMAGES = "the image does that, not its host"
ELSEWHERE = (
    Elsewhere("reboot", "the guest restarts itself", "it is a scenario: `--scenario reboot`"),
    Elsewhere("new-uuid", "another VM id with the same disk", "it is a scenario: `--scenario recreate`"),
    Elsewhere("two-clones", "two machines of one image", "they are scenarios: twins and specialized-twins"),
    Elsewhere(
        "uuid-swap", "the VM id in another spelling", "SMBIOS holds bytes; generation 1 has them in the other order"
    ),
    Elsewhere("clock-step", "the clock jumps during the boot", "QEMU sets a real-time clock when the machine starts"),
    Elsewhere("no-rsa-hostkey", "sshd without an RSA host key", IMAGES),
    Elsewhere("disk-full", "the disk is full at first boot", f"{IMAGES}: a host cannot fill a guest's file system"),
    Elsewhere("low-memory", "little memory, a slow disk", "`--memory`; emulation is slow enough"),
    Elsewhere("pps-running", "a machine of a pool, resumed by its link", "it is a scenario: `--scenario pps`"),
    Elsewhere(
        "pps-savable", "a machine of a pool, resumed by a new card", "it is a scenario: `--scenario pps-savable`"
    ),
)
