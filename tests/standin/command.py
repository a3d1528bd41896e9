"""What `./kiln standin` does: makes a stand-in, says what it is and how to build from it, and serves it if asked."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from build.errors import CallerError
from build.progress import Progress
from build.request import find_recipe
from tests.standin import FIRST, KINDS, Standin, maker, standin
from tests.standin.report import FILE
from tests.standin.serve import served


@dataclass(frozen=True)
class StandinRequest:
    """What the caller asked for: a kind, or one of its distributions; None is the default. `port` is where it will be
    served; without `output` it lies in the cache."""

    kind: str
    distro: str | None
    release: str | None
    arch: str
    output: Path | None
    port: int


def make(request: StandinRequest, progress: Progress) -> Standin:
    """Make what was asked for, or take what was made there before. Raises CallerError where there is none such."""
    if request.kind not in FIRST:
        raise CallerError(f"there is no stand-in of the kind {request.kind!r}", f"there is: {', '.join(FIRST)}")
    recipe = find_recipe(request.distro or FIRST[request.kind], request.release, request.arch)
    if KINDS.get(recipe.family) != request.kind:
        raise CallerError(f"{recipe.name} is of the kind {KINDS.get(recipe.family, 'none')}", "name that kind")
    if request.output is None:
        return standin(recipe, progress)
    folder = request.output.expanduser().absolute()
    if (folder / FILE).is_file():
        return maker(recipe).load(recipe, folder)
    if folder.exists():
        raise CallerError(f"{folder} exists, and no stand-in is in it", "name a folder that is not there yet")
    folder.mkdir(parents=True)
    return maker(recipe).make(recipe, folder, progress)


def lines(made: Standin, request: StandinRequest) -> Iterator[str]:
    """What to tell: what was invented, where it lies, and what builds from it."""
    yield from made.invented.lines()
    yield f"It lies in {made.folder}, and is served at {made.url(_url(request))} by"
    yield f"  {shlex.join(_serve(request))}"
    yield "While that runs, this builds an image from it:"
    yield f"  {shlex.join(made.command(_url(request)))}"


def serve(made: Standin, request: StandinRequest) -> None:
    """Offer it on loopback until Ctrl-C. Raises CallerError where the port is taken."""
    try:
        with served(made.served, request.port, at=made.place):
            Event().wait()
    except KeyboardInterrupt:
        return
    except OSError as refusal:
        raise CallerError(f"port {request.port} cannot be had: {refusal.strerror}", "name another --port") from None


def _url(request: StandinRequest) -> str:
    return f"http://127.0.0.1:{request.port}"


def _serve(request: StandinRequest) -> tuple[str, ...]:
    output = str(request.output) if request.output else None
    named = (
        *(("--distro", request.distro), ("--release", request.release), ("--arch", request.arch)),
        ("--output", output),
    )
    words = [word for flag, value in named if value for word in (flag, value)]
    return ("./kiln", "standin", request.kind, *words, "--port", str(request.port), "--serve")
