"""Nothing is installed unchecked: no word that this package says to a package manager takes its checks away."""

import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from build import keys
from build.archive import Release
from build.families import apt
from build.families.apt import AptPackages
from build.families.rpm.settings import macros
from build.workspace import Workspace
from distros import all_recipes
from distros.recipe import Archive, Recipe, Repository

PROJECT = Path(__file__).parents[2]
LETS_ANYTHING_IN = re.compile(
    r"trusted=yes|allow-insecure|AllowInsecure|allow-unauthenticated|AllowUnauthenticated|allow-weak|AllowWeak"
    r"|allow-downgrade-to-insecure|AllowDowngradeToInsecure|Check-Valid-Until|Check-Date|no-?gpg-?checks?|allow-unsigned"
    r"|gpg_?check\s*[=:]\s*['\"]?(0|no|off|false)|--nosignature|--nodigest|_pkgverify_level['\"]?\s*[:=]\s*['\"]?none"
    r"|sslverify\s*=\s*['\"]?(0|no|false)|ssl_verify=no|_create_unverified_context|CERT_NONE|check_hostname\s*=\s*False"
    r"|keyring=/dev/null|--force-bad-verify|no-debsig",
    re.IGNORECASE,
)
SOURCES = sorted(path for room in ("build", "distros") for path in (PROJECT / room).rglob("*.py"))
OF_OUR_OWN = {
    # An archive in the workspace, of packages that were each checked against the lock's digest.
    "build/families/apt_locked.py": {"trusted=yes"},
}
APT = [one for one in all_recipes() if one.family == "apt"]
RPM = [one for one in all_recipes() if one.rpm]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_says_nothing_that_lets_unchecked_packages_in(path: Path) -> None:
    found = {match[0] for match in LETS_ANYTHING_IN.finditer(path.read_text(encoding="utf-8"))}
    assert found <= OF_OUR_OWN.get(str(path.relative_to(PROJECT)), set())


def test_offers_no_flag_that_lets_unchecked_packages_in() -> None:
    text = "".join((PROJECT / name).read_text(encoding="utf-8") for name in ("tasks.py", "options.py"))
    text = text.replace("allow_unverified", "")  # of images that are published, not of packages
    assert not LETS_ANYTHING_IN.search(text)
    assert not re.search(r"insecure|unsigned|no_check|skip_check|no_verify|unverified", text)


def test_trusts_without_a_signature_only_what_lies_in_the_workspace() -> None:
    text = (PROJECT / "build/families/apt_locked.py").read_text(encoding="utf-8")
    assert re.findall(r"\[trusted=yes\] (\S+?)\{", text) == ["copy://"]


@pytest.mark.parametrize("recipe", APT, ids=lambda recipe: f"{recipe.name}-{recipe.arch}")
@pytest.mark.parametrize("offline", [False, True], ids=["online", "offline"])
@pytest.mark.parametrize("given", [False, True], ids=["own", "mirror"])
def test_has_apt_check_every_archive_by_its_key(recipe: Recipe, offline: bool, given: bool, tmp_path: Path) -> None:
    work = Workspace(tmp_path, "image", tmp_path, StringIO(), 0, offline)
    archives = [one for one in recipe.archives if isinstance(one, Archive)]
    keyring = f"{keys.GIVEN}{'a' * 64}" if given else None
    states = tuple(
        Release(one.url, suite, one.components, keyring or one.keyring, "a" * 64, 0)
        for one in archives
        for suite in one.suites
    )
    step = apt.packages(recipe, ("less",), states)
    assert isinstance(step, AptPackages)
    lines, words = step.sources(work), step.options(work)
    assert len(lines) == len(states)
    for line, state in zip(lines, states, strict=True):
        assert line.startswith(f"deb [signed-by={keys.located(state.keyring, tmp_path)}] http")
    assert not LETS_ANYTHING_IN.search("\n".join((*lines, *words)))
    assert not LETS_ANYTHING_IN.search("\n".join(replace(step, releases=()).options(work)))


@pytest.mark.parametrize("recipe", RPM, ids=lambda recipe: f"{recipe.name}-{recipe.arch}")
def test_has_rpm_check_every_package(recipe: Recipe) -> None:
    assert recipe.rpm
    assert "%_pkgverify_level all\n" in macros(recipe.rpm)
    assert "%_pkgverify_flags 0x0\n" in macros(recipe.rpm)
    for one in recipe.archives:
        assert isinstance(one, Repository)
        assert one.keys
        assert one.signed_metadata or one.url.startswith("https://")
