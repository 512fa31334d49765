"""Plain command lines mean what argparse says they mean; what is not plain is left to it."""

from __future__ import annotations

import argparse
import importlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagemap._cli.commands import COMMANDS
from pagemap._cli.parser import build_parser
from pagemap._cli.quick import Sketch
from pagemap._errors import UsageError

# Of each sort that argparse treats in a way of its own.
ODD = ["", "-", "--", "-1", "-x", "--no", "-h", "a b", "-a b", "--=", "=", "0x10", "self", "text"]


def sketch_of(command: str) -> Sketch:
    room = next(room for name, _, room in COMMANDS if name == command)
    sketch = Sketch()
    importlib.import_module(f"pagemap._cli.{room}").add_arguments(sketch)
    return sketch


def argparse_says(command: str, words: list[str]) -> dict[str, Any] | None:
    """The values by name; None for an error, or for help."""
    try:
        values = vars(build_parser(command).parse_args([command, *words]))
    except (UsageError, SystemExit):
        return None
    return {name: value for name, value in values.items() if name != "command"}


def vocabulary(command: str) -> list[str]:
    """The options of a subcommand, with and without a value in the same word, and odd words."""
    parser = build_parser(command)
    choices: Any = next(
        action.choices
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    options = [
        option
        for action in choices[command]._actions
        for option in action.option_strings
        if option not in ("-h", "--help")
    ]
    return [*options, *(f"{option}={value}" for option in options for value in ("", "2"))]


@pytest.mark.parametrize("command", [name for name, _, _ in COMMANDS])
def test_as_argparse(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    word = st.one_of(
        st.sampled_from([*vocabulary(command), *ODD]),
        st.sampled_from(["1", "bash", "1000-2000", "json"]),
    )

    @settings(max_examples=300)
    @given(words=st.lists(word, max_size=6))
    def check(words: list[str]) -> None:
        quick = sketch_of(command).parse(words)
        assert quick is None or quick == argparse_says(command, words)

    check()


@pytest.mark.parametrize(
    "line",
    [
        "dump bash",
        "dump 1 --format csv --map [heap] --map=libc* -o out",
        "dump --populated --only present self",
        "maps self --json",
        "maps --sort rss nginx",
        "regions 1 --any present,swap --csv",
        "virt-to-phys 1 0x1000 0x2000",
        "virt-to-phys self -",
        "doctor 1",
    ],
)
def test_what_is_plain(line: str) -> None:
    """These need no argparse, which is what the start of the command gains."""
    command, *words = line.split()
    quick = sketch_of(command).parse(words)
    assert quick is not None
    assert quick == argparse_says(command, words)


@pytest.mark.parametrize(
    "line",
    [
        "dump",
        "dump 1 2",
        "dump 1 --format xml",
        "maps 1 --json --csv",
        "dump --help",
        "dump 1 --onl",
    ],
)
def test_what_is_not(line: str) -> None:
    command, *words = line.split()
    assert sketch_of(command).parse(words) is None
