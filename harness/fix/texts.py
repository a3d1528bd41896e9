"""Text files of an image, changed line by line: every byte of the other lines stays as it is."""

from collections.abc import Iterable

from harness.fix.repair import Edit, Unsafe
from harness.tree import TEXT_LIMIT, Tree


def text_of(tree: Tree, path: str) -> str:
    """A whole text file, "" where there is none. Raises Unsafe where it is too large to be one."""
    entry = tree.stat(path)
    if entry and entry.size > TEXT_LIMIT:
        raise Unsafe(f"{path} has {entry.size} bytes, which is no text that people write")
    return tree.read_bytes(path).decode("utf-8", "surrogateescape")


def lines_of(tree: Tree, path: str) -> list[str]:
    """The lines of a text file without their ends. Raises Unsafe as `text_of` does."""
    return text_of(tree, path).removesuffix("\n").split("\n")


def rewritten(path: str, text: str, done: str) -> Edit:
    """A file with this text."""
    return Edit(path, text.encode("utf-8", "surrogateescape"), f"{path}: {done}")


def relined(path: str, lines: Iterable[str], done: str) -> Edit:
    """A file with these lines."""
    return rewritten(path, "".join(f"{line}\n" for line in lines), done)


def with_value(lines: Iterable[str], key: str, value: str) -> list[str]:
    """`Key=value` lines, as waagent reads them, with this value for the key; a line is added where there is none.

    Every line of the key gets it, since readers differ in which one of several they believe.
    """
    changed = [f"{key}={value}" if _key(line) == key else line for line in lines]
    return changed if any(_key(line) == key for line in changed) else [*changed, f"{key}={value}"]


def without(lines: Iterable[str], *keys: str) -> list[str]:
    """The lines but those of these keys."""
    return [line for line in lines if _key(line) not in keys]


def _key(line: str) -> str:
    """The key of a line, "" where it has none; keys begin at column 1."""
    key, equals, _ = line.partition("#")[0].partition("=")
    return key.strip() if equals and key and not key[0].isspace() else ""
