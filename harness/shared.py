"""What two machines of one image have in common: whoever clones a machine shares more than its files."""

from collections.abc import Iterator
from itertools import pairwise

from harness.chapters import Chapter
from harness.evidence import GuestFacts
from harness.profile import SPECIALIZED

COMPARED = {
    "the name": "kernel-name",
    "the machine id": "machine-id",
    "users": "users",
    "the file system's table": "fstab",
}
"""What is compared line by line, and the question that tells it."""


def shared(chapters: tuple[Chapter, ...]) -> list[str]:
    """Notes on what the two machines of a specialized image share; none where there are no two."""
    pairs = [
        (one, other)
        for one, other in pairwise(chapters)
        if "twin" in other.facts and one.boot.facts and other.boot.facts and SPECIALIZED.holds(other.facts["profile"])
    ]
    return [note for one, other in pairs for note in _notes(one, other)]


def _notes(one: Chapter, other: Chapter) -> Iterator[str]:
    assert one.boot.facts is not None and other.boot.facts is not None, "both have come up"
    common = [*_common(one.boot.facts, other.boot.facts)]
    yield f"Both machines share {'; '.join(common)}." if common else "The two machines share nothing that was compared."
    names = [facts["hostnames"][-1:] for facts in (one.facts, other.facts)]
    if names[0] and names[0] == names[1]:
        addresses = " and ".join(facts["expected"].address for facts in (one.facts, other.facts))
        yield f"Both claim the name {names[0][0]} in DNS, for {addresses}: in one network the later one would take it."


def _common(one: GuestFacts, other: GuestFacts) -> Iterator[str]:
    for what, question in COMPARED.items():
        if both := [line for line in one.lines(question) if line in other.lines(question)]:
            yield f"{what} {', '.join(both) if len(both) < 3 else f'({len(both)} lines)'}"
    if keys := set(one.lines("host-keys")) & set(other.lines("host-keys")):
        yield f"{len(keys)} SSH host keys"
