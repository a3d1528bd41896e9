"""The host's guest agent plugin, http://168.63.129.16:32526, as WALinuxAgent's `hostplugin.py` talks to it."""

import base64
import binascii
import json
from dataclasses import replace
from typing import Any

from harness.azure.extensions import artifact
from harness.azure.host import AzureHost
from harness.azure.http import App, Request, Response
from harness.azure.vmsettings import vm_settings

VERSIONS = ("2015-09-01",)
WITHOUT_CONTAINER = ("/versions", "/health")
"""What may be asked by who does not know the container yet."""


def hostplugin(host: AzureHost) -> App:
    """The plugin as it answers one VM."""

    def answer(request: Request) -> Response:
        if refusal := _misplaced(host, request):
            return refusal
        match request.method, request.path:
            case "GET", "/versions":
                return Response.json(list(VERSIONS))
            case "GET", "/health":
                return Response()
            case "GET", "/vmSettings":
                return _vm_settings(host, request)
            case "GET", "/extensionArtifact":
                wanted = request.headers.get("x-ms-artifact-location", "")
                return artifact(host.newest_goal, wanted) or Response.json({"error": "BlobNotFound"}, 404)
            case "PUT", "/status":
                return _status(host, request)
            case "PUT", "/vmAgentLog":
                host.take_agent_log(request.body)
                return Response()
        return Response.json({"error": "NotFound"}, 404)

    return answer


def _misplaced(host: AzureHost, request: Request) -> Response | None:
    """What asks for a container of the past gets 410: agents then fetch the goal state, and ask anew."""
    told = request.headers.get("x-ms-containerid")
    if told is None and request.path not in WITHOUT_CONTAINER:
        return Response.json({"error": "the header x-ms-containerid is missing"}, 400)
    if told is not None and told.lower() != str(host.vm.container_id):
        return Response.json({"error": "ResourceNotAvailable"}, 410)
    return None


def _vm_settings(host: AzureHost, request: Request) -> Response:
    goal = host.newest_goal
    mark = f"{host.vm.container_id}-{goal.number}"
    if request.headers.get("if-none-match") == mark:
        return Response(304, headers={"ETag": mark})
    told = Response.json(vm_settings(host.vm, goal, host.identity))
    return replace(told, headers={**told.headers, "ETag": mark})


def _status(host: AzureHost, request: Request) -> Response:
    blob = _blob(request.body)
    if blob is None:
        return Response.json({"error": "the body holds no status"}, 400)
    if blob:  # page blobs are made empty first and filled by a second request
        host.take_status(blob)
    return Response()


def _blob(body: bytes) -> dict[str, Any] | None:
    """The status in the request's base64 `content`; {} for an empty one, None when there is no sense in it."""
    try:
        outer = json.loads(body)
        content = base64.b64decode(outer["content"]).strip(b"\0 ")
        blob = json.loads(content) if content else {}
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        return None
    return blob if isinstance(blob, dict) else None
