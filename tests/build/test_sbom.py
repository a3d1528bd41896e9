"""Bills of materials: valid by their published schemas, complete, and the same bytes for the same image."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from spdx_tools.spdx.parser.json import json_parser
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from build.bill import Bill, Component, components, distribution, from_dpkg, from_rpm, license_names
from build.sbom import CONTENT_DIGEST, CYCLONEDX, SPDX, cyclonedx_text, is_expression, number, purl, write
from build.spdx import spdx_text
from build.workspace import Workspace

LESS = Component(
    "less",
    "1:668-1",
    "amd64",
    "deb",
    "less-src",
    "Milan Kupcevic <milan@debian.org>",
    ("BSD-2-Clause", "GPL-3+"),
    "https://www.greenwoodsoftware.com/less/",
    "pager program similar to more",
    "b" * 64,
)
BASH = Component(
    "bash", "0:5.2-1.el9", "x86_64", "rpm", "bash-5.2-1.el9.src.rpm", "A Vendor", ("GPL-3.0-or-later OR MIT",), "", "x"
)
BARE = Component("base-files", "13.8", "amd64", "deb")
BILL = Bill(
    "debian-13-genboth-x86_64", "Debian 13 (trixie)", "a" * 64, 1_795_227_046, ("debian", "13"), (BARE, BASH, LESS)
)


def spdx(bill: Bill = BILL) -> str:
    return spdx_text(bill, number(bill), purl, is_expression)


def cyclonedx(bill: Bill = BILL) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(cyclonedx_text(bill))
    return told


@pytest.mark.parametrize("bill", [BILL, replace(BILL, components=(), distribution=("", ""))], ids=["full", "empty"])
def test_is_valid_cyclonedx(bill: Bill) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(cyclonedx_text(bill)) is None
    assert cyclonedx(bill)["specVersion"] == "1.6"


@pytest.mark.parametrize("bill", [BILL, replace(BILL, components=())], ids=["full", "empty"])
def test_is_valid_spdx(bill: Bill) -> None:
    document = json_parser.JsonLikeDictParser().parse(json.loads(spdx(bill)))
    assert validate_full_spdx_document(document, "SPDX-2.3") == []


def test_describes_the_image_and_what_it_contains() -> None:
    told = cyclonedx()
    image = told["metadata"]["component"]
    assert (image["name"], image["type"]) == (BILL.image, "operating-system")
    assert image["properties"] == [{"name": CONTENT_DIGEST, "value": f"sha256:{BILL.digest}"}]
    (held,) = [one["dependsOn"] for one in told["dependencies"] if one["ref"] == image["bom-ref"]]
    assert sorted(held) == sorted(component["bom-ref"] for component in told["components"])
    document = json.loads(spdx())
    kinds = [(one["spdxElementId"], one["relationshipType"]) for one in document["relationships"]]
    assert kinds == [("SPDXRef-DOCUMENT", "DESCRIBES"), *[("SPDXRef-image", "CONTAINS")] * 3]
    assert BILL.digest in document["packages"][0]["comment"]


def test_says_of_a_package_what_is_known() -> None:
    (less,) = [one for one in cyclonedx()["components"] if one["name"] == "less"]
    assert less["hashes"] == [{"alg": "SHA-256", "content": "b" * 64}]
    assert {one["license"].get("id", one["license"].get("name")) for one in less["licenses"]} == set(LESS.licenses)
    assert less["supplier"] == {"name": LESS.supplier}
    packages = {one["name"]: one for one in json.loads(spdx())["packages"]}
    assert packages["less"]["licenseDeclared"] == "BSD-2-Clause AND LicenseRef-GPL-3-2b-"
    assert packages["less"]["supplier"] == "Organization: Milan Kupcevic (milan@debian.org)"
    assert packages["less"]["checksums"] == [{"algorithm": "SHA256", "checksumValue": "b" * 64}]
    assert packages["bash"]["licenseDeclared"] == "(GPL-3.0-or-later OR MIT)"
    assert packages["base-files"]["licenseDeclared"] == packages["base-files"]["supplier"] == "NOASSERTION"


@pytest.mark.parametrize(
    ("component", "expected"),
    [
        (LESS, PackageURL("deb", "debian", "less", "1:668-1", {"arch": "amd64", "distro": "debian-13"})),
        (
            BASH,
            PackageURL("rpm", "debian", "bash", "5.2-1.el9", {"arch": "x86_64", "distro": "debian-13", "epoch": "0"}),
        ),
    ],
)
def test_names_packages_as_scanners_do(component: Component, expected: PackageURL) -> None:
    assert PackageURL.from_string(purl(BILL, component)) == expected


def test_is_the_same_for_the_same_image_and_another_for_another(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write(BILL, tmp_path / name)
    for file in (CYCLONEDX, SPDX):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    other = replace(BILL, digest="c" * 64)
    assert cyclonedx(other)["serialNumber"] != cyclonedx()["serialNumber"] == f"urn:uuid:{number(BILL)}"
    assert json.loads(spdx(other))["documentNamespace"] != json.loads(spdx())["documentNamespace"]
    assert cyclonedx()["metadata"]["timestamp"].startswith("2026-11-21T02:10:46")


STATUS = """\
Package: less
Status: install ok installed
Maintainer: Milan Kupcevic <milan@debian.org>
Architecture: amd64
Source: less-src (668)
Version: 668-1
Description: pager program similar to more
 This package provides "less".
