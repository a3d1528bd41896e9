"""What an upload can build on: the staged file of a version that was accepted, and the list of its blocks beside it."""

from typing import Any

from build.errors import CallerError
from publish import refusals, release, versions
from publish.arm import Arm
from publish.blocks import Blocks
from publish.source import Source
from publish.staging import Base, Staging
from publish.target import Target

SUFFIX = ".blocks"


def keep(source: Source, name: str, staging: Staging) -> None:
    """Put the list of the file's blocks beside it."""
    with refusals.told(f"staging account {staging.endpoint}"):
        refusals.patiently(
            lambda: staging.client().upload_blob(f"{name}{SUFFIX}", source.blocks.written(), overwrite=True)
        )


def find(staging: Staging, every: list[dict[str, Any]], version: str) -> Base | None:
    """The staged file of that version, None where its list of blocks is gone: then everything is sent.

    Raises CallerError where there is no such version, or one that Kiln did not make.
    """
    from azure.core.exceptions import ResourceNotFoundError

    versions.parse(version)
    found = next((one for one in every if one["name"] == version), None)
    tags = (found or {}).get("tags") or {}
    if versions.DIGEST not in tags or versions.IMAGE not in tags:
        what = "was not made by Kiln" if found else "does not exist"
        raise CallerError(f"the version {version} {what}, so nothing can build on it", "`./kiln published` lists them")
    name = f"{tags[versions.IMAGE]}-{tags[versions.DIGEST][:16]}.vhd"
    with refusals.told(f"staging account {staging.endpoint}"):
        try:
            blob = staging.client().get_blob_client(f"{name}{SUFFIX}")
            raw = refusals.patiently(lambda: blob.download_blob().readall())
        except ResourceNotFoundError:
            return None
    return Base(name, Blocks.read(raw))


def every(arm: Arm, target: Target) -> list[dict[str, Any]]:
    """The versions of all definitions of the target."""
    return [each for definition in target.definitions for each in release.listed(arm, target, definition.name)]


def needed(every: list[dict[str, Any]]) -> set[str]:
    """Names of staged files that must stay: of the highest version of all, to build on, and of what is not whole yet.

    A version that was replicated in the shallow way reads its source as long as it lives.
    """
    ours = [one for one in every if versions.DIGEST in (one.get("tags") or {})]
    whole = [one for one in ours if versions.is_whole(one)]
    kept = [one for one in ours if not versions.is_whole(one) or _is_shallow(one)]
    kept += [max(whole, key=lambda one: versions.parse(one["name"]))] if whole else []
    return {f"{one['tags'].get(versions.IMAGE, '')}-{one['tags'][versions.DIGEST][:16]}.vhd" for one in kept}


def _is_shallow(version: dict[str, Any]) -> bool:
    return bool((version["properties"].get("publishingProfile") or {}).get("replicationMode") == "Shallow")
