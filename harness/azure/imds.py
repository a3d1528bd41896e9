"""The instance metadata service, http://169.254.169.254/metadata, as it answers one VM.

https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service (host-protocol 3). Left out: scheduled
events, the load balancer and the attested document (404), limits of rate. A VM without an identity gets no token.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.azure.host import AzureHost
from harness.azure.http import App, Request, Response
from harness.azure.instance import VERSIONS, instance, known_in

NEWEST = 3
"""How many versions a refusal names."""


def imds(host: AzureHost, strict: bool = False) -> App:
    """The metadata service of one VM. With `strict`, an older version does not show newer fields."""

    def answer(request: Request) -> Response:
        if refusal := _refusal(request):
            return refusal
        path = request.path.rstrip("/")
        if path == "/metadata/versions":
            return Response.json({"apiVersions": list(VERSIONS)})
        if refusal := _version_refusal(request):
            return refusal
        if path.startswith("/metadata/identity/"):
            return Response.json({"error": "invalid_request", "error_description": "Identity not found"}, 400)
        if path == "/metadata/instance" or path.startswith("/metadata/instance/"):
            return _answer_node(_model(host, request, strict), path.split("/")[3:], request)
        return _missing()

    return answer


def _error(text: str, status: int = 400) -> Response:
    return Response.json({"error": text}, status)


def _missing() -> Response:
    return _error("Not found", 404)


def _refusal(request: Request) -> Response | None:
    if request.headers.get("metadata", "").lower() != "true":
        return _error("Bad request. Required metadata header not specified")
    if "x-forwarded-for" in request.headers:
        return _error("Bad request. A forwarded request is not answered")
    if request.method != "GET":
        return _error("Method not allowed", 405)
    if request.repeated:
        return _error(f"Bad request. Query parameter given more than once: {', '.join(request.repeated)}")
    return None


def _version_refusal(request: Request) -> Response | None:
    asked = request.parameter("api-version")
    if request.path.startswith("/metadata/identity/") and asked:
        return None  # the identity service has versions of its own
    if asked in VERSIONS:
        return None
    newest = sorted(VERSIONS, reverse=True)[:NEWEST]
    text = "Bad request. api-version is invalid or was not specified in the request."
    return Response.json({"error": text, "newest-versions": newest}, 400)


def _model(host: AzureHost, request: Request, strict: bool) -> Mapping[str, Any]:
    extended = (request.parameter("extended") or "").lower() == "true"
    model = instance(host.vm, extended)
    return known_in(model, request.parameter("api-version") or "") if strict else model


def _answer_node(model: Mapping[str, Any], keys: Sequence[str], request: Request) -> Response:
    try:
        node = descend(model, keys)
    except LookupError:
        return _missing()
    style = (request.parameter("format") or "json").lower()
    if style == "text":
        return Response.text(as_text(node))
    if style != "json" or not isinstance(node, (Mapping, Sequence)) or isinstance(node, str):
        return _error("Bad request. The format is invalid for this node; a leaf needs format=text")
    return Response.json(node)


def descend(node: Any, keys: Sequence[str]) -> Any:
    """What a path leads to; a number picks from a list. Raises LookupError."""
    for key in keys:
        if isinstance(node, Mapping):
            node = node[key]
        elif isinstance(node, Sequence) and not isinstance(node, str) and key.isascii() and key.isdigit():
            node = node[int(key)]
        else:
            raise LookupError(key)
    return node


def as_text(node: Any) -> str:
    """A leaf as it is, a branch as the names below it, with a slash where there is more below."""
    if isinstance(node, str):
        return node
    if isinstance(node, bool):
        return str(node).lower()
    below = node.items() if isinstance(node, Mapping) else enumerate(node)
    return "\n".join(f"{name}/" if isinstance(child, (Mapping, list)) else f"{name}" for name, child in below)
