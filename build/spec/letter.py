"""A spec as data that JSON can hold, for the way to the worker: a memory file that nobody else reads."""

import base64
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

from build.spec.value import Spec


def write(spec: Spec) -> dict[str, Any]:
    """The spec with its secrets."""
    written = _written(spec)
    assert isinstance(written, dict)
    return written


def read(letter: Mapping[str, Any]) -> Spec:
    """The spec that such a letter holds."""
    spec = _read(Spec, letter)
    assert isinstance(spec, Spec)
    return spec


def _written(value: Any) -> Any:
    if is_dataclass(value):
        return {one.name: _written(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, tuple):
        return [_written(one) for one in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _read(kind: Any, told: Any) -> Any:
    if isinstance(kind, types.UnionType):
        (kind,) = (one for one in get_args(kind) if one is not types.NoneType)
        return None if told is None else _read(kind, told)
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{name: _read(hints[name], value) for name, value in told.items()})  # type: ignore[operator]
    if get_origin(kind) is tuple:
        kinds = get_args(kind)
        return tuple(_read(kinds[0] if kinds[1] is ... else kinds[index], one) for index, one in enumerate(told))
    return base64.b64decode(told) if kind is bytes else told
