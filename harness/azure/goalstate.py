"""The documents that the wireserver hands out about one VM, as XML trees (docs/azure/host-protocol.md 4.2 to 4.5)."""

from urllib.parse import urlencode
from xml.etree.ElementTree import Element

from harness.azure.certificates import Identity
from harness.azure.extensions import PROFILE, Goal, plugin_settings, plugins
from harness.azure.xmltext import element
from harness.vm import WIRESERVER, VirtualMachine

PREFERRED = "2015-04-05"
SUPPORTED = (
    "2015-04-05",
    "2012-11-30",
    "2012-09-15",
    "2012-05-15",
    "2011-12-31",
    "2011-10-15",
    "2011-08-31",
    "2011-04-07",
    "2010-12-15",
    "2010-28-10",
)
"""Protocol versions as the real host lists them; the last one is its own slip."""

PROBE_PORT = "16001"
STOP_HINT = "300000"
"""Milliseconds that a stopping role has."""


def versions() -> Element:
    """`?comp=versions`."""
    supported = [element("Version", version) for version in SUPPORTED]
    return element("Versions", element("Preferred", element("Version", PREFERRED)), element("Supported", supported))


def goal_state(vm: VirtualMachine, remote_access: bool = False) -> Element:
    """`comp=goalstate`: what the guest must be, and where the documents below are, users for a while among them."""
    machine = element(
        "Machine",
        element("ExpectedState", "Started"),
        element("StopRolesDeadlineHint", STOP_HINT),
        element("LBProbePorts", element("Port", PROBE_PORT)),
        element("ExpectHealthReport", "FALSE"),
    )
    configuration = element(
        "Configuration",
        element("HostingEnvironmentConfig", _config(vm, "hostingEnvironmentConfig")),
        element("SharedConfig", _config(vm, "sharedConfig")),
        element("ExtensionsConfig", _config(vm, "extensionsConfig")),
        element("FullConfig", _config(vm, "fullConfig")),
        element("Certificates", _address(vm, comp="certificates", incarnation=str(vm.incarnation))),
        element("ConfigName", config_name(vm)),
    )
    instance = element(
        "RoleInstance", element("InstanceId", vm.role_instance), element("State", "Started"), configuration
    )
    container = element(
        "Container",
        element("ContainerId", str(vm.container_id)),
        element("RemoteAccessInfo", _address(vm, comp="remoteAccess")) if remote_access else None,
        element("RoleInstanceList", instance),
    )
    incarnation = element("Incarnation", str(vm.incarnation))
    return element("GoalState", element("Version", "2012-11-30"), incarnation, machine, container)


def config_name(vm: VirtualMachine) -> str:
    """The goal state's ConfigName; the agent repeats it to the host plugin."""
    return f"{vm.deployment_id}.0.{vm.deployment_id}.0._{vm.name}.{vm.incarnation}.xml"


def instance_path(vm: VirtualMachine) -> str:
    """The path under which the instance's documents are."""
    return f"/machine/{vm.container_id}/{vm.role_instance}"


def _address(vm: VirtualMachine, **query: str) -> str:
    return f"http://{WIRESERVER}:80{instance_path(vm)}?{urlencode(query)}"


def _config(vm: VirtualMachine, kind: str) -> str:
    return _address(vm, comp="config", type=kind, incarnation=str(vm.incarnation))


def hosting_environment(vm: VirtualMachine) -> Element:
    """`type=hostingEnvironmentConfig`."""
    number, deployment = str(vm.incarnation), str(vm.deployment_id)
    role = element("Role", guid=deployment, name=f"_{vm.name}", hostingEnvironmentVersion="", software="")
    stored = element("StoredCertificates", element("StoredCertificate", name="TenantEncryptionCert"))
    service = [
        element("Service", name=vm.name, guid=deployment),
        element("ServiceInstance", name=f"{vm.name}.{number}", guid=deployment),
    ]
    return element(
        "HostingEnvironmentConfig",
        stored,
        element("Deployment", service, name=deployment, guid=deployment, incarnation=number),
        element("Incarnation", number=number, instance=vm.name, guid=deployment),
        role,
        element("Applications"),
        version="1.0.0.0",
        goalStateIncarnation=number,
    )


def shared_config(vm: VirtualMachine) -> Element:
    """`type=sharedConfig`; an Instance's id must be the Incarnation's instance (afterburn looks it up)."""
    number, deployment = str(vm.incarnation), str(vm.deployment_id)
    instance = element("Instance", element("InputEndpoints"), id=vm.role_instance, address=vm.address)
    return element(
        "SharedConfig",
        element("Deployment", name=deployment, guid=deployment, incarnation=number),
        element("Incarnation", number=number, instance=vm.role_instance, guid=deployment),
        element("Role", guid=deployment, name=f"_{vm.name}"),
        element("Instances", instance),
        version="1.0.0.0",
        goalStateIncarnation=number,
    )


def status_blob(vm: VirtualMachine) -> str:
    """Where the agent is told to upload its status: nowhere that it reaches, so that it gives it to the host plugin."""
    return f"https://kilnstatus.blob.core.windows.net/$system/{vm.name}.status?sv=2018-03-28&sr=b&sk=system-1"


def extensions_config(vm: VirtualMachine, goal: Goal, identity: Identity) -> Element:
    """`type=extensionsConfig`; it offers no agents: none updates itself."""
    metadata = element(
        "InVMGoalStateMetaData",
        inSvdSeqNo=str(goal.number),
        createdOnTicks=str(goal.ticks),
        activityId=goal.activity,
        correlationId=goal.activity,
    )
    return element(
        "Extensions",
        element("GuestAgentExtension", element("GAFamilies")),
        plugins(goal.extensions),
        plugin_settings(goal.extensions, identity),
        element("InVMArtifactsProfileBlob", PROFILE) if goal.on_hold else None,
        element("StatusUploadBlob", status_blob(vm), statusBlobType="BlockBlob"),
        metadata,
        version="1.0.0.0",
        goalStateIncarnation=str(vm.incarnation),
    )


def full_config(vm: VirtualMachine) -> Element:
    """`type=fullConfig`, which no known client reads."""
    return element("FullConfig", goalStateIncarnation=str(vm.incarnation))


def certificate_file(vm: VirtualMachine, data: str) -> Element:
    """`comp=certificates`."""
    return element(
        "CertificateFile",
        element("Version", "2010-12-15"),
        element("Incarnation", str(vm.incarnation)),
        element("Format", "Pkcs7BlobWithPfxContents"),
        element("Data", data),
    )


CONFIGS = {
    "hostingenvironmentconfig": hosting_environment,
    "sharedconfig": shared_config,
    "fullconfig": full_config,
}
"""Documents that follow from the VM alone by their `type`, in lower case."""
