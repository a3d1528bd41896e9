"""Extensions: what the agent is told, the files that it gets, and the probe run as the agent runs it."""

import io
import json
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from harness.azure.extensions import PROBE, Extension, package, probe, told_by_probe
from harness.azure.host import AzureHost
from harness.azure.hostplugin import hostplugin
from harness.azure.http import Request, Response
from harness.azure.wireserver import wireserver
from tests.harness.azure.machines import GENERALIZED

WIRE = {"x-ms-version": "2012-11-30"}
MESSAGE = "word open, secret sesame"


@pytest.fixture
def host() -> AzureHost:
    made = AzureHost(GENERALIZED)
    made.give(probe("open", "sesame"))
    return made


def wire(host: AzureHost, target: str) -> ElementTree.Element:
    return ElementTree.fromstring(wireserver(host)(Request.to("GET", target, WIRE)).body)


def extensions_config(host: AzureHost) -> ElementTree.Element:
    link = wire(host, "/machine?comp=goalstate").findtext(".//ExtensionsConfig") or ""
    return wire(host, link.removeprefix("http://168.63.129.16:80"))


def fetched(host: AzureHost, url: str) -> Response:
    return plugin(host, "/extensionArtifact", **{"x-ms-artifact-location": url})


def plugin(host: AzureHost, path: str, **headers: str) -> Response:
    here = {"x-ms-containerid": str(host.vm.container_id)}
    return hostplugin(host)(Request("GET", path, headers={**here, **headers}))


def settings(host: AzureHost) -> str:
    return extensions_config(host).findtext("PluginSettings/Plugin/RuntimeSettings") or ""


def test_are_told_by_a_new_incarnation(host: AzureHost) -> None:
    assert wire(host, "/machine?comp=goalstate").findtext("Incarnation") == "2"
    config = extensions_config(host)
    assert config.get("goalStateIncarnation") == "2"
    (plugin,) = config.iterfind("Plugins/Plugin")
    assert (plugin.get("name"), plugin.get("state")) == ("Kiln.Test.Probe", "enabled")
    assert json.loads(settings(host))["runtimeSettings"][0]["handlerSettings"]["publicSettings"] == {"word": "open"}


def test_tell_no_secret_openly(host: AzureHost) -> None:
    assert b"sesame" not in ElementTree.tostring(extensions_config(host))
    assert "sesame" not in repr(host.journal.entries)


def test_are_replaced_by_their_name(host: AzureHost) -> None:
    host.give(probe("closed", "sesame", 1))
    (one,) = host.goal.extensions
    assert (one.number, host.vm.incarnation) == (1, 3)


def test_are_told_alike_by_the_host_plugin(host: AzureHost) -> None:
    told = json.loads(plugin(host, "/vmSettings").body)
    metadata = extensions_config(host).find("InVMGoalStateMetaData")
    assert metadata is not None
    assert told["extensionGoalStatesSource"] == "Fabric"
    assert str(told["extensionsLastModifiedTickCount"]) == metadata.get("createdOnTicks")
    assert told["activityId"] == metadata.get("activityId")
    assert told["statusUploadBlob"]["value"] == extensions_config(host).findtext("StatusUploadBlob")
    (one,) = told["extensionGoalStates"]
    (setting,) = one["settings"]
    assert (one["name"], json.loads(setting["publicSettings"])) == ("Kiln.Test.Probe", {"word": "open"})
    assert setting["protectedSettingsCertThumbprint"] == host.identity.thumbprint
    assert b"sesame" not in plugin(host, "/vmSettings").body


def test_come_by_the_host_plugin_alone_when_they_come_fast(host: AzureHost) -> None:
    before = plugin(host, "/vmSettings")
    assert plugin(host, "/vmSettings", **{"if-none-match": before.headers["ETag"]}).status == 304
    host.give(probe("fast", "sesame", 1), fast=True)
    after = plugin(host, "/vmSettings", **{"if-none-match": before.headers["ETag"]})
    told = json.loads(after.body)
    assert (after.status, told["extensionGoalStatesSource"]) == (200, "FastTrack")
    assert told["extensionGoalStates"][0]["settingsSeqNo"] == 1
    assert told["extensionsLastModifiedTickCount"] > json.loads(before.body)["extensionsLastModifiedTickCount"]
    assert host.vm.incarnation == 2
    assert "open" in settings(host)


