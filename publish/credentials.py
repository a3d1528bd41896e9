"""Who we are to Azure: a credential from the environment or the machine, never from a file of ours."""

from contextlib import suppress
from typing import TYPE_CHECKING

from publish.clouds import Cloud

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential


def credential(cloud: Cloud) -> "TokenCredential":
    """The first that there is: the environment's, a workload's identity, the login of `az`, the machine's identity.

    Asking the machine's own metadata service comes last: elsewhere than on Azure that is a wait for nothing.
    """
    from azure.identity import (
        AzureCliCredential,
        ChainedTokenCredential,
        EnvironmentCredential,
        ManagedIdentityCredential,
        WorkloadIdentityCredential,
    )

    verify, discover = cloud.certificate or True, cloud.known
    found: list[TokenCredential] = [
        EnvironmentCredential(
            authority=cloud.authority, disable_instance_discovery=not discover, connection_verify=verify
        )
    ]
    with suppress(ValueError):  # this is no workload with an identity
        found.append(
            WorkloadIdentityCredential(
                authority=cloud.authority, disable_instance_discovery=not discover, connection_verify=verify
            )
        )
    return ChainedTokenCredential(*found, AzureCliCredential(), ManagedIdentityCredential())
