"""The example that `spec init` writes: valid as it stands, with every key, those in comments that need something of
the user's."""

from pathlib import Path

from build.errors import CallerError

EXAMPLE = '''\
# A spec: your own image, layered on a distribution's recipe.
#     ./kiln plan --spec web.toml        what it would do
#     ./kiln build --spec web.toml
# docs/specs.md explains every key. What is not said here is the recipe's own choice; a flag wins over the spec.

# Part of the image's name; without it, this file's name is.
name = "web"
# Another spec that this one extends, relative to this file; a list for several.
#extends = "base.toml"
# Lists of the extended specs that are dropped instead of appended to.
#replace = ["commands", "packages.add"]

distro = "debian"
#release = "13"
#arch = "x86_64"
#kernel = "uek"
#generation = "both"
#type = "specialized"
#provisioner = "cloud-init"
#size = "30G"
#hostname = "web-1"                      # specialized only
#locale = "C.UTF-8"
#timezone = "Etc/UTC"

[packages]
add = ["curl"]
remove = ["nano"]

[kernel_arguments]
add = ["quiet"]
#remove = ["consoleblank"]

[services]
#enable = ["nginx"]
#disable = ["unattended-upgrades"]
#mask = ["ctrl-alt-del.target"]

[[files]]
path = "/etc/motd"
content = """
Made by Kiln.
"""
mode = "0644"
owner = "root"
group = "root"

# A file or a whole folder beside this spec.
#[[files]]
#path = "/srv/www"
#source = "www"

# A secret comes from a file or from the environment, never from this text.
#[[files]]
#path = "/etc/web/token"
#content = { from_env = "WEB_TOKEN" }
#mode = "0600"

# Commands run in the tree as its root, in order, after the files are written; without any network unless asked.
[[commands]]
run = "install -d -m 0755 /srv/www"

#[[commands]]
#run = ["curl", "--fail", "-o", "/srv/www/index.html", "https://example.org/"]
#network = true
#environment = { TOKEN = { from_file = "token" } }

# A further repository, always signed. For rpm: type = "rpm", and neither suites nor components.
#[[repositories]]
#name = "example"
#type = "apt"
#url = "https://packages.example.org/debian"
#suites = ["stable"]
#components = ["main"]
#key = "example.asc"
#keep = true

# Accounts of a specialized image.
#[[users]]
#name = "ada"
#groups = ["adm"]
#ssh_keys = [{ from_file = "~/.ssh/id_ed25519.pub" }]
#sudo = true
#shell = "/bin/bash"
#password_hash = { from_env = "ADA_HASH" }

# What each new machine does once: #cloud-config (cloud-init alone) or a script (every image).
#[first_boot]
#user_data = """
##!/bin/sh
#touch /srv/www/ready
#"""
'''


def write(file: Path) -> Path:
    """Write the example where nothing is yet. Raises CallerError."""
    try:
        with file.expanduser().open("x", encoding="utf-8") as out:
            out.write(EXAMPLE)
    except FileExistsError:
        raise CallerError(f"{file} is there already", "name another --output") from None
    except OSError as refusal:
        raise CallerError(f"{file} cannot be written: {refusal.strerror}", "name another --output") from None
    return file
