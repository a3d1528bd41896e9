"""The host's guest agent plugin, http://168.63.129.16:32526 (host-protocol 4.9).

Left out: vmSettings; 404 makes agents read extensionsConfig instead.
"""

import base64
import binascii
import json
from typing import Any

from harness.azure.extensions import artifact
from harness.azure.host import AzureHost
from harness.azure.http import App, Request, Response

VERSIONS = ("2015-09-01",)


def hostplugin(host: AzureHost) -> App:
    """The plugin as it answers one VM."""

    def answer(request: Request) -> Response:
        match request.method, request.path:
            case "GET", "/versions":
                return Response.json(list(VERSIONS))
            case "GET", "/health":
                return Response()
            case "GET", "/extensionArtifact":
                wanted = request.headers.get("x-ms-artifact-location", "")
                return artifact(host.extensions, wanted) or Response.json({"error": "BlobNotFound"}, 404)
            case "PUT", "/status":
                return _status(host, request)
            case "PUT", "/vmAgentLog":
                host.take_agent_log(request.body)
                return Response()
        return Response.json({"error": "NotFound"}, 404)

    return answer


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
