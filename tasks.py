"""The command line: each task parses, makes one call, prints.

A task's parameters are its options; those that several tasks share are in `options`, and come as `**options`.
What a task calls is imported when it runs, so that `invoke --list` stays quick. Run as a program (the launcher does),
mistyped words end with 2; plain `invoke` says 1 there.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from build.errors import CallerError, MachineError
from commandline import INTERRUPTED, command, run_tasks, say_json
from commandline import VERSION as KILN
from options import (
    APPLY,
    BUILD,
    GUEST,
    IMAGE,
    JSON,
    JUDGED,
    STORE,
    TARGET,
    VERSION,
    build_request,
    day_or_none,
    guest_options,
    image_path,
    judged_as,
    one_of,
    path_or_none,
    target_path,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.report import Report
    from publish.api import Outcome
    from publish.plan import Plan

PROJECT = Path(__file__).resolve().parent


def plan_printer(json: bool) -> "Callable[[Plan], None]":
    """What shows a plan as soon as it is made: on standard output, or on none where JSON follows."""
    from publish.plan import lines

    return lambda plan: None if json else print(*lines(plan), sep="\n", flush=True)


def print_outcome(outcome: "Outcome", json: bool) -> int:
    """Say how a publication ended; the exit status."""
    refused = outcome.plan.refusals
    if json:
        say_json(outcome.as_dict())
    elif outcome.applied:
        print("Done." if outcome.plan.changes else "Nothing was left to do.")
    elif not refused:
        print("Nothing was changed." + (" --apply does it." if outcome.plan.changes else " Nothing is left to do."))
    return refused[0].status if refused else 0


def print_report(report: "Report") -> None:
    """Print a report as a person reads it."""
    from build.progress import answers
    from harness.render_text import print_report as render

    render(report, answers())


def print_inspection(report: "Report", status: int, *, strict: bool = False) -> None:
    """Print an inspection as a person reads it, as wide as the screen is."""
    from build.progress import answers
    from harness.render_screen import print_inspection as render

    render(report, answers(), status, strict)


@command(
    BUILD,
    rebuild="build even if nothing has changed",
    offline="ask no archive: use what the cache holds",
    write_lock="write a lock of what was built to this file",
    json=JSON,
)
def build(
    c: Context,
    rebuild: bool = False,
    offline: bool = False,
    write_lock: str = "",
    json: bool = False,
    **options: str,
) -> int:
    """Build an image and inspect it; the last line is the image's folder."""
    request = build_request(options, rebuild=rebuild, offline=offline, write_lock=path_or_none(write_lock))
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


@command(BUILD, json=JSON)
def plan(c: Context, json: bool = False, **options: str) -> None:
    """Print the steps of a build without doing them."""
    request = build_request(options)
    from build.api import describe_plan

    steps = describe_plan(request)
    if json:
        say_json({"steps": steps})
    else:
        print(*steps, sep="\n")


@command(action="init: write an example with every key", output="the file to write (default: to the screen)")
def spec(c: Context, action: str, output: str = "") -> None:
    """Write an example of a spec, which describes your own image for `build --spec`."""
    from build.spec.template import write

    one_of("action", action, ("init",))
    if output:
        print(write(Path(output)))
    else:
        from build.spec.template import EXAMPLE

        print(EXAMPLE, end="")


@command(json=JSON)
def distros(c: Context, json: bool = False) -> None:
    """List the distributions and releases that there are recipes for."""
    from distros import all_recipes, lifetime

    today = datetime.now(UTC).date()
    if json:
        say_json({"distros": [lifetime.entry(recipe, today) for recipe in all_recipes()]})
    else:
        print(*lifetime.catalogue(all_recipes(), today), sep="\n")


