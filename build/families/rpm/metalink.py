"""Metalinks: where else a repository is, and which repomd.xml it may have.

Format: Metalink 3.0, as MirrorManager writes it.
"""

import xml.etree.ElementTree as ElementTree

from build.families.rpm.state import REPOMD

METALINK_NAMESPACE = "{http://www.metalinker.org/}"


def read_metalink(content: bytes) -> tuple[tuple[str, ...], frozenset[str]]:
    """Base URLs by falling preference, and the digests (SHA-256) that repomd.xml may have. Raises ValueError."""
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as damage:
        raise ValueError(str(damage)) from None
    links = [
        (-int(one.get("preference", "0")), (one.text or "").strip().removesuffix(f"/{REPOMD}"))
        for one in root.iter(f"{METALINK_NAMESPACE}url")
        if (one.text or "").strip().startswith(("http://", "https://"))
    ]
    digests = {
        (one.text or "").strip().lower()
        for one in root.iter(f"{METALINK_NAMESPACE}hash")
        if one.get("type") == "sha256"
    }
    if not links or not digests:
        raise ValueError("it names no place, or no digest")
    return tuple(link for _, link in sorted(links, key=lambda pair: pair[0])), frozenset(digests)
