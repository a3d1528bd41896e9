"""The virtual TPM: swtpm itself, which must listen, answer, and be gone afterwards."""

import shutil
import socket
from pathlib import Path

import pytest

from build.errors import MachineError
from harness import tpm
from harness.tpm import virtual_tpm

CAPABILITY = b"\0\0\0\1"
"""swtpm's control command CMD_GET_CAPABILITY (include/swtpm/tpm_ioctl.h); the answer is 8 bytes."""


@pytest.mark.skipif(shutil.which("swtpm") is None, reason="swtpm is not installed")
def test_listens_while_the_block_runs(tmp_path: Path) -> None:
    with virtual_tpm(tmp_path / "tpm") as path, socket.socket(socket.AF_UNIX) as line:
        line.connect(str(path))
        line.sendall(CAPABILITY)
        assert len(line.recv(8)) == 8
    assert not path.exists()


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
