"""The machine as QEMU's words."""

import json
import re
import uuid
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from harness.accelerator import TCG, tcg
from harness.firmware import Ovmf
from harness.hardware import DirectKernel, Hardware, arguments
from harness.processor import AARCH64
from harness.vm import NetworkInterface, VirtualMachine

ID = uuid.UUID("12345678-9abc-def0-1122-334455667788")
GEN1 = Hardware(
    VirtualMachine("vm", 1, None, ID, uuid.UUID(int=1), uuid.UUID(int=2), uuid.UUID(int=3)),
    TCG,
    Path("/run/disk, a.qcow2"),
    ("-netdev", "tap,id=wire"),
    dvd=Path("/run/dvd.iso"),
)
GEN2 = replace(
    GEN1, vm=replace(GEN1.vm, generation=2), ovmf=Ovmf(Path("/code"), Path("/template")), variables=Path("/run/vars")
)


ARM = replace(GEN2, processor=AARCH64, accelerator=tcg(AARCH64))


def words(hardware: Hardware, option: str) -> list[str]:
    """Every value that follows this option."""
    all_words = arguments(hardware)
    return [value for name, value in pairwise(all_words) if name == option]


def smbios(hardware: Hardware, number: int) -> str:
    (found,) = (table for table in words(hardware, "-smbios") if table.startswith(f"type={number},"))
    return found


@pytest.mark.parametrize("hardware", [GEN1, GEN2, ARM])
def test_is_azure_by_its_smbios(hardware: Hardware) -> None:
    assert smbios(hardware, 3) == "type=3,manufacturer=Microsoft Corporation,asset=7783-7084-3265-9085-8269-3286-77"
    system = "type=1,manufacturer=Microsoft Corporation,product=Virtual Machine,version=Hyper-V UEFI Release v4.1"
    assert smbios(hardware, 1) == f"{system},uuid={ID}"
    assert words(hardware, "-uuid") == [str(ID)]


def test_hides_the_asset_tag_from_a_nocloud_guest() -> None:
    assert "asset" not in smbios(replace(GEN2, on_azure=False), 3)
    assert smbios(replace(GEN2, serial_number="ds=nocloud"), 1).endswith(",serial=ds=nocloud")


def test_has_the_bios_strings_of_its_generation() -> None:
    assert smbios(GEN1, 0) == "type=0,vendor=American Megatrends Inc.,version=090008 ,date=12/07/2018"
    assert "Hyper-V UEFI Release v4.1" in smbios(GEN2, 0)


def test_puts_a_gen1_dvd_on_ide_and_the_disk_where_linux_takes_it() -> None:
    devices = words(GEN1, "-device")
    assert words(GEN1, "-machine") == ["pc"]
    assert "scsi-hd,bus=scsi.0,scsi-id=0,lun=0,id=os-disk,drive=disk,bootindex=1" in devices
    assert "ide-cd,bus=ide.1,id=dvd,drive=medium" in devices


def test_puts_a_gen2_disk_and_dvd_on_scsi_behind_uefi() -> None:
    devices = words(GEN2, "-device")
    assert words(GEN2, "-machine") == ["q35,pflash0=code,pflash1=variables"]
    assert "scsi-hd,bus=scsi.0,scsi-id=0,lun=0,id=os-disk,drive=disk,bootindex=1" in devices
    assert "scsi-cd,bus=scsi.0,scsi-id=0,lun=2,id=dvd,drive=medium" in devices


def test_puts_an_aarch64_guest_on_a_board_of_its_own_with_the_same_disks() -> None:
    assert words(ARM, "-machine") == ["virt,gic-version=max,pflash0=code,pflash1=variables"]
    assert words(ARM, "-cpu") == ["max,pauth-impdef=on"]
    assert words(ARM, "-vga") == []
    disks = [device for device in words(GEN2, "-device") if device.startswith(("scsi-", "virtio-scsi"))]
    assert disks
    assert disks == [device for device in words(ARM, "-device") if device.startswith(("scsi-", "virtio-scsi"))]


def test_has_memory_where_azures_early_console_is_written_and_none_of_the_guests() -> None:
    (device,) = (device for device in words(ARM, "-device") if device.startswith("virtio-mem-pci,"))
    told = dict(pair.split("=") for pair in device.split(",")[1:])
    start = int(told["memaddr"], 16)
    assert AARCH64.most_memory_mib
    assert (1 << 30) + (AARCH64.most_memory_mib << 20) <= start < 0xEFFEC000 < start + (1 << 30)
    assert told["requested-size"] == "0"
    assert words(ARM, "-object") == [f"memory-backend-ram,id={told['memdev']},size=1G,reserve=off"]
    assert words(ARM, "-m") == ["1536M,maxmem=4G"]