Homepage: https://x/

Package: gone
Status: deinstall ok config-files
Version: 1
Architecture: all
"""


def test_reads_dpkgs_database() -> None:
    (less,) = from_dpkg(STATUS, lambda name: ("MIT",))
    assert less == Component(
        *("less", "668-1", "amd64", "deb", "less-src", "Milan Kupcevic <milan@debian.org>", ("MIT",), "https://x/"),
        "pager program similar to more",
    )


def test_reads_what_rpm_prints() -> None:
    told = "bash\t5.2-1\tx86_64\tGPL-3.0-or-later\tA Vendor\tbash-5.2-1.src.rpm\t(none)\tThe shell\n"
    key = "gpg-pubkey\t1-2\t(none)\tpubkey\t(none)\t(none)\t(none)\tkey\n"
    (bash,) = from_rpm(told + key)
    assert bash.licenses == ("GPL-3.0-or-later",)
    assert (bash.supplier, bash.homepage, bash.summary) == ("A Vendor", "", "The shell")


DEP5 = (
    "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nLicense: GPL-3+\n text\n"
)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (f"{DEP5}\nLicense: BSD-2-Clause\n\nFiles: x\nLicense: GPL-3+\n", ("BSD-2-Clause", "GPL-3+")),
        ("This is less.\nLicense: maybe\n", ()),
        ("", ()),
    ],
)
def test_believes_machine_readable_licences_alone(text: str, names: tuple[str, ...]) -> None:
    assert license_names(text) == names


@pytest.fixture
def work(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path, "image", tmp_path, StringIO(), 0)
    (made.tree / "var/lib/dpkg").mkdir(parents=True)
    (made.tree / "etc").mkdir()
    return made


def test_reads_a_tree_by_its_own_links(work: Workspace) -> None:
    (work.tree / "var/lib/dpkg/status").write_text(STATUS)
    (work.tree / "usr/lib").mkdir(parents=True)
    (work.tree / "usr/lib/os-release").write_text('PRETTY_NAME="x"\nID=debian\nVERSION_ID="13"\n')
    (work.tree / "etc/os-release").symlink_to("../usr/lib/os-release")
    doc = work.tree / "usr/share/doc"
    (doc / "less-doc").mkdir(parents=True)
    (doc / "less-doc/copyright").write_text(DEP5)
    (doc / "less").symlink_to("/usr/share/doc/less-doc")
    (less,) = components(work, None, {("less", "668-1", "amd64"): "d" * 64})
    assert (less.licenses, less.sha256) == (("GPL-3+",), "d" * 64)
    assert distribution(work) == ("debian", "13")


def test_knows_a_system_that_is_read_only_by_what_lies_below_usr(work: Workspace) -> None:
    work.write("/usr/lib/os-release", "ID=flatcar\nVERSION_ID=4593.2.1\n")
    assert distribution(work) == ("flatcar", "4593.2.1")
    work.write("/etc/os-release", "ID=own\n")
    assert distribution(work) == ("own", "")


def test_has_no_packages_where_there_is_no_database(work: Workspace) -> None:
    assert components(work, None, {}) == ()
    assert distribution(work) == ("", "")
