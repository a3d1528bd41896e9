"""XML in and out: trees from plain values, and a parser that refuses what a hostile guest could blow up (any DTD)."""

from typing import Union
from xml.etree import ElementTree
from xml.parsers import expat

Content = Union[str, "list[ElementTree.Element]", "ElementTree.Element"]


class NotXml(ValueError):
    """The text is no XML, or XML with a document type, which nobody needs to send."""


def element(tag: str, /, *content: Content | None, **attributes: str) -> ElementTree.Element:
    """An element from its text and children in order; None is left out."""
    made = ElementTree.Element(tag, attributes)
    for part in content:
        if isinstance(part, str):
            made.text = part
        elif isinstance(part, list):
            made.extend(part)
        elif part is not None:
            made.append(part)
    return made


def parse(body: bytes) -> ElementTree.Element:
    """The document's root, names without their namespaces. Raises NotXml."""
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_document_type
    parser.StartElementHandler = lambda name, attributes: builder.start(_local(name), attributes)
    parser.EndElementHandler = lambda name: builder.end(_local(name))
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(body, True)
        return builder.close()
    except (expat.ExpatError, LookupError, ValueError, AssertionError) as broken:
        raise NotXml(f"not the XML that was expected: {broken}") from None


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _refuse_document_type(*_: object) -> None:
    raise NotXml("a document type is refused")
