"""XML in and out."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.azure.xmltext import NotXml, element, parse

BOMB = b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>'


def test_forgets_namespaces_and_escapes_text() -> None:
    root = parse(b'<w:Health xmlns:w="urn:x"><w:State>a &amp; b</w:State></w:Health>')
    assert (root.tag, root.findtext("State")) == ("Health", "a & b")


def test_builds_trees_from_values() -> None:
    made = element("Role", element("Id", "<1>"), None, [element("A"), element("B")], name="x")
    assert [child.tag for child in made] == ["Id", "A", "B"]
    assert made.get("name") == "x"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (BOMB, "a document type is refused"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "a document type is refused"),
        (b"", "no element found"),
        (b"<a><b></a>", "mismatched tag"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "encoding"),
        (b"<a>&undefined;</a>", "undefined entity"),
    ],
)
def test_refuses_what_is_no_plain_xml(body: bytes, message: str) -> None:
    with pytest.raises(NotXml, match=message):
        parse(body)


@given(st.binary(max_size=200))
def test_never_fails_otherwise(body: bytes) -> None:
    with contextlib.suppress(NotXml):
        parse(body)