@command(
    JUDGED,
    image=f"{IMAGE}, or an unpacked root tree",
    only="these checks alone: ids with commas between them, as `checks` lists them",
    waive="a file with findings that are lived with, each with reason and end (docs/inspect.md)",
    explain="say what a check asks, why, and who says so; no image is needed",
    strict="recommended findings fail the image, too",
    allow_partial="what cannot be looked at fails nothing",
    format="text, json, sarif, junit or html",
    output="the file to write it to (default: to the screen)",
    json="the same as --format json",
)
def inspect(
    c: Context,
    image: str = "",
    only: str = "",
    waive: str = "",
    explain: str = "",
    strict: bool = False,
    allow_partial: bool = False,
    format: str = "text",
    output: str = "",
    json: bool = False,
    **options: str,
) -> int:
    """Judge an image by its files alone, without booting it."""
    if explain:
        from harness import explain as explained

        one = explained.find(explain)
        say_json(explained.as_dict(one)) if json else print(*explained.lines(one), sep="\n")
        return 0
    from harness import inspection

    request = inspection.InspectRequest(
        image=image_path(image),
        only=tuple(filter(None, only.split(","))),
        waivers=path_or_none(waive),
        **judged_as(options),
    )
    wanted = "json" if json else one_of("format", format, ("text", *inspection.FORMATS))
    report = inspection.inspect(request)
    status = inspection.status(report, strict=strict, partial=allow_partial)
    if wanted == "text" and not output:
        print_inspection(report, status, strict=strict)
        return status
    text = inspection.told(report, wanted, KILN, status, strict=strict)
    inspection.write(text, Path(output)) if output else print(text, end="")
    return status


@command(json=JSON)
def checks(c: Context, json: bool = False) -> None:
    """List what images are checked for, by `inspect` or by `verify`."""
    from harness import explain

    if json:
        say_json({"checks": explain.every()})
    else:
        print(*explain.table(), sep="\n")


@command(
    JUDGED,
    image=IMAGE,
    only="ids of findings, with commas between them (default: all that can be repaired)",
    in_place="change the image itself, not a copy",
    output="where the copy goes (default: beside the image, with -fixed in its name)",
    json=JSON,
)
def fix(
    c: Context,
    image: str,
    only: str = "",
    in_place: bool = False,
    output: str = "",
    json: bool = False,
    **options: str,
) -> int:
    """Repair what can be repaired of an image's findings without doubt and without a boot, then inspect it again."""
    from build.progress import Progress
    from harness.fix import api
    from harness.fix.render import lines

    request = api.FixRequest(
        image=image_path(image),
        only=tuple(filter(None, only.split(","))),
        in_place=in_place,
        output=path_or_none(output),
        **judged_as(options),
    )
    fixed = api.fix(request, Progress())
    if json:
        say_json(fixed.as_dict())
    else:
        print(*lines(fixed), sep="\n")
    return 0 if fixed.report.passed else 1


@command(
    GUEST,
    image=IMAGE,
    gen="1 or 2 (default: every generation that the image claims; needed where it claims none)",
    scenario="what is played: names as `scenarios` lists them, with commas between them, or all that apply;"
    " NAME+FAULT plays it under a fault of its own",
    jobs="machines at once (default 0: as many as there is room for)",
    output="where a foreign file's reports go, below the file's stem",
    hold="keep a guest that failed running for a look, until Ctrl-C",
    apart="each fault in a run of its own, not all in one (--fault all: every one there is, apart)",
    json=JSON,
)
def verify(
    c: Context,
    image: str,
    gen: str = "",
    scenario: str = "first-boot",
    output: str = "output",
    hold: bool = False,
    apart: bool = False,
    jobs: int = 0,
    json: bool = False,
    **options: str,
) -> int:
    """Boot an image before the pretend Azure host and judge it."""
    machine = guest_options(image, gen, options)
    from build.progress import Progress
    from harness.runs import VerifyRequest
    from harness.verify import verify as judge

    request = VerifyRequest(
        scenario=scenario, hold=hold, apart=apart, jobs=jobs or None, output=Path(output), **machine
    )
    found = judge(request, Progress())
    if json:
        refused = [asdict(one) for one in found.refused]
        say_json({"passed": found.passed, "reports": [one.as_dict() for one in found.reports], "refused": refused})
    else:
        for one in found.reports:
            print_report(one)
    return 0 if found.passed else 1


