"""What the checks want of an image for aarch64: its own serial port, UEFI's console for GRUB, and its early console."""

from pathlib import Path

import pytest

from build.errors import CallerError
from harness.assembly import check_machine
from harness.checks.boot import grub_speaks_on_the_serial_console
from harness.checks.cmdline import the_kernel_speaks_early_on_aarch64, the_kernel_speaks_on_the_serial_port
from harness.checks.console import the_kernel_drives_the_serial_port
from harness.grub import Entry, parse
from harness.kernels import Kernel
from harness.order import Order
from harness.processor import AARCH64
from harness.profile import Profile

ARM = Profile((2,), "generalized", "cloud-init", "debian", "aarch64")
X86 = Profile((2,), "generalized", "cloud-init", "debian", "x86_64")


def test_wants_uefis_console_for_grub_where_x86_wants_its_serial_port() -> None:
    console, serial = (parse("/grub.cfg", f"terminal_output {word}\n", {}) for word in ("console", "serial"))
    graphic = parse("/grub.cfg", "terminal_output gfxterm\n", {})
    assert list(grub_speaks_on_the_serial_console(console, ARM)) == []
    assert list(grub_speaks_on_the_serial_console(serial, X86)) == []
    for menu, profile in ((serial, ARM), (console, X86), (graphic, ARM), (graphic, X86)):
        assert len(list(grub_speaks_on_the_serial_console(menu, profile))) == 1


def test_wants_the_kernel_on_its_own_port_and_early() -> None:
    good = Entry("0", "Linux", args=("console=tty1", "console=ttyAMA0", "earlycon=pl011,0xeffec000"))
    bad = Entry("0", "Linux", args=("console=ttyS0", "earlycon=pl011,0x9000000"))
    assert [*the_kernel_speaks_on_the_serial_port(good, ARM), *the_kernel_speaks_early_on_aarch64(good)] == []
    assert len(list(the_kernel_speaks_on_the_serial_port(bad, ARM))) == 1
    assert len(list(the_kernel_speaks_early_on_aarch64(bad))) == 1


@pytest.mark.parametrize(("profile", "driver"), [(ARM, "SERIAL_AMBA_PL011_CONSOLE"), (X86, "SERIAL_8250")])
def test_wants_the_ports_driver_built_in(profile: Profile, driver: str) -> None:
    def found(value: str) -> list[str]:
        return list(the_kernel_drives_the_serial_port({"6": Kernel("6", {driver: value})}, profile))

    assert found("y") == []
    assert driver in found("m")[0]


def order(**changes: object) -> Order:
    told = {"image": "/image", "container": "", "name": "vm", "admin": "me", "machine": "gen2", "seed": "azure"}
    rest = {"ssh_key": None, "custom_data": None, "user_data": None, "memory_mib": 1536, "disk_size": 1 << 30}
    return Order.of({**told, **rest, **changes})


def test_takes_an_order_that_its_board_can_fill() -> None:
    check_machine(order(), AARCH64)
    assert order().image == Path("/image")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"machine": "gen1"}, "no generation 1"),
        ({"machine": "gen2-trusted"}, "cannot be had"),
        ({"memory_mib": 4096}, "at most 2048 MiB"),
    ],
)
def test_refuses_what_no_machine_of_aarch64_has(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(CallerError, match=reason):
        check_machine(order(**changes), AARCH64)
