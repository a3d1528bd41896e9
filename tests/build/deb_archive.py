"""A tiny signed apt archive in a folder, of one package that holds one file."""

import hashlib
import subprocess
from email.utils import formatdate
from pathlib import Path

from tests.build.archives import Signer

SUITE, COMPONENT = "stable", "main"
PACKAGE = "kiln-extra"
FILE = "/usr/share/kiln-extra/hello"
CONTROL = f"""\
Package: {PACKAGE}
Version: 1.0
Architecture: all
Maintainer: Nobody <nobody@example.invalid>
Description: a package of no distribution, for Kiln's tests
"""
RELEASE = """\
Origin: Nobody
Suite: {suite}
Codename: {suite}
Date: {date}
Architectures: amd64
Components: {component}
SHA256:
 {digest} {size} {component}/binary-amd64/Packages
"""


def make(folder: Path, signer: Signer | None) -> Path:
    """Fill the folder; without a signer, the archive has an InRelease file that nobody signed."""
    deb = folder / "pool" / f"{PACKAGE}.deb"
    _build(folder / "tree", deb)
    content = deb.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    listed = f"{CONTROL}Filename: pool/{deb.name}\nSize: {len(content)}\nSHA256: {digest}\n"
    dist = folder / "dists" / SUITE
    lists = dist / COMPONENT / "binary-amd64"
    lists.mkdir(parents=True)
    (lists / "Packages").write_text(listed)
    digest = hashlib.sha256(listed.encode()).hexdigest()
    date = formatdate(usegmt=True)
    release = RELEASE.format(suite=SUITE, component=COMPONENT, date=date, digest=digest, size=len(listed)).encode()
    (dist / "InRelease").write_bytes(signer.sign(release) if signer else release)
    return folder


def _build(tree: Path, deb: Path) -> None:
    for path, text in (("DEBIAN/control", CONTROL), (FILE.lstrip("/"), "hello from elsewhere\n")):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    deb.parent.mkdir()
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", tree, deb], check=True, capture_output=True)
