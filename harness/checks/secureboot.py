"""Secure Boot and Trusted Launch (catalogue 2.12)."""

import posixpath
import re
from collections.abc import Iterator

from harness.checks.check import Complaints, check
from harness.etc import configuration
from harness.kernels import Kernel
from harness.pesign import NotPe, Signer, signers
from harness.profile import GENERATION_2, X86_64
from harness.tree import Tree

TRUSTED = "Microsoft: Trusted Launch for Azure VMs"
MICROSOFT = re.compile(r"Microsoft (Corporation )?UEFI CA 20\d\d")
"""The two authorities whose certificates Azure's machines have: those of 2011 and of 2023."""
FIRST = ("/EFI/BOOT/BOOTX64.EFI", "/EFI/BOOT/BOOTAA64.EFI")
LARGEST = 256 << 20
"""Bytes of a program that is looked at as a whole."""
SIGNED = b"~Module signature appended~\n"


@check(
    "sb.chain",
    severity="recommended",
    source=TRUSTED,
    repair="Boot by the distribution's signed shim, GRUB and kernel",
    when=GENERATION_2 & X86_64,
)
def signed_programs_lead_to_the_kernel(esp: Tree, tree: Tree, kernels: dict[str, Kernel]) -> Complaints:
    """With Trusted Launch the firmware starts what Microsoft's UEFI authority signed, that starts what its vendor
    signed: one link without a signature, and nothing starts. Without Trusted Launch nobody asks."""
    first = next((path for path in FIRST if esp.is_file(path)), "")
    if not first:
        return  # `efi.fallback` says so
    yield from _signed(esp, first, MICROSOFT)
    folder = posixpath.dirname(first)
    for name in esp.list(folder):
        if name.lower().startswith("grub") and name.lower().endswith(".efi"):
            yield from _signed(esp, f"{folder}/{name}")
    for version in kernels:
        path = f"/boot/vmlinuz-{version}"
        if tree.is_file(path):
            yield from _signed(tree, path)


def _signed(tree: Tree, path: str, by: re.Pattern[str] | None = None) -> Iterator[str]:
    try:
        found: tuple[Signer, ...] = signers(tree.read_bytes(path, LARGEST))
    except NotPe as damage:
        yield f"{path}: {damage}"
        return
    if not found:
        yield f"{path} is not signed"
    elif by and not any(by.search(f"{one.issuer} {one.subject}") for one in found):
        yield f"{path} is signed by {found[-1].subject or 'somebody without a name'}, not by Microsoft's UEFI authority"


@check(
    "sb.modules",
    severity="recommended",
    source=TRUSTED,
    repair="Sign them with a key that the machine has, or leave them out",
    when=GENERATION_2,
)
def no_unsigned_module_is_loaded_at_boot(tree: Tree, kernels: dict[str, Kernel]) -> Complaints:
    """With Secure Boot on the kernel refuses modules that nobody signed, and what needs them is missing."""
    wanted = {
        line.replace("-", "_") for _, _, line in configuration(tree, "/etc/modules-load.d/*.conf", "/etc/modules")
    }
    for version in kernels:
        for folder in ("updates", "extra", "weak-updates"):
            for path in tree.files(f"/usr/lib/modules/{version}/{folder}"):
                name = posixpath.basename(path).partition(".ko")[0].replace("-", "_")
                if name in wanted and path.endswith(".ko") and not tree.read_bytes(path, LARGEST).endswith(SIGNED):
                    yield f"{path} is loaded at boot, and nobody signed it"


@check(
    "sb.tpm",
    severity="recommended",
    source=TRUSTED,
    repair="Use a kernel with TCG_CRB or TCG_TIS",
    when=GENERATION_2 & X86_64,
)
def the_kernel_knows_the_virtual_tpm(kernels: dict[str, Kernel]) -> Complaints:
    """What was started is measured into it; a kernel that does not see it can prove nothing to anybody."""
    for kernel in kernels.values():
        known = [name for name in ("TCG_CRB", "TCG_TIS") if kernel.config.get(name) in ("y", "m")]
        if kernel.config and not known and not kernel.has("tpm_crb"):
            yield f"kernel {kernel.version} has neither TCG_CRB nor TCG_TIS"
