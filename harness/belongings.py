"""What a guest that failed leaves behind: logs, states and settings of whatever provisions it, for whoever looks later.

Asked for by SSH while somebody can log in; else read from its disk once it is off, where what it had not written back
is missing, and all of /run. Which files: those that cloud-init, WALinuxAgent and azure-init name for support.
"""

import base64
import binascii
import io
import shlex
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from build.command import run
from build.errors import KilnError
from harness.deadline import Gone, TooLate
from harness.guest import Guest
from harness.inspect import gather
from harness.tree import Tree

FOLDER = "evidence"
"""Where they lie, in the run's folder, by their path in the guest."""
LARGEST = 8 << 20
"""Bytes of a file that are kept."""
MOST = 300
"""Files that are kept: an agent's history may hold thousands."""
FILES = (
    *(f"/run/cloud-init/{name}" for name in ("ds-identify.log", "cloud.cfg", "status.json", "result.json")),
    "/run/cloud-init/instance-data.json",
    *("/var/log/cloud-init.log", "/var/log/cloud-init-output.log", "/var/log/waagent.log", "/var/log/azure-init*.log"),
    *(f"/var/lib/waagent/{name}" for name in ("ovf-env.xml", "provisioned", "published_hostname")),
    *("/var/lib/waagent/WireServerEndpoint", "/var/lib/waagent/history/*", "/var/lib/hyperv/.kvp_pool_1"),
    *(
        "/var/lib/dhcp/*.leases",
        "/var/lib/dhclient/*.lease*",
        "/var/lib/dhcpcd/*.lease",
        "/var/lib/NetworkManager/*lease*",
    ),
    *("/run/systemd/netif/leases/*", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/etc/fstab"),
)
"""Paths of the guest, with * for a part of a name."""
ASKED = {"journal.txt": "journalctl -b --no-pager", "units.txt": "systemctl list-units --all --no-pager"}
"""What only a running guest can say, and by which command."""


def by_ssh(guest: Guest, folder: Path, timeout: float) -> str:
    """Fetch them from a guest that answers; `timeout` is how long it may be silent, in seconds.

    Returns why there are none, "" where there are.
    """
    asked = "; ".join(f"{command} >$kept/{name} 2>&1" for name, command in ASKED.items())
    command = (
        f"kept=$(mktemp -d /run/kiln-XXXXXX); {asked}; "
        f"tar -czf - --ignore-failed-read -C $kept {' '.join(ASKED)} -C / {_patterns()} 2>/dev/null | base64 -w0; "
        "rm -r $kept"
    )
    try:
        packed = base64.b64decode(guest.run(command, sudo=True, timeout=timeout, fresh=True).stdout)
        _unpack(packed, folder)
    except (Gone, TooLate, binascii.Error, tarfile.TarError, EOFError, OSError) as reason:
        return f"its files could not be fetched: {reason}"
    return ""


def _patterns() -> str:
    """The paths below / as a shell expands them: those that match nothing are for tar to pass over."""
    return " ".join("/".join(map(_quoted, path.lstrip("/").split("/"))) for path in FILES)


def _quoted(part: str) -> str:
    return "*".join(shlex.quote(piece) if piece else "" for piece in part.split("*"))


def _unpack(packed: bytes, folder: Path) -> None:
    """Regular files alone, each below the folder whatever its name says."""
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
        files = [one for one in archive if one.isfile()][:MOST]
        for one in files:
            if content := archive.extractfile(one):
                _keep(one.name, content.read(LARGEST), folder)


def _keep(name: str, content: bytes, folder: Path) -> None:
    parts = [part for part in PurePosixPath(name).parts if part not in ("/", "..")]
    path = folder.joinpath(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def offline(disk: Path, folder: Path) -> str:
    """Read them from the disk of a machine that is off. Returns why there are none, "" where there are."""
    try:
        with tempfile.TemporaryDirectory(prefix="kiln-") as scratch:
            plain = Path(scratch, "disk.raw")  # an overlay is read through what it lies on
            run("qemu-img", "convert", "-U", "-f", "qcow2", "-O", "raw", disk, plain)
            tree: Tree | None = gather(plain, Path(scratch), {}).known.get("tree")
            if tree is None:
                return "its disk holds no root file system that can be read"
            for name in list(_found(tree))[:MOST]:
                _keep(name, tree.read_bytes(name, LARGEST), folder)
    except (KilnError, OSError) as reason:
        return f"its disk could not be read: {reason}"
    return ""


def _found(tree: Tree) -> Iterator[str]:
    for pattern in FILES:
        paths = tree.glob(pattern) if "*" in pattern else (pattern,)
        yield from (path for path in paths if tree.is_file(path))


def kept(folder: Path) -> Iterator[str]:
    """The paths of the guest that are kept below a run's folder, sorted."""
    below = folder / FOLDER
    yield from sorted(str(path.relative_to(below)) for path in below.rglob("*") if path.is_file())
