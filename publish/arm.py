"""Azure Resource Manager: what exists, as plain mappings in the service's own words, and what changes it.

Each session has a guard (`publish.guard`), which is asked before every request that changes something, and before each
try of it: the library repeats them by itself, for minutes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from build.errors import SubscriptionError
from publish import refusals
from publish.clouds import Cloud
from publish.guard import Guard, hook

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.core.polling import LROPoller
    from azure.mgmt.compute import ComputeManagementClient

ABSENT = ("ResourceNotFound", "ResourceGroupNotFound", "NotFound")
REPEATED = frozenset({"GET", "HEAD", "PUT", "DELETE", "POST"})
"""Methods that are asked again after a lost answer. The library would leave out POST."""
POLLING = 1
"""Seconds between two questions about something that takes long, where the service does not say when to ask."""
PATIENCE = 1800.0
"""Seconds that anything but replication may take."""
Body = Mapping[str, Any]


@dataclass(frozen=True)
class Arm:
    """A session with the resources of one group."""

    compute: "ComputeManagementClient"
    url: str
    subscription: str
    group: str

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
def session(cloud: Cloud, subscription: str, group: str, credential: "TokenCredential", guard: Guard) -> Iterator[Arm]:
    """A session with a subscription."""
    from azure.mgmt.compute import ComputeManagementClient

    with ComputeManagementClient(
        credential,
        subscription,
        **options(cloud, guard),
        polling_interval=POLLING,
    ) as compute:
        yield Arm(compute, cloud.resource_manager, subscription, group)


def options(cloud: Cloud, guard: Guard) -> dict[str, Any]:
    """What every client of a cloud's resource manager is made with."""
    return {
        "base_url": cloud.resource_manager,
        "credential_scopes": [cloud.scope],
        "per_call_policies": [_asking_again()],
        # Behind what the client does by itself: it would register a provider even for a session that only looks.
        "per_retry_policies": [_guarded(guard)],
        "connection_verify": cloud.certificate or True,
    }


def _guarded(guard: Guard) -> Any:
    """The policy that asks the guard."""
    from azure.core.pipeline.policies import SansIOHTTPPolicy

    before = hook(guard)

    class Guarded(SansIOHTTPPolicy[Any, Any]):
        def on_request(self, request: Any) -> None:
            before(request)

    return Guarded()


def _asking_again() -> Any:
    """The policy that has a POST repeated as other requests are, once its answer was lost: ours say the same twice."""
    from azure.core.pipeline.policies import SansIOHTTPPolicy

    class AskingAgain(SansIOHTTPPolicy[Any, Any]):
        def on_request(self, request: Any) -> None:
            request.context.options["retry_on_methods"] = REPEATED

    return AskingAgain()


def _plain(found: Any) -> dict[str, Any]:
    return dict(found.as_dict() if hasattr(found, "as_dict") else found)
