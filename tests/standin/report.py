"""What a stand-in invented, told so that nobody takes it for the distribution."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "report.json"


@dataclass(frozen=True)
class Invented:
    """What in a stand-in is not what its distribution has.

    `base` says whose packages it is made of; `labels` are the marks by which an image made from it can be known;
    `repacked` are packages of the base under the distribution's name or with other content, each with what was done;
    `empty` are names of the recipe for which the base has nothing: packages without content.
    """

    recipe: str
    base: str
    labels: tuple[str, ...]
    repacked: tuple[tuple[str, str], ...]
    empty: tuple[str, ...]

    def save(self, folder: Path) -> None:
        """Write it into a stand-in's folder."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "Invented":
        """Read it from a stand-in's folder."""
        told = json.loads((folder / FILE).read_text())
        repacked = tuple((name, what) for name, what in told["repacked"])
        return cls(told["recipe"], told["base"], tuple(told["labels"]), repacked, tuple(told["empty"]))

    def lines(self) -> list[str]:
        """It as a person reads it."""
        return [
            f"A stand-in for {self.recipe}, made of {self.base}: it proves Kiln's code, not the distribution.",
            *(f"  labelled: {label}" for label in self.labels),
            *(f"  repacked: {name}: {what}" for name, what in self.repacked),
            *(f"  empty:    {name}" for name in self.empty),
        ]
