"""Packages that a spec takes out of an image and another package needs: who is told, and what."""

from dataclasses import replace

import pytest

from build.command import CommandFailed
from build.errors import CallerError, RecipeError
from build.families import apt_additions
from build.families.rpm import changes
from build.request import find_recipe
from build.spec import NOTHING
from build.spec.blame import blamed

DEBIAN = find_recipe("debian", "13", "x86_64")
DPKG = """\
dpkg: dependency problems prevent removal of nano:
 pre depends on nano.
 top depends on nano (>= 1).

dpkg: error processing package nano (--purge):
 dependency problems - not removing
Errors were encountered while processing:
 nano
"""
DPKG_ESSENTIAL = """\
dpkg: error processing package nano (--purge):
 this is an essential package; it should not be removed
Errors were encountered while processing:
 nano
"""
RPM = """\
error: Failed dependencies:
	nano is needed by (installed) top-1-1.x86_64
"""


@pytest.mark.parametrize(
    ("printed", "reasons"),
    [
        (DPKG, "pre depends on nano; top depends on nano (>= 1)"),
        (DPKG_ESSENTIAL, "this is an essential package; it should not be removed"),
        (RPM, "nano is needed by (installed) top-1-1.x86_64"),
    ],
    ids=["dpkg", "essential", "rpm"],
)
def test_says_what_needs_a_package_and_that_the_spec_is_to_blame(printed: str, reasons: str) -> None:
    family = changes if printed == RPM else apt_additions
    error = family.kept_back(CommandFailed(("remove",), 1, printed), ["nano"])
    assert isinstance(error, RecipeError)
    assert error.what == f"nano cannot be removed: {reasons}"
    told = blamed(error, replace(NOTHING, name="web", file="web.toml", removed=("nano",)), DEBIAN)
    assert isinstance(told, CallerError)
    assert "packages.remove: 'nano': nano cannot be removed" in told.what


@pytest.mark.parametrize("family", [changes, apt_additions])
def test_leaves_other_failures_as_they_are(family: object) -> None:
    failure = CommandFailed(("remove",), 1, "error: disk I/O error\n")
    assert family.kept_back(failure, ["nano"]) is failure  # type: ignore[attr-defined]
