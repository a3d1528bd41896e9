"""What Azure refuses, as one line that says who must act. The one place where its errors are read.

Codes: Azure Resource Manager's "Troubleshoot common Azure deployment errors" and the storage services' error codes.
"""

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from build.errors import CallerError, KilnError, MachineError, SubscriptionError

ROLES: Mapping[str, str] = {
    "microsoft.compute/galleries": "Compute Gallery Artifacts Publisher",
    "microsoft.compute/disks": "Disk Pool Operator or Contributor on the disk",
    "microsoft.compute/snapshots": "Disk Snapshot Contributor",
    "microsoft.compute/images": "Contributor",
    "microsoft.storage": "Storage Account Contributor",
    "microsoft.authorization": "User Access Administrator",
}
"""The built-in role that grants actions that begin so."""
ACTION = re.compile(r"perform action '([^']+)'")
CALLERS = ("ResourceGroupNotFound", "ParentResourceNotFound", "InvalidParameter", "InvalidResourceName", "InvalidVhd")
"""Codes that mean that a file, a name or a target is wrong."""
HINTS: Mapping[str, str] = {
    "ResourceGroupNotFound": "make the resource group, or name another one in the target",
    "ParentResourceNotFound": "what it belongs to was removed meanwhile: run it again",
    "InvalidVhd": "the uploaded file is no fixed VHD for Azure: `./kiln convert` makes one; upload it again",
    "MissingSubscriptionRegistration": "register the provider: `az provider register --namespace Microsoft.Compute`",
    "SubscriptionNotFound": "is it the right subscription, and may this credential see it?",
    "InvalidAuthenticationTokenTenant": "the credential is of another tenant than the subscription: sign in there",
    "QuotaExceeded": "remove versions that nobody needs (`./kiln retire`), or ask Azure for more",
    "OperationNotAllowed": "the subscription's owner must allow it, or ask Azure for more of it",
    "PropertyChangeNotAllowed": "that cannot change once it exists: choose another name in the target",
    "ExpiredAuthenticationToken": "sign in again",
}
TEMPORARY = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses that mean: ask again later."""
PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between two tries of a request that stands alone."""
T = TypeVar("T")
OTHERWISE = "what the service said stands above; docs/publishing.md lists what is often missing"
SIGN_IN = re.compile(r"AADSTS\d+:.*")
"""What the sign-in service itself says."""
SECRET = re.compile(r"\?[^\s'\"]*\bsig=[^\s'\"]*", re.IGNORECASE)
"""The query of a URL that grants access."""


@contextmanager
def told(what: str) -> Iterator[None]:
    """Do something with Azure, called `what`; its refusals come out as our errors.

    Raises SubscriptionError where the credential, the subscription or a quota is the reason, CallerError where what
    was asked for is, MachineError where Azure is out of reach.
    """
    from azure.core import exceptions as azure

    try:
        yield
    except azure.ClientAuthenticationError as refusal:
        raise _not_signed_in(what, refusal) from None
    except azure.HttpResponseError as refusal:
        raise translated(what, refusal) from None
    except (azure.ServiceRequestError, azure.ServiceResponseError) as failure:
        raise MachineError(
            f"{what}: Azure is out of reach: {plain(failure)}",
            "is this machine's network up, and the cloud the right one?",
        ) from None


def translated(what: str, refusal: Exception) -> KilnError:
    """An HttpResponseError as the error of whoever must act."""
    code, text = code_of(refusal), plain(refusal)
    status = getattr(refusal, "status_code", None)
    if status == 403 or code in ("AuthorizationFailed", "LinkedAuthorizationFailed"):
        return SubscriptionError(f"{what}: no permission: {text}", _missing_role(code, text))
    if code in CALLERS or (status == 400 and code not in HINTS):
        return CallerError(f"{what}: refused: {_coded(code, text)}", HINTS.get(code, OTHERWISE))
    if status == 429:
        return SubscriptionError(f"{what}: too many requests: {text}", "wait some minutes, then run it again")
    return SubscriptionError(f"{what}: refused: {_coded(code, text)}", HINTS.get(code, OTHERWISE))


def code_of(refusal: Exception) -> str:
    """The service's own word for what is wrong; "" where it gave none."""
    error = getattr(refusal, "error", None)
    code = getattr(error, "code", None) or getattr(refusal, "error_code", None) or ""
    return str(getattr(code, "value", code))


def is_absent(refusal: Exception) -> bool:
    """Whether it means that a thing does not exist; a group or a parent that is missing is another matter."""
    absent = ("", "ResourceNotFound", "NotFound", "BlobNotFound", "GalleryImageVersionNotFound")
    return getattr(refusal, "status_code", None) == 404 and code_of(refusal) in absent


def is_temporary(failure: Exception) -> bool:
    """Whether it is worth to ask again later."""
    from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError

    if isinstance(failure, ServiceRequestError | ServiceResponseError):
        return True
    return isinstance(failure, HttpResponseError) and failure.status_code in TEMPORARY


def patiently(ask: Callable[[], T]) -> T:
    """What `ask` gives, asked again for about half a minute where the service cannot say it just now."""
    for pause in PAUSES:
        try:
            return ask()
        except Exception as failure:  # what the service and the network say comes in many classes
            if not is_temporary(failure):
                raise
        time.sleep(pause * random.uniform(0.5, 1.5))
    return ask()


def plain(failure: Exception) -> str:
    """The first sentence of what was said, without what grants access to anything."""
    error = getattr(failure, "error", None)
    text = str(getattr(error, "message", None) or getattr(failure, "message", None) or failure)
    return without_secrets(next((line.strip() for line in text.splitlines() if line.strip()), type(failure).__name__))


def without_secrets(text: str) -> str:
    """The text, its URLs without what grants access."""
    return SECRET.sub("", text)


def _coded(code: str, text: str) -> str:
    return text if not code or code in text else f"{code}: {text}"


def _missing_role(code: str, text: str) -> str:
    if code.startswith("AuthorizationPermission"):
        return "ask the storage account's owner for the role Storage Blob Data Contributor"
    found = ACTION.search(text)
    action = found[1].lower() if found else ""
    role = next((role for start, role in ROLES.items() if action.startswith(start)), "")
    if not role:
        return "ask the subscription's owner for the permission that is named above"
    return f"ask the subscription's owner for the role {role}, which grants {found[1] if found else action}"


def _not_signed_in(what: str, refusal: Exception) -> SubscriptionError:
    whole = without_secrets(str(getattr(refusal, "message", "") or refusal))
    found = SIGN_IN.search(whole)
    text = found[0] if found else plain(refusal)
    if not found and ("CredentialUnavailable" in type(refusal).__name__ or "Attempted credentials" in whole):
        hint = "`az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (docs/publishing.md)"
        return SubscriptionError(f"{what}: there is no credential for Azure on this machine", hint)
    return SubscriptionError(
        f"{what}: the credential was refused: {text}", "is it right, of this tenant, and not expired?"
    )