@command(
    image="a disk: raw, qcow2, VHDX, or a VHD of any kind",
    output="the VHD to write (default: a raw disk becomes one in place; of others, the same name with .vhd)",
    undo="take the footer off again: the raw disk is what it was",
    json=JSON,
)
def convert(c: Context, image: str, output: str = "", undo: bool = False, json: bool = False) -> None:
    """Make a fixed VHD, as Azure takes it, of a disk in another format."""
    path = image_path(image)
    if undo and output:
        raise CallerError("--undo works in place", "leave --output out")
    from build.progress import Progress
    from publish import convert as converting

    made = converting.undo(path) if undo else converting.convert(path, path_or_none(output), Progress())
    if json:
        say_json({"file": str(made.path), "size": made.size, "done": made.done})
    else:
        print(f"{made.path}: {made.size >> 20} MiB; {made.done}")


@command(
    image=f"{IMAGE}; not with --prune",
    to=TARGET,
    apply="do it; without this nothing is changed, and the plan is printed",
    allow_unverified="publish what no boot has proven; its tags say so for ever",
    base_version="a version whose staged file this one is built on: only what changed is sent",
    verify="how the upload is compared: ranges, sample (some is read back) or full (all is)",
    prune="remove staged files that nothing needs any more, in place of publishing",
    output="where the reports of a foreign file lie, below the file's stem",
    json=JSON,
)
def publish(
    c: Context,
    image: str = "",
    to: str = "",
    apply: bool = False,
    allow_unverified: bool = False,
    base_version: str = "",
    verify: str = "ranges",
    prune: bool = False,
    output: str = "output",
    json: bool = False,
) -> int:
    """Publish an image that its boots have proven: to a gallery, a managed image or a managed disk."""
    from build.progress import Progress
    from publish import api

    if prune:
        return print_outcome(api.prune(target_path(to), Progress(), plan_printer(json), apply=apply), json)
    if not image:
        raise CallerError("which image?", "name an image's folder, as `./kiln build` prints it, or a file")
    request = api.PublishRequest(
        image_path(image), target_path(to), apply, allow_unverified, base_version, verify, Path(output)
    )
    return print_outcome(api.publish(request, Progress(), plan_printer(json)), json)


@command(
    to=TARGET,
    version=VERSION,
    smoke_test="a program that gets the version's id as its last word, and must end with 0 before it is promoted",
    apply=APPLY,
    json=JSON,
)
def promote(c: Context, to: str, version: str, smoke_test: str = "", apply: bool = False, json: bool = False) -> int:
    """Let a version be the latest, which who asks for the latest gets."""
    from build.progress import Progress
    from publish import api

    outcome = api.promote(target_path(to), version, Progress(), plan_printer(json), apply=apply, smoke_test=smoke_test)
    return print_outcome(outcome, json)


@command(to=TARGET, version=VERSION, apply=APPLY, json=JSON)
def rollback(c: Context, to: str, version: str, apply: bool = False, json: bool = False) -> int:
    """Take a version out of the latest; it stays, and who names it still gets it."""
    from build.progress import Progress
    from publish import api

    return print_outcome(api.rollback(target_path(to), version, Progress(), plan_printer(json), apply=apply), json)


@command(
    to=TARGET,
    version=VERSION,
    end_of_life="its last day, as 2030-06-30 (default: tomorrow, the first that Azure takes)",
    delete="remove the version for ever; it must have been rolled back",
    apply=APPLY,
    json=JSON,
)
def retire(
    c: Context,
    to: str,
    version: str,
    end_of_life: str = "",
    delete: bool = False,
    apply: bool = False,
    json: bool = False,
) -> int:
    """End a version's life on a day and take it out of the latest, or remove it."""
    day = day_or_none(end_of_life)
    from build.progress import Progress
    from publish import api

    outcome = api.retire(target_path(to), version, day, Progress(), plan_printer(json), delete=delete, apply=apply)
    return print_outcome(outcome, json)


