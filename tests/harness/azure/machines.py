"""Machines that the tests of the pretend host share."""

from dataclasses import replace
from uuid import UUID

from harness.vm import NetworkInterface, OSProfile, VirtualMachine

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJkW3wq2JX5vGk0sWJ8Yz6m0mJr7r4t1l2n3o4p5q6r7 somebody"
PROFILE = OSProfile(
    "vm-alpha", "azureuser", (KEY,), custom_data=b"#!/bin/sh\necho <&>\n", user_data=b"#cloud-config\n{}\n"
)
GENERALIZED = VirtualMachine(
    name="vm-alpha",
    generation=2,
    os_profile=PROFILE,
    uuid=UUID("11112222-3333-4444-5555-666677778888"),
    container_id=UUID(int=2),
    deployment_id=UUID(int=3),
    subscription_id=UUID(int=4),
    tags=(("purpose", "test"), ("owner", "kiln")),
)
SECOND_CARD = NetworkInterface("60:45:bd:00:01:04", ("10.0.0.24",))
TWO_CARDS = replace(GENERALIZED, more_addresses=("10.0.0.14",), more_interfaces=(SECOND_CARD,))
SPECIALIZED = replace(GENERALIZED, os_profile=None)
