"""From a spec's file to its value: layers read and laid over each other, then everything that they refer to."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from build import keys
from build.errors import CallerError
from build.names import IMAGE, IMAGE_HINT, PUBLIC_KEY
from build.sizes import parse_size
from build.spec import layer
from build.spec.complaint import Complaint, complaint
from build.spec.document import Node
from build.spec.folder import from_source
from build.spec.places import places
from build.spec.value import (
    OTHER,
    Command,
    Content,
    ExtraRepository,
    File,
    Services,
    Spec,
    User,
    Wishes,
    first_boot_kind,
    hidden,
    shown,
    unit,
)

PASSWORD_HASH = re.compile(r"\$(y|gy|7|6|5|2[abxy])\$[A-Za-z0-9./$=,]{8,}")
"""Hashes that crypt(5) knows and that are fit for use; what is no hash would be a password in the clear."""


def load(file: Path) -> Spec:
    """The spec with everything that it extends. Raises CallerError that names every fault with file, line and key."""
    reader = _Reader(layer.read(file.expanduser()))
    spec = reader.spec(file)
    layer.refuse(reader.complaints)
    return spec


class _Reader:
    """Builds the value from checked nodes; `complaints` gathers what only the files and the environment can tell."""

    def __init__(self, whole: Node) -> None:
        self.whole = whole
        self.complaints: list[Complaint] = []

    def spec(self, file: Path) -> Spec:
        top = self.whole.value
        packages, arguments = self._table("packages"), self._table("kernel_arguments")
        services = {key: tuple(map(unit, _words(node))) for key, node in self._table("services").items()}
        return Spec(
            name=top["name"].value if "name" in top else self._stem(file),
            wishes=self._wishes(),
            packages=_words(packages.get("add")),
            removed=_words(packages.get("remove")),
            repositories=tuple(self._each("repositories", self._repository)),
            files=tuple(one for found in self._each("files", self._files) for one in found),
            commands=tuple(self._each("commands", self._command)),
            services=Services(**services),
            arguments=_words(arguments.get("add")),
            removed_arguments=_words(arguments.get("remove")),
            users=tuple(self._each("users", self._user)),
            locale=self._said("locale", ""),
            timezone=self._said("timezone", ""),
            first_boot=self._first_boot(),
            file=file.name,
            places=tuple(places(self.whole)),
        )

    def _stem(self, file: Path) -> str:
        """The file's own name, where the spec has no other."""
        name = file.stem.lower()
        if not IMAGE.fullmatch(name):
            self._complain(self.whole, f"the file's name cannot be part of an image's: {IMAGE_HINT}; say a 'name'")
        return name

    def _complain(self, node: Node, what: str) -> None:
        self.complaints.append(complaint(node.place, what))

    def _table(self, key: str) -> dict[str, Node]:
        found = self.whole.value.get(key)
        return found.value if found else {}

    def _said(self, key: str, default: Any) -> Any:
        return self.whole.value[key].value if key in self.whole.value else default

    def _each(self, key: str, make: Callable[[Node], Any]) -> Iterator[Any]:
        for node in self._said(key, []):
            yield make(node)

    def _wishes(self) -> Wishes:
        size = self._said("size", None)
        kind = self._said("type", None)
        hostname, users = self.whole.value.get("hostname"), self.whole.value.get("users")
        if kind == "generalized":
            for node in (hostname, users):
                if node:
                    self._complain(
                        node, "belongs to a specialized image: Azure names each machine of a generalized one"
                    )
        names = ("distro", "release", "arch", "kernel", "generation", "provisioner", "hostname")
        return Wishes(
            kind=kind,
            size=None if size is None else parse_size(size),
            **{name: self._said(name, None) for name in names},
        )

    def _path(self, node: Node) -> Path:
        return node.folder / Path(node.value).expanduser()

    def _bytes(self, node: Node) -> bytes:
        """What a file holds; a complaint and nothing where it cannot be read."""
        try:
            return self._path(node).read_bytes()
        except OSError as refusal:
            self._complain(node, f"{node.value} cannot be read: {refusal.strerror}")
            return b""

    def _content(self, node: Node, *, stripped: bool = False) -> Content:
        """Text as it stands, or a secret from where the spec says, if `stripped` without the end of its last line."""
        if isinstance(node.value, str):
            return shown(node.value)
        ((way, said),) = node.value.items()
        if way == "from_env":
            value, where = os.environ.get(said.value, "").encode(), f"environment variable {said.value}"
            if not value:
                self._complain(said, f"the environment has no {said.value}, or an empty one")
        else:
            value, where = self._bytes(said), f"file {said.value}"
            if not value and not self._complained(said):
                self._complain(said, f"{said.value} is empty")
        return hidden(value.rstrip(b"\r\n") if stripped else value, where)

    def _complained(self, node: Node) -> bool:
        return any(one.line == node.place.line and one.text.startswith(node.place.key) for one in self.complaints)

    def _repository(self, node: Node) -> ExtraRepository:
        table = node.value
        keyring, key = "", self._bytes(table["key"])
        if key:
            try:
                keyring = keys.take(self._path(table["key"]))
            except CallerError:
                self._complain(
                    table["key"], f"{table['key'].value} holds no OpenPGP key: give the public key that signs it"
                )
        return ExtraRepository(
            name=table["name"].value,
            kind=table["type"].value,
            url=table["url"].value.rstrip("/"),
            keyring=keyring,
            key=Content(hashlib.sha256(key).hexdigest(), held=key),
            suites=_words(table.get("suites")),
            components=_words(table.get("components")),
            signed_metadata=_value(table, "signed_metadata", True),
            keep=_value(table, "keep", True),
        )

    def _files(self, node: Node) -> tuple[File, ...]:
        table = node.value
        mode = int(table["mode"].value, 8) if "mode" in table else None
        owner, group = _value(table, "owner", "root"), _value(table, "group", "root")
        path = table["path"].value
        if "content" in table:
            content = self._content(table["content"])
            usual = 0o600 if content.secret else 0o644
            return (File(path, content, usual if mode is None else mode, owner, group),)
        try:
            return tuple(
                replace(one, owner=owner, group=group) for one in from_source(self._path(table["source"]), path, mode)
            )
        except (OSError, ValueError) as refusal:
            reason = getattr(refusal, "strerror", None) or str(refusal)
            self._complain(table["source"], f"{table['source'].value} cannot be read: {reason}")
            return ()

    def _command(self, node: Node) -> Command:
        table, run = node.value, node.value["run"]
        is_script = isinstance(run.value, str)
        words = ("/bin/sh", "-ec", run.value) if is_script else tuple(one.value for one in run.value)
        given = table["environment"].value if "environment" in table else {}
        environment = tuple((name, self._content(value, stripped=True)) for name, value in given.items())
        return Command(words, _value(table, "network", False), environment, f"{node.place}: {node.place.key}")

    def _user(self, node: Node) -> User:
        table = node.value
        lines = table["ssh_keys"].value if "ssh_keys" in table else ()
        return User(
            name=table["name"].value,
            groups=_words(table.get("groups")),
            ssh_keys=tuple(self._public_key(one) for one in lines),
            sudo=_value(table, "sudo", False),
            shell=_value(table, "shell", "/bin/bash"),
            password=self._password(table["password_hash"]) if "password_hash" in table else None,
        )

    def _public_key(self, node: Node) -> str:
        """One line; a public key is no secret, wherever it comes from."""
        before = len(self.complaints)
        line = self._content(node, stripped=True).read().decode("utf-8", "replace").strip()
        if len(self.complaints) == before and not PUBLIC_KEY.fullmatch(line):
            self._complain(node, "that is no public key of the OpenSSH form, as ~/.ssh/id_ed25519.pub has it")
        return line

    def _password(self, node: Node) -> Content:
        before = len(self.complaints)
        content = self._content(node, stripped=True)
        if len(self.complaints) == before and not PASSWORD_HASH.fullmatch(content.read().decode("utf-8", "replace")):
            self._complain(node, "that is no hash of a password: make one with `mkpasswd -m yescrypt`")
        return content

    def _first_boot(self) -> Content | None:
        said = self._table("first_boot").get("user_data")
        if said is None:
            return None
        before = len(self.complaints)
        content = self._content(said)
        if len(self.complaints) == before and first_boot_kind(content) == OTHER:
            self._complain(
                said,
                "it must begin with #cloud-config, or with #! as a script does, or be an Ignition config for Flatcar",
            )
        return content


def _value(table: dict[str, Node], key: str, default: Any) -> Any:
    return table[key].value if key in table else default


def _words(node: Node | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.value for one in node.value)) if node else ()
