"""Errors that speak of what a spec adds or removes, told as the spec's own matter."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from build.errors import CallerError, KilnError, MachineError, RecipeError
from build.spec.complaint import Unfit
from build.spec.recipe import locale_packages, sources
from build.spec.value import ExtraRepository, Spec
from distros.recipe import Archive, Recipe

UNREACHABLE = "is its url right? Other ways on are a proxy (--proxy URL), or what the cache holds (--offline)"
WRONG = "are its url and key in the spec right? Else whoever runs the repository must mend it"


@contextmanager
def explained(spec: Spec, recipe: Recipe | None = None) -> Iterator[None]:
    """Tell errors that leave the block as `blamed` has them."""
    try:
        yield
    except KilnError as error:
        raise blamed(error, spec, recipe) from None


def blamed(error: KilnError, spec: Spec, recipe: Recipe | None) -> KilnError:
    """The error with the key of the spec that it speaks of, as the caller's matter where it is that; else itself.

    Without the recipe, nothing of packages and repositories can be told.
    """
    if isinstance(error, Unfit):
        place = spec.where(error.key, error.value)
        return CallerError(f"{place}: {error.reason}", error.hint) if place else error
    if recipe is None:
        return error
    for repository in spec.repositories:
        if any(place in f"{error.what} " for place in _places(repository, recipe.arch)):
            place = spec.where("repositories.name", repository.name) or f"{spec.file}: repositories"
            return _of_repository(error, f"{place}: {repository.name!r}: {error.what}")
    return _of_packages(error, spec, recipe) if isinstance(error, RecipeError) else error


def _places(repository: ExtraRepository, arch: str) -> tuple[str, ...]:
    """How messages name a repository, and not another one of the same server."""
    (source,) = sources((repository,), arch)
    if isinstance(source, Archive):
        return tuple(
            place for suite in source.suites for place in (f"{source.url} {suite} ", f"{source.url}/dists/{suite}/")
        )
    return (f"{source.url}/", f"{source.url} ", f"{source.url}:")


def _of_repository(error: KilnError, what: str) -> KilnError:
    if isinstance(error, MachineError) and "out of reach" in error.what:
        return MachineError(what, UNREACHABLE)
    return type(error)(what, WRONG) if isinstance(error, CallerError) else type(error)(what, error.hint)


def _of_packages(error: KilnError, spec: Spec, recipe: Recipe) -> KilnError:
    for key, names in (("add", spec.packages), ("remove", spec.removed)):
        for name in names:
            if _speaks_of(error, name):
                place = spec.where(f"packages.{key}", name) or f"{spec.file}: packages.{key}"
                return CallerError(f"{place}: {name!r}: {error.what}", "correct it in the spec")
    for name in locale_packages(recipe, spec.locale):
        if _speaks_of(error, name):
            place = spec.where("locale", spec.locale) or f"{spec.file}: locale"
            return CallerError(
                f"{place}: {recipe.name} has no {name}, which {spec.locale!r} needs: {error.what}",
                "name a locale that the distribution has",
            )
    return error


def _speaks_of(error: KilnError, package: str) -> bool:
    return bool(re.search(rf"(?<![\w.+-]){re.escape(package)}(?![\w+-]|[.]\w)", error.what))