def test_passes_paths_whole_and_protects_what_is_not_the_runs_own() -> None:
    nodes = {node["node-name"]: node for node in map(json.loads, words(GEN2, "-blockdev"))}
    assert nodes["disk"]["file"]["filename"] == "/run/disk, a.qcow2"
    assert {name: node["read-only"] for name, node in nodes.items()} == {
        "code": True,
        "variables": False,
        "disk": False,
        "medium": True,
    }


def test_has_an_empty_drive_without_a_medium() -> None:
    assert "ide-cd,bus=ide.1,id=dvd" in words(replace(GEN1, dvd=None), "-device")


def test_has_a_network_card_only_on_a_link() -> None:
    card = f"driver=virtio-net-pci,id=card,netdev=wire,mac={GEN1.vm.mac},romfile="
    assert card in words(GEN1, "-device")
    unlinked = arguments(replace(GEN1, link=()))
    assert not any("netdev" in word or "virtio-net" in word for word in unlinked)
    assert "-nodefaults" in unlinked


@pytest.mark.parametrize("hardware", [GEN1, GEN2, ARM])
def test_has_further_cards_behind_the_first_each_on_its_own_line(hardware: Hardware) -> None:
    more = (
        NetworkInterface("60:45:bd:00:01:04", ("10.0.0.24",)),
        NetworkInterface("60:45:bd:00:02:04", ("10.0.0.44",)),
    )
    devices = words(replace(hardware, vm=replace(hardware.vm, more_interfaces=more)), "-device")
    cards = [re.search(r"id=(\w+),netdev=(\w+),mac=(.{17})", device) for device in devices if "netdev=" in device]
    assert [found.groups() for found in cards if found] == [
        ("card", "wire", GEN1.vm.mac),
        ("card1", "wire1", "60:45:bd:00:01:04"),
        ("card2", "wire2", "60:45:bd:00:02:04"),
    ]


@pytest.mark.parametrize(("hardware", "port"), [(GEN1, ""), (GEN2, ",bus=card-port")])
def test_has_a_card_that_can_be_pulled(hardware: Hardware, port: str) -> None:
    devices = words(replace(hardware, pluggable=True), "-device")
    card = f"driver=virtio-net-pci,id=card,netdev=wire,mac={hardware.vm.mac},romfile={port}"
    assert card in devices
    assert ("pcie-root-port,id=card-port,chassis=8" in devices[: devices.index(card)]) == bool(port)


def test_starts_a_kernel_past_the_boot_loader() -> None:
    kernel = DirectKernel(Path("/k"), Path("/i"), "root=/dev/sda1 ci.ds=NoCloud")
    assert arguments(replace(GEN1, kernel=kernel))[-6:] == [
        *("-kernel", "/k", "-initrd", "/i"),
        *("-append", "root=/dev/sda1 ci.ds=NoCloud"),
    ]


def test_takes_further_arguments_last() -> None:
    assert arguments(replace(GEN1, extra=("-snapshot",)))[-1] == "-snapshot"


def test_hangs_the_disk_on_nvme_where_the_machine_has_it_there() -> None:
    devices = words(replace(GEN2, controller="NVMe"), "-device")
    assert "nvme,id=nvme,serial=kiln" in devices
    assert "nvme-ns,bus=nvme,nsid=1,id=os-disk,drive=disk,bootindex=1" in devices
    assert not any(device.startswith("scsi-hd") for device in devices)
    assert any(device.startswith("scsi-cd,bus=scsi.0") for device in devices)


def test_keeps_the_guest_from_writing_secure_boots_keys() -> None:
    assert GEN2.ovmf
    trusted = replace(GEN2, ovmf=replace(GEN2.ovmf, trusted=True), tpm=Path("/run/a,b"))
    assert words(trusted, "-machine") == ["q35,pflash0=code,pflash1=variables,smm=on"]
    assert "driver=cfi.pflash01,property=secure,value=on" in words(trusted, "-global")
    assert "socket,id=tpm-line,path=/run/a,,b" in words(trusted, "-chardev")
    assert "tpm-crb,tpmdev=tpm" in words(trusted, "-device")
    assert not {"-tpmdev", "-global"} & set(arguments(GEN2))


@pytest.mark.parametrize("hardware", [GEN1, GEN2, ARM])
def test_has_temporary_and_data_disks_where_azure_has_them(hardware: Hardware) -> None:
    fuller = replace(hardware, resource_disk=Path("/run/temporary"), data_disks=(Path("/run/a"), Path("/run/b")))
    disks = [device for device in words(fuller, "-device") if device.startswith("scsi-hd")]
    places = [re.search(r"bus=(\w+)\.0,scsi-id=0,lun=(\d)", device) for device in disks]
    assert [found.groups() for found in places if found] == [("scsi", "0"), ("scsi", "1"), ("data", "0"), ("data", "1")]
