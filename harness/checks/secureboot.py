"""Secure Boot and Trusted Launch (catalogue 2.12)."""

import posixpath
import re
import tempfile
from collections import deque
from collections.abc import Callable, Iterator

from harness.checks.check import Complaints, check
from harness.etc import configuration
from harness.kernels import Kernel
from harness.packing import DAMAGES, packed_by, unpacked
from harness.pe import NotPe
from harness.pesign import Signer, signatures, vendors
from harness.profile import GENERATION_2, X86_64
from harness.tree import Tree, Unreadable
from harness.unified import Unified

TRUSTED = "Microsoft: Trusted Launch for Azure VMs"
MICROSOFT = re.compile(r"Microsoft (Corporation UEFI CA 2011|UEFI CA 2023)")
"""The two authorities of others' programs, of which Azure's machines have the certificates."""
FIRST = "/EFI/BOOT/BOOTX64.EFI"
LARGEST = 256 << 20
"""Bytes of a program that is looked at as a whole."""
SIGNED = b"~Module signature appended~\n"
_CHUNK = 1 << 20
MODULE_LISTS = (
    *(f"{folder}/modules-load.d/*.conf" for folder in ("/etc", "/usr/lib")),
    *("/etc/modules", "/etc/initramfs-tools/modules"),
)


@check(
    "sb.chain",
    severity="recommended",
    source=TRUSTED,
    repair="Boot by the distribution's own signed shim, GRUB and kernel, as its packages bring them",
    when=GENERATION_2 & X86_64,
)
def signed_programs_lead_to_the_kernel(
    esp: Tree, tree: Tree, kernels: dict[str, Kernel], unified: tuple[Unified, ...]
) -> Complaints:
    """With Trusted Launch the firmware starts what Microsoft's UEFI authority signed, the shim, and that what its
    vendor signed: one link without a signature, or with another vendor's, and nothing starts. Without Trusted Launch
    nobody asks."""
    shim = esp.read_bytes(FIRST, LARGEST)
    if not shim:
        return  # `efi.fallback` says so
    yield from _link(FIRST, shim, _by_microsoft, "not by Microsoft's UEFI authority")
    known = _vendors(shim)

    def trusted(one: Signer) -> bool:
        return not known or _by_microsoft(one) or _issued_by(known, one)

    otherwise = f"whom the shim does not know: it knows {' and '.join(one.subject for one in known)}"
    for path in _loaders(esp):
        yield from _link(path, esp.read_bytes(path, LARGEST), trusted, otherwise)
    started = [one.path for one in unified] or [f"/boot/vmlinuz-{version}" for version in kernels]
    for path in started:
        if kernel := tree.read_bytes(path, LARGEST) or esp.read_bytes(path, LARGEST):
            yield from _link(path, kernel, trusted, otherwise)


def _by_microsoft(one: Signer) -> bool:
    return bool(MICROSOFT.search(one.issuer) or MICROSOFT.search(one.subject))


def _issued_by(vendors: tuple[Signer, ...], one: Signer) -> bool:
    return one in vendors or one.issuer in {vendor.subject for vendor in vendors}


def _vendors(shim: bytes) -> tuple[Signer, ...]:
    try:
        return vendors(shim)
    except NotPe:  # said of the link itself
        return ()


def _loaders(esp: Tree) -> tuple[str, ...]:
    """GRUB beside the shim; where there is none there, those that the shim's fallback program would lead to."""
    return esp.glob("/EFI/BOOT/grub*.efi") or esp.glob("/EFI/*/grub*.efi")


def _link(path: str, program: bytes, trusted: Callable[[Signer], bool], otherwise: str) -> Iterator[str]:
    """What is wrong with one link of the chain."""
    try:
        found = signatures(program)
    except NotPe as damage:
        yield f"{path}: {damage}"
        return
    sound = [one for signature in found if signature.fits for one in signature.signers]
    if not found:
        yield f"{path} is not signed"
    elif not sound:
        yield f"{path} is not what was signed: it was changed or damaged since"
    elif not any(map(trusted, sound)):
        yield f"{path} is signed by {sound[-1].subject or 'somebody without a name'}, {otherwise}"


@check(
    "sb.modules",
    severity="recommended",
    source=TRUSTED,
    repair="Sign them with a key that the machine has, or leave them out",
    when=GENERATION_2,
)
def no_unsigned_module_is_loaded_at_boot(tree: Tree, kernels: dict[str, Kernel]) -> Complaints:
    """With Secure Boot on the kernel refuses modules that nobody signed, and what needs them is missing."""
    wanted = {_module(line.split()[0]) for _, _, line in configuration(tree, *MODULE_LISTS)}
    for version in kernels:
        for folder in ("updates", "extra", "weak-updates"):
            for path in tree.files(f"/lib/modules/{version}/{folder}"):
                if ".ko" in path and _module(posixpath.basename(path)) in wanted and not _is_signed(tree, path):
                    yield f"{path} is loaded at boot, and nobody signed it"


def _module(name: str) -> str:
    return name.partition(".ko")[0].replace("-", "_")


def _is_signed(tree: Tree, path: str) -> bool:
    """Whether a module ends as a signed one does, once it is unpacked. What cannot be unpacked cannot be loaded."""
    raw = tree.read_bytes(path, LARGEST)
    if not (how := packed_by(raw[:6])):
        return raw.endswith(SIGNED)
    with tempfile.TemporaryFile() as file:
        file.write(raw)
        file.seek(0)
        try:
            with unpacked(file, how) as stream:
                chunks = deque(iter(lambda: stream.read(_CHUNK), b""), maxlen=2)
        except (*DAMAGES, Unreadable):
            return False
    return b"".join(chunks).endswith(SIGNED)


@check(
    "sb.tpm",
    severity="recommended",
    source=TRUSTED,
    repair="Use a kernel with TCG_CRB",
    when=GENERATION_2 & X86_64,
)
def the_kernel_knows_the_virtual_tpm(kernels: dict[str, Kernel]) -> Complaints:
    """What was started is measured into it; a kernel that does not see it can prove nothing to anybody."""
    for kernel in kernels.values():
        told = kernel.config or kernel.modules | kernel.builtin
        if told and kernel.config.get("TCG_CRB") not in ("y", "m") and not kernel.has("tpm_crb"):
            yield f"kernel {kernel.version} has no TCG_CRB"
