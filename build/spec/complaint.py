"""What is wrong with a spec, and where; and the nearest word to one that does not exist."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from build.spec.document import Place

SIMILAR = 0.6
"""How alike two words must be (difflib's ratio) for one to be suggested for the other."""
MOST_SHOWN = 24
"""How many words are listed where none is near."""


@dataclass(frozen=True, order=True)
class Complaint:
    """What is wrong, and where."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


def complaint(place: Place, what: str) -> Complaint:
    """A complaint about the value of that place."""
    return Complaint(place.file, place.line, f"{place.key}: {what}" if place.key else what)


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a message about a word that does not exist: the nearest one that does, else all where they are few."""
    words = list(dict.fromkeys(known))
    if close := get_close_matches(word, words, 1, SIMILAR) or get_close_matches(word.lower(), words, 1, SIMILAR):
        return f"; did you mean {close[0]!r}?"
    return f"; there is: {', '.join(words)}" if 0 < len(words) <= MOST_SHOWN else ""