def test_are_held_and_released(host: AzureHost) -> None:
    assert extensions_config(host).find("InVMArtifactsProfileBlob") is None
    host.hold(True)
    profile = extensions_config(host).findtext("InVMArtifactsProfileBlob") or ""
    assert json.loads(fetched(host, profile).body) == {"onHold": True}
    assert json.loads(plugin(host, "/vmSettings").body)["onHold"] is True
    host.give(probe("later", "sesame", 1))
    assert host.goal.on_hold
    host.hold(False)
    assert extensions_config(host).find("InVMArtifactsProfileBlob") is None
    assert fetched(host, profile).status == 404
    assert (host.vm.incarnation, host.goal.extensions[0].number) == (5, 1)


def test_have_a_manifest_that_leads_to_their_package(host: AzureHost) -> None:
    (plugin,) = extensions_config(host).iterfind("Plugins/Plugin")
    manifest = ElementTree.fromstring(fetched(host, plugin.get("location") or "").body)
    (version,) = manifest.iterfind("Plugins/Plugin")
    assert version.findtext("Version") == plugin.get("version")
    packed = fetched(host, version.findtext("Uris/Uri") or "").body
    assert sorted(zipfile.ZipFile(io.BytesIO(packed)).namelist()) == ["HandlerManifest.json", "handler.sh"]
    assert packed == package(PROBE)


@pytest.mark.parametrize("url", ["", "https://example.invalid/other.zip"])
def test_are_all_that_the_host_fetches(host: AzureHost, url: str) -> None:
    assert fetched(host, url).status == 404


def installed(host: AzureHost, folder: Path) -> Path:
    """The probe's folder as the agent leaves it before it calls `enable`."""
    here = folder / "Kiln.Test.Probe-1.0.0"
    zipfile.ZipFile(io.BytesIO(package(PROBE))).extractall(here)
    (here / "config").mkdir()
    (here / "config/0.settings").write_text(settings(host))
    key = host.identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / f"{host.identity.thumbprint}.prv").write_bytes(key)
    (folder / f"{host.identity.thumbprint}.crt").write_bytes(host.identity.certificate.public_bytes(Encoding.PEM))
    return here


def called(here: Path, *words: str) -> None:
    environment = {"PATH": "/usr/bin:/bin", "ConfigSequenceNumber": "0"}
    subprocess.run(["sh", "handler.sh", *words], cwd=here, env=environment, check=True)


def test_probe_says_what_it_was_told_openly_and_in_secret(host: AzureHost, tmp_path: Path) -> None:
    here = installed(host, tmp_path)
    called(here, "enable")
    (status,) = json.loads((here / "status/0.status").read_text())
    assert status["status"]["status"] == "success"
    assert status["status"]["formattedMessage"]["message"] == MESSAGE


def test_probe_does_nothing_else(host: AzureHost, tmp_path: Path) -> None:
    here = installed(host, tmp_path)
    called(here)
    assert not (here / "status").exists()


def test_probe_names_in_its_manifest_what_there_is() -> None:
    (manifest,) = json.loads((PROBE / "HandlerManifest.json").read_text())
    commands = [words for name, words in manifest["handlerManifest"].items() if name.endswith("Command")]
    assert len(commands) == 5
    assert {words.split()[0] for words in commands} == {"handler.sh"}


def status(message: str, number: int = 0, name: str = "Kiln.Test.Probe") -> Mapping[str, Any]:
    told = {"formattedMessage": {"lang": "en-US", "message": message}}
    handler = {
        "handlerName": name,
        "runtimeSettingsStatus": {"sequenceNumber": number, "settingsStatus": {"status": told}},
    }
    return {"aggregateStatus": {"handlerAggregateStatus": [{"handlerName": "Other.One"}, handler]}}


def test_probes_word_is_found_in_the_agents_status() -> None:
    assert told_by_probe([{}, {"aggregateStatus": {}}]) == ""
    assert told_by_probe([status("early"), status(MESSAGE)]) == MESSAGE
    assert told_by_probe([status(MESSAGE), status("newer", 1)]) == MESSAGE
    assert told_by_probe([status(MESSAGE, name="Other.One")]) == ""


def test_packages_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below/file").write_text("content")
    one = Extension("a", "1", tmp_path, {}, {})
    first = package(one.files)
    (tmp_path / "below/file").touch()
    assert package(one.files) == first
