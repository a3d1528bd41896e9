"""Discs that a guest is provisioned from, by pycdlib: Azure's DVD and cloud-init's NoCloud seed."""

import json
from collections.abc import Mapping
from email import encoders
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from pycdlib.pycdlib import PyCdlib

from harness.azure.ovf import ovf_environment, profile_of
from harness.vm import OSProfile, VirtualMachine

AZURE_LABEL: Final = "rd_rdfe_stable.kiln"
SEED_LABEL: Final = "cidata"
"""The label by which cloud-init knows a NoCloud disc."""

GZIP: Final = b"\x1f\x8b"
BOUNDARY: Final = "===============kiln=="
"""Between the parts of user data: no line of base64 begins so, and equal data make equal discs."""


def azure_dvd(vm: VirtualMachine, path: Path, document: str | None = None, udf: bool = True) -> None:
    """Write the DVD with which Azure provisions a generalized VM: UDF, since Ignition takes nothing else.

    A faulty one holds another `document`, or is ISO 9660 alone. Raises CallerError for a specialized VM.
    """
    profile = profile_of(vm)
    files = {"ovf-env.xml": (ovf_environment(vm) if document is None else document).encode()}
    if profile.custom_data:
        files["CustomData.bin"] = profile.custom_data
    disc = PyCdlib()
    kind: dict[str, Any] = {"udf": "2.60"} if udf else {"rock_ridge": "1.09"}
    disc.new(interchange_level=3, vol_ident=AZURE_LABEL, **kind)
    for name, data in files.items():
        names: dict[str, Any] = {"udf_path": f"/{name}"} if udf else {"rr_name": name}
        disc.add_fp(BytesIO(data), len(data), f"/{_iso_name(name)};1", **names)
    _write(disc, path)


def nocloud_seed(vm: VirtualMachine, path: Path, vendor_data: bytes = b"") -> None:
    """Write a disc by which cloud-init's NoCloud source makes the same VM: name, administrator, keys, data.

    https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html. Raises CallerError for a specialized VM.
    """
    files = nocloud_files(vm, vendor_data)
    disc = PyCdlib()
    disc.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident=SEED_LABEL)
    for name, data in files.items():
        disc.add_fp(BytesIO(data), len(data), f"/{_iso_name(name)};1", rr_name=name, joliet_path=f"/{name}")
    _write(disc, path)


def nocloud_files(vm: VirtualMachine, vendor_data: bytes = b"") -> Mapping[str, bytes]:
    """The seed's files by name."""
    profile = profile_of(vm)
    # JSON is YAML, and needs no library to be quoted well.
    meta = json.dumps({"instance-id": str(vm.vm_id), "local-hostname": profile.computer_name})
    files = {"meta-data": f"{meta}\n".encode(), "user-data": user_data(profile)}
    return {**files, "vendor-data": vendor_data} if vendor_data else files


def user_data(profile: OSProfile) -> bytes:
    """User data that makes the administrator, after whatever data the caller gave, as a MIME archive of cloud-init."""
    given = [data for data in dict.fromkeys((profile.custom_data, profile.user_data)) if data]
    archive = MIMEMultipart(boundary=BOUNDARY)
    for data in (*given, _cloud_config(profile)):
        archive.attach(_part(data))
    return archive.as_bytes()


def _part(data: bytes) -> MIMENonMultipart:
    """A part whose kind cloud-init finds out from its first bytes: it does so for plain text, and after unpacking."""
    part = MIMENonMultipart(*(("application", "gzip") if data.startswith(GZIP) else ("text", "plain")))
    part.set_payload(data)
    encoders.encode_base64(part)
    return part


def _cloud_config(profile: OSProfile) -> bytes:
    admin: dict[str, Any] = {
        "name": profile.admin,
        "gecos": profile.admin,
        "groups": ["adm", "sudo"],
        "shell": "/bin/bash",
        "sudo": "ALL=(ALL) NOPASSWD:ALL",
        "lock_passwd": not profile.password,
        "ssh_authorized_keys": list(profile.public_keys),
    }
    if profile.password:
        admin["plain_text_passwd"] = profile.password
    config = {
        "users": [admin],
        "ssh_pwauth": bool(profile.password),
        # Users that the caller's own data names stay, ours joins them.
        "merge_how": [
            {"name": "list", "settings": ["append"]},
            {"name": "dict", "settings": ["no_replace", "recurse_list"]},
        ],
    }
    return b"#cloud-config\n" + json.dumps(config, indent=1).encode() + b"\n"


def _iso_name(name: str) -> str:
    """The name under which ISO 9660 without extensions shows a file."""
    return "".join(letter if letter.isalnum() or letter == "." else "_" for letter in name.upper())


def _write(disc: PyCdlib, path: Path) -> None:
    disc.write(str(path))
    disc.close()
