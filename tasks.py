"""The command line: each task parses, makes one call, prints.

What a task calls is imported when it runs, so that `invoke --list` stays quick. Run as a program (the launcher does),
mistyped words end with 2; plain `invoke` says 1 there.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task

from build.errors import CallerError, MachineError
from commandline import HELP, INTERRUPTED, command, run_tasks, say_json

if TYPE_CHECKING:
    from build.api import BuildRequest
    from harness.report import Report

PROJECT = Path(__file__).resolve().parent

IMAGE = "an image: the folder that a build printed, or a disk file (VHD, raw, qcow2)"
JSON = "print one JSON object, errors too"
BUILD_HELP = {
    "distro": "a distribution, as `distros` lists them (default: the spec's)",
    "spec": "a file with what your own image has besides: packages, files, commands, users (`spec init` writes one)",
    "name": "the image's own name, part of its folder's (default: the spec's)",
    "release": "its release, as `distros` lists them (default: the newest stable one)",
    "gen": "what it boots on: 1 (BIOS), 2 (UEFI) or both (default: both where the architecture has it)",
    "type": "generalized (a template for many machines) or specialized (one machine, with its name and user)",
    "provisioner": "what sets a new machine up: cloud-init, waagent, or none (a small unit of ours reports ready)",
    "size": "the disk's size: 30G, 31457280K or bytes; a multiple of 1 MiB",
    "kernel": "which of its kernels, where the distribution offers several",
    "arch": "the processor: x86_64 or aarch64",
    "base": "an image to build on instead of packages: a file, or a URL with --base-sha256",
    "base_sha256": "the digest that the vendor of --base publishes",
    "mirror": "an archive to build from instead of the distribution's own; it does not stay in the image",
    "mirror_key": "a file with the public key that signs the mirror, where that is not the distribution's own key",
    "lock": "build from this lock: exactly its packages, whatever the archives have now",
    "proxy": "the proxy by which archives are reached (default: http_proxy and https_proxy of the environment)",
    "entitlement": "a folder with a subscriber's certificates, where the distribution's archive asks for them",
    "scc_credentials": "a file with username= and password= of a registration, as SLES has in SCCcredentials",
    "rmt": "the URL of an RMT server, which has SLES for its own network",
    "output": "the folder in which the image's folder is made",
    "hostname": "specialized only: the machine's name",
    "admin": "specialized only: the administrator's name",
    "ssh_key": "specialized only: a file with the administrator's public key",
    "json": JSON,
}
GUEST_HELP = {
    "image": IMAGE,
    "seed": "where the machine's settings come from: azure or nocloud",
    "name": "the machine's name",
    "admin": "the administrator's name",
    "ssh_key": "a file with the administrator's private key (default: a new one for each run)",
    "custom_data": "a file sent as custom data",
    "user_data": "a file sent as user data",
    "memory": "the machine's memory: 2G, 2048M",
    "disk_size": "the machine's disk, larger than the image so that it can grow: 40G",
}


def one_of(option: str, value: str, choices: tuple[str, ...]) -> str:
    """The value, if it is one of the choices. Raises CallerError."""
    if value not in choices:
        raise CallerError(f"--{option} {value} does not exist", f"there is: {', '.join(choices)}")
    return value


def path_or_none(word: str) -> Path | None:
    """The path that an option names, None where it was not given."""
    return Path(word) if word else None


def image_path(word: str) -> Path:
    """The image that a task was given. invoke takes a mistyped option for it. Raises CallerError."""
    if word.startswith("-"):
        raise CallerError(f"No idea what {word!r} is!", HELP)
    return Path(word)


def size_or_none(word: str) -> int | None:
    """The size in bytes that an option names, None where it was not given. Raises CallerError."""
    from build.sizes import parse_size

    return parse_size(word) if word else None


def build_request(options: Mapping[str, Any]) -> "BuildRequest":
    """What `build` and `plan` were asked for: their parameters by name. Raises CallerError."""
    if not options["distro"] and not options["spec"]:
        raise CallerError("which distribution?", "--distro NAME; `./kiln distros` lists them")
    asked: dict[str, Any] = {
        "distro": options["distro"] or None,
        "spec": path_or_none(options["spec"]),
        "name": options["name"] or None,
        "release": options["release"] or None,
        "gen": one_of("gen", options["gen"], ("1", "2", "both")) if options["gen"] else None,
        "kind": one_of("type", options["type"], ("generalized", "specialized")) if options["type"] else None,
        "provisioner": options["provisioner"] or None,
        "kernel": options["kernel"] or None,
        "arch": one_of("arch", options["arch"], ("x86_64", "aarch64")) if options["arch"] else None,
        "size": size_or_none(options["size"]),
        "base": options["base"] or None,
        "base_sha256": options["base_sha256"] or None,
        "mirror": options["mirror"] or None,
        "mirror_key": path_or_none(options["mirror_key"]),
        "entitlement": path_or_none(options["entitlement"]),
        "scc_credentials": path_or_none(options["scc_credentials"]),
        "rmt": options["rmt"] or None,
        "proxy": options["proxy"] or None,
        "lock": path_or_none(options["lock"]),
        "write_lock": path_or_none(options.get("write_lock", "")),
        "output": Path(options["output"]),
        "rebuild": options.get("rebuild", False),
        "offline": options.get("offline", False),
        "hostname": options["hostname"] or None,
        "admin": options["admin"] or None,
        "ssh_key": path_or_none(options["ssh_key"]),
    }
    from build.api import BuildRequest

    return BuildRequest(**asked)


def print_report(report: "Report") -> None:
    """Print a report as a person reads it."""
    from build.progress import answers
    from harness.render_text import print_report as render

    render(report, answers())


@task(
    auto_shortflags=False,
    help={
        **BUILD_HELP,
        "rebuild": "build even if nothing has changed",
        "offline": "ask no archive: use what the cache holds",
        "write_lock": "write a lock of what was built to this file",
    },
)
@command
def build(
    c: Context,
    distro: str = "",
    release: str = "",
    gen: str = "",
    type: str = "",
    provisioner: str = "",
    kernel: str = "",
    arch: str = "",
    base: str = "",
    base_sha256: str = "",
    size: str = "",
    spec: str = "",
    name: str = "",
    mirror: str = "",
    mirror_key: str = "",
    entitlement: str = "",
    scc_credentials: str = "",
    rmt: str = "",
    proxy: str = "",
    lock: str = "",
    output: str = "output",
    hostname: str = "",
    admin: str = "",
    ssh_key: str = "",
    rebuild: bool = False,
    offline: bool = False,
    write_lock: str = "",
    json: bool = False,
) -> int:
    """Build an image and inspect it; the last line is the image's folder."""
    request = build_request(locals())
    from build.api import build as make
    from build.progress import Progress
    from harness.inspect import inspect as look

    built = make(request, Progress())
    report = look(built.folder)
    if json:
        say_json({"folder": str(built.folder), "reused": built.reused, "inspection": report.as_dict()})
    else:
        print_report(report)
        print(built.folder)
    return 0 if report.passed else 1


