"""Specs that extend others."""

from pathlib import Path

import pytest

from build.errors import CallerError
from build.spec import load
from build.spec.value import Services
from tests.build.spec.texts import spec

BASE = """\
distro = "debian"
size = "4G"
timezone = "Etc/UTC"
[packages]
add = ["nano", "jq"]
remove = ["vim-tiny"]
[services]
enable = ["a", "b"]
[[files]]
path = "/etc/a"
content = "base"
[[files]]
path = "/etc/b"
content = "base"
[[commands]]
run = "first"
"""


def test_lays_one_spec_over_another(tmp_path: Path) -> None:
    spec(tmp_path, BASE, "base.toml")
    found = load(
        spec(
            tmp_path,
            'extends = "base.toml"\nsize = "5G"\n[packages]\nadd = ["vim-tiny", "curl"]\nremove = ["nano"]\n'
            '[services]\nmask = ["b"]\n[[files]]\npath = "/etc/a"\ncontent = "over"\n[[commands]]\nrun = "second"\n',
        )
    )
    assert (found.wishes.distro, found.wishes.size, found.timezone) == ("debian", 5 << 30, "Etc/UTC")
    assert found.packages == ("jq", "vim-tiny", "curl")
    assert found.removed == ("nano",)
    assert found.services == Services(enable=("a.service",), mask=("b.service",))
    assert {file.path: file.content.read() for file in found.files if file.content} == {
        "/etc/a": b"over",
        "/etc/b": b"base",
    }
    assert [command.words[-1] for command in found.commands] == ["first", "second"]


def test_drops_what_it_is_told_to_replace(tmp_path: Path) -> None:
    spec(tmp_path, BASE, "base.toml")
    text = 'extends = "base.toml"\nreplace = ["packages.add", "commands", "services"]\n[[commands]]\nrun = "only"\n'
    found = load(spec(tmp_path, text))
    assert (found.packages, found.removed, found.services) == ((), ("vim-tiny",), Services())
    assert [command.words[-1] for command in found.commands] == ["only"]


def test_takes_a_base_that_two_specs_extend_once(tmp_path: Path) -> None:
    spec(tmp_path, '[[commands]]\nrun = "base"\n', "base.toml")
    for name in ("one", "two"):
        spec(tmp_path, f'extends = "base.toml"\n[[commands]]\nrun = "{name}"\n', f"{name}.toml")
    found = load(spec(tmp_path, 'extends = ["one.toml", "two.toml"]'))
    assert [command.words[-1] for command in found.commands] == ["base", "one", "two"]


def test_refuses_a_circle_of_several(tmp_path: Path) -> None:
    spec(tmp_path, 'extends = "b.toml"', "a.toml")
    spec(tmp_path, 'extends = "a.toml"', "b.toml")
    with pytest.raises(
        CallerError, match=r"b.toml:1: extends: specs go round in a circle: a.toml extends b.toml extends"
    ):
        load(tmp_path / "a.toml")


def test_names_an_image_by_its_key_or_its_file(tmp_path: Path) -> None:
    assert load(spec(tmp_path, "")).name == "web"
    assert load(spec(tmp_path, 'name = "other"')).name == "other"
    spec(tmp_path, 'name = "base"\n', "base.toml")
    assert load(spec(tmp_path, 'extends = "base.toml"')).name == "web"
    with pytest.raises(CallerError, match="say a 'name'"):
        load(spec(tmp_path, "", "my web!.toml"))
