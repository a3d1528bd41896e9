"""Azure Resource Manager: what exists, as plain mappings in the service's own words, and what changes it.

A session that was opened to look cannot change anything: whatever is not GET or HEAD is stopped on its way out, and
nothing is registered along the way.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from build.errors import Bug, SubscriptionError
from publish import refusals
from publish.clouds import Cloud

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.polling import LROPoller
    from azure.mgmt.compute import ComputeManagementClient

ABSENT = ("ResourceNotFound", "ResourceGroupNotFound", "NotFound")
READING = frozenset({"GET", "HEAD"})
POLLING = 1
"""Seconds between two questions about something that takes long, where the service does not say when to ask."""
PATIENCE = 1800.0
"""Seconds that anything but replication may take."""
Body = Mapping[str, Any]


@dataclass(frozen=True)
class Arm:
    """A session with the resources of one group. `writable` says whether it may change anything."""

    compute: "ComputeManagementClient"
    url: str
    subscription: str
    group: str
    writable: bool

    def get(self, what: str, ask: Callable[[], Any]) -> dict[str, Any] | None:
        """What exists, None where it does not; see `refusals.told` for what is raised."""
        from azure.core.exceptions import ResourceNotFoundError

        with refusals.told(what):
            try:
                return _plain(ask())
            except ResourceNotFoundError as absent:
                if refusals.is_absent(absent):
                    return None
                raise

    def all(self, what: str, ask: Callable[[], Iterable[Any]]) -> list[dict[str, Any]]:
        """Everything of a list."""
        with refusals.told(what):
            return [_plain(one) for one in ask()]

    def finish(self, what: str, begin: Callable[[], "LROPoller[Any]"]) -> dict[str, Any]:
        """Begin something and wait until the service says that it is done."""
        with refusals.told(what):
            poller = begin()
            poller.wait(PATIENCE)
            if not poller.done():
                hint = "it goes on in Azure: run the same again, or look at it in the portal"
                raise SubscriptionError(f"{what} is not done after {PATIENCE // 60:.0f} minutes", hint)
            return _plain(poller.result() or {})

    def resource(self, what: str, id: str, api_version: str) -> dict[str, Any] | None:
        """Any resource by its id, for kinds that no client of ours knows; None where it, or its group, is not there."""
        from azure.core.exceptions import HttpResponseError
        from azure.core.rest import HttpRequest

        def ask() -> Any:
            asked = HttpRequest("GET", f"{self.url}{id}", params={"api-version": api_version})
            answer = self.compute.send_request(asked)
            if answer.status_code == 404 and answer.json()["error"]["code"] in ABSENT:
                return None
            if answer.status_code >= 400:
                raise HttpResponseError(response=answer)
            return answer.json()

        with refusals.told(what):
            return cast("dict[str, Any] | None", ask())


@contextmanager
def session(
    cloud: Cloud, subscription: str, group: str, credential: "TokenCredential", *, write: bool
) -> Iterator[Arm]:
    """A session with a subscription; without `write` it can only look."""
    from azure.mgmt.compute import ComputeManagementClient

    with ComputeManagementClient(
        credential,
        subscription,
        **options(cloud, write=write),
        polling_interval=POLLING,
    ) as compute:
        yield Arm(compute, cloud.resource_manager, subscription, group, write)


def options(cloud: Cloud, *, write: bool) -> dict[str, Any]:
    """What every client of a cloud's resource manager is made with."""
    # What only looks must not register a provider either, which the client would do by itself.
    policies = [] if write else [only_looking()]
    return {
        "base_url": cloud.resource_manager,
        "credential_scopes": [cloud.scope],
        # Lists of their own: the client puts policies of its own into what it is given.
        "per_call_policies": [*policies],
        "per_retry_policies": [*policies],
        "connection_verify": cloud.certificate or True,
    }


def only_looking() -> Any:
    """The policy that lets nothing but questions out."""
    from azure.core.pipeline.policies import SansIOHTTPPolicy

    class OnlyLooking(SansIOHTTPPolicy[Any, Any]):
        def on_request(self, request: Any) -> None:
            if request.http_request.method not in READING:
                raise Bug(f"a plan wanted to {request.http_request.method} {request.http_request.url.split('?')[0]}")

    return OnlyLooking()


def _plain(found: Any) -> dict[str, Any]:
    return dict(found.as_dict() if hasattr(found, "as_dict") else found)
