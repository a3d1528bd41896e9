"""What a guest dies of that is the emulator's doing: such a boot says nothing of its image.

Linux patches its own code while it runs: it writes a breakpoint (int3) first, and its handler knows what was meant for
as long as any processor may still come by (arch/x86/kernel/alternative.c). QEMU's threads of several processors let one
come by later than real ones can, and the kernel dies of a breakpoint that is nobody's.
"""

import re
from pathlib import Path

from harness.console import plain
from harness.report import Report

INT3 = re.compile(r"\bint3: 0000 \[#1\]")
"""Of a kernel's first oops; later kernels write "Oops: " before it."""
KEPT = "emulators-fault.log"
"""Where the console of such a boot is kept, beside the report of the next one."""
AGAIN = (
    f"The emulator let the kernel die at the first try, which says nothing of the image ({KEPT}); this is the second."
)


def fault(report: Report, folder: Path) -> bytes:
    """The console of the machine that died so; empty where none did."""
    if report.passed or report.machine.get("accelerator") != "tcg":
        return b""
    for what, name in report.files.items():
        if what.endswith("console") and INT3.search(plain(content := (folder / name).read_bytes())):
            return content
    return b""
