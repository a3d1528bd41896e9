"""The options that several tasks share, and what words mean once they are parsed.

What is asked of the rooms below is imported when it is needed, so that `invoke --list` stays quick.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from build.errors import CallerError
from commandline import HELP, Option, Options

if TYPE_CHECKING:
    from build.request import BuildRequest

IMAGE = "an image: the folder that a build printed, or a disk file (VHD, raw, qcow2)"
TARGET = "the file that says where it goes: a gallery.toml (docs/publishing.md)"
VERSION = "a version, as `published` lists them"
APPLY = "do it; without this the plan is printed, and nothing is changed"
JSON = "print one JSON object, errors too"
BUILD: Options = {
    "distro": Option("a distribution, as `distros` lists them (default: the spec's)"),
    "spec": Option(
        "a file with what your own image has besides: packages, files, commands, users (`spec init` writes one)"
    ),
    "name": Option("the image's own name, part of its folder's (default: the spec's)"),
    "release": Option("its release, as `distros` lists them (default: the newest stable one)"),
    "gen": Option("what it boots on: 1 (BIOS), 2 (UEFI) or both (default: both where the architecture has it)"),
    "type": Option("generalized (a template for many machines) or specialized (one machine, with its name and user)"),
    "provisioner": Option(
        "what sets a new machine up: cloud-init, waagent, or none (a small unit of ours reports ready)"
    ),
    "size": Option("the disk's size: 30G, 31457280K or bytes; a multiple of 1 MiB"),
    "kernel": Option("which of its kernels, where the distribution offers several"),
    "arch": Option("the processor: x86_64 or aarch64"),
    "base": Option("an image to build on instead of packages: a file, a URL with --base-sha256, or the word published"),
    "base_sha256": Option("the digest that the vendor of --base publishes"),
    "mirror": Option("an archive to build from instead of the distribution's own; it does not stay in the image"),
    "mirror_key": Option(
        "a file with the public key that signs your mirror or server, where that is not the distribution's own key"
    ),
    "lock": Option("build from this lock: exactly its packages, whatever the archives have now"),
    "proxy": Option("the proxy by which archives are reached (default: http_proxy and https_proxy of the environment)"),
    "entitlement": Option("a folder with a subscriber's certificates, where the distribution's archive asks for them"),
    "scc_credentials": Option(
        "a file with username= and password= of a registration, as SLES has in SCCcredentials; url= for your own server"
    ),
    "rmt": Option("the URL of an RMT server, which has SLES for its own network"),
    "output": Option("the folder in which the image's folder is made", "output"),
    "hostname": Option("specialized only: the machine's name"),
    "admin": Option("specialized only: the administrator's name"),
    "ssh_key": Option("specialized only: a file with the administrator's public key"),
}
"""What decides an image, for `build` and `plan`."""
GUEST: Options = {
    "machine": Option("gen1, gen2, gen2-nvme, or gen2-trusted (Secure Boot, TPM); --gen N is the plain one"),
    "seed": Option(
        "where the machine's settings come from: azure or nocloud (default: what the scenario wants, or azure)"
    ),
    "fault": Option("what goes wrong on purpose: NAME or NAME=NUMBER as `faults` lists them, with commas between"),
    "fault_script": Option("a TOML file that says what goes wrong when and for how long (docs/harness.md)"),
    "name": Option("the machine's name"),
    "admin": Option("the administrator's name"),
    "ssh_key": Option("a file with the administrator's private key (default: a new one for each run)"),
    "custom_data": Option("a file sent as custom data"),
    "user_data": Option("a file sent as user data"),
    "memory": Option("the machine's memory: 2G, 2048M"),
    "disk_size": Option("the machine's disk, larger than the image so that it can grow: 40G"),
}
"""What decides the machine that an image boots on, for `verify` and `boot`."""

JUDGED: Options = {
    "gen": Option("1, 2 or both: what it is meant to boot on (default: its manifest's word, or what its disk shows)"),
    "type": Option("generalized or specialized (default: its manifest's word, or what its files show)"),
    "provisioner": Option("cloud-init, waagent, ignition or none (likewise)"),
}
"""As what an image is judged, for `inspect` and `fix`."""

STORE: Options = {
    "matrix": Option("the matrix whose store is meant"),
    "store": Option("the store's folder (default: output/factory)"),
}
"""Whose nights are meant, for `history` and `diff`."""


def one_of(option: str, value: str, choices: tuple[str, ...]) -> str:
    """The value, if it is one of the choices. Raises CallerError."""
    if value not in choices:
        raise CallerError(f"--{option} {value} does not exist", f"there is: {', '.join(choices)}")
    return value


def path_or_none(word: str) -> Path | None:
    """The path that an option names, None where it was not given."""
    return Path(word) if word else None


def target_path(word: str) -> Path:
    """The target that a task was given. Raises CallerError where there is none."""
    if not word:
        raise CallerError("where to?", "--to FILE names a target; docs/publishing.md has an example")
    return Path(word)


def day_or_none(word: str) -> date | None:
    """The day that an option names, None where it was not given. Raises CallerError."""
    try:
        return date.fromisoformat(word) if word else None
    except ValueError:
        raise CallerError(f"{word!r} is no day", "write it as 2030-06-30") from None


def size_or_none(word: str) -> int | None:
    """The size in bytes that an option names, None where it was not given. Raises CallerError."""
    from build.sizes import parse_size

    return parse_size(word) if word else None


def judged_as(options: Mapping[str, str]) -> dict[str, Any]:
    """What the options of JUDGED say, by the names that a request has for it. Raises CallerError."""
    from build.plan import GENERATIONS
    from distros.recipe import KINDS
    from harness.inference import PROVISIONERS

    gen, kind, provisioner = options["gen"], options["type"], options["provisioner"]
    return {
        "generations": GENERATIONS[one_of("gen", gen, tuple(GENERATIONS))] if gen else None,
        "kind": one_of("type", kind, KINDS) if kind else None,
        "provisioner": one_of("provisioner", provisioner, PROVISIONERS) if provisioner else None,
    }


def image_path(word: str) -> Path:
    """The image that a task was given. invoke takes a mistyped option for it. Raises CallerError."""
    if word.startswith("-"):
        raise CallerError(f"No idea what {word!r} is!", HELP)
    return Path(word)


def build_request(options: Mapping[str, str], **more: Any) -> "BuildRequest":
    """What was asked by the options of BUILD; `more` are further fields of the request. Raises CallerError."""
    if not options["distro"] and not options["spec"]:
        raise CallerError("which distribution?", "--distro NAME; `./kiln distros` lists them")
    plain = ("distro", "name", "release", "provisioner", "kernel", "base", "base_sha256", "mirror", "rmt", "proxy")
    paths = ("spec", "mirror_key", "entitlement", "scc_credentials", "lock", "ssh_key")
    gen, kind, arch = options["gen"], options["type"], options["arch"]
    asked: dict[str, Any] = {
        **{name: options[name] or None for name in (*plain, "hostname", "admin")},
        **{name: path_or_none(options[name]) for name in paths},
        "gen": one_of("gen", gen, ("1", "2", "both")) if gen else None,
        "kind": one_of("type", kind, ("generalized", "specialized")) if kind else None,
        "arch": one_of("arch", arch, ("x86_64", "aarch64")) if arch else None,
        "size": size_or_none(options["size"]),
        "output": Path(options["output"]),
    }
    from build.request import BuildRequest

    return BuildRequest(**asked, **more)


def guest_options(image: str, gen: str, options: Mapping[str, str]) -> dict[str, Any]:
    """What `verify` and `boot` ask of the machine alike, by the options of GUEST. Raises CallerError."""
    return {
        "image": image_path(image),
        "generation": int(one_of("gen", gen, ("1", "2"))) if gen else None,
        "machine": options["machine"] or None,
        "seed": one_of("seed", options["seed"], ("azure", "nocloud")) if options["seed"] else None,
        "faults": tuple(options["fault"].split(",")) if options["fault"] else (),
        **{name: options[name] or None for name in ("name", "admin")},
        **{name: path_or_none(options[name]) for name in ("fault_script", "ssh_key", "custom_data", "user_data")},
        **{name: size_or_none(options[name]) for name in ("memory", "disk_size")},
    }