@task(auto_shortflags=False, help=BUILD_HELP)
@command
def plan(
    c: Context,
    distro: str = "",
    release: str = "",
    gen: str = "",
    type: str = "",
    provisioner: str = "",
    kernel: str = "",
    arch: str = "",
    base: str = "",
    base_sha256: str = "",
    size: str = "",
    spec: str = "",
    name: str = "",
    mirror: str = "",
    mirror_key: str = "",
    entitlement: str = "",
    scc_credentials: str = "",
    rmt: str = "",
    proxy: str = "",
    lock: str = "",
    output: str = "output",
    hostname: str = "",
    admin: str = "",
    ssh_key: str = "",
    json: bool = False,
) -> None:
    """Print the steps of a build without doing them."""
    request = build_request(locals())
    from build.api import describe_plan

    steps = describe_plan(request)
    if json:
        say_json({"steps": steps})
    else:
        print(*steps, sep="\n")


@task(
    auto_shortflags=False,
    help={"action": "init: write an example with every key", "output": "the file to write (default: to the screen)"},
)
@command
def spec(c: Context, action: str, output: str = "") -> None:
    """Write an example of a spec, which describes your own image for `build --spec`."""
    from build.spec.template import write

    one_of("action", action, ("init",))
    if output:
        print(write(Path(output)))
    else:
        from build.spec.template import EXAMPLE

        print(EXAMPLE, end="")


