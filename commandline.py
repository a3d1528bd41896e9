"""What stands between the tasks and a caller: invoke's program, exit statuses, how an error ends.

Exit statuses are the contract of `build.errors`; invoke itself would end with 1 for mistyped words.
"""

import functools
import itertools
import json as jsonlib
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import Parameter, Signature, signature
from types import ModuleType
from typing import Any

from invoke.collection import Collection
from invoke.exceptions import Exit, ParseError
from invoke.program import Program
from invoke.tasks import Task

from build.errors import Bug, CallerError, KilnError

VERSION = "0.1.0"
INTERRUPTED = 130
HELP = "`./kiln --list` lists the tasks, `./kiln TASK --help` a task's options"


@dataclass(frozen=True)
class Option:
    """An option of the command line that takes a word: its help text, and the word where none is given."""

    help: str
    default: str = ""


Options = Mapping[str, Option]
"""Options that several tasks share, by the name of the parameter."""
Body = Callable[..., int | None]
"""What a task does. What it returns is the exit status."""


def ending(error: KilnError, as_json: bool) -> Exit:
    """An error as one line and a hint, or as a JSON object, with its exit status."""
    if as_json:
        say_json(error.as_dict())
        return Exit(code=error.status)
    return Exit(f"error: {error.what}" + (f"\n hint: {error.hint}" if error.hint else ""), code=error.status)


def command(shared: Options | None = None, /, **helps: str) -> Callable[[Body], "Task[Callable[..., None]]"]:
    """Make a task of a function: `helps` explain its own parameters, its `**options` are those that are `shared`."""
    options = shared or {}

    def make(body: Body) -> "Task[Callable[..., None]]":
        run = ended(body)
        run.__signature__ = with_options(signature(body), options)  # type: ignore[attr-defined]
        texts = {name: one.help for name, one in options.items()}
        return Task(run, auto_shortflags=False, help={**texts, **helps})

    return make


def with_options(own: Signature, shared: Options) -> Signature:
    """A signature with these options, each by its name, in place of `**options`."""
    kept = [one for one in own.parameters.values() if one.kind is not Parameter.VAR_KEYWORD]
    added = (Parameter(name, Parameter.KEYWORD_ONLY, default=one.default) for name, one in shared.items())
    return own.replace(parameters=[*kept, *added])


def ended(body: Body) -> Callable[..., None]:
    """A task's body with its ending: what it returns is the exit status, and what goes wrong is said once, here."""

    @functools.wraps(body)
    def run(*words: Any, **options: Any) -> None:
        as_json = bool(options.get("json"))
        try:
            status = body(*words, **options)
        except KilnError as error:
            raise ending(error, as_json) from None
        except KeyboardInterrupt:
            raise Exit("interrupted", code=INTERRUPTED) from None
        except BrokenPipeError:  # see run_tasks
            raise
        except Exception as error:
            traceback.print_exc()
            what = f"{type(error).__name__}: {error}"
            hint = "This is a fault of Kiln, not yours: please report it with the lines above."
            raise ending(Bug(what, hint), as_json) from None
        if status:
            raise Exit(code=status)

    return run


def say_json(answer: Mapping[str, Any]) -> None:
    """Print the one JSON object of this run."""
    print(jsonlib.dumps(answer, indent=2, default=str))


class Kiln(Program):
    """invoke's program, which ends with 2, not 1, where it cannot understand the words."""

    def normalize_argv(self, argv: list[str] | None) -> None:
        """Put a task's --help first, or invoke would take it for the task's positional argument."""
        super().normalize_argv(argv)
        words = self.argv[1:]
        tasks = self.namespace.task_names if self.namespace else ()
        if {"-h", "--help"} & set(words) and words[0] in {"-h", "--help", *tasks}:
            self.argv = [self.argv[0], "--help", *[word for word in words if not word.startswith("-")][:1]]

    def parse_core(self, argv: list[str] | None) -> None:
        """Parse invoke's own options."""
        with understood():
            super().parse_core(argv)
        # invoke keeps Python from writing bytecode, which costs every later start.
        sys.dont_write_bytecode = False

    def parse_tasks(self) -> None:
        """Parse the tasks and their options; invoke alone would take a mistyped one for a positional argument."""
        with understood():
            known = {*self.initial_context.flags, *options_of(self.collection, self.argv)}
            for word in itertools.takewhile(lambda word: word != "--", self.argv):
                if word.startswith("--") and word.split("=")[0] not in known:
                    raise ParseError(f"No idea what {word!r} is!")
            self.core.unparsed = list(with_image(self.collection, self.core.unparsed))
            super().parse_tasks()

    def parse_cleanup(self) -> None:
        """Print help and lists where they were asked for."""
        with understood():
            super().parse_cleanup()


def with_image(collection: Collection, words: list[str]) -> Iterator[str]:
    """The words, an image that stands first spelled `--image`: invoke takes bare words only for what must be given."""
    for before, word in itertools.pairwise(["", *words]):
        is_first = before in collection.task_names and not word.startswith("-")
        if is_first and _takes_an_image_alone(signature(collection[before].body)):
            yield "--image"
        yield word


def _takes_an_image_alone(own: Signature) -> bool:
    """Whether a task's image may be left out, and nothing else stands before it that must be given."""
    _, *given = own.parameters.values()
    needed = any(one.default is Parameter.empty for one in given)
    return "image" in own.parameters and not needed


def options_of(collection: Collection, names: Iterable[str]) -> Iterator[str]:
    """The options of these tasks, other words apart, by signature: invoke forgets help texts when asked twice."""
    for name in set(names) & set(collection.task_names):
        yield from ("--" + word.replace("_", "-") for word in signature(collection[name].body).parameters)


@contextmanager
def understood() -> Iterator[None]:
    """Turn invoke's parse errors into ours."""
    try:
        yield
    except (ParseError, ValueError) as error:
        # Of an option that takes a number invoke tells what int() says, not which option it was.
        number = re.search(r"invalid literal for int\(\).*: (.*)", str(error))
        what = f"{number[1]} is no whole number" if number else str(error)
        raise ending(CallerError(what, HELP), "--json" in sys.argv) from None


def run_tasks(module: ModuleType) -> None:
    """Run those of the module's tasks that the command line names."""
    namespace = Collection.from_module(module)
    program = Kiln(version=VERSION, namespace=namespace, name="Kiln", binary="kiln", binary_names=["kiln"])
    try:
        try:
            program.run()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # whoever reads it has seen enough; Python would complain again at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
