"""The Azure agent's own code before the pretend host, for `harness.sandbox.run_sealed`; what it understood, as JSON."""

import base64
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import UUID

from build.command import run
from harness.azure.extensions import probe
from harness.azure.host import AzureHost, agent_status
from harness.azure.journal import Journal
from harness.azure.remoteaccess import RemoteUser
from harness.azure.server import serve
from harness.azure.services import services
from harness.vm import IMDS, WIRESERVER
from tests.harness.azure.machines import GENERALIZED


class Agent:
    """The protocol's client of an installed WALinuxAgent, whatever its version calls things."""

    def __init__(self, folder: Path) -> None:
        configuration: Any = import_module("azurelinuxagent.common.conf")
        configuration.get_lib_dir = lambda *_: str(folder)
        configuration.get_goal_state_period = lambda *_: 0
        wire: Any = import_module("azurelinuxagent.common.protocol.wire")
        plugin: Any = import_module("azurelinuxagent.common.protocol.hostplugin")
        plugin.HostPluginProtocol.is_default_channel = True  # as it is where a network lets nothing out
        self.values = import_module("azurelinuxagent.common.protocol.restapi")
        self.folder = folder
        self.protocol = wire.WireProtocol(WIRESERVER)
        self.protocol.detect()

    @property
    def goal(self) -> Any:
        """What the agent takes for its extensions' goal."""
        known = self.protocol.client.get_goal_state() if hasattr(self.protocol.client, "get_goal_state") else None
        if known is None or not hasattr(known, "extensions_goal_state"):
            return self.protocol.get_extensions_goal_state()
        return known.extensions_goal_state

    def look(self) -> dict[str, Any]:
        """Ask for the goal state as the agent does every few seconds, and tell what it came to."""
        self.protocol.client.update_goal_state()
        ((setting,),) = (one.settings for one in self.goal.extensions)
        return {
            "source": self.goal.source if hasattr(self.goal, "source") else "Fabric",
            "word": setting.publicSettings["word"],
            "number": setting.sequenceNumber,
            "held": bool(self.goal.on_hold),
            "secret": json.loads(self._opened(setting))["secret"],
        }

    def _opened(self, setting: Any) -> str:
        """The protected settings, opened with the key that came with the certificates."""
        key, certificate = (self.folder / f"{setting.certificateThumbprint}.{kind}" for kind in ("prv", "crt"))
        words = ("openssl", "smime", "-inform", "DER", "-decrypt", "-recip", certificate, "-inkey", key)
        sealed = base64.b64decode(setting.protectedSettings)
        return subprocess.run(words, input=sealed, capture_output=True, check=True).stdout.decode()

    def packages(self) -> list[str]:
        """Where the agent would fetch the extension from."""
        (extension,) = self.goal.extensions
        if hasattr(self.protocol, "get_ext_handler_pkgs"):
            return [uri for one in self.protocol.get_ext_handler_pkgs(extension).versions for uri in one.uris]
        manifest = self.protocol.get_goal_state().fetch_extension_manifest(extension.name, extension.manifest_uris)
        return [uri for one in manifest.pkg_list.versions for uri in one.uris]

    def remote_users(self) -> list[list[str]]:
        """Who may log in for a while, with the passwords that the agent would give them."""
        handler = import_module("azurelinuxagent.common.utils.cryptutil").CryptUtil("openssl")
        key = str(self.folder / "TransportPrivate.pem")
        known = self.protocol.client.get_remote_access().user_list.users
        return [[one.name, handler.decrypt_secret(one.encrypted_password, key), one.expiration] for one in known]

    def report(self) -> None:
        """Say ready, and upload status and logs."""
        self.protocol.report_provision_status(self.values.ProvisionStatus("Ready", "", ""))
        self.protocol.report_vm_status(self.values.VMStatus(status="Ready", message="", gs_aggregate_status=None))
        self.protocol.client.get_host_plugin().put_vm_log(b"an archive")


def main(request: Mapping[str, Any]) -> int:
    """Write `facts.json` into the request's folder: what the agent below its `tree` understood, what the host heard."""
    folder = Path(request["folder"])
    sys.path.insert(0, str(Path(request["tree"], "usr/lib/python3/dist-packages")))
    for address in (WIRESERVER, IMDS):
        run("ip", "address", "add", f"{address}/32", "dev", "lo")
    host = AzureHost(GENERALIZED, Journal(folder / "journal.jsonl"))
    host.give(probe("open", "sesame"))
    with serve(services(host), host.journal):
        agent = Agent(folder)
        looks = [agent.look()]
        host.give(probe("newer", "basil", 1))
        looks.append(agent.look())
        host.give(probe("fast", "thyme", 2), fast=True)
        looks.append(agent.look())
        host.vm = replace(host.vm, container_id=UUID(int=77), incarnation=host.vm.incarnation + 1)
        looks.append(agent.look())
        host.admit(RemoteUser("visitor", "pässword", datetime(2040, 2, 3, 4, 5, 6, tzinfo=UTC)))
        agent.look()
        host.hold(True)
        looks.append(agent.look())
        host.hold(False)
        looks.append(agent.look())
        packages = agent.packages()
        agent.report()
    told = {
        "looks": looks,
        "packages": packages,
        "remote_users": agent.remote_users(),
        "ready": host.ready is not None and host.ready.client,
        "status": [agent_status(one) for one in host.status],
        "log": host.agent_log.decode(),
        "answers": [entry.details["status"] for entry in host.journal.find(event="exchange")],
    }
    (folder / "facts.json").write_text(json.dumps(told))
    return 0
