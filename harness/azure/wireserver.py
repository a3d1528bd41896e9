"""The wireserver, http://168.63.129.16:80, as it answers one VM (docs/azure/host-protocol.md 4.1 to 4.8)."""

import json
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

from harness.azure import goalstate
from harness.azure.certificates import sealed
from harness.azure.host import AzureHost, client_of
from harness.azure.http import App, Request, Response
from harness.azure.remoteaccess import remote_access
from harness.azure.xmltext import NotXml, element, parse

STATES = ("Ready", "NotReady")
SUBSTATES = ("", "Provisioning", "ProvisioningFailed")
DESCRIPTION_LIMIT = 4096
"""Characters of a description; the longest of the agents cuts its own at 3686."""


def refuse(status: int, code: str, message: str) -> Response:
    """A refusal as the wireserver words it."""
    return Response.xml(
        element("Error", element("Code", code), element("Message", message), element("Details")), status
    )


def wireserver(host: AzureHost) -> App:
    """The wireserver of one VM's host."""

    def answer(request: Request) -> Response:
        if route := _open_route(request):
            return route(host, request)
        if request.path != "/machine" and not request.path.startswith("/machine/"):
            return refuse(404, "ResourceNotFound", "The specified resource does not exist.")
        if request.headers.get("x-ms-version") not in goalstate.SUPPORTED:
            message = "The versions header was not specified or was specified incorrectly."
            return refuse(400, "MissingOrIncorrectVersionHeader", message)
        if request.path in ("/machine", "/machine/"):
            return _machine(host, request)
        return _instance(host, request)

    return answer


def _open_route(request: Request) -> Callable[[AzureHost, Request], Response] | None:
    """The routes that want no version header."""
    if request.method == "GET" and request.path in ("", "/") and request.parameter("comp") == "versions":
        return lambda host, request: Response.xml(goalstate.versions())
    if request.method == "POST":
        return {"/HealthService": _health_service, "/provisioning/health": _provisioning_health}.get(request.path)
    return None


def _machine(host: AzureHost, request: Request) -> Response:
    comp = request.parameter("comp")
    if request.method == "GET" and comp == "goalstate":
        return Response.xml(goalstate.goal_state(host.vm, bool(host.remote_users)))
    posts = {"health": _health, "roleProperties": _role_properties, "telemetrydata": _telemetry}
    if request.method == "POST" and comp in posts:
        try:
            return posts[comp](host, parse(request.body), request)
        except NotXml as broken:
            return refuse(400, "InvalidXmlDocument", str(broken))
    return refuse(400, "InvalidQueryParameterValue", "One of the query parameters is not known for this method.")


def _instance(host: AzureHost, request: Request) -> Response:
    if request.path.rstrip("/") != goalstate.instance_path(host.vm):
        return refuse(410, "ResourceNotAvailable", "The resource requested is no longer available.")
    comp, kind = request.parameter("comp"), (request.parameter("type") or "").lower()
    if request.method == "GET" and comp == "config" and kind in goalstate.CONFIGS:
        return Response.xml(goalstate.CONFIGS[kind](host.vm))
    if request.method == "GET" and comp == "config" and kind == "extensionsconfig":
        return Response.xml(goalstate.extensions_config(host.vm, host.goal, host.identity))
    if request.method == "GET" and comp in ("certificates", "remoteAccess"):
        return _sealed(host, request, comp)
    return refuse(400, "InvalidQueryParameterValue", "One of the query parameters is not known for this method.")


def _sealed(host: AzureHost, request: Request, comp: str) -> Response:
    """What is sealed for whoever asks, by the certificate that comes with the question."""
    transport = request.headers.get("x-ms-guest-agent-public-x509-cert", "")
    cipher = request.headers.get("x-ms-cipher-name", "DES_EDE3_CBC")
    try:
        if comp == "remoteAccess":
            return Response.xml(remote_access(host.vm, host.remote_users, transport, cipher))
        return Response.xml(goalstate.certificate_file(host.vm, sealed(host.identity, transport, cipher)))
    except ValueError as broken:
        return refuse(400, "InvalidHeaderValue", str(broken))


def _text(root: Element, path: str) -> str:
    return (root.findtext(path) or "").strip()


def _health(host: AzureHost, root: Element, request: Request) -> Response:
    role = "Container/RoleInstanceList/Role"
    state, substatus = _text(root, f"{role}/Health/State"), _text(root, f"{role}/Health/Details/SubStatus")
    description = _text(root, f"{role}/Health/Details/Description")
    if root.tag != "Health" or (refusal := _invalid(state, substatus, description)):
        return refuse(400, "InvalidHealthReport", "no Health element" if root.tag != "Health" else refusal)
    place = _text(root, "Container/ContainerId").lower(), _text(root, f"{role}/InstanceId").lower()
    placed = place == (str(host.vm.container_id), host.vm.role_instance.lower())
    current = _text(root, "GoalStateIncarnation") == str(host.vm.incarnation)
    host.take_health(state, substatus, description, client_of(request), placed and current)
    if not placed:
        return refuse(400, "InvalidContainerConfiguration", "The container or its instance is not this VM's.")
    return Response()


def _invalid(state: str, substatus: str, description: str) -> str:
    if state not in STATES:
        return f"the state is none of {', '.join(STATES)}"
    if substatus not in SUBSTATES:
        return f"the substatus is none of {', '.join(SUBSTATES[1:])}"
    return "the description is too long" if len(description) > DESCRIPTION_LIMIT else ""


def _role_properties(host: AzureHost, root: Element, request: Request) -> Response:
    for one in root.iter("Property"):
        host.take_role_property(one.get("name", ""), one.get("value", ""))
    return Response(202)


def _telemetry(host: AzureHost, root: Element, request: Request) -> Response:
    for event in root.iter("Event"):
        host.take_telemetry("".join(event.itertext()))
    return Response()


def _health_service(host: AzureHost, request: Request) -> Response:
    told = _json(request)
    observations = told.get("Observations") if isinstance(told, dict) else None
    if not isinstance(observations, list) or not all(isinstance(one, dict) for one in observations):
        return refuse(400, "InvalidInput", "Observations are missing.")
    for observation in observations:
        host.take_observation(observation)
    return Response()


def _provisioning_health(host: AzureHost, request: Request) -> Response:
    """azure-init's report, which names no container: the address tells the VM."""
    told = _json(request)
    details = told.get("details") if isinstance(told, dict) else None
    details = details if isinstance(details, dict) else {}
    state = str(told.get("state", "")) if isinstance(told, dict) else ""
    substatus, description = str(details.get("subStatus", "")), str(details.get("description", ""))
    if refusal := _invalid(state, substatus, description):
        return Response.json({"error": refusal}, 400)
    host.take_health(state, substatus, description, client_of(request))
    return Response(201)


def _json(request: Request) -> Any:
    try:
        return json.loads(request.body)
    except (ValueError, RecursionError):
        return None
