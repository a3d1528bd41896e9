"""The manifest: what goes in comes out, and damage is said."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from build.errors import CallerError
from build.manifest import NAME, Manifest, Package
from distros import all_recipes

MANIFEST = Manifest(
    name="debian-13-genboth-x86_64",
    distro="debian",
    release="13",
    arch="x86_64",
    generations=(1, 2),
    kind="generalized",
    provisioner="cloud-init",
    hostname="",
    admin="",
    digest="d" * 64,
    plan_id="p" * 64,
    source_date_epoch=1_700_000_000,
    kernel="6.12.1-cloud-amd64",
    root_uuid="9daa31c3-1fc7-5368-8102-42f18ad3f954",
    cmdline="console=ttyS0",
    sizes={"virtual": 1 << 30, "file": (1 << 30) + 512, "allocated": 4096},
    archives=({"url": "http://archive", "suite": "stable", "sha256": "a" * 64},),
    packages=(Package("bash", "5.2-1", "amd64"), Package("tzdata", "2025a", "all")),
    recipe=json.loads(json.dumps(asdict(next(all_recipes())))),
    durations={"Install": 12.5},
    tools={"mke2fs": "1.47.2"},
    normalized=("/etc/shadow",),
)


def test_reads_what_it_wrote(tmp_path: Path) -> None:
    MANIFEST.save(tmp_path)
    assert Manifest.load(tmp_path) == MANIFEST
    assert Manifest.load(tmp_path / NAME) == MANIFEST


def test_is_the_same_text_for_the_same_image(tmp_path: Path) -> None:
    MANIFEST.save(tmp_path)
    text = (tmp_path / NAME).read_bytes()
    replace(Manifest.load(tmp_path)).save(tmp_path)
    assert (tmp_path / NAME).read_bytes() == text


def damaged(**changes: object) -> str:
    return json.dumps({**asdict(MANIFEST), **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is damaged"),
        ("{", "is damaged"),
        ("[]", "is damaged"),
        ("{}", "is damaged.*schema"),
        (damaged(schema=99), "schema 99, this Kiln reads 1"),
        (damaged(packages=[{"name": "bash"}]), "is damaged"),
        (damaged(packages=7), "is damaged"),
        (damaged(generations=None), "is damaged"),
        (json.dumps({key: value for key, value in asdict(MANIFEST).items() if key != "digest"}), "is damaged.*digest"),
    ],
)
def test_refuses_a_damaged_one_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / NAME).write_text(text)
    with pytest.raises(CallerError, match=message) as refusal:
        Manifest.load(tmp_path)
    assert "\n" not in refusal.value.what
    assert refusal.value.hint


def test_refuses_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CallerError, match="is damaged"):
        Manifest.load(tmp_path)


def test_says_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match=r"there is no .*manifest\.json"):
        Manifest.load(tmp_path)
