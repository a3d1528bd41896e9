"""Sizes as people write them."""

import re

from build.errors import CallerError

MIB = 1 << 20
UNITS = {"": 1, "K": 1 << 10, "M": MIB, "G": 1 << 30, "T": 1 << 40}


def parse_size(text: str) -> int:
    """Bytes of a size such as 30G, 30GiB, 31457280K or 32212254720; units are powers of 1024.

    Raises CallerError for anything else, and for what is no multiple of 1 MiB: Azure takes no other disk.
    """
    match = re.fullmatch(r"([0-9]+)(?:([KMGT])(?:i?B)?|B)?", text.strip(), re.IGNORECASE)
    if not match:
        raise CallerError(f"{text!r} is not a size", "write it like 30G, 31457280K or 32212254720 (bytes)")
    size = int(match[1]) * UNITS[(match[2] or "").upper()]
    if size == 0 or size % MIB:
        near = max(1, round(size / MIB))
        raise CallerError(f"the size {text} is not a multiple of 1 MiB", f"the nearest that is: {near}M")
    return size
