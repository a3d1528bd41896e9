"""Requests and answers as values, so that a pretend service is a function `Request -> Response`. No sockets here."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree


@dataclass(frozen=True)
class Request:
    """What a guest asked. `headers` have lower-case names, `query` keeps repetitions, `client` is its address."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    client: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "headers", {name.lower(): value for name, value in self.headers.items()})

    @classmethod
    def to(
        cls, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b"", client: str = ""
    ) -> "Request":
        """The request for a target as the request line holds it, `/path?name=value`."""
        parts = urlsplit("//host" + target) if target.startswith("/") else urlsplit(target)
        query = tuple(parse_qsl(parts.query, keep_blank_values=True))
        return cls(method, parts.path, query, headers or {}, body, client)

    def parameter(self, name: str) -> str | None:
        """The first value of a query parameter, None when it is absent."""
        return next((value for key, value in self.query if key == name), None)

    @property
    def target(self) -> str:
        """Path and query as the request line held them, without their escapes."""
        query = "&".join(f"{name}={value}" for name, value in self.query)
        return f"{self.path}?{query}" if query else self.path

    @property
    def repeated(self) -> tuple[str, ...]:
        """Query parameters given more than once."""
        names = [key for key, _ in self.query]
        return tuple(sorted({name for name in names if names.count(name) > 1}))


class Ending(StrEnum):
    """How an answer ends: as it should, half way through its body, or with a reset connection and no word."""

    WHOLE = "whole"
    TRUNCATED = "truncated"
    RESET = "reset"


@dataclass(frozen=True)
class Response:
    """What a service answers; one that misbehaves on purpose does so `after` so many seconds, and with another end."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    after: float = 0.0
    ending: Ending = Ending.WHOLE

    @classmethod
    def json(cls, value: Any, status: int = 200) -> "Response":
        """A value as JSON."""
        body = json.dumps(value, separators=(",", ":")).encode()
        return cls(status, body, {"Content-Type": "application/json; charset=utf-8"})

    @classmethod
    def text(cls, text: str, status: int = 200) -> "Response":
        """Plain text."""
        return cls(status, text.encode(), {"Content-Type": "text/plain; charset=utf-8"})

    @classmethod
    def xml(cls, root: ElementTree.Element, status: int = 200) -> "Response":
        """An XML document with its declaration."""
        body = b'<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="utf-8")
        return cls(status, body, {"Content-Type": "text/xml; charset=utf-8"})


App = Callable[[Request], Response]
"""A service: it may remember, but it opens no socket."""
