"""The order: a build with nothing left to decide, as the front hands it to the worker."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from build.archive import Release
from build.families import State, apt, family
from build.plan import BuildPlan, Choices, plan
from build.request import find_recipe
from distros import Recipe


@dataclass(frozen=True)
class Order:
    """Recipe and choices, the archives' state that was asked for, the source date in seconds, and where it all goes.

    `named_mirror` says that the caller chose the archive, and so is to blame for it.
    """

    recipe: Recipe
    choices: Choices
    states: tuple[State, ...]
    tools: Release
    epoch: int
    folder: Path
    named_mirror: bool = False
    offline: bool = False
    rebuild: bool = False

    @property
    def plan(self) -> BuildPlan:
        """What is to be done. Raises CallerError where the size does not fit."""
        return plan(self.recipe, self.choices, self.states, self.epoch, self.tools)

    def letter(self) -> dict[str, Any]:
        """The order as JSON can hold it; the recipe by name, since both sides have it."""
        return {
            "recipe": [self.recipe.distro, self.recipe.release, self.recipe.arch],
            "choices": asdict(self.choices),
            "states": [asdict(state) for state in self.states],  # type: ignore[call-overload]
            "tools": asdict(self.tools),
            "epoch": self.epoch,
            "folder": str(self.folder),
            "named_mirror": self.named_mirror,
            "offline": self.offline,
            "rebuild": self.rebuild,
        }

    @classmethod
    def read(cls, letter: Mapping[str, Any]) -> "Order":
        """The order that such a letter holds."""
        told = dict(letter)
        recipe = find_recipe(*told.pop("recipe"))
        return cls(
            recipe=recipe,
            choices=Choices(**told.pop("choices")),
            states=tuple(family(recipe).read_state(one) for one in told.pop("states")),
            tools=apt.read_state(told.pop("tools")),
            folder=Path(told.pop("folder")),
            **told,
        )
