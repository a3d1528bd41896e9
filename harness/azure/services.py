"""What the host serves, and where: the one list of its HTTP services."""

from harness.azure.host import AzureHost
from harness.azure.hostplugin import hostplugin
from harness.azure.imds import imds
from harness.azure.server import Binding
from harness.azure.wireserver import wireserver
from harness.vm import IMDS, WIRESERVER

HTTP = 80
HOST_PLUGIN = 32526


def services(host: AzureHost) -> tuple[Binding, ...]:
    """The services of one VM's host at Azure's addresses."""
    return (
        Binding(IMDS, HTTP, imds(host), "imds"),
        Binding(WIRESERVER, HTTP, wireserver(host), "wireserver"),
        Binding(WIRESERVER, HOST_PLUGIN, hostplugin(host), "hostplugin"),
    )
