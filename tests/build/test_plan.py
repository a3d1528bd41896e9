"""Plans: which steps an image takes, under what name and id."""

from dataclasses import replace
from itertools import combinations, product

import pytest

from build.plan import BuildPlan, ids, image_name, plan
from distros.recipe import KINDS, PROVISIONERS
from tests.build.plans import BUILDABLE, EPOCH, GIB, choices, states

RECIPES = {recipe.name: recipe for recipe in BUILDABLE if recipe.arch == "x86_64"}


def planned(
    name: str = "debian-13", generation: str = "both", kind: str = "generalized", by: str = "cloud-init"
) -> BuildPlan:
    recipe = RECIPES[name]
    return plan(recipe, choices(generation, kind, by, next(iter(recipe.kernels))), states(recipe), EPOCH)


def titles(build: BuildPlan) -> list[str]:
    return [step.describe().splitlines()[0] for step in build.steps]


COMMON = [
    "Write /etc/fstab by UUID",
    "Write /boot/grub/grub.cfg with the image's own grub-mkconfig",
]
BIOS = ["Make GRUB's core image for BIOS"]
UEFI = ["Put GRUB's UEFI modules beside its menu"]
SEAL = ["Take out what one machine alone may have: ids, keys, leases, logs; lock root"]
STAGED = ["Put the signed loaders together for the EFI system partition"]
ESP = ["Make the EFI system partition with the signed shim and GRUB"]


@pytest.mark.parametrize(
    ("generation", "kind", "by", "expected"),
    [
        (
            "both",
            "generalized",
            "cloud-init",
            [
                *(*COMMON, *BIOS, *UEFI, *SEAL, *STAGED),
                "Make a disk of 30720 MiB: GPT with bios, esp, root",
                "Make the root file system (ext4) of 30591 MiB from the tree",
                *(*ESP, "Write the BIOS boot loader at sector 2048"),
            ],
        ),
        (
            "1",
            "generalized",
            "waagent",
            [
                *(*COMMON, *BIOS, *SEAL),
                "Make a disk of 30720 MiB: DOS with root",
                "Make the root file system (ext4) of 30719 MiB from the tree",
                "Write the BIOS boot loader at sector 1",
            ],
        ),
        (
            "2",
            "specialized",
            "none",
            [
                *("Add the administrator operator with an SSH key", *COMMON, *UEFI, *SEAL, "Name the machine web-1"),
                *STAGED,
                "Make a disk of 30720 MiB: GPT with esp, root",
                "Make the root file system (ext4) of 30594 MiB from the tree",
                *ESP,
            ],
        ),
    ],
)
def test_takes_these_steps_in_this_order(generation: str, kind: str, by: str, expected: list[str]) -> None:
    found = titles(planned("debian-13", generation, kind, by))
    assert found[0].startswith("Install ")
    assert [
        title for title in found[1:] if title.split()[-1] not in ("recipe", "units", "/etc/waagent.conf")
    ] == expected


EVERY = list(product(RECIPES, ("1", "2", "both"), KINDS, PROVISIONERS))


@pytest.mark.parametrize("variant", EVERY, ids="-".join)
def test_describes_every_step_of_every_variant_in_a_short_title(variant: tuple[str, str, str, str]) -> None:
    build = planned(*variant)
    assert all(0 < len(title) <= 100 for title in titles(build))
    assert build.layout.boots_bios == (variant[1] != "2")
    assert (build.layout.esp is None) == (variant[1] == "1")


def test_names_every_variant_differently() -> None:
    names = {image_name(RECIPES[name], choices(*rest, next(iter(RECIPES[name].kernels)))) for name, *rest in EVERY}
    assert len(names) == len(EVERY)


@pytest.mark.parametrize(
    ("variant", "name"),
    [
        (("both",), "debian-13-genboth-x86_64"),
        (("1", "specialized"), "debian-13-gen1-specialized-x86_64"),
        (("2", "generalized", "waagent"), "debian-13-gen2-waagent-x86_64"),
        (("both", "specialized", "none"), "debian-13-genboth-specialized-none-x86_64"),
    ],
)
def test_calls_an_image_by_what_tells_it_apart(variant: tuple[str, ...], name: str) -> None:
    assert image_name(RECIPES["debian-13"], choices(*variant)) == name


def test_gives_every_step_an_id_of_its_own_and_the_same_one_again() -> None:
    steps = planned().steps
    assert len({*ids(steps, EPOCH)}) == len(steps)
    assert list(ids(steps, EPOCH)) == list(ids(planned().steps, EPOCH))


def test_changes_every_id_from_the_changed_step_on() -> None:
    steps = planned().steps
    before = list(ids(steps, EPOCH))
    after = list(ids((*steps[:5], steps[6], *steps[6:]), EPOCH))
    assert before[:5] == after[:5]
    assert not {*before[5:]} & {*after[5:]}


def test_has_another_id_for_whatever_changes_the_image() -> None:
    recipe, plain = RECIPES["debian-13"], choices()
    state = states(recipe)
    named = choices(kind="specialized")
    builds = [
        plan(recipe, plain, state, EPOCH),
        plan(recipe, plain, state, EPOCH + 1),
        plan(recipe, plain, states(recipe, "b" * 64), EPOCH),
        plan(recipe, replace(plain, size=31 * GIB), state, EPOCH),
        plan(recipe, named, state, EPOCH),
        plan(recipe, replace(named, hostname="web-2"), state, EPOCH),
        plan(recipe, replace(named, ssh_key="ssh-ed25519 BBBB me"), state, EPOCH),
        plan(replace(recipe, cmdline=(*recipe.cmdline, "quiet")), plain, state, EPOCH),
        plan(replace(recipe, packages=(*recipe.packages, "htop")), plain, state, EPOCH),
        plan(replace(recipe, ext4_features="none,extent"), plain, state, EPOCH),
    ]
    assert all(one.id != other.id for one, other in combinations(builds, 2))


def test_takes_the_tree_that_is_cached_for_both_kinds_of_one_image() -> None:
    assert planned(kind="generalized").steps[0] == planned(kind="specialized").steps[0]


def test_holds_no_path_of_this_machine() -> None:
    for variant in EVERY:
        text = repr(planned(*variant).steps)
        assert "/root/" not in text.replace("/root/.", "")
        assert "/tmp" not in text
        assert "cache" not in text


@pytest.mark.parametrize("by", PROVISIONERS)
def test_lets_nothing_provision_a_specialized_image(by: str) -> None:
    text = "\n".join(step.describe() for step in planned(kind="specialized", by=by).steps)
    assert "kiln-report-ready.service" not in text.split("Enable")[1].split("Write")[0]
    assert ("Provisioning.Agent=disabled" in text) == (by != "none")
