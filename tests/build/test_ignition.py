"""Specs as Ignition configs, for images that are published whole."""

import base64
import hashlib
import json
from pathlib import Path

import pytest

from build import ignition
from build.errors import CallerError
from build.ignition import config, require_possible
from build.oem import CustomizeOem, merged
from build.spec import load
from build.spec.steps import steps as spec_steps
from build.spec.value import File, Services, Spec, User, shown


def test_writes_a_spec_as_an_ignition_config() -> None:
    spec = Spec(
        files=(
            File("/etc/motd", shown("hello\n"), 0o600, "core", "500"),
            File("/etc/systemd/system/web.service", shown("[Service]\nExecStart=/bin/true\n")),
            File("/opt/link", None, target="../usr/bin"),
        ),
        services=Services(enable=("web.service",), disable=("update-engine.service",), mask=("locksmithd.service",)),
        users=(User("web", ("docker",), ("ssh-ed25519 AAAA me",), sudo=True),),
        timezone="Europe/Berlin",
    )
    told = json.loads(config(spec))
    assert told["ignition"] == {"version": ignition.VERSION}
    motd, sudoers = told["storage"]["files"]
    assert (motd["path"], motd["mode"], motd["overwrite"]) == ("/etc/motd", 0o600, True)
    assert (motd["user"], motd["group"]) == ({"name": "core"}, {"id": 500})
    assert motd["contents"]["source"] == "data:;base64,aGVsbG8K"
    assert sudoers["path"] == "/etc/sudoers.d/web"
    assert [(one["path"], one["target"]) for one in told["storage"]["links"]] == [
        ("/opt/link", "../usr/bin"),
        ("/etc/localtime", "../usr/share/zoneinfo/Europe/Berlin"),
    ]
    assert told["systemd"]["units"] == [
        {"name": "web.service", "contents": "[Service]\nExecStart=/bin/true\n", "enabled": True},
        {"name": "update-engine.service", "enabled": False},
        {"name": "locksmithd.service", "mask": True},
    ]
    (user,) = told["passwd"]["users"]
    assert (user["name"], user["groups"], user["sshAuthorizedKeys"]) == ("web", ["docker"], ["ssh-ed25519 AAAA me"])
    assert config(spec) == config(spec)


def test_writes_no_config_for_nothing() -> None:
    assert config(Spec()) == ""


@pytest.mark.parametrize(
    ("spec", "key"),
    [
        (Spec(packages=("htop",)), "packages.add"),
        (Spec(removed=("vim",)), "packages.remove"),
        (Spec(removed_arguments=("quiet",)), "kernel_arguments.remove"),
        (Spec(locale="de_DE.UTF-8"), "locale"),
        (Spec(first_boot=shown("#cloud-config\n")), "first_boot"),
    ],
)
def test_refuses_what_ignition_cannot_do_and_says_why(spec: Spec, key: str) -> None:
    with pytest.raises(CallerError, match=key):
        require_possible(spec)


def test_keeps_the_vendors_own_base_config_under_the_users() -> None:
    told = json.loads(merged('{"ignition": {"version": "3.0.0"}}', config(Spec(timezone="UTC"))))
    (below,) = told["ignition"]["config"]["merge"]
    assert below["source"].startswith("data:;base64,")
    assert told["storage"]["links"]


def test_tells_what_a_spec_comes_to_without_its_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A plan's id must not let anybody guess a short secret: its digest is slow, and stands for the whole config."""
    monkeypatch.setenv("TOKEN", "sesame open")
    (tmp_path / "edge.toml").write_text(
        'distro = "flatcar"\n[[files]]\npath = "/etc/token"\ncontent = { from_env = "TOKEN" }\n'
        '[services]\nenable = ["docker"]\n[[users]]\nname = "ada"\nsudo = true\n'
    )
    spec = load(tmp_path / "edge.toml")
    content = ignition.base(spec)
    assert content
    assert base64.b64encode(b"sesame open") in content.read()
    assert content.digest != hashlib.sha256(content.read()).hexdigest()
    effects = tuple(line for step in spec_steps(spec) for line in step.describe().splitlines())
    step = CustomizeOem("edge", content, None, (), effects)
    for text in (repr(step), step.describe()):
        assert "sesame" not in text
        assert base64.b64encode(b"sesame open").decode() not in text
    for line in ("/etc/token (0600 root:root, secret from environment variable TOKEN)", "enable docker.service"):
        assert line in step.describe()
