"""Reading TOML with the lines of its values."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build.spec.document import Keys, Malformed, parse, places, spelled

EVERYTHING = '''\
# a comment with [brackets] and "quotes
a = 1  # [not.a.table]
"quoted key" = "x # no comment"
'literal' = 'C:\\\\path'
dotted.inner.key = true
list = [
    "one",  # ]
    { x = 1, y = [2, 3] },
    """several
lines ] }""",
]

[table]
text = """
[table.fake]
quote \\""" inside
"""
raw = \'\'\'
it's raw''\'\'\'
date = 1979-05-27 07:32:00
[table.sub]
deep = -1.5e3

[[files]]
path = "/a"
[files.inner]
z = 1
[[files]]
path = "/b"
[[files.parts]]
n = 1
[[files.parts]]
n = 2
'''


def paths(value: Any, above: Keys = ()) -> set[Keys]:
    """The path of everything in a document."""
    items: Any = [*value.items()] if isinstance(value, dict) else [*enumerate(value)] if isinstance(value, list) else []
    return {(*above, key) for key, _ in items} | {path for key, one in items for path in paths(one, (*above, key))}


def test_finds_a_line_for_everything_in_a_document() -> None:
    found = dict(places(EVERYTHING))
    assert set(found) == paths(tomllib.loads(EVERYTHING))
    lines = EVERYTHING.splitlines()
    for path, text in (
        (("a",), "a = 1"),
        (("quoted key",), '"quoted key"'),
        (("list", 1, "y", 1), "{ x = 1"),
        (("list", 2), '"""several'),
        (("table", "raw"), "raw ="),
        (("table", "sub"), "[table.sub]"),
        (("files", 1, "path"), 'path = "/b"'),
        (("files", 1, "parts", 1, "n"), "n = 2"),
    ):
        assert lines[found[path] - 1].strip().startswith(text)


values = st.recursive(
    st.one_of(
        st.integers(),
        st.booleans(),
        st.text("ab[]{}#,=. \n").map(lambda text: '"' + text.replace("\n", "\\n") + '"'),
        st.text("ab[]{}#,=. \n\"'").map(lambda text: '"""\n' + text.replace('"', '\\"') + '"""'),
        st.text('ab[]{}#,=. "').map(lambda text: f"'{text}'"),
    ).map(lambda value: str(value).lower() if isinstance(value, bool) else str(value)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: "[\n" + " # ],\n,".join(items) + "\n]"),
        st.lists(inner, max_size=3).map(
            lambda items: "{ " + ", ".join(f"k{number} = {item}" for number, item in enumerate(items)) + " }"
        ),
    ),
    max_leaves=12,
)


@given(st.lists(values, max_size=5))
def test_agrees_with_the_standard_library_about_what_there_is(several: list[str]) -> None:
    text = "".join(f"key{number}.sub = {value}\n[[t{number}]]\n" for number, value in enumerate(several))
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert {path for path, _ in places(text)} == paths(read)


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a = 1\nb = \n", 2, "invalid value"),
        ('a = 1\nb = "open\n', 2, "illegal character '\\n'"),
        ("[a\n", 1, "expected ']' at the end of a table declaration"),
        ("a = 1\na = 2\n", 2, "cannot overwrite a value"),
        ("a = [1,\n", 1, "invalid value"),
    ],
)
def test_says_where_a_text_is_no_toml(text: str, line: int, what: str) -> None:
    with pytest.raises(Malformed) as refusal:
        parse(text, "x.toml", Path())
    assert refusal.value.place.line == line
    assert refusal.value.what.startswith(what)


def test_counts_lines_of_other_systems_alike() -> None:
    assert parse("a = 1\r\nb = 2\r\n", "x", Path()).value["b"].place.line == 2


def test_spells_a_path_as_people_write_it() -> None:
    assert spelled(("files", 0, "mode")) == "files[1].mode"
