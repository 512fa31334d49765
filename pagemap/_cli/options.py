"""Options that several subcommands have, and the words that their helps share."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from pagemap._vocabulary.schema import Schema

__all__ = [
    "TARGET_HELP",
    "add_patterns",
    "add_ranges",
    "add_target",
    "add_threads",
    "columns_help",
    "complete_with_files",
    "in_lines",
]

TARGET_HELP = "a pid, self, the name of a command or executable, or @FILE for a pid file"


def add_target(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    """Add TARGET."""
    if optional:
        parser.add_argument("target", metavar="TARGET", nargs="?", help=TARGET_HELP)
    else:
        parser.add_argument("target", metavar="TARGET", help=TARGET_HELP)


def add_patterns(parser: argparse.ArgumentParser) -> None:
    """Add ``--map``."""
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        dest="patterns",
        metavar="PATTERN",
        help="only mappings whose path fits; may be given again",
    )


def add_ranges(parser: argparse.ArgumentParser) -> None:
    """Add ``--range``."""
    parser.add_argument(
        "--range",
        action="append",
        default=[],
        dest="ranges",
        metavar="START-END",
        help="only pages in this range of hexadecimal addresses; may be given again",
    )


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add ``--threads``."""
    parser.add_argument(
        "--threads",
        metavar="N",
        help="threads that read, one a processor at most; by default as many as pay here",
    )


def complete_with_files(action: argparse.Action) -> None:
    """Let TAB give files after this option."""
    # shtab looks for this attribute; the names are those of its own shell functions.
    action.complete = {  # type: ignore[attr-defined]
        "bash": "_shtab_compgen_files",
        "zsh": "_files",
        "tcsh": "f",
        "fish": "(__fish_complete_path (commandline -ct))",
    }


def in_lines(pairs: list[tuple[str, str]]) -> str:
    """Names and their meanings, below each other, for a help text of 80 columns."""
    from textwrap import wrap

    width = max(len(name) for name, _ in pairs)
    lines = []
    for name, meaning in pairs:
        first, *rest = wrap(meaning, 80 - width - 4) or [""]
        lines.append(f"  {name:{width}}  {first}")
        lines += (f"  {'':{width}}  {line}" for line in rest)
    return "\n".join(lines)


def columns_help(schema: Schema[Any], heading: str = "columns") -> str:
    """What the columns of a result are, for a help text."""
    return f"{heading}:\n{in_lines([(column.name, column.meaning) for column in schema])}"