@command(to=TARGET, json=JSON)
def published(c: Context, to: str, json: bool = False) -> None:
    """List the versions of a target's definitions: regions, replication, which is the latest."""
    from publish import api
    from publish.render import lines

    rows = api.published(target_path(to))
    if json:
        say_json({"versions": rows})
    else:
        print(*lines(rows), sep="\n")


@command(
    snapshot="the id of a snapshot",
    disk="the id of a managed disk that no machine uses",
    blob="the URL of a blob: a backup, a staged file",
    to="a target, for its cloud (default: Azure's public one)",
    output="the VHD to write",
    json=JSON,
)
def pull(
    c: Context, output: str, snapshot: str = "", disk: str = "", blob: str = "", to: str = "", json: bool = False
) -> None:
    """Bring a disk of Azure here as a fixed VHD, to be judged, booted and published as specialized."""
    from build.progress import Progress
    from publish import pulling

    request = pulling.PullRequest(Path(output), snapshot, disk, blob, path_or_none(to))
    file = pulling.pull(request, Progress())
    if json:
        say_json({"file": str(file)})
    else:
        print(file)


@command(folder="where its state is kept (default: output/playground)")
def playground(c: Context, folder: str = "output/playground") -> None:
    """Run a pretend Azure on this machine until Ctrl-C, to try publishing on: it prints a target that leads there."""
    from build.progress import Progress
    from publish.playground.command import run

    run(Path(folder), Progress())


@command(
    matrix="the file that says which images a night is about (docs/factory.md; examples/nightly.toml is one)",
    plan="print what would be done, and do nothing",
    jobs="guests and builds at once (default 0: as many as this machine has room for)",
    json=JSON,
)
def nightly(c: Context, matrix: str, plan: bool = False, jobs: int = 0, json: bool = False) -> int:
    """Build, judge, boot and publish a matrix of images; what was done before and has not changed is not done again."""
    from build.progress import Progress
    from factory import api, render

    request = api.NightlyRequest(Path(matrix), jobs)
    if plan:
        _, todo = api.planned(request, Progress())
        if json:
            say_json({"jobs": [asdict(job) for job in todo.values()]})
        else:
            print(*render.jobs(todo), sep="\n")
        return 0
    night = api.nightly(request, Progress())
    if json:
        say_json(asdict(night))
    else:
        print(*render.night(night), sep="\n")
    return render.status(night)


@command(STORE, image="only what became of this image", json=JSON)
def history(c: Context, image: str = "", json: bool = False, **options: str) -> None:
    """List the nights of a store: what passed, what failed, and how much of it was done anew."""
    from build.progress import Progress
    from factory import api, matrixfile, render

    nights = api.past(matrixfile.store_of(**options), image, Progress().note)
    if json:
        say_json({"nights": [asdict(one) for one in nights]})
    else:
        print(*render.past(nights), sep="\n")


@command(
    STORE,
    before="a night, as `./kiln history` names it",
    after="a later one",
    image="only what changed of this image",
    json=JSON,
)
def diff(c: Context, before: str, after: str, image: str = "", json: bool = False, **options: str) -> None:
    """Show what is different between two nights: verdicts first, then names, the host's protocol, packages, sizes."""
    from factory import api, matrixfile, render

    changes = api.changes(matrixfile.store_of(**options), before, after, image)
    if json:
        say_json({"changes": [asdict(one) for one in changes]})
    else:
        print(*render.changes(changes), sep="\n")


@command(
    matrix="the matrices whose nights are meant, with commas; their [retention] says what stays",
    apply="remove it; without, it is only shown",
    json=JSON,
)
def prune(c: Context, matrix: str, apply: bool = False, json: bool = False) -> None:
    """Take out of a factory's store what its rules do not keep; what was promoted and what somebody needs stays."""
    from factory import api, render

    todo = api.prune([Path(one) for one in matrix.split(",")], apply=apply)
    if json:
        kept = [{"matrix": one.record.matrix, "night": one.record.night, "reason": one.reason} for one in todo.kept]
        say_json({**asdict(todo), "kept": kept, "applied": apply})
    else:
        print(*render.pruned(todo, applied=apply), sep="\n")


