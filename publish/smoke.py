"""A test of the caller's own on what is about to be promoted: a program that deploys a machine of it, or whatever."""

import shlex
import subprocess

from build.errors import CallerError
from build.progress import Progress
from publish.gate import NotProven
from publish.plan import Plan
from publish.target import Target


def test(command: str, target: Target, plan: Plan, progress: Progress) -> None:
    """Run the program for each version that the plan changes, its resource id the last word; its output is shown.

    Raises CallerError where the program cannot be run, NotProven where it does not end with 0.
    """
    words = shlex.split(command)
    for action in plan.of("version"):
        if not action.changes:
            continue
        definition, name = action.name.split("/")
        id = f"{target.compute_id('galleries', target.name)}/images/{definition}/versions/{name}"
        with progress.step(f"Smoke test of {action.name}"):
            status = _run([*words, id], command)
        if status:
            what = f"the smoke test of {action.name} ended with {status}: it is not promoted"
            raise NotProven(what, "what the program said stands above")


def _run(words: list[str], command: str) -> int:
    try:
        return subprocess.run(words, stdin=subprocess.DEVNULL, check=False).returncode
    except OSError as refusal:
        raise CallerError(f"{command} cannot be run: {refusal.strerror}", "name a program with --smoke-test") from None
