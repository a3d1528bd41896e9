"""A recipe with a spec laid on it: packages, kernel arguments, and where extra packages come from."""

import re
from collections.abc import Iterable
from dataclasses import replace

from build.errors import CallerError, KilnError, RecipeError
from build.spec.complaint import nearest
from build.spec.value import BASIC_LOCALES, CLOUD_CONFIG, IGNITION, ExtraRepository, Spec, first_boot_kind
from distros.recipe import Archive, Recipe, Repository


def layered(recipe: Recipe, spec: Spec) -> Recipe:
    """The recipe as the spec would have it. Raises CallerError for what this recipe cannot give."""
    if (spec.packages or spec.removed or spec.repositories) and not recipe.archives:
        raise CallerError(
            f"{spec.file}: {recipe.name} is not made of packages: none can be added or removed",
            "take 'packages' and 'repositories' out of the spec; files, services and users are possible",
        )
    _require_kind(recipe, spec)
    _require_bootable(recipe, spec)
    kept = tuple(name for name in recipe.packages if name not in spec.removed)
    zone = recipe.timezone_packages if spec.timezone else ()
    added = (*_locale_packages(recipe, spec.locale), *zone, *spec.packages)
    return replace(
        recipe,
        packages=tuple(dict.fromkeys((*kept, *added))),
        removed=spec.removed,
        cmdline=_arguments(recipe, spec),
        rpm=replace(recipe.rpm, excluded=(*recipe.rpm.excluded, *spec.removed)) if recipe.rpm else None,
    )


def effect(spec: Spec) -> tuple[str, ...]:
    """What the spec changes about the recipe itself, for people; its steps speak for the rest."""
    changes = {
        "packages added": spec.packages,
        "packages removed": spec.removed,
        "kernel arguments added": spec.arguments,
        "kernel arguments removed": spec.removed_arguments,
        "repositories": tuple(f"{one.name} ({one.url})" for one in spec.repositories),
    }
    lines = [f"    {what}: {', '.join(words)}" for what, words in changes.items() if words]
    return (f"Spec {spec.file}, named {spec.name}", *lines) if spec.name else ()


def _require_kind(recipe: Recipe, spec: Spec) -> None:
    kind = "apt" if any(isinstance(one, Archive) for one in recipe.archives) else "rpm"
    for one in spec.repositories:
        if one.kind != kind:
            raise CallerError(
                f"{spec.file}: the repository {one.name!r} is one of {one.kind}, {recipe.name} has packages of {kind}",
                f"a spec with it fits only distributions of {one.kind}",
            )


def _require_bootable(recipe: Recipe, spec: Spec) -> None:
    needed = {
        *(name for kernel in recipe.kernels.values() for name in kernel.packages),
        *(name for names in recipe.boot_packages.values() for name in names),
        *(name for one in recipe.provisioning.values() for name in one.packages),
    }
    if here := sorted(needed & {*spec.removed}):
        raise CallerError(
            f"{spec.file}: {', '.join(here)} cannot be removed: an image needs kernel, boot loaders and provisioner",
            "another provisioner is chosen by 'provisioner', another kernel by 'kernel'",
        )


def _locale_packages(recipe: Recipe, locale: str) -> tuple[str, ...]:
    if not locale or locale in BASIC_LOCALES:
        return ()
    language = locale.partition("_")[0].partition(".")[0]
    return tuple(name.replace("{language}", language) for name in recipe.locale_packages)


def _arguments(recipe: Recipe, spec: Spec) -> tuple[str, ...]:
    """The recipe's kernel arguments without the removed ones, then those that are added.

    A word without = removes every argument of that name, with it that one alone.
    """
    for word in spec.removed_arguments:
        if not any(_is_meant(word, one) for one in recipe.cmdline):
            raise CallerError(
                f"{spec.file}: kernel_arguments.remove: {recipe.name} has no {word!r}{nearest(word, recipe.cmdline)}"
            )
    kept = (one for one in recipe.cmdline if not any(_is_meant(word, one) for word in spec.removed_arguments))
    return tuple(dict.fromkeys((*kept, *spec.arguments)))


def _is_meant(word: str, argument: str) -> bool:
    return word in (argument, argument.partition("=")[0])


def sources(repositories: Iterable[ExtraRepository], arch: str) -> tuple[Archive | Repository, ...]:
    """Extra repositories as the package families know sources; whose key the caller gave."""
    return tuple(_source(one, arch) for one in repositories)


def _source(one: ExtraRepository, arch: str) -> Archive | Repository:
    if one.kind == "apt":
        return Archive(one.url, one.suites, one.components, one.keyring)
    return Repository(
        name=one.name,
        url=one.url.replace("$basearch", arch).replace("{arch}", arch),
        path="",
        keyring=one.keyring,
        keys=(),
        signed_metadata=one.signed_metadata,
        source="the spec",
    )


def require_first_boot(spec: Spec, provisioner: str, kind: str) -> None:
    """Raise CallerError where nothing in the image would read the first boot's text."""
    if not spec.first_boot:
        return
    text = first_boot_kind(spec.first_boot)
    if text == CLOUD_CONFIG and (provisioner != "cloud-init" or kind == "specialized"):
        by = "a specialized image is set up by nothing" if kind == "specialized" else f"{provisioner} does not read it"
        raise CallerError(
            f"{spec.file}: first_boot.user_data is #cloud-config, and {by}",
            "write a script (#!/bin/sh), which every image can run",
        )
    if text == IGNITION and provisioner != "ignition":
        raise CallerError(
            f"{spec.file}: first_boot.user_data is Ignition's, which this image does not have",
            "write #cloud-config or a script (#!/bin/sh)",
        )


def blamed(error: KilnError, spec: Spec, recipe: Recipe) -> KilnError:
    """A package manager's refusal as the caller's matter where it speaks of what the spec adds or removes."""
    if not isinstance(error, RecipeError):
        return error
    for key, names in (("add", spec.packages), ("remove", spec.removed)):
        for name in names:
            if _speaks_of(error, name):
                return CallerError(f"{spec.file}: packages.{key} has {name!r}: {error.what}", "correct it in the spec")
    for name in _locale_packages(recipe, spec.locale):
        if _speaks_of(error, name):
            return CallerError(
                f"{spec.file}: locale: {recipe.name} has no {name}, which {spec.locale!r} needs: {error.what}",
                "name a locale that the distribution has",
            )
    return error


def _speaks_of(error: KilnError, package: str) -> bool:
    return bool(re.search(rf"(?<![\w.+-]){re.escape(package)}(?![\w+-]|[.]\w)", error.what))
