"""The serial console: a login on it, and what the kernel needs for it (catalogue 2.2)."""

from harness.checks.check import Complaints, check
from harness.etc import is_enabled, is_masked, unit_exists
from harness.grub import Entry
from harness.kernels import Kernel
from harness.profile import Profile
from harness.tree import Tree


@check("console.getty", source="Microsoft: Serial console for Linux", repair="Unmask serial-getty on the serial port")
def a_login_waits_on_the_serial_console(tree: Tree, entry: Entry, profile: Profile) -> Complaints:
    """Whoever lost the network of a VM repairs it there."""
    port = "ttyAMA0" if profile.arch == "aarch64" else "ttyS0"
    unit = f"serial-getty@{port}.service"
    if not unit_exists(tree, "serial-getty@.service"):
        yield "the image has no serial-getty@.service"
        return
    for masked in (unit, "serial-getty@.service", "getty.target"):
        if is_masked(tree, masked):
            yield f"{masked} is masked"
    # systemd-getty-generator starts it on each kernel console by itself.
    generated = port in [value.partition(",")[0] for value in entry.values("console")]
    if not generated and not is_enabled(tree, unit):
        yield f"{unit} is not enabled, and no console={port} on the command line starts it"


@check(
    "console.kernel-conf",
    severity="recommended",
    source="Microsoft: Serial console",
    repair="Configure the kernel",
)
def the_kernel_drives_the_serial_port(kernels: dict[str, Kernel], profile: Profile) -> Complaints:
    """The driver must be built in to speak from the first line on, and SysRq over it is how a hung VM is asked."""
    driver = "SERIAL_AMBA_PL011_CONSOLE" if profile.arch == "aarch64" else "SERIAL_8250"
    for kernel in kernels.values():
        if kernel.config and kernel.config.get(driver) != "y":
            yield f"kernel {kernel.version} has no built-in {driver}"
