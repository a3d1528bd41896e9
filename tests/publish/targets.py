"""Targets for tests, as text."""

PLAIN = """\
subscription = "00000000-0000-0000-0000-0000000000aa"
resource_group = "images"
location = "westeurope"

[gallery]
name = "linux"

[staging]
account = "imagestaging"

[[definition]]
name = "debian-12-gen1"
publisher = "Kiln"
offer = "debian"
sku = "12-gen1"
generation = 1

[[definition]]
name = "debian-12-gen2"
publisher = "Kiln"
offer = "debian"
sku = "12-gen2"
generation = 2
security = "TrustedLaunchSupported"
controllers = ["NVMe", "SCSI"]
"""
"""A gallery with a definition for each generation, and nothing that has a default."""
EVERYTHING = """\
cloud = "usgov"
subscription = "00000000-0000-0000-0000-0000000000AA"
resource_group = "images"
location = "West Europe"
kind = "gallery"

[gallery]
name = "linux.images"
description = "Linux"

[staging]
account = "imagestaging"
container = "vhds"
resource_group = "storage"
route = "disk"

[[definition]]
name = "debian-12-gen2"
publisher = "Kiln"
offer = "debian"
sku = "12-gen2"
generation = 2
state = "specialized"
architecture = "Arm64"
security = "TrustedLaunch"
controllers = ["SCSI", "NVMe"]
accelerated_networking = false
hibernation = true
image = "debian-12-*"
description = "Debian 12"
eula = "https://example.org/eula"
privacy = "https://example.org/privacy"
release_notes = "https://example.org/notes"
end_of_life = 2030-06-30

[version]
major = 12
replication = "shallow"
storage = "Standard_ZRS"
end_of_life = 2030-06-30
keep_until_end_of_life = true
exclude_from_latest = false
tags = { team = "images" }

[[version.region]]
name = "westus"
replicas = 3
storage = "Premium_LRS"
encryption_set = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/diskEncryptionSets/set"

[[version.region]]
name = "westeurope"

[[version.uefi_keys.db]]
type = "x509"
value = ["AAEC"]

[[version.uefi_keys.pk]]
type = "x509"
value = ["AwQF"]

[sharing]
groups = ["00000000-0000-0000-0000-0000000000DD"]
tenants = ["00000000-0000-0000-0000-0000000000ee"]

[sharing.community]
prefix = "kilnimages"
website = "https://example.org"
contact = "images@example.org"
eula = "https://example.org/eula"
"""
"""Every key that a gallery's target may have."""