@task(auto_shortflags=False, help={"json": JSON})
@command
def distros(c: Context, json: bool = False) -> None:
    """List the distributions and releases that there are recipes for."""
    from distros import all_recipes, lifetime

    today = datetime.now(UTC).date()
    if json:
        say_json({"distros": [lifetime.entry(recipe, today) for recipe in all_recipes()]})
    else:
        print(*lifetime.catalogue(all_recipes(), today), sep="\n")


@task(auto_shortflags=False, help={"image": IMAGE, "json": JSON})
@command
def inspect(c: Context, image: str, json: bool = False) -> int:
    """Judge an image by its files alone, without booting it."""
    from harness.inspect import inspect as look

    report = look(image_path(image))
    if json:
        say_json(report.as_dict())
    else:
        print_report(report)
    return 0 if report.passed else 1


@task(
    auto_shortflags=False,
    help={
        **GUEST_HELP,
        "gen": "1 or 2 (default: every generation that the image claims; needed where it claims none)",
        "scenario": "what is played: first-boot or reboot",
        "output": "where a foreign file's reports go, below the file's stem",
        "hold": "keep a guest that failed running for a look, until Ctrl-C",
        "json": JSON,
    },
)
@command
def verify(
    c: Context,
    image: str,
    gen: str = "",
    scenario: str = "first-boot",
    seed: str = "azure",
    name: str = "",
    admin: str = "",
    ssh_key: str = "",
    custom_data: str = "",
    user_data: str = "",
    memory: str = "",
    disk_size: str = "",
    output: str = "output",
    hold: bool = False,
    json: bool = False,
) -> int:
    """Boot an image before the pretend Azure host and judge it."""
    options = guest_options(locals())
    from build.progress import Progress
    from harness.verify import VerifyRequest
    from harness.verify import verify as judge

    request = VerifyRequest(scenario=scenario, hold=hold, output=Path(output), **options)
    reports = judge(request, Progress())
    if json:
        say_json({"passed": all(one.passed for one in reports), "reports": [one.as_dict() for one in reports]})
    else:
        for one in reports:
            print_report(one)
    return 0 if all(one.passed for one in reports) else 1


def guest_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """What `verify` and `boot` ask of the machine alike: their parameters by name. Raises CallerError."""
    gen = options["gen"]
    return {
        "image": image_path(options["image"]),
        "generation": int(one_of("gen", gen, ("1", "2"))) if gen else None,
        "seed": one_of("seed", options["seed"], ("azure", "nocloud")),
        "name": options["name"] or None,
        "admin": options["admin"] or None,
        "ssh_key": path_or_none(options["ssh_key"]),
        "custom_data": path_or_none(options["custom_data"]),
        "user_data": path_or_none(options["user_data"]),
        "memory": size_or_none(options["memory"]),
        "disk_size": size_or_none(options["disk_size"]),
    }


@task(
    auto_shortflags=False,
    help={**GUEST_HELP, "gen": "1 or 2 (default: 2 where the image claims it)", "ssh": "open a shell in the guest"},
)
@command
def boot(
    c: Context,
    image: str,
    gen: str = "",
    seed: str = "azure",
    name: str = "",
    admin: str = "",
    ssh_key: str = "",
    custom_data: str = "",
    user_data: str = "",
    memory: str = "",
    disk_size: str = "",
    ssh: bool = False,
) -> int:
    """Boot an image before the pretend Azure host, its serial console on this terminal; the image stays as it is."""
    options = guest_options(locals())
    from harness.boot import BootRequest
    from harness.boot import boot as start

    return start(BootRequest(ssh=ssh, **options))


