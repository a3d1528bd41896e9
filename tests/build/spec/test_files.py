"""Files that a spec names: found beside it, taken as they are."""

import os
from pathlib import Path

import pytest

from build.errors import CallerError
from build.spec import load
from tests.build.spec.texts import refusal, spec


def test_finds_files_beside_the_spec_that_names_them(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    (inner / "www/sub").mkdir(parents=True)
    (inner / "www/index.html").write_text("hello")
    (inner / "www/index.html").chmod(0o600)
    (inner / "www/sub/run").write_text("#!/bin/sh")
    (inner / "www/sub/run").chmod(0o700)
    (inner / "www/link").symlink_to("index.html")
    spec(inner, '[[files]]\npath = "/srv/www"\nsource = "www"\nowner = "33"\n', "base.toml")
    found = load(spec(tmp_path, 'extends = "inner/base.toml"'))
    assert [(file.path, file.mode, file.owner, file.target) for file in found.files] == [
        ("/srv/www/index.html", 0o644, "33", ""),
        ("/srv/www/link", 0o644, "33", "index.html"),
        ("/srv/www/sub/run", 0o755, "33", ""),
    ]


def test_refuses_what_is_no_file_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()
    os.mkfifo(tmp_path / "www/pipe")
    message = refusal(tmp_path, '[[files]]\npath = "/srv/www"\nsource = "www"\n')
    assert message.endswith("it holds something that is neither a file nor a folder nor a link")


def test_notices_a_file_that_changed_since_it_was_planned(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one")
    (file,) = load(spec(tmp_path, '[[files]]\npath = "/a"\nsource = "a"\n')).files
    assert file.content
    (tmp_path / "a").write_text("two")
    with pytest.raises(CallerError, match="changed while the image was built"):
        file.content.read()
