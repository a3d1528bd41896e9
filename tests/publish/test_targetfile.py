"""Targets: what they come to, and every fault with its line."""

from datetime import date
from pathlib import Path

import pytest

from build.errors import CallerError
from publish import desired
from publish.playground import contract
from publish.target import Target
from publish.targetfile import load
from tests.publish.targets import EVERYTHING, PLAIN

GALLERY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/x"


def target(folder: Path, text: str) -> Target:
    file = folder / "gallery.toml"
    file.write_text(text)
    return load(file)


def test_fills_in_what_is_not_said(tmp_path: Path) -> None:
    made = target(tmp_path, PLAIN)
    assert (made.cloud.name, made.kind, made.staging.container, made.staging.route) == (
        "public",
        "gallery",
        "kiln",
        "blob",
    )
    assert [(one.name, one.replicas, one.storage) for one in made.version.regions] == [
        ("westeurope", 1, "Standard_LRS")
    ]
    assert made.version.exclude_from_latest
    assert made.definitions[1].controllers == ("SCSI", "NVMe")
    assert made.blob_endpoint == "https://imagestaging.blob.core.windows.net"


def test_takes_every_key(tmp_path: Path) -> None:
    made = target(tmp_path, EVERYTHING)
    assert (made.cloud.name, made.location, made.definitions[0].end_of_life) == (
        "usgov",
        "westeurope",
        date(2030, 6, 30),
    )
    assert [(one.name, one.storage) for one in made.version.regions] == [
        ("westeurope", "Standard_ZRS"),
        ("westus", "Premium_LRS"),
    ]
    assert made.sharing.groups == ("00000000-0000-0000-0000-0000000000dd",)
    assert made.sharing.community


@pytest.mark.parametrize("text", [PLAIN, EVERYTHING], ids=["plain", "everything"])
def test_comes_to_bodies_that_azure_s_own_schema_takes(text: str, tmp_path: Path) -> None:
    made = target(tmp_path, text)
    source = desired.Source("https://a.blob.core.windows.net/c/x.vhd", made.account_id)
    data = {3: desired.Source("https://a.blob.core.windows.net/c/y.vhd", made.account_id)}
    faults = contract.request_faults("PUT", GALLERY, desired.gallery(made))
    for one in made.definitions:
        faults += contract.request_faults("PUT", f"{GALLERY}/images/d", desired.definition(made, one))
    for disks in ({}, data):
        body = desired.version(made, source, disks, {"a": "b"})
        faults += contract.request_faults("PUT", f"{GALLERY}/images/d/versions/1.2.3", body)
    assert not faults


@pytest.mark.parametrize(
    ("old", "new", "line", "what"),
    [
        ('name = "linux"', 'name = "linux-images"', 6, "a gallery's name has at most 80 letters, digits, dots"),
        ('sku = "12-gen1"', 'sku = "12"', 15, "'12' must end in -gen1"),
        ('name = "debian-12-gen2"', 'name = "debian-12"', 19, "'debian-12' must end in -gen2"),
        ('sku = "12-gen1"\ngeneration = 1', 'sku = "12-gen2"\ngeneration = 2', 12, "must end in -gen2"),
        ("generation = 1", "generation = 3", 16, "3 will not do: from 1 to 2"),
        ("[staging]", "[version]\nmajor = 3000000000\n[staging]", 9, "3000000000 will not do: from 0 to 2147483647"),
        ("generation = 1", 'generation = 1\nsecurity = "TrustedLaunch"', 17, "needs generation 2"),
        ("generation = 1", 'generation = 1\ncontrollers = ["NVMe"]', 17, "'NVMe' needs generation 2"),
        ("generation = 1", 'generation = 1\nstat = "generalized"', 17, "there is no such key; did you mean 'state'?"),
        ('account = "imagestaging"', 'account = "Image"', 9, "3 to 24 lower-case letters and digits"),
        ('account = "imagestaging"', 'container = "x"', 9, "3 to 63 lower-case letters"),
        ('location = "westeurope"\n', "", 1, "the key 'location' is missing"),
        (
            'location = "westeurope"',
            'location = "westeurope"\nkind = "managed-disk"',
            1,
            "the table [managed_disk] is missing",
        ),
        ('location = "westeurope"', 'location = "westeurope"\ncloud = "custom"', 1, "go together"),
        ("[staging]", '[version]\nregion = [{ name = "westus" }]\n[staging]', 9, "westeurope, is not among them"),
        ("[staging]", "[version]\nend_of_life = 30\n[staging]", 9, "write it without quotes, as 2030-06-30"),
        (
            "[staging]",
            '[[version.uefi_keys.db]]\ntype = "x509"\nvalue = ["§"]\n[staging]',
            10,
            "this is no base64",
        ),
        ("[staging]", '[[data_disk]]\nlun = 1\nfile = "none.vhd"\n[staging]', 10, "there is no file"),
        ("[staging]", "[staging", 8, "expected ']'"),
    ],
)
def test_names_the_line_of_each_fault(old: str, new: str, line: int, what: str, tmp_path: Path) -> None:
    with pytest.raises(CallerError) as caught:
        target(tmp_path, PLAIN.replace(old, new, 1))
    told = caught.value.what
    assert what.lower() in told.lower()
    assert f"gallery.toml:{line}:" in told


def test_names_every_fault_at_once(tmp_path: Path) -> None:
    with pytest.raises(CallerError) as caught:
        target(tmp_path, PLAIN.replace("generation = 1", "generation = 7").replace("imagestaging", "x"))
    assert len(caught.value.what.splitlines()) == 2


@pytest.mark.parametrize(
    ("kind", "table", "why"),
    [
        ("managed-image", "managed_image", "definitions and their versions are a gallery's"),
        ("managed-disk", "managed_disk", "definitions and their versions are a gallery's"),
    ],
)
def test_says_what_a_kind_cannot_have_and_which_can(kind: str, table: str, why: str, tmp_path: Path) -> None:
    text = PLAIN.replace("[gallery]", f"[{table}]\ngeneration = 2\n").replace("\n[staging]", "\n[staging]", 1)
    with pytest.raises(CallerError, match=why):
        target(tmp_path, text.replace("location =", f'kind = "{kind}"\nlocation ='))


def test_says_where_to_find_an_example(tmp_path: Path) -> None:
    with pytest.raises(CallerError) as caught:
        load(tmp_path / "none.toml")
    assert "docs/publishing.md" in caught.value.hint
