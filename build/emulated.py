"""What QEMU is told where it runs programs of another processor (`build.foreign`), by the environment of all of them.

Left alone it plays the newest processor that it knows. That one signs return addresses (pointer authentication), which
Debian's programs ask for and which costs dearly when emulated: by QEMU 10.0 a shell's loop takes 1.8 times as long as
without, Python's compiler and zstd 1.5 times. What the programs print is the same.
"""

import platform
from collections.abc import Mapping

PROCESSOR = "neoverse-n1"
"""That of Azure's Dpsv5 machines: ARMv8.2, more than distributions ask for, without pointer authentication."""
ENVIRONMENT: Mapping[str, str] = {} if platform.machine() == "aarch64" else {"QEMU_CPU": PROCESSOR}
"""Nothing but QEMU's user mode reads it. On an aarch64 machine what is emulated is x86_64, by QEMU's own choice."""
