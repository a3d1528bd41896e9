"""The double of Azure Resource Manager and its sign-in: one address, behind which `World` lives."""

import asyncio
import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web

from publish.playground import around, contract, disks, galleries, operations, resources
from publish.playground.blobs import Blobs
from publish.playground.certificates import Certificate
from publish.playground.serving import reset, serving
from publish.playground.world import REGIONS, SUBSCRIPTION, Ask, Exchange, Refused, Reply, World

App = Callable[[World, Ask], Reply]
COMPUTE = r"subscriptions/[^/]+/resourcegroups/[^/]+/providers/Microsoft\.Compute/"
OPERATION = r"subscriptions/[^/]+/providers/Microsoft\.Compute/locations/[^/]+/operations/[^/]+"
EVERYWHERE = r"subscriptions/[^/]+/providers/Microsoft\.Compute/(galleries|disks|images)"
ACTIONS = {"GET": "read", "HEAD": "read", "DELETE": "delete", "POST": "action"}
"""The verb of an action, by method; all others write."""


@contextmanager
def running(
    certificate: Certificate, blobs: Blobs, *, file: Path | None = None, secret: str = "", port: int = 0
) -> Iterator[World]:
    """The double with one subscription; its state is kept in `file`, and its `url` says where it is."""
    world = World(blobs, secret or secrets.token_urlsafe(24), file)
    world.load()

    @asynccontextmanager
    async def around_it() -> AsyncIterator[None]:
        yield

    async def handle(request: web.Request) -> web.StreamResponse:
        return await _handle(request, world)

    with serving(handle, certificate, around_it, port) as url:
        world.url = url
        yield world


def furnish(world: World, group: str, account: str, location: str) -> None:
    """Put a resource group and a storage account there."""
    id = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}"
    place = REGIONS[location]
    kind = "Microsoft.Resources/resourceGroups"
    world.keep(
        {"id": id, "name": group, "type": kind, "location": place, "properties": {"provisioningState": "Succeeded"}}
    )
    where = f"{id}/providers/Microsoft.Storage/storageAccounts/{account}"
    kind = "Microsoft.Storage/storageAccounts"
    world.keep({"id": where, "name": account, "type": kind, "location": place, "properties": {}})


async def _handle(request: web.Request, world: World) -> web.StreamResponse:
    raw = await request.text()
    ask = Ask(request.method, request.path, dict(request.query), _body(request, raw))
    # Blobs are looked at by a client that waits; others go on meanwhile.
    reply = await asyncio.to_thread(_answer, world, ask, request.headers.get("Authorization", ""))
    if (action := action_of(ask)) in world.faults.lost:
        world.faults.lost.remove(action)
        reset(request)
    headers = {"x-ms-request-id": secrets.token_hex(8), **reply.headers}
    if reply.body is None:
        return web.Response(status=reply.status, headers=headers)
    return web.json_response(reply.body, status=reply.status, headers=headers)


def _body(request: web.Request, raw: str) -> Any:
    """JSON, or the form that sign-in sends. What is neither stays text, which no contract allows."""
    if not raw:
        return None
    if "json" in request.content_type:
        with suppress(ValueError):
            return json.loads(raw)
        return raw
    from urllib.parse import parse_qsl

    return dict(parse_qsl(raw))


def _answer(world: World, ask: Ask, authorization: str) -> Reply:
    with world.lock:
        try:
            reply = _found(world, ask, authorization)
        except Refused as refused:
            reply = refused.reply
        if faults := contract.answer_faults(ask.method, ask.path, reply.status, reply.body):
            world.violations += faults
        world.exchanges.append(Exchange(ask.method, ask.path, ask.query, ask.body, reply.status))
    return reply


def _found(world: World, ask: Ask, authorization: str) -> Reply:
    if app := _app(around.OPEN, ask.path):
        return app(world, ask)
    _signed_in(world, authorization)
    _misbehave(world, ask)
    if app := _app(around.GUARDED, ask.path):
        return _checked(world, ask, app)
    _need_group(world, ask)
    app = _app(_compute(), ask.path)
    if not app:
        raise Refused(404, "InvalidResourceType", f"Nothing of this double answers at {ask.path}.")
    return _checked(world, ask, app)


def _need_group(world: World, ask: Ask) -> None:
    """Nothing can be asked of a resource group that is not there."""
    found = re.match(r"/subscriptions/[^/]+/resourcegroups/([^/]+)", ask.path, re.IGNORECASE)
    if found and not world.find(found[0]):
        raise Refused(404, "ResourceGroupNotFound", f"Resource group '{found[1]}' could not be found.")


def _checked(world: World, ask: Ask, app: App) -> Reply:
    """Hold the request against the contract, then let it be answered."""
    if faults := contract.request_faults(ask.method, ask.path, ask.body):
        world.violations += faults
        raise Refused(400, "InvalidRequestContent", "; ".join(faults))
    return app(world, ask)


@cache
def _compute() -> tuple[tuple[str, App], ...]:
    below = ((f"{COMPUTE}{path}", app) for path, app in (*galleries.HANDLERS, *disks.HANDLERS))
    return ((OPERATION, operations.poll), (EVERYWHERE, resources.everywhere), *below)


def _app(handlers: tuple[tuple[str, App], ...], path: str) -> App | None:
    found = path.strip("/")
    return next((app for pattern, app in handlers if re.fullmatch(pattern, found, re.IGNORECASE)), None)


def _signed_in(world: World, authorization: str) -> None:
    if not authorization.startswith("Bearer "):
        headers = {"WWW-Authenticate": f'Bearer authorization_uri="{world.url}/tenant"'}
        raise Refused(
            401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.", **headers
        )
    if around.expires(authorization.removeprefix("Bearer ")) < time.time():
        raise Refused(401, "ExpiredAuthenticationToken", "The access token expiry has passed.")


def _misbehave(world: World, ask: Ask) -> None:
    """What is meant to go wrong, before anything else."""
    faults = world.faults
    if faults.throttled:
        faults.throttled -= 1
        raise Refused(429, "TooManyRequests", "The request is being throttled.", **{"Retry-After": "0"})
    if faults.broken:
        faults.broken -= 1
        raise Refused(500, "InternalServerError", "An unexpected error occurred.")
    if faults.unregistered and "Microsoft.Compute/" in ask.path and ask.method != "POST":
        text = "The subscription is not registered to use namespace 'Microsoft.Compute'."
        raise Refused(409, "MissingSubscriptionRegistration", text)
    if (action := action_of(ask)) in faults.denied:
        text = f"The client does not have authorization to perform action '{action}' over scope '{ask.id}'."
        raise Refused(403, "AuthorizationFailed", text)


def action_of(ask: Ask) -> str:
    """The permission that a request needs, as roles name it."""
    words = ask.id.split("/providers/")[-1].split("/")
    kinds = [words[0], *words[1::2]]
    if ask.method == "POST":
        return f"{'/'.join(kinds)}/action"
    return f"{'/'.join(kinds)}/{ACTIONS.get(ask.method, 'write')}"
