"""Whether texts are what published schemas ask for. For tests only."""

import json
from pathlib import Path
from typing import Any

import jsonschema

SARIF = json.loads((Path(__file__).parent / "schemas" / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))


def check_sarif(text: str) -> dict[str, Any]:
    """The document, if it is SARIF 2.1.0; addresses and times are looked at, too."""
    document: dict[str, Any] = json.loads(text)
    jsonschema.Draft7Validator(SARIF, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER).validate(document)
    return document
