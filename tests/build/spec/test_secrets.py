"""Secrets of a spec: carried to who needs them, and told to nobody."""

from dataclasses import replace
from pathlib import Path

import pytest

from build.spec import letter, load
from build.spec.value import Content, Spec, hidden
from tests.build.spec.texts import spec

SECRETS = """\
type = "specialized"
hostname = "a"
[[files]]
path = "/etc/token"
content = { from_env = "KILN_TOKEN" }
[[commands]]
run = "true"
environment = { TOKEN = { from_file = "token" }, PLAIN = "plain" }
[[users]]
name = "ada"
password_hash = { from_env = "KILN_HASH" }
[first_boot]
user_data = { from_file = "boot" }
"""


@pytest.fixture
def secretive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spec:
    monkeypatch.setenv("KILN_TOKEN", "hunter-one")
    monkeypatch.setenv("KILN_HASH", "$y$j9T$hunterhunter$threethree")
    (tmp_path / "token").write_text("hunter-two\n")
    (tmp_path / "boot").write_text("#!/bin/sh\necho hunter-four\n")
    return load(spec(tmp_path, SECRETS))


def test_keeps_secrets_out_of_a_value_s_representation(secretive: Spec) -> None:
    assert len(secretive.secrets) == 4
    assert "hunter" not in repr(secretive)


def test_carries_everything_in_its_letter(secretive: Spec) -> None:
    again = letter.read(letter.write(secretive))
    assert again == secretive
    assert again.secrets == secretive.secrets


def test_tells_secrets_apart_without_telling_them(secretive: Spec) -> None:
    (file,) = secretive.files
    other = replace(file, content=hidden(b"hunter-two", "environment variable KILN_TOKEN"))
    assert repr(other) != repr(file)
    assert hidden(b"x", "a") == hidden(b"x", "a")
    assert isinstance(file.content, Content)
    assert file.mode == 0o600
