"""The software bill of materials in SPDX 2.3 JSON (ISO/IEC 5962's successor, https://spdx.github.io/spdx-spec/v2.3)."""

import json
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from build.bill import Bill, Component

NOTHING = "NOASSERTION"
IMAGE = "SPDXRef-image"
NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9.-]+")


def spdx_text(
    bill: Bill, number: uuid.UUID, purl: Callable[[Bill, Component], str], is_expression: Callable[[str], bool]
) -> str:
    """The bill as a document whose one described package is the image, which contains all others."""
    packages = {f"SPDXRef-{_name(f'{one.kind}-{one.name}-{one.version}-{one.arch}')}": one for one in bill.components}
    named = {name for one in bill.components for name in one.licenses if not is_expression(name)}
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": bill.image,
        "documentNamespace": f"https://spdx.org/spdxdocs/{bill.image}-{number}",
        "creationInfo": {
            "created": datetime.fromtimestamp(bill.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": ["Tool: kiln"],
        },
        "packages": [_image(bill), *(_package(bill, id, one, purl, is_expression) for id, one in packages.items())],
        "hasExtractedLicensingInfos": [_extracted(names) for names in _by_reference(named).values()],
        "relationships": [
            _related("SPDXRef-DOCUMENT", "DESCRIBES", IMAGE),
            *(_related(IMAGE, "CONTAINS", id) for id in packages),
        ],
    }
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def _image(bill: Bill) -> dict[str, Any]:
    return {
        "SPDXID": IMAGE,
        "name": bill.image,
        "versionInfo": bill.digest[:12],
        "summary": bill.title,
        "comment": f"kiln:content-digest sha256:{bill.digest}",
        "primaryPackagePurpose": "OPERATING-SYSTEM",
        "downloadLocation": NOTHING,
        "filesAnalyzed": False,
        "licenseConcluded": NOTHING,
        "licenseDeclared": NOTHING,
        "copyrightText": NOTHING,
    }


def _package(
    bill: Bill,
    id: str,
    component: Component,
    purl: Callable[[Bill, Component], str],
    is_expression: Callable[[str], bool],
) -> dict[str, Any]:
    locator = purl(bill, component)
    optional: Mapping[str, Any] = {
        "homepage": component.homepage,
        "summary": component.summary,
        "sourceInfo": f"built from {component.source}" if component.source else "",
        "checksums": [{"algorithm": "SHA256", "checksumValue": component.sha256}] if component.sha256 else [],
    }
    return {
        "SPDXID": id,
        "name": component.name,
        "versionInfo": component.version,
        "supplier": _supplier(component.supplier),
        "downloadLocation": NOTHING,
        "filesAnalyzed": False,
        "licenseConcluded": NOTHING,
        "licenseDeclared": _declared(component.licenses, is_expression),
        "copyrightText": NOTHING,
        "externalRefs": [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": locator}
        ],
        **{name: value for name, value in optional.items() if value},
    }


def _supplier(text: str) -> str:
    """A supplier as SPDX has it: an organization's name, its address in parentheses."""
    found = re.fullmatch(r"(.*?)\s*<([^<>]+)>", text)
    if found:
        return f"Organization: {found[1]} ({found[2]})"
    return f"Organization: {text}" if text else NOTHING


def _declared(licenses: tuple[str, ...], is_expression: Callable[[str], bool]) -> str:
    written = dict.fromkeys(
        (f"({name})" if " " in name else name) if is_expression(name) else _reference(name) for name in licenses
    )
    return " AND ".join(written) or NOTHING


def _reference(name: str) -> str:
    return f"LicenseRef-{_name(name)}"


def _by_reference(names: set[str]) -> dict[str, list[str]]:
    """Names by the reference that stands for them: two may differ in punctuation alone."""
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        found.setdefault(_reference(name), []).append(name)
    return found


def _extracted(names: list[str]) -> dict[str, str]:
    return {
        "licenseId": _reference(names[0]),
        "name": names[0],
        "extractedText": f"Called {' or '.join(names)} by its packages, in the image's /usr/share/doc or rpm database.",
    }


def _related(one: str, how: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": how, "relatedSpdxElement": other}


def _name(text: str) -> str:
    """A text with nothing in it that an identifier may not have."""
    return NOT_IN_A_NAME.sub(lambda found: "-" + "-".join(f"{ord(one):x}" for one in found[0]) + "-", text)
