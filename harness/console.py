"""What the guest writes on its serial console: waiting for a line, how far it got, why it stands still."""

import re
from collections.abc import Callable
from pathlib import Path

from harness.deadline import Deadline, Gone

ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78cDEHMNOZ])"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
)
"""Terminal control sequences (ECMA-48) and control characters, but tab and newline."""

TROUBLES = tuple(
    (name, re.compile(pattern, re.MULTILINE))
    for name, pattern in (
        ("the kernel panicked", r"Kernel panic - not syncing.*|end Kernel panic.*"),
        ("systemd is in emergency mode", r"^You are in emergency mode.*|^Give root password for maintenance.*"),
        ("systemd is in emergency mode", r"Cannot open access to console, the root account is locked.*"),
        ("the initramfs gave up", r"^\(initramfs\) *|^ALERT! .* does not exist.*|dracut:/#|^Entering emergency mode.*"),
        ("there is no init but a bare shell", r"^/bin/sh: 0: can't access tty; job control turned off"),
        ("GRUB is in its rescue shell", r"grub rescue> *"),
        ("GRUB waits at its prompt: it has no menu", r"^ *grub> *"),
        ("the firmware found nothing to boot", r"No bootable device.*|^BdsDxe: No bootable option.*|^Shell> *"),
        ("the disk is full", r"No space left on device.*"),
        ("a processor is stuck", r"soft lockup - CPU#\d+ stuck.*|rcu: INFO: rcu_\w+ (?:self-)?detected stall.*"),
    )
)
"""Signs that a guest gets no further by itself."""
PASSING = {"a processor is stuck", "the disk is full"}
"""Troubles that a guest can get over: a slow machine, a root file system that grows."""

STAGES = tuple(
    (name, re.compile(pattern, re.MULTILINE))
    for name, pattern in (
        ("firmware", r"SeaBIOS \(version|^BdsDxe: |Booting from "),
        (
            "boot loader",
            r"GRUB loading|Welcome to GRUB!|GNU GRUB|BdsDxe: starting Boot|^Loading (?:Linux|initial ramdisk)",
        ),
        ("boot loader", r"Booting `|^error: .*(?:grub|file|device|disk)"),
        ("kernel", r"Linux version \d|EFI stub: |^\[ +\d+\.\d+\] (?!systemd|audit)"),
        ("initramfs", r"Run /init as init|Begin: |Loading, please wait|dracut-\w+|Running in initrd"),
        ("systemd", r"systemd\[1\]: |^\[(?:  OK  |FAILED|DEPEND)\]|^Welcome to (?!GRUB).*!$|^ +(?:Starting|Mounting) "),
        ("cloud-init", r"cloud-init\[\d+\]|Cloud-init v\. "),
        ("login prompt", r"^\S+ login: "),
    )
)
"""What each stage of a boot writes."""


class Console:
    """The console log of one machine, read as it grows. `check_alive` raises Gone once no more can come."""

    def __init__(self, path: Path, check_alive: Callable[[], None] = lambda: None) -> None:
        self.path = path
        self._check_alive = check_alive
        self._from = 0

    @property
    def text(self) -> str:
        """All of it, without escape codes."""
        return plain(self._raw())

    @property
    def recent(self) -> str:
        """What came since the mark, without escape codes."""
        return plain(self._raw()[self._from :])

    def mark(self) -> None:
        """Forget what has come: later waits look at what follows (the next boot, say)."""
        self._from = len(self._raw())

    def tail(self, lines: int = 40) -> str:
        """The last lines."""
        return "\n".join(self.text.rstrip().splitlines()[-lines:])

    def check_alive(self) -> None:
        """Raise Gone when the machine has ended, or the guest gets no further since the mark."""
        ended = self._ended()
        if reason := trouble(plain(self._raw()[self._from :])) or ended:
            raise Gone(reason)

    def wait_for(self, pattern: str, deadline: Deadline) -> re.Match[str]:
        """The pattern's first match since the mark (^ and $ match at lines).

        Raises TooLate, or Gone as soon as the machine has ended or is stuck beyond hope.
        """
        wanted = re.compile(pattern, re.MULTILINE)

        def look() -> re.Match[str] | None:
            ended = self._ended()  # first: what it wrote before its end is still to be read
            seen = plain(self._raw()[self._from :])
            if found := wanted.search(seen):
                return found
            if reason := trouble(seen) or ended:
                raise Gone(reason)
            return None

        return deadline.until(f"{pattern} on the console", look)

    def _ended(self) -> str:
        try:
            self._check_alive()
        except Gone as gone:
            return str(gone)
        return ""

    def _raw(self) -> bytes:
        return self.path.read_bytes() if self.path.exists() else b""


def plain(raw: bytes) -> str:
    """Text without escape codes; a line that was drawn over itself by carriage returns keeps all its versions."""
    text = ESCAPES.sub("", raw.decode("utf-8", "replace"))
    return re.sub(r"\r+\n?", "\n", text)


def trouble(text: str, *, passing: bool = False) -> str | None:
    """Why a guest that wrote this gets no further, with the line that says so; None while all may be well.

    With `passing` also what a guest can get over.
    """
    for name, pattern in TROUBLES:
        if name in PASSING and not passing:
            continue
        for match in pattern.finditer(text):
            line = text[text.rfind("\n", 0, match.start()) + 1 :].partition("\n")[0]
            return f"{name}: {line.strip()}"
    return None


def stage(text: str) -> str:
    """How far the last boot in this text got: firmware, boot loader, kernel, initramfs, systemd, login prompt.

    A kernel goes on telling what it meets while what it has started runs: only firmware and boot loader begin anew.
    """
    reached = -1
    found = ((match.start(), number) for number, (_, mark) in enumerate(STAGES) for match in mark.finditer(text))
    for _, number in sorted(found):
        reached = number if STAGES[number][0] in ("firmware", "boot loader") else max(reached, number)
    return STAGES[reached][0] if reached >= 0 else "nothing"


def last_sign_of_life(console: str, firmware: str = "") -> str:
    """One sentence for a verdict: how far the guest got, why it stands still, and its last line.

    `firmware` is what SeaBIOS wrote on its own port: it says so there when it finds nothing to boot.
    """
    last = (console.strip() or firmware.strip()).splitlines()[-1:]
    reached = stage(console) if console.strip() else stage(firmware)
    if reached == "nothing" and not last:
        return "not a sign of life: neither the firmware nor the guest wrote anything"
    reason = trouble(console, passing=True) or (None if console.strip() else trouble(firmware))
    why = f"; {reason}" if reason else ""
    return f"last sign of life: {reached}{why}; its last line was: {last[0].strip()[:200]}"