@command(json=JSON)
def scenarios(c: Context, json: bool = False) -> None:
    """List what can be played with an image, what is expected of it, and which images it is for."""
    from harness.scenario import SCENARIOS

    if json:
        say_json({"scenarios": [one.as_dict() for one in SCENARIOS]})
    else:
        for one in SCENARIOS:
            print(one.text)


@command(GUEST, image=IMAGE, gen="1 or 2 (default: 2 where the image claims it)", ssh="open a shell in the guest")
def boot(c: Context, image: str, gen: str = "", ssh: bool = False, **options: str) -> int:
    """Boot an image before the pretend Azure host, its serial console on this terminal; the image stays as it is."""
    machine = guest_options(image, gen, options)
    from harness.boot import BootRequest
    from harness.boot import boot as start

    return start(BootRequest(ssh=ssh, **machine))


@command(json=JSON)
def faults(c: Context, json: bool = False) -> None:
    """List what the pretend host can do wrong on purpose, and what a sound guest does then."""
    from harness.faults import catalogue, listed

    if json:
        say_json({"faults": list(catalogue())})
    else:
        print(*listed(), sep="\n")


@command(output="the folder that images go to", json=JSON)
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


@command(images="remove the images as well", output="the folder that holds them")
def clean(c: Context, images: bool = False, output: str = "output") -> None:
    """Remove the cache of builds, whoever owns the files in it."""
    from build.cache import clean as remove

    for path in remove(output=Path(output) if images else None):
        print(f"removed {path}")


@command(
    kind="what it looks like: apt, el, suse or flatcar",
    distro="whose mirror it stands in for (default: one of that kind)",
    release=BUILD["release"].help,
    arch=BUILD["arch"].help,
    output="the folder to make it in, or where it was made before (default: the cache)",
    port="where it is served on 127.0.0.1",
    serve="serve it until Ctrl-C, as the build command that is printed expects",
)
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
    from build.progress import Progress
    from distros.recipe import ARCHITECTURES
    from tests.standin import command as standins

    one_of("arch", arch, ARCHITECTURES)
    request = standins.StandinRequest(kind, distro or None, release or None, arch, path_or_none(output), port)
    made = standins.make(request, Progress())
    print(*standins.lines(made, request), sep="\n", flush=True)
    if serve:
        standins.serve(made, request)


@command()
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


@command(
    fast="only what needs no root, network or QEMU: seconds",
    all="every combination too: hours",
    k="only tests whose names match this expression, as pytest has it",
    resume="leave out what passed in earlier runs of this very commit",
)
def test(c: Context, fast: bool = False, all: bool = False, k: str = "", resume: bool = False) -> int:
    """Run the test suite: real builds and boots, but not every combination."""
    tier = "not real and not combination" if fast else "" if all else "not combination"
    workers = str(min(os.cpu_count() or 1, MOST_GUESTS))
    spread = ["-n", workers, "--dist", "loadfile", "--no-loadscope-reorder"]
    from tests.resume import recording

    chosen = [*(["-k", k] if k else []), *recording(PROJECT, resume)]
    words = [sys.executable, "-m", "pytest", "-m", tier, *spread, *chosen]
    return PYTEST_STATUS.get(subprocess.run(words, check=False, cwd=PROJECT).returncode, 5)


MOST_GUESTS = 4
"""How many tests run at once, each perhaps with a guest: one keeps two processors and 2 GiB busy."""
PYTEST_STATUS = {0: 0, 1: 1, 2: INTERRUPTED, 3: 5, 4: 2, 5: 2}
"""pytest's exit statuses in Kiln's own meaning: a wrong word or an expression that no test matches is the caller's."""


if __name__ == "__main__":
    run_tasks(sys.modules[__name__])
