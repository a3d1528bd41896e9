"""Reading a guest's console: escape codes, waits, dead ends, the last sign of life."""

from pathlib import Path

import pytest

from harness.console import Console, last_sign_of_life, plain, stage, trouble
from harness.deadline import Deadline, Gone, TooLate

BOOT = (
    b"\x1b[2J\x1b[01;01H\x1b[=3h\x1b[2J\x1b[01;01HBdsDxe: loading Boot0001\r\n"
    b"BdsDxe: starting Boot0001\r\nWelcome to GRUB!\r\n\r\n"
    b"[    0.000000] Linux version 6.1.0-1-cloud-amd64\r\n"
    b"[    1.300000] Run /init as init process\r\nLoading, please wait...\r\n"
    b"[    2.900000] systemd[1]: Inserted module 'autofs4'\r\n"
    b"[\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39mssh.service\x1b[0m - OpenBSD Secure Shell server.\r\n"
    b"\r\nDebian GNU/Linux 12 vm ttyS0\r\n\r\nvm login: "
)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"[\x1b[0;32m  OK  \x1b[0m] Reached", "[  OK  ] Reached"),
        (b"one\r\ntwo\r\r\nthree", "one\ntwo\nthree"),
        (b"\x1b]0;title\x07x\x1b(B\x1b=y\x00", "xy"),
        (b"10%\r20%\r\n", "10%\n20%\n"),
        (b"caf\xc3\xa9 \xff", "café \ufffd"),
    ],
)
def test_takes_escape_codes_out(raw: bytes, text: str) -> None:
    assert plain(raw) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[ 1.0] Kernel panic - not syncing: VFS: Unable to mount root fs", "the kernel panicked: [ 1.0] Kernel panic"),
        ("Give root password for maintenance\n(or press Control-D to continue): ", "emergency mode"),
        ("Cannot open access to console, the root account is locked.", "emergency mode"),
        ("ALERT!  UUID=1 does not exist.  Dropping to a shell!", "the initramfs gave up: ALERT!  UUID=1"),
        ("\n(initramfs) ", "the initramfs gave up"),
        ("/bin/sh: 0: can't access tty; job control turned off\n# ", "there is no init but a bare shell"),
        ("Entering rescue mode...\ngrub rescue> ", "rescue shell"),
        ("\ngrub> ", "GRUB waits at its prompt"),
        ("BdsDxe: No bootable option or device was found.", "nothing to boot"),
        ("Booting from Hard Disk...\nNo bootable device.", "nothing to boot: No bootable device."),
    ],
)
def test_knows_dead_ends(text: str, reason: str) -> None:
    assert reason in (trouble(text) or "")


@pytest.mark.parametrize("text", ["", plain(BOOT), "watchdog: BUG: soft lockup - CPU#1 stuck for 22s!"])
def test_does_not_give_up_early(text: str) -> None:
    assert trouble(text) is None


@pytest.mark.parametrize(
    ("until", "reached"),
    [
        (b"", "nothing"),
        (b"loading Boot0001", "firmware"),
        (b"Welcome to GRUB!", "boot loader"),
        (b"cloud-amd64", "kernel"),
        (b"please wait...", "initramfs"),
        (b"autofs4'", "systemd"),
        (b"login: ", "login prompt"),
    ],
)
def test_knows_how_far_a_boot_got(until: bytes, reached: str) -> None:
    assert stage(plain(BOOT[: BOOT.index(until) + len(until)])) == reached


def test_tells_the_stage_of_the_last_boot() -> None:
    assert stage(plain(BOOT + b"\nBdsDxe: loading Boot0001\n")) == "firmware"


def test_a_kernel_that_tells_something_later_takes_no_boot_back() -> None:
    assert stage(plain(BOOT + b"\n[  199.844791] hrtimer: interrupt took 249054140 ns\n")) == "login prompt"


def test_says_the_last_sign_of_life_in_one_sentence() -> None:
    assert last_sign_of_life("") == "not a sign of life: neither the firmware nor the guest wrote anything"
    told = last_sign_of_life(plain(BOOT[: BOOT.index(b"Loading, please")]) + "ALERT!  /dev/sda1 does not exist.\n")
    assert told.startswith("last sign of life: initramfs; the initramfs gave up: ALERT!")
    stuck = last_sign_of_life("[    9.1] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!")
    assert "a processor is stuck" in stuck
    full = last_sign_of_life(
        plain(BOOT + b"\ncloud-init[461]: OSError: [Errno 28] No space left on device: '/var/lib'\n")
    )
    assert full.startswith("last sign of life: login prompt; the disk is full: cloud-init[461]: OSError")


def test_asks_the_firmware_where_the_console_is_silent() -> None:
    told = last_sign_of_life("", "SeaBIOS (version 1.16.2)\nBooting from Hard Disk...\nNo bootable device.\n")
    assert "the firmware found nothing to boot" in told


def test_waits_for_a_line(tmp_path: Path) -> None:
    (tmp_path / "console.log").write_bytes(BOOT)
    console = Console(tmp_path / "console.log")
    assert console.wait_for(r"^(\w+) login: ", Deadline.after(0))[1] == "vm"


def test_waits_for_the_next_boot_after_a_mark(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_bytes(BOOT)
    console = Console(log)
    console.mark()
    with pytest.raises(TooLate, match="login: on the console"):
        console.wait_for("login:", Deadline.after(0))
    log.write_bytes(BOOT + BOOT)
    assert console.wait_for("login:", Deadline.after(0))


def test_stops_waiting_at_a_dead_end(tmp_path: Path) -> None:
    (tmp_path / "console.log").write_text("[ 1.0] Kernel panic - not syncing: no init found")
    with pytest.raises(Gone, match="the kernel panicked"):
        Console(tmp_path / "console.log").wait_for("login:", Deadline.after(60))


def test_tells_others_who_wait_that_it_is_a_dead_end(tmp_path: Path) -> None:
    console = Console(tmp_path / "console.log")
    console.check_alive()
    console.path.write_text("\n(initramfs) ")
    with pytest.raises(Gone, match="the initramfs gave up"):
        console.check_alive()
    console.mark()
    console.check_alive()


def test_stops_waiting_when_the_machine_has_ended_but_reads_its_last_words(tmp_path: Path) -> None:
    def check_alive() -> None:
        raise Gone("QEMU died")

    console = Console(tmp_path / "console.log", check_alive)
    with pytest.raises(Gone, match="QEMU died"):
        console.wait_for("login:", Deadline.after(60))
    console.path.write_text("reboot: Power down\n")
    assert console.wait_for("Power down", Deadline.after(60))


def test_shows_the_last_lines(tmp_path: Path) -> None:
    (tmp_path / "console.log").write_bytes(b"one\r\ntwo\r\nthree\r\n\r\n")
    assert Console(tmp_path / "console.log").tail(2) == "two\nthree"
    assert Console(tmp_path / "missing").tail() == ""
