"""rpm's own settings for a build: its database's form and place, the keys, and that every package is checked."""

from collections.abc import Iterable
from pathlib import Path

from build import cache
from build.families.rpm.state import Metadata
from build.families.rpm.trust import package_keys
from build.privileges import can_mount
from build.workspace import Workspace
from distros.recipe import Rpm

SETTINGS = "rpm-settings"
"""The folder of a build's own rpm settings and keys, beside its tree."""
POLICY = """\
[hash_algorithms]
sha1.second_preimage_resistance = "always"
sha224 = "always"
sha256 = "always"
sha384 = "always"
sha512 = "always"
default_disposition = "never"
"""
"""For rpm's OpenPGP library (sequoia-policy-config): SHA-1 may tie a key to its own name, which takes a second preimage
to forge; it may not sign packages, where a collision would do."""


def write_settings(work: Workspace, rpm: Rpm, states: Iterable[Metadata]) -> dict[str, str]:
    """Write rpm's own settings and the repositories' keys beside the tree, for programs of the tools tree.

    The keys lie as FINGERPRINT.asc in `key_folder`. Returns the environment in which rpm and all that use its library
    must run: the database where the release wants it, no package without a valid signature, one list of keys.
    """
    folder = work.file(SETTINGS)
    cache.remove(folder)
    key_folder(work).mkdir(parents=True)
    every = {one.fingerprint: one for state in states for one in package_keys(state, work.tools)}
    for certificate in every.values():
        (key_folder(work) / f"{certificate.fingerprint}.asc").write_text(certificate.armored)
    (folder / "rpm").mkdir()
    # Package scripts have no network, but where nobody may take it from them.
    alone = "" if can_mount() else "%__transaction_unshare %{nil}\n"
    (folder / "rpm/macros").write_text(macros(rpm) + alone)
    environment = {"XDG_CONFIG_HOME": inside_tools(work, folder)}
    if any(state.sha1_key for state in states):
        (folder / "sequoia.toml").write_text(POLICY)
        environment["RPM_SEQUOIA_CRYPTO_POLICY"] = inside_tools(work, folder / "sequoia.toml")
    return environment


def macros(rpm: Rpm) -> str:
    """rpm's macros for an image: where its database lies and in which form, and that every package is checked."""
    settings = {
        "_dbpath": rpm.database_path,
        "_db_backend": rpm.database,
        "_pkgverify_level": "all",
        "_pkgverify_flags": "0x0",
        # The build gives the tree these folders, and mounts on them where it may: rpm must leave them alone.
        "_netsharedpath": "/dev:/proc:/sys",
        # The tree is kept as an archive or made anew: nothing in it need reach the disk file by file.
        "_flush_io": "0",
    }
    return "".join(f"%{name} {value}\n" for name, value in settings.items())


def key_folder(work: Workspace) -> Path:
    """Where `write_settings` puts the keys."""
    return work.file(SETTINGS) / "keys"


def key_files(work: Workspace, state: Metadata) -> tuple[str, ...]:
    """The files of the keys that may sign a repository's packages, as programs of the tools tree see them."""
    return tuple(
        inside_tools(work, key_folder(work) / f"{one.fingerprint}.asc") for one in package_keys(state, work.tools)
    )


def inside_tools(work: Workspace, path: Path) -> str:
    """A path of the workspace as programs of the tools tree see it."""
    return f"/{path.relative_to(work.tools)}"
