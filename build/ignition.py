"""A spec as an Ignition config (specification 3.3.0, coreos.github.io/ignition): what a first boot makes of it."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from build.spec.complaint import Unfit
from build.spec.value import IGNITION, Content, File, Spec, User, first_boot_kind, hidden, shown

VERSION = "3.3.0"
"""Understood by every Flatcar since 3185 (2022) and by Ignition 2.14."""
UNITS = "/etc/systemd/system/"
UNIT_KINDS = (".service", ".socket", ".timer", ".path", ".target", ".mount", ".automount", ".swap", ".slice")
SUDO = "{name} ALL=(ALL) NOPASSWD: ALL\n"
IMPOSSIBLE = {
    "packages.add": "none can be added: its /usr is one read-only image (use containers, or a sysext as a file)",
    "packages.remove": "none can be taken out: its /usr is one read-only image",
    "repositories.name": "it has no package manager, and so no repositories",
    "commands.run": "no command can be run in it while it is built: write a unit that runs at the first boot",
    "kernel_arguments.remove": "its own kernel arguments lie in a partition that is signed and stays as it is",
    "locale": "it has no other locale than its own",
}
"""What a spec may ask for and an image that Ignition configures cannot have."""


def require_possible(spec: Spec) -> None:
    """Raise CallerError for what cannot be told to Ignition."""
    said = {
        "packages.add": spec.packages,
        "packages.remove": spec.removed,
        "repositories.name": spec.repositories,
        "commands.run": spec.commands,
        "kernel_arguments.remove": spec.removed_arguments,
        "locale": spec.locale,
    }
    for key, reason in IMPOSSIBLE.items():
        if said[key]:
            raise Unfit(key, None, reason, "take it out of the spec")
    if spec.first_boot and first_boot_kind(spec.first_boot) != IGNITION:
        raise Unfit(
            *("first_boot.user_data", None),
            "such an image takes an Ignition config",
            "convert it with Butane, or say files, services and users in the spec",
        )


def base(spec: Spec) -> Content | None:
    """The config of a spec as content: a secret as a whole where any of it is one."""
    text = config(spec)
    if not text:
        return None
    return hidden(text.encode(), "the spec") if spec.secrets else shown(text)


def config(spec: Spec) -> str:
    """The spec's files, units and users as a config, empty where it has none; equal specs give equal texts."""
    told: dict[str, Any] = {}
    if storage := _storage(spec):
        told["storage"] = storage
    if units := list(_units(spec)):
        told["systemd"] = {"units": units}
    if spec.users:
        told["passwd"] = {"users": [_user(user) for user in spec.users]}
    if not told:
        return ""
    return json.dumps({"ignition": {"version": VERSION}, **told}, indent=1, sort_keys=True) + "\n"


def _storage(spec: Spec) -> dict[str, Any]:
    plain = [one for one in spec.files if not one.target and not _is_unit(one)]
    files = [_file(one) for one in plain if one.content is not None]
    sudoers = [user.name for user in spec.users if user.sudo]
    files += [_text(f"/etc/sudoers.d/{name}", SUDO.format(name=name), 0o440) for name in sudoers]
    links = [{**_owned(one), "path": one.path, "target": one.target} for one in spec.files if one.target]
    if spec.timezone:
        links.append({"path": "/etc/localtime", "target": f"../usr/share/zoneinfo/{spec.timezone}"})
    every = {"files": files, "links": links}
    return {kind: [{**one, "overwrite": True} for one in found] for kind, found in every.items() if found}


def _file(file: File) -> dict[str, Any]:
    assert file.content is not None
    return {**_owned(file), **_text(file.path, file.content.read(), file.mode)}


def _text(path: str, content: str | bytes, mode: int) -> dict[str, Any]:
    data = content.encode() if isinstance(content, str) else content
    source = f"data:;base64,{base64.b64encode(data).decode()}"
    return {"path": path, "mode": mode, "contents": {"source": source}}


def _owned(file: File) -> dict[str, Any]:
    """Owner and group, where they are not root's, which is what Ignition takes by itself."""
    wanted = {"user": file.owner, "group": file.group}
    return {key: _identity(name) for key, name in wanted.items() if name not in ("root", "0")}


def _identity(name: str) -> dict[str, Any]:
    return {"id": int(name)} if name.isdecimal() else {"name": name}


def _units(spec: Spec) -> Iterator[dict[str, Any]]:
    units: dict[str, dict[str, Any]] = {}
    for file in filter(_is_unit, spec.files):
        assert file.content is not None
        text = file.content.read().decode("utf-8", "strict")
        units[file.path.removeprefix(UNITS)] = {"contents": text}
    for words, change in (
        (spec.services.enable, {"enabled": True}),
        (spec.services.disable, {"enabled": False}),
        (spec.services.mask, {"mask": True}),
    ):
        for name in words:
            units.setdefault(name, {}).update(change)
    for name, unit in units.items():
        yield {"name": name, **unit}


def _is_unit(file: File) -> bool:
    """Whether it is a unit of its own: Ignition refuses to write the same path as a unit and as a file."""
    name = file.path.removeprefix(UNITS)
    own = file.path.startswith(UNITS) and "/" not in name and name.endswith(UNIT_KINDS)
    return own and not file.target and file.content is not None


def _user(user: User) -> dict[str, Any]:
    told: dict[str, Any] = {"name": user.name, "shell": user.shell}
    if user.groups:
        told["groups"] = list(user.groups)
    if user.ssh_keys:
        told["sshAuthorizedKeys"] = list(user.ssh_keys)
    if user.password:
        told["passwordHash"] = user.password.read().decode()
    return told
