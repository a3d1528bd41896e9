"""What mmdebstrap's failures mean, and for whom."""

import pytest

from build.command import CommandFailed
from build.errors import KilnError, MachineError, RecipeError
from build.mmdebstrap import blamed

NOISE = "I: running apt-get update...\n{}\nE: setup failed: E: apt-get failed\n"


@pytest.mark.parametrize(
    ("line", "kind", "hint"),
    [
        ("E: Unable to locate package no-such-thing", RecipeError, "names a package"),
        ("E: Package 'vim-tiny' has no installation candidate", RecipeError, "names a package"),
        (" grub-pc : Conflicts: grub-efi-amd64; E: unmet dependencies", RecipeError, "exclude each other"),
        ("tar: ./usr/lib/x: Cannot write: No space left on device", MachineError, "KILN_CACHE"),
        ("E: Failed to fetch http://a/b.deb  Could not connect to 127.0.0.1:9", MachineError, "without --offline"),
        ("E: Failed to fetch http://a/b.deb  404  Not Found", MachineError, "--mirror"),
        ("E: Failed to fetch http://a/Packages  Hash Sum mismatch", MachineError, "try again"),
        ("E: Release file for http://a/InRelease is expired (invalid since 1h)", MachineError, "another mirror"),
        ("dpkg-deb: error: archive is truncated", MachineError, "./kiln clean"),
    ],
)
def test_tells_who_must_act(line: str, kind: type[KilnError], hint: str) -> None:
    error = blamed(CommandFailed(("mmdebstrap",), 25, NOISE.format(line)))
    assert type(error) is kind
    assert line.strip() in error.what
    assert "\n" not in error.what
    assert hint in error.hint


def test_leaves_a_failure_that_it_does_not_know_as_it_is() -> None:
    failure = CommandFailed(("mmdebstrap",), 25, NOISE.format("E: something else"))
    assert blamed(failure) is failure
