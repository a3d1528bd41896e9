"""The software bill of materials in CycloneDX 1.6, and where it and its SPDX twin lie beside an image.

Equal images have equal bills, byte for byte: number and time are derived, everything is sorted.
"""

import uuid
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from build.bill import Bill, Component
from build.digest import bill_id
from build.spdx import spdx_text

CYCLONEDX, SPDX = "sbom.cdx.json", "sbom.spdx.json"
CONTENT_DIGEST = "kiln:content-digest"
"""The property with the digest of the disk's content, which docs/supply-chain.md defines. It is not that of a file."""


def write(bill: Bill, folder: Path) -> None:
    """Write both into an image's folder."""
    (folder / CYCLONEDX).write_text(cyclonedx_text(bill))
    (folder / SPDX).write_text(spdx_text(bill, number(bill), purl, is_expression))


def number(bill: Bill) -> uuid.UUID:
    """What tells this bill from all others: derived from the image's name and content."""
    return bill_id(bill.image, bill.digest)


def purl(bill: Bill, component: Component) -> str:
    """A package's URL (purl-spec): the namespace is the distribution's own ID, as scanners have it."""
    from packageurl import PackageURL

    name, version = bill.distribution
    epoch, colon, rest = component.version.partition(":")
    qualifiers = {"arch": component.arch, "distro": "-".join(part for part in (name, version) if part)}
    written = component.version
    if component.kind == "rpm" and colon:
        qualifiers["epoch"], written = epoch, rest
    return PackageURL(component.kind, name, component.name, written, qualifiers).to_string()


@cache
def is_expression(text: str) -> bool:
    """Whether this is an SPDX licence expression."""
    from cyclonedx import spdx

    return spdx.is_expression(text)


def cyclonedx_text(bill: Bill) -> str:
    """The bill as CycloneDX 1.6 JSON."""
    # A quarter of a second, which only a build that has made an image pays.
    from cyclonedx.model import Property
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component as Described
    from cyclonedx.model.component import ComponentType
    from cyclonedx.output.json import JsonV1Dot6

    image = Described(
        name=bill.image,
        type=ComponentType.OPERATING_SYSTEM,
        bom_ref=bill.image,
        version=bill.digest[:12],
        description=bill.title,
        properties=[Property(name=CONTENT_DIGEST, value=f"sha256:{bill.digest}")],
    )
    kiln = Described(name="kiln", type=ComponentType.APPLICATION, bom_ref="kiln")
    held = [_described(bill, one) for one in bill.components]
    moment = datetime.fromtimestamp(bill.epoch, UTC)
    bom = Bom(
        serial_number=number(bill),
        version=1,
        components=held,
        metadata=BomMetaData(component=image, timestamp=moment),
    )
    bom.metadata.tools.components.add(kiln)
    bom.register_dependency(image, held)
    return JsonV1Dot6(bom).output_as_string(indent=1) + "\n"


def _described(bill: Bill, component: Component):  # type: ignore[no-untyped-def]
    from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
    from cyclonedx.model.component import Component as Described
    from cyclonedx.model.component import ComponentType
    from cyclonedx.model.contact import OrganizationalEntity
    from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
    from packageurl import PackageURL

    address = purl(bill, component)
    whole = all(map(is_expression, component.licenses))
    names = component.licenses
    web = component.homepage
    return Described(
        name=component.name,
        version=component.version,
        type=ComponentType.LIBRARY,
        bom_ref=address,
        purl=PackageURL.from_string(address),
        description=component.summary or None,
        supplier=OrganizationalEntity(name=component.supplier) if component.supplier else None,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=component.sha256)] if component.sha256 else (),
        licenses=(
            [LicenseExpression(value=" AND ".join(f"({name})" if " " in name else name for name in names))]
            if names and whole
            else [DisjunctiveLicense(name=name) for name in names]
        ),
        external_references=[ExternalReference(type=ExternalReferenceType.WEBSITE, url=XsUri(web))] if web else (),
        properties=[Property(name="kiln:source-package", value=component.source)] if component.source else (),
    )
