"""Options that several subcommands have, and texts that their helps share."""

from __future__ import annotations

from pagemap._vocabulary.filters import LANGUAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import Any

    from pagemap._vocabulary.schema import Schema

__all__ = [
    "SPACE_HELP",
    "TARGET_HELP",
    "add_filters",
    "add_patterns",
    "add_ranges",
    "add_space",
    "add_target",
    "add_threads",
    "columns_help",
    "complete_with_files",
    "filters_help",
    "in_lines",
]

TARGET_HELP = "a pid, self, the name of a command or executable, or @FILE for a pid file"
SPACE_HELP = (
    f"{TARGET_HELP}; or a snapshot: FILE, FILE#PID, FILE@N for a moment of a record; of the same "
    "name a pid comes first, then a snapshot"
)


def add_space(parser: argparse.ArgumentParser) -> None:
    """Add TARGET where a process of a snapshot will do."""
    parser.add_argument("target", metavar="TARGET", help=SPACE_HELP)


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
        help="only mappings whose path matches; may be repeated",
    )


def add_ranges(parser: argparse.ArgumentParser) -> None:
    """Add ``--range``."""
    parser.add_argument(
        "--range",
        action="append",
        default=[],
        dest="ranges",
        metavar="START-END",
        help="only pages in this range of hexadecimal addresses; may be repeated",
    )


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Add ``--only`` and ``--without``, in the language of `pagemap._vocabulary.filters`."""
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="FILTER",
        help="only pages that match, as present,~file; may be repeated",
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="WORD[,WORD...]",
        help="only pages that are none of these; may be repeated",
    )


def filters_help(words: Sequence[tuple[str, str]]) -> str:
    """The forms of a FILTER and its words, for a help text."""
    return f"forms of a FILTER:\n{LANGUAGE}\n\nits words:\n{in_lines(words)}"


def add_threads(parser: argparse.ArgumentParser) -> None:
    """Add ``--threads``."""
    parser.add_argument(
        "--threads",
        metavar="N",
        help="number of threads that read, at most one per processor (default: automatic)",
    )


def complete_with_files(action: argparse.Action) -> None:
    """Let shells complete the argument of this option with files."""
    # shtab looks for this attribute; the names are those of its own shell functions.
    action.complete = {  # type: ignore[attr-defined]
        "bash": "_shtab_compgen_files",
        "zsh": "_files",
        "tcsh": "f",
        "fish": "(__fish_complete_path (commandline -ct))",
    }


def in_lines(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and their meanings, one below the other, for a help text of 80 columns."""
    from textwrap import wrap

    width = max(len(name) for name, _ in pairs)
    lines = []
    for name, meaning in pairs:
        first, *rest = wrap(meaning, 80 - width - 4) or [""]
        lines.append(f"  {name:{width}}  {first}")
        lines += (f"  {'':{width}}  {line}" for line in rest)
    return "\n".join(lines)


def columns_help(schema: Schema[Any], heading: str = "columns") -> str:
    """The columns of a result and their meanings, for a help text."""
    return f"{heading}:\n{in_lines([(column.name, column.meaning) for column in schema])}"
