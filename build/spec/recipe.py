"""A recipe with a spec laid on it: packages, kernel arguments, and where extra packages come from."""

from collections.abc import Iterable
from dataclasses import replace

from build.spec.complaint import Unfit, nearest
from build.spec.value import BASIC_LOCALES, CLOUD_CONFIG, IGNITION, ExtraRepository, Spec, first_boot_kind
from distros.recipe import Archive, Recipe, Repository


def layered(recipe: Recipe, spec: Spec) -> Recipe:
    """The recipe as the spec would have it. Raises CallerError for what this recipe cannot give."""
    if not recipe.archives:
        return recipe  # it is published whole: its family says what cannot be
    _require_kind(recipe, spec)
    _require_bootable(recipe, spec)
    kept = tuple(name for name in recipe.packages if name not in spec.removed)
    zone = recipe.timezone_packages if spec.timezone else ()
    added = (*locale_packages(recipe, spec.locale), *zone, *spec.packages)
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
            raise Unfit(
                *("repositories.name", one.name),
                f"{one.name!r} is a repository of {one.kind}, {recipe.name} has packages of {kind}",
                f"a spec with it fits only distributions of {one.kind}",
            )


def _require_bootable(recipe: Recipe, spec: Spec) -> None:
    needed = {
        *(name for kernel in recipe.kernels.values() for name in kernel.packages),
        *(name for names in recipe.boot_packages.values() for name in names),
        *(name for one in recipe.provisioning.values() for name in one.packages),
    }
    if here := sorted(needed & {*spec.removed}):
        raise Unfit(
            *("packages.remove", here[0]),
            f"{', '.join(here)} cannot be removed: an image needs kernel, boot loaders and provisioner",
            "another provisioner is chosen by 'provisioner', another kernel by 'kernel'",
        )


def locale_packages(recipe: Recipe, locale: str) -> tuple[str, ...]:
    """The packages that have this locale."""
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
            reason = f"{recipe.name} has no {word!r}{nearest(word, recipe.cmdline)}"
            raise Unfit("kernel_arguments.remove", word, reason)
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
        raise Unfit(
            *("first_boot.user_data", ""),
            f"this is #cloud-config, and {by}",
            "write a script (#!/bin/sh), which every image can run",
        )
    if text == IGNITION and provisioner != "ignition":
        raise Unfit(
            *("first_boot.user_data", ""),
            "this is Ignition's, which this image does not have",
            "write #cloud-config or a script (#!/bin/sh)",
        )
