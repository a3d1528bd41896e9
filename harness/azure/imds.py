"""The instance metadata service, http://169.254.169.254/metadata, as it answers one VM.

https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service. As there, a version of the interface tells
only what it has known. Left out: limits of rate (a fault has them), and the two minutes that the first question for
scheduled events may take.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from harness.azure import events
from harness.azure.apiversions import VERSIONS, known_in
from harness.azure.attested import NONCE_DIGITS, Signer, attested, make_signer
from harness.azure.host import AzureHost
from harness.azure.http import App, Request, Response
from harness.azure.identity import refuse_token
from harness.azure.instance import instance

NEWEST = 3
"""How many versions a refusal names."""
ATTESTED_SINCE, BALANCED_SINCE, REPROVISIONED_SINCE = "2018-10-01", "2020-10-01", "2019-06-01"

Node = Callable[[AzureHost, Request], Response]


def imds(host: AzureHost) -> App:
    """The metadata service of one VM."""
    nodes = _nodes()

    def answer(request: Request) -> Response:
        path = request.path.rstrip("/")
        if path == "/metadata/identity" or path.startswith("/metadata/identity/"):
            return refuse_token(request)
        if refusal := _refusal(request, ("GET", "POST") if path == "/metadata/scheduledevents" else ("GET",)):
            return refusal
        if path == "/metadata/versions":
            return Response.json({"apiVersions": list(VERSIONS)})
        name = path.removeprefix("/metadata/").split("/")[0]
        if not path.startswith("/metadata/") or name not in nodes:
            return _version_refusal(request, VERSIONS) or _missing()
        node, versions = nodes[name]
        return _version_refusal(request, versions) or node(host, request)

    return answer


def _nodes() -> Mapping[str, tuple[Node, Sequence[str]]]:
    """What there is below /metadata, with the versions in which it is answered."""
    signer = cache(make_signer)
    return {
        "instance": (_instance, VERSIONS),
        "attested": (lambda host, request: _attested(host, request, signer), _since(ATTESTED_SINCE)),
        "loadbalancer": (_load_balancer, _since(BALANCED_SINCE)),
        "scheduledevents": (_scheduled_events, events.VERSIONS),
        "reprovisiondata": (_reprovision_data, _since(REPROVISIONED_SINCE)),
    }


def _since(version: str) -> tuple[str, ...]:
    return tuple(one for one in VERSIONS if one >= version)


def _error(text: str, status: int = 400) -> Response:
    return Response.json({"error": text}, status)


def _missing() -> Response:
    return _error("Not found", 404)


def _refusal(request: Request, methods: tuple[str, ...]) -> Response | None:
    if request.headers.get("metadata", "").lower() != "true":
        return _error("Bad request. Required metadata header not specified")
    if "x-forwarded-for" in request.headers:
        return _error("Bad request. A forwarded request is not answered")
    if request.method not in methods:
        return _error("Method not allowed", 405)
    if request.repeated:
        return _error(f"Bad request. Query parameter given more than once: {', '.join(request.repeated)}")
    return None


def _version_refusal(request: Request, versions: Sequence[str]) -> Response | None:
    asked = request.parameter("api-version")
    if asked in versions:
        return None
    newest = sorted(versions, reverse=True)[:NEWEST]
    text = "Bad request. api-version is invalid or was not specified in the request."
    text += " For more information refer to aka.ms/azureimds"
    return Response.json({"error": text, "newest-versions": newest}, 400)


def _instance(host: AzureHost, request: Request) -> Response:
    extended = (request.parameter("extended") or "").lower() == "true"
    model = known_in(instance(host.vm, extended), request.parameter("api-version") or "")
    return _answer_node(model, request.path.rstrip("/").split("/")[3:], request)


def _attested(host: AzureHost, request: Request, signer: Callable[[], Signer]) -> Response:
    if request.path.rstrip("/") != "/metadata/attested/document":
        return _missing()
    nonce = request.parameter("nonce") or ""
    if nonce and not (nonce.isascii() and nonce.isdigit() and len(nonce) <= NONCE_DIGITS):
        return _error(f"Bad request. The nonce has at most {NONCE_DIGITS} digits")
    return Response.json(attested(host.vm, signer(), nonce, datetime.now(UTC)))


def _load_balancer(host: AzureHost, request: Request) -> Response:
    if request.path.rstrip("/") != "/metadata/loadbalancer" or not host.vm.public_address:
        return _error("No load balancer metadata is found. Please check if your VM is using any load balancer.", 404)
    address = {"frontendIpAddress": host.vm.public_address, "privateIpAddress": host.vm.address}
    balancer = {"publicIpAddresses": [address], "inboundRules": [], "outboundRules": []}
    return Response.json({"loadbalancer": balancer})


def _scheduled_events(host: AzureHost, request: Request) -> Response:
    if request.path.rstrip("/") != "/metadata/scheduledevents":
        return _missing()
    if request.method == "GET":
        return Response.json(host.schedule.as_dict(request.parameter("api-version") or ""))
    try:
        wanted = [str(one["EventId"]) for one in json.loads(request.body)["StartRequests"]]
        host.let_begin(wanted)
    except (ValueError, TypeError, KeyError, RecursionError) as broken:
        return _error(f"Bad request. StartRequests must name events that there are: {broken}")
    return Response()


def _reprovision_data(host: AzureHost, request: Request) -> Response:
    """404 until somebody wants the VM; then what its disc would hold."""
    if request.path.rstrip("/") != "/metadata/reprovisiondata" or not host.reprovision_data:
        return _missing()
    return Response(200, host.reprovision_data, {"Content-Type": "text/xml; charset=utf-8"})


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
