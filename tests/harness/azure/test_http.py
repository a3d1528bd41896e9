"""Requests and answers."""

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from harness.azure.http import Request, Response


def test_reads_a_request_line() -> None:
    request = Request.to("GET", "/machine/?comp=goalstate&a=&comp=x%26y", {"X-MS-Version": "2012-11-30"})
    assert request.path == "/machine/"
    assert request.query == (("comp", "goalstate"), ("a", ""), ("comp", "x&y"))
    assert request.parameter("comp") == "goalstate"
    assert request.parameter("none") is None
    assert request.repeated == ("comp",)
    assert request.headers["x-ms-version"] == "2012-11-30"


def test_keeps_a_path_of_two_slashes_a_path() -> None:
    assert Request.to("GET", "//metadata/instance?x=1").path == "//metadata/instance"


@given(st.text())
def test_takes_any_path(text: str) -> None:
    assert Request.to("GET", f"/{text}").path.startswith("/")


def test_makes_answers_with_their_types() -> None:
    assert Response.json({"a": ["b"]}).body == b'{"a":["b"]}'
    assert Response.text("ä").body == "ä".encode()
    answer = Response.xml(ElementTree.Element("A"), 202)
    assert (answer.status, answer.headers["Content-Type"]) == (202, "text/xml; charset=utf-8")
    assert answer.body.startswith(b"<?xml")
