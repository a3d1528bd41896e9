"""Whether texts are what published schemas ask for. For tests only."""

import json
from pathlib import Path

import jsonschema
import xmlschema

HERE = Path(__file__).parent / "schemas"
SARIF = json.loads((HERE / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))


def check_sarif(text: str) -> dict:
    """The document, if it is SARIF 2.1.0; addresses and times are looked at, too."""
    document = json.loads(text)
    jsonschema.Draft4Validator(SARIF, format_checker=jsonschema.FormatChecker()).validate(document)
    return document


def check_junit(text: str) -> None:
    """That it is a JUnit report."""
    xmlschema.XMLSchema(HERE / "junit-10.xsd").validate(text)
