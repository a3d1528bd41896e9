"""Discs."""

import gzip
import json
from dataclasses import replace
from email import message_from_bytes
from io import BytesIO
from pathlib import Path

import pytest
from pycdlib.pycdlib import PyCdlib

from build.command import run
from build.errors import CallerError
from harness.media import azure_dvd, nocloud_files, nocloud_seed, user_data
from tests.harness.azure.machines import GENERALIZED, PROFILE, SPECIALIZED


def content(disc: Path, **path: str) -> bytes:
    image, data = PyCdlib(), BytesIO()
    image.open(str(disc))
    image.get_file_from_iso_fp(data, **path)
    image.close()
    return data.getvalue()


def kind(disc: Path) -> dict[str, str]:
    lines = run("blkid", "-p", "-o", "export", disc).stdout.splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def parts(data: bytes) -> list[bytes]:
    return [bytes(part.get_payload(decode=True)) for part in message_from_bytes(data).walk() if not part.is_multipart()]


def test_makes_azures_dvd_udf(tmp_path: Path) -> None:
    azure_dvd(GENERALIZED, tmp_path / "dvd.iso")
    assert kind(tmp_path / "dvd.iso")["TYPE"] == "udf"
    assert b"<HostName>vm-alpha</HostName>" in content(tmp_path / "dvd.iso", udf_path="/ovf-env.xml")
    assert content(tmp_path / "dvd.iso", udf_path="/CustomData.bin") == PROFILE.custom_data


def test_makes_a_seed_that_cloud_init_knows_by_its_label(tmp_path: Path) -> None:
    nocloud_seed(GENERALIZED, tmp_path / "seed.iso", vendor_data=b"#cloud-config\n")
    assert {name: kind(tmp_path / "seed.iso")[name] for name in ("TYPE", "LABEL")} == {
        "TYPE": "iso9660",
        "LABEL": "cidata",
    }
    for name, data in nocloud_files(GENERALIZED, b"#cloud-config\n").items():
        assert content(tmp_path / "seed.iso", rr_path=f"/{name}") == data
        assert content(tmp_path / "seed.iso", joliet_path=f"/{name}") == data


def test_tells_the_seed_who_it_is() -> None:
    told = json.loads(nocloud_files(GENERALIZED)["meta-data"])
    assert told == {"instance-id": str(GENERALIZED.vm_id), "local-hostname": "vm-alpha"}


def test_adds_the_administrator_to_the_callers_own_data() -> None:
    *given, ours = parts(user_data(PROFILE))
    assert given == [PROFILE.custom_data, PROFILE.user_data]
    config = json.loads(ours.removeprefix(b"#cloud-config\n"))
    (admin,) = config["users"]
    assert (admin["name"], admin["ssh_authorized_keys"]) == ("azureuser", list(PROFILE.public_keys))
    assert admin["lock_passwd"] is True


def test_unlocks_the_password_when_there_is_one() -> None:
    config = json.loads(parts(user_data(replace(PROFILE, password="secret")))[-1].removeprefix(b"#cloud-config\n"))
    assert config["ssh_pwauth"] is True
    assert (config["users"][0]["plain_text_passwd"], config["users"][0]["lock_passwd"]) == ("secret", False)


def test_names_kinds_that_cloud_init_looks_into() -> None:
    """It guesses the kind of plain text alone, and unpacks what is called gzip."""
    packed = replace(PROFILE, user_data=gzip.compress(b"#cloud-config\n"))
    kinds = [part.get_content_type() for part in message_from_bytes(user_data(packed)).walk()]
    assert kinds == ["multipart/mixed", "text/plain", "application/gzip", "text/plain"]


def test_carries_binary_data_unharmed() -> None:
    binary = bytes(range(256)) * 10
    assert parts(user_data(replace(PROFILE, custom_data=binary, user_data=b"")))[0] == binary


@pytest.mark.parametrize("make", [azure_dvd, nocloud_seed])
def test_makes_no_disc_for_a_specialized_machine(make: object, tmp_path: Path) -> None:
    assert callable(make)
    with pytest.raises(CallerError, match="specialized"):
        make(SPECIALIZED, tmp_path / "disc.iso")
    assert not (tmp_path / "disc.iso").exists()
