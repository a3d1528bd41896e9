"""Extensions: what a goal state tells the Azure agent to install and with which settings, and the files for it.

https://github.com/Azure/azure-vmextension-publishing and WALinuxAgent's own reading of them. The probe is an extension
of Kiln's: it reports back what it was told openly and in secret, and so proves the whole way there and back.
"""

import base64
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from xml.etree.ElementTree import Element

from harness.azure.certificates import Identity
from harness.azure.envelope import seal
from harness.azure.http import Response
from harness.azure.xmltext import element

STORAGE = "https://kilnextensions.blob.core.windows.net/kiln"
"""Where the files are said to be: no guest reaches it, so that its agent has the host plugin fetch them, as on Azure
where a network lets nothing out."""
PROFILE = f"{STORAGE}/artifacts_profile"
"""Where it is said to stand that extensions are on hold."""
PROBE, PROBE_NAME = Path(__file__).parent / "extension", "Kiln.Test.Probe"
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The time of every file in a package: the earliest that the format knows."""


@dataclass(frozen=True)
class Extension:
    """An extension that a VM is to have. `number` grows with each change of its settings; `files` is its package."""

    name: str
    version: str
    files: Path
    settings: Mapping[str, Any]
    protected: Mapping[str, Any]
    number: int = 0

    @property
    def manifest_url(self) -> str:
        """Where the list of its packages is said to be."""
        return f"{STORAGE}/{self.name}_manifest.xml"

    @property
    def package_url(self) -> str:
        """Where its package is said to be."""
        return f"{STORAGE}/{self.name}__{self.version}.zip"


@dataclass(frozen=True)
class Goal:
    """Which extensions a VM is to have, as decided at a time; `number` grows with each decision.

    `fast`: told by the host plugin alone (Azure's Fast Track), without a new incarnation of the goal state. `on_hold`:
    the agent must leave all extensions alone for now.
    """

    created: datetime
    number: int = 1
    extensions: tuple[Extension, ...] = ()
    fast: bool = False
    on_hold: bool = False

    def after(self, extension: Extension, now: datetime, fast: bool) -> "Goal":
        """The next goal: with this extension in place of one of its name."""
        kept = (one for one in self.extensions if one.name != extension.name)
        return Goal(now, self.number + 1, (*kept, extension), fast, self.on_hold)

    @property
    def ticks(self) -> int:
        """When it was decided, in units of 100 ns since the year 1: by these agents tell which goal is newer."""
        return (self.created - datetime(1, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10

    @property
    def activity(self) -> str:
        """The identifier under which the decision is found again in the agent's logs."""
        return str(UUID(int=self.ticks << 16 | self.number))


def probe(word: str, secret: str, number: int = 0) -> Extension:
    """Kiln's own extension, told a word openly and another in secret."""
    return Extension(PROBE_NAME, "1.0.0", PROBE, {"word": word}, {"secret": secret}, number)


def told_by_probe(statuses: Iterable[Mapping[str, Any]], number: int = 0) -> str:
    """What the probe said of these settings in the newest of the agent's statuses; "" while it has said nothing."""
    found = ""
    for status in statuses:
        for handler in status.get("aggregateStatus", {}).get("handlerAggregateStatus", []):
            told = handler.get("runtimeSettingsStatus") or {}
            if handler.get("handlerName") == PROBE_NAME and told.get("sequenceNumber") == number:
                message = told.get("settingsStatus", {}).get("status", {}).get("formattedMessage", {})
                found = str(message.get("message", "")) or found
    return found


def plugins(extensions: Iterable[Extension]) -> Element:
    """The extensions' names, versions and places, as extensionsConfig has them."""
    return element("Plugins", [_plugin(one) for one in extensions])


def _plugin(one: Extension) -> Element:
    return element(
        "Plugin",
        name=one.name,
        version=one.version,
        location=one.manifest_url,
        state="enabled",
        autoUpgrade="false",
        runAsStartupTask="false",
        isJson="true",
        useExactVersion="true",
    )


def plugin_settings(extensions: Iterable[Extension], identity: Identity) -> Element:
    """The extensions' settings; what is protected only the VM's own certificate opens."""
    return element("PluginSettings", [_settings(one, identity) for one in extensions])


def hidden(one: Extension, identity: Identity) -> dict[str, str]:
    """The protected settings, and by which certificate they were sealed, in the words of both documents."""
    envelope = seal(json.dumps(dict(one.protected)).encode(), identity.certificate, "AES128_CBC")
    return {
        "protectedSettingsCertThumbprint": identity.thumbprint,
        "protectedSettings": base64.b64encode(envelope).decode(),
    }


def _settings(one: Extension, identity: Identity) -> Element:
    handler = {**hidden(one, identity), "publicSettings": dict(one.settings)}
    text = json.dumps({"runtimeSettings": [{"handlerSettings": handler}]})
    return element(
        "Plugin", element("RuntimeSettings", text, seqNo=str(one.number)), name=one.name, version=one.version
    )


def artifact(goal: Goal, url: str) -> Response | None:
    """The file at this URL, None where this goal has none there."""
    if url == PROFILE and goal.on_hold:
        return Response.json({"onHold": True})
    for one in goal.extensions:
        if url == one.manifest_url:
            return Response.xml(_manifest(one))
        if url == one.package_url:
            return Response(200, package(one.files), {"Content-Type": "application/zip"})
    return None


def _manifest(one: Extension) -> Element:
    version = element("Plugin", element("Version", one.version), element("Uris", element("Uri", one.package_url)))
    return element("PluginVersionManifest", element("Plugins", version), element("InternalPlugins"))


def package(folder: Path) -> bytes:
    """The folder's files as a zip archive, the same bytes each time."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for file in _files(folder):
            entry = zipfile.ZipInfo(str(file.relative_to(folder)), LONG_AGO)
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, file.read_bytes())
    return packed.getvalue()


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*")) if file.is_file())