@task(auto_shortflags=False, help={"output": "the folder that images go to", "json": JSON})
@command
def doctor(c: Context, output: str = "output", json: bool = False) -> int:
    """Say what this machine can do, and the remedy for each lack."""
    from harness.doctor import able, examine

    findings = examine(Path(output))
    ready = able(findings)
    if json:
        say_json({"able": ready, "findings": [one.as_dict() for one in findings]})
    else:
        print(*(one.text for one in findings), sep="\n")
        print("This machine can build and verify." if ready else "Something is missing: see above.")
    return 0 if ready else MachineError.status


@task(auto_shortflags=False, help={"images": "remove the images as well", "output": "the folder that holds them"})
@command
def clean(c: Context, images: bool = False, output: str = "output") -> None:
    """Remove the cache of builds, whoever owns the files in it."""
    from build.cache import clean as remove

    for path in remove(output=Path(output) if images else None):
        print(f"removed {path}")


@task(
    auto_shortflags=False,
    help={
        "kind": "what it looks like: apt, el, suse or flatcar",
        "distro": "whose mirror it stands in for (default: one of that kind)",
        "release": BUILD_HELP["release"],
        "arch": BUILD_HELP["arch"],
        "output": "the folder to make it in, or where it was made before (default: the cache)",
        "port": "where it is served on 127.0.0.1",
        "serve": "serve it until Ctrl-C, as the build command that is printed expects",
    },
)
@command
def standin(
    c: Context,
    kind: str,
    distro: str = "",
    release: str = "",
    arch: str = "x86_64",
    output: str = "",
    port: int = 8765,
    serve: bool = False,
) -> None:
    """Make a signed mirror of Debian's packages in the shape of a distribution's own, to test or try builds with."""
    one_of("arch", arch, ("x86_64", "aarch64"))
    from build.progress import Progress
    from tests.standin import command as standins

    request = standins.StandinRequest(kind, distro or None, release or None, arch, path_or_none(output), port)
    made = standins.make(request, Progress())
    print(*standins.lines(made, request), sep="\n", flush=True)
    if serve:
        standins.serve(made, request)


@task(auto_shortflags=False)
@command
def lint(c: Context) -> int:
    """Run the linters over Kiln's own code."""
    shellcheck = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}")
    python = (sys.executable, "-m")
    linters: tuple[tuple[str, ...], ...] = (
        (*python, "ruff", "check"),
        (*python, "ruff", "format", "--check"),
        (*python, "mypy"),
        *([(shellcheck, "kiln", ".ci/run")] if shellcheck else []),
        (*python, "pytest", "--quiet", "tests/test_imports.py", "tests/test_locks.py"),
    )
    failed = [linter for linter in linters if subprocess.run(linter, check=False, cwd=PROJECT).returncode]
    return 1 if failed else 0


@task(
    auto_shortflags=False,
    help={
        "fast": "only what needs no root, network or QEMU: seconds",
        "all": "every combination too: hours",
        "k": "only tests whose names match this expression, as pytest has it",
    },
)
@command
def test(c: Context, fast: bool = False, all: bool = False, k: str = "") -> int:
    """Run the test suite: real builds and boots, but not every combination."""
    tier = "not real and not combination" if fast else "" if all else "not combination"
    workers = str(min(os.cpu_count() or 1, MOST_GUESTS))
    spread = ["-n", workers, "--dist", "loadfile", "--no-loadscope-reorder"]
    words = [sys.executable, "-m", "pytest", "-m", tier, *spread, *(["-k", k] if k else [])]
    return PYTEST_STATUS.get(subprocess.run(words, check=False, cwd=PROJECT).returncode, 5)


MOST_GUESTS = 4
"""How many tests run at once, each perhaps with a guest: one keeps two processors and 2 GiB busy."""
PYTEST_STATUS = {0: 0, 1: 1, 2: INTERRUPTED, 3: 5, 4: 2, 5: 2}
"""pytest's exit statuses in Kiln's own meaning: a wrong word or an expression that no test matches is the caller's."""


if __name__ == "__main__":
    run_tasks(sys.modules[__name__])
