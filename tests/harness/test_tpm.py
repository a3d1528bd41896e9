"""The virtual TPM: swtpm itself, which must listen, answer, and be gone afterwards."""

import shutil
import socket
import struct
from pathlib import Path

import pytest

from build.errors import MachineError
from harness import tpm
from harness.tpm import virtual_tpm

CAPABILITY = b"\0\0\0\1"
"""swtpm's control command CMD_GET_CAPABILITY (include/swtpm/tpm_ioctl.h); the answer is 8 bytes."""
INIT, SET_DATA_LINE = b"\0\0\0\2\0\0\0\0", b"\0\0\0\x10"
STARTUP = bytes.fromhex("8001 0000000c 00000144 0000")
"""TPM commands as TPM 2.0's part 3 has them."""
DEFINE_SPACE = bytes.fromhex(
    "8002 0000002d 0000012a 40000001 00000009 40000009 0000 00 0000 0000 000e 01500000 000b 00060006 0000 0008"
)
"""The owner makes eight bytes of room at the index 0x01500000, which outlive a restart."""
READ_PUBLIC = bytes.fromhex("8001 0000000e 00000169 01500000")
"""What is known of that index."""


@pytest.mark.skipif(shutil.which("swtpm") is None, reason="swtpm is not installed")
def test_listens_while_the_block_runs(tmp_path: Path) -> None:
    with virtual_tpm(tmp_path / "tpm") as path, socket.socket(socket.AF_UNIX) as line:
        line.connect(str(path))
        line.sendall(CAPABILITY)
        assert len(line.recv(8)) == 8
    assert not path.exists()


def answered(path: Path, *commands: bytes) -> list[int]:
    """The result codes of TPM commands, after the TPM was switched on."""
    ours, its = socket.socketpair()
    with ours, its, socket.socket(socket.AF_UNIX) as line:
        line.connect(str(path))
        socket.send_fds(line, [SET_DATA_LINE], [its.fileno()])
        assert line.recv(4) == bytes(4)
        line.sendall(INIT)
        assert line.recv(4) == bytes(4)
        codes = []
        for command in (STARTUP, *commands):
            ours.sendall(command)
            codes.append(struct.unpack_from("!I", ours.recv(4096), 6)[0])
        assert codes[0] == 0
        return codes[1:]


@pytest.mark.skipif(shutil.which("swtpm") is None, reason="swtpm is not installed")
def test_keeps_in_its_folder_what_it_was_told(tmp_path: Path) -> None:
    with virtual_tpm(tmp_path / "tpm") as path:
        assert answered(path, DEFINE_SPACE, READ_PUBLIC) == [0, 0]
    with virtual_tpm(tmp_path / "tpm") as path:
        assert answered(path, READ_PUBLIC) == [0]
    with virtual_tpm(tmp_path / "another") as path:
        assert answered(path, READ_PUBLIC) != [0]


def test_says_why_it_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "program").write_text("#!/bin/sh\necho no such luck >&2\nexit 3\n")
    (tmp_path / "program").chmod(0o755)
    monkeypatch.setattr(tpm, "_program", lambda: str(tmp_path / "program"))
    with pytest.raises(MachineError, match="swtpm ended with status 3: no such luck"), virtual_tpm(tmp_path / "tpm"):
        pass


def test_names_the_package_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineError) as refused, virtual_tpm(tmp_path / "tpm"):
        pass
    assert "swtpm" in refused.value.hint
