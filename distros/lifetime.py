"""How long a release lives, in the words that people read."""

from collections.abc import Iterable, Iterator
from datetime import date

from distros.proof import WORDS, proven
from distros.recipe import Recipe


def has_ended(recipe: Recipe, today: date) -> bool:
    """Whether the distribution has stopped fixing security holes of this release; never so where it has no end."""
    return bool(recipe.end_of_support) and date.fromisoformat(recipe.end_of_support) < today


def warnings(recipe: Recipe, today: date) -> tuple[str, ...]:
    """What whoever builds this today should know."""
    if not has_ended(recipe, today):
        return ()
    return (f"the support of {recipe.title} ended on {recipe.end_of_support}: its security holes stay open",)


def support(recipe: Recipe, today: date) -> str:
    """Until when it is supported."""
    if not recipe.end_of_support:
        return "rolling"
    return f"support {'ended on' if has_ended(recipe, today) else 'until'} {recipe.end_of_support}"


def entry(recipe: Recipe, today: date) -> dict[str, object]:
    """A recipe as `distros --json` prints it; `ended` says whether its support has."""
    names = ("distro", "release", "codename", "title", "arch", "default", "end_of_support")
    kernels = [name for name in recipe.kernels if name]
    told = {"proven": proven(recipe), "ended": has_ended(recipe, today), "kernels": kernels}
    return {name: getattr(recipe, name) for name in names} | told


def catalogue(recipes: Iterable[Recipe], today: date) -> Iterator[str]:
    """One line a release, the architectures on it together."""
    releases: dict[str, list[Recipe]] = {}
    for recipe in recipes:
        releases.setdefault(recipe.name, []).append(recipe)
    for same in releases.values():
        first = same[0]
        arches = " ".join(one.arch for one in same)
        mark = "  (default)" if first.default else ""
        words = f"{first.title}, {support(first, today)}, {_proofs(same)}{mark}"
        yield f"{first.distro:10} {first.release:11} {arches:15} {words}"


def _proofs(same: list[Recipe]) -> str:
    """What was tried of a release, by architecture where that differs."""
    levels = {one.arch: WORDS[proven(one)] for one in same}
    if len(set(levels.values())) == 1:
        return next(iter(levels.values()))
    return "; ".join(f"{arch}: {words}" for arch, words in levels.items())
