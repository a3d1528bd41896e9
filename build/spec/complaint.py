"""What is wrong with a spec, and where; and the nearest word to one that does not exist."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from build.errors import CallerError
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


class Unfit(CallerError):
    """What a spec may say, and this recipe or this image has not. `blame` tells it with file and line.

    `key` and `value` are what was said (`packages.add`, "nginx"; None: whatever it is), `reason` what is wrong with it;
    `what` is said in its place where no spec says so, as by a flag.
    """

    def __init__(self, key: str, value: str | None, reason: str, hint: str = "", what: str = "") -> None:
        super().__init__(what or f"{key}: {reason}", hint)
        self.key, self.value, self.reason = key, value, reason


def complaint(place: Place, what: str) -> Complaint:
    """A complaint about the value of that place."""
    return Complaint(place.file, place.line, f"{place.key}: {what}" if place.key else what)


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a message about a word that does not exist: the nearest one that does, else all where they are few."""
    words = list(dict.fromkeys(known))
    if close := get_close_matches(word, words, 1, SIMILAR) or get_close_matches(word.lower(), words, 1, SIMILAR):
        return f"; did you mean {close[0]!r}?"
    return f"; there is: {', '.join(words)}" if 0 < len(words) <= MOST_SHOWN else ""
