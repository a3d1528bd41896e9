"""The order: a build with nothing left to decide, as the front hands it to the worker."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from build.archive import Release
from build.families import State, apt, family
from build.families.locked import lockable
from build.lock import Lock
from build.offered import Proof
from build.plan import BuildPlan, Choices, package_names, plan
from build.request import find_recipe
from build.spec import NOTHING, Spec, layered
from build.spec import letter as spec_letter
from build.spec.blame import explained
from distros import Recipe


@dataclass(frozen=True)
class Order:
    """Recipe and choices, the archives' state that was asked for, the source date in seconds, and where it all goes.

    `named_mirror` says that the caller chose the archive, and so is to blame for it; `private` is the address of one
    that nobody else need know of. With a `lock` its packages are
    what the image is made of, looked for at `places`: base URLs by suite, best first.
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
    credentials: str = ""
    private: str = field(default="", repr=False)
    lock: Lock | None = None
    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def plan(self) -> BuildPlan:
        """What is to be done. Raises CallerError where the size does not fit."""
        first = None
        if self.lock:
            names = package_names(self.recipe, self.choices)
            first = lockable(self.recipe).locked(self.recipe, names, self.lock, self.places)
        with explained(self.choices.spec):
            return plan(self.recipe, self.choices, self.states, self.epoch, self.tools, first)

    def public(self, url: str) -> str:
        """The address as a plan or a manifest may have it."""
        return url.replace(self.private, "rmt:") if self.private else url

    def letter(self) -> dict[str, Any]:
        """The order as JSON can hold it; the recipe by name, since both sides have it."""
        return {
            "recipe": [self.recipe.distro, self.recipe.release, self.recipe.arch],
            "choices": asdict(replace(self.choices, spec=NOTHING)),
            "spec": spec_letter.write(self.choices.spec),
            "states": [asdict(state) for state in self.states],  # type: ignore[call-overload]
            "tools": asdict(self.tools),
            "epoch": self.epoch,
            "folder": str(self.folder),
            "named_mirror": self.named_mirror,
            "offline": self.offline,
            "rebuild": self.rebuild,
            "credentials": self.credentials,
            "private": self.private,
            "lock": json.loads(self.lock.text()) if self.lock else None,
            "places": self.places,
        }

    @classmethod
    def read(cls, letter: Mapping[str, Any]) -> "Order":
        """The order that such a letter holds."""
        told = dict(letter)
        spec = spec_letter.read(told.pop("spec"))
        recipe = layered(find_recipe(*told.pop("recipe")), spec)
        lock, places = told.pop("lock"), told.pop("places")
        return cls(
            recipe=recipe,
            choices=_choices(told.pop("choices"), spec),
            states=tuple(family(recipe).read_state(one) for one in told.pop("states")),
            tools=apt.read_state(told.pop("tools")),
            folder=Path(told.pop("folder")),
            lock=Lock.read(lock) if lock else None,
            places={suite: tuple(urls) for suite, urls in places.items()},
            **told,
        )


def _choices(told: Mapping[str, Any], spec: Spec) -> Choices:
    return Choices(**{**told, "base_proof": Proof.read(told["base_proof"]), "spec": spec})
