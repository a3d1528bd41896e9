"""EFI programs with sections of one's choice, for tests alone: nothing in them runs."""

import struct

from tests.harness.images import ARGS, VERSION, initrd


def program(sections: dict[str, bytes]) -> bytes:
    """A PE/COFF file that holds these sections one after the other."""
    table, at = b"", 1024
    for name, content in sections.items():
        table += struct.pack("<8sIIII16s", name.encode(), len(content), 0x1000, -(-len(content) // 512) * 512, at, b"")
        at += -(-len(content) // 512) * 512
    head = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 64)
    head += b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, len(sections), 0, 0, 0, 16, 0) + bytes(16) + table
    bodies = (content.ljust(-(-len(content) // 512) * 512, b"\0") for content in sections.values())
    return head.ljust(1024, b"\0") + b"".join(bodies)


def unified(args: str = ARGS, version: str = VERSION, ramdisk: bytes | None = None) -> bytes:
    """A unified kernel image of the good image's kernel."""
    texts = {".uname": version.encode(), ".cmdline": args.encode() + b"\0"}
    return program({**texts, ".linux": b"MZ" + bytes(600), ".initrd": initrd() if ramdisk is None else ramdisk})
