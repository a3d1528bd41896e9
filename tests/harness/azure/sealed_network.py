"""The pretend host with a guest behind a veth pair, for `harness.sandbox.run_sealed`; what the guest saw, as JSON."""

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from build.command import run
from harness.azure.host import AzureHost
from harness.azure.network import azure_network
from harness.azure.server import serve
from harness.azure.services import services
from tests.harness.azure.machines import GENERALIZED, TWO_CARDS


def main(request: Mapping[str, Any]) -> int:
    """Write `facts.json` (what the guest saw, what the host remembers) into the request's folder."""
    folder = Path(request["folder"])
    host = AzureHost(TWO_CARDS)
    guest = subprocess.Popen(
        ["unshare", "--net", sys.executable, "-m", "tests.harness.azure.sealed_guest"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert guest.stdin is not None
    assert guest.stdout is not None
    guest.stdout.readline()
    run("ip", "link", "add", "host0", "type", "veth", "peer", "name", "guest0", "address", GENERALIZED.mac)
    run("ip", "link", "set", "guest0", "netns", str(guest.pid))
    run("ip", "link", "set", "host0", "up")
    with ExitStack() as stack:
        stack.enter_context(azure_network("host0", host, folder))
        stack.enter_context(serve(services(host), host.journal))
        known = run("ip", "-4", "neighbour", "show", "dev", "host0").stdout
        guest.stdin.write("go\n")
        guest.stdin.flush()
        saw = guest.stdout.readline()
    left = run("ip", "-4", "-o", "address", "show", "dev", "host0").stdout
    guest.communicate()  # its end of the link goes with it
    told = {
        "guest": json.loads(saw),
        "journal": [[entry.source, entry.event, dict(entry.details)] for entry in host.journal.entries],
        "hostnames": host.hostnames,
        "ready": host.ready is not None,
        "left": left,
        "known": known,
    }
    (folder / "facts.json").write_text(json.dumps(told))
    return 0
