"""Paths that are given, of every command and option: one kind of mistake has one exit code.

2 where the word cannot be a path, 66 where nothing is there or something of another kind.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pagemap._cli import main
from pagemap._cli.commands import COMMANDS
from pagemap._cli.parser import build_parser
from pagemap._cli.saved_targets import READERS

if TYPE_CHECKING:
    from argparse import Action

USAGE, MISSING, DENIED = 2, 66, 77
NAMES = ("FILE", "DIR", "PATH", "PATH|INODE")  # as help calls what is a path
_RECORD = str(Path(__file__).parents[1] / "snapshots" / "version-1-record.pagemap")
_TARGETS = ("TARGET", "A", "B")
# What else the line must have, so that it is the path that is wrong.
WORDS = {
    "types": ["--describe", "1"],
    "who": ["--pfn", "1"],
    "free-if": ["self"],
    "diff": [f"{_RECORD}@0", f"{_RECORD}@1"],
    "record": ["self", "--every", "1s"],
    "virt-to-phys": ["self", "0x1000"],
    "cache": ["/etc/passwd"],
    "contents": [_RECORD],
    "wss": ["self", "--over", "100ms"],
    "writes": ["self", "--for", "100ms"],
    **{name: ["self"] for name in ("maps", "dump", "regions", "huge", "segments", "snapshot")},
}
# What the option takes instead of a target, or of what is asked for by default.
ALONE = {"--file", "--cgroup", "--charged-to", "--salvage", "FILE", "PATH"}
LATE = {"--search"}  # looked at when there is a frame to look for


class Given(NamedTuple):
    """A command, and an option or argument of it that is a path."""

    command: str
    name: str


def shown_name(action: Action) -> str:
    return action.option_strings[-1] if action.option_strings else str(action.metavar)


def actions_of(command: str) -> list[Action]:
    (choices,) = (each.choices for each in build_parser(command)._actions if each.choices)
    assert isinstance(choices, dict)
    return list(choices[command]._actions)


PATHS = [
    Given(name, shown_name(action))
    for name, _, _ in COMMANDS
    for action in actions_of(name)
    if hasattr(action, "complete") and action.metavar not in _TARGETS
]
TARGETS = [
    Given(name, str(action.metavar))
    for name, _, _ in COMMANDS
    for action in actions_of(name)
    if action.metavar in _TARGETS
]


def line(given: Given, path: str, output: str) -> list[str]:
    words = [] if given.name in ALONE else WORDS.get(given.command, [])
    more = ["-o", output] if given.command in ("snapshot", "record") else []
    if given.name == "--output":
        more = []
    option = [given.name, path] if given.name.startswith("-") else [path]
    return [given.command, *words, *option, *more]


def code_of(words: list[str], capsysbinary: pytest.CaptureFixture[bytes]) -> int:
    code = main(words)
    out, err = capsysbinary.readouterr()
    assert out == b"", words
    assert err.startswith(b"pagemap: "), words
    return code


def test_what_help_calls_a_path_is_one() -> None:
    """So shells complete it, and none of its mistakes is forgotten here."""
    paths = {*PATHS}
    for name, _, _ in COMMANDS:
        for action in actions_of(name):
            if action.metavar in NAMES:
                assert Given(name, shown_name(action)) in paths
    assert len(paths) > 2 * len(COMMANDS) - 10


@pytest.mark.parametrize("given", PATHS, ids="-".join)
def test_an_empty_one(given: Given, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """`--procfs ""` read /proc, and some of the others looked for a file without a name."""
    assert code_of(line(given, "", "x"), capsysbinary) == USAGE


@pytest.mark.parametrize("given", [each for each in PATHS if each.name not in LATE], ids="-".join)
def test_none_and_one_of_another_kind(
    given: Given, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.write_text("words\n")
    folder.mkdir()
    paths: dict[str, list[Path | str]] = {
        # record leaves alone what is there, whatever it is
        "--output": [] if given.command == "record" else [folder],
        "--file": ["/dev/null"],
        "PATH": ["/dev/null"],
        "FILE": [file, folder, "/dev/null"],
        "--since": [file, folder, "/dev/null"],
        "--salvage": [file, folder, "/dev/null"],
    }
    wrong = paths.get(given.name, [file, folder, "/dev/null"])
    codes = {
        str(path): code_of(line(given, str(path), f"{tmp_path}/out"), capsysbinary)
        for path in (tmp_path / "none" / "x", file / "x", *wrong)
    }
    allowed = {MISSING} if os.geteuid() == 0 else {MISSING, DENIED}
    assert set(codes.values()) <= allowed, codes
    assert [each.name for each in tmp_path.iterdir()] == ["file", "folder"]


@pytest.mark.parametrize("given", TARGETS, ids="-".join)
def test_a_target(given: Given, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """A pid file that is none was wrong usage, and a snapshot that is none was not."""
    file = tmp_path / "file"
    file.write_text("words\n")
    none = [f"@{tmp_path}", f"@{file}", f"@{tmp_path}/none", "@/dev/null"]
    if given.command in READERS:
        none += [str(file), str(tmp_path), f"{tmp_path}/none.pagemap"]
    others = {"B": ["self"], "A": []}.get(given.name, [])
    more = {
        "diff": [] if given.name == "B" else ["self"],
        "virt-to-phys": ["0x1000"],
        "who": ["0x1000"],
        "wss": ["--over", "100ms"],
        "record": ["-o", f"{tmp_path}/out", "--every", "1s"],
        "snapshot": ["-o", f"{tmp_path}/out"],
    }.get(given.command, [])
    codes = {text: code_of([given.command, *others, text, *more], capsysbinary) for text in none}
    assert set(codes.values()) == {MISSING}, codes
    assert code_of([given.command, *others, "", *more], capsysbinary) == USAGE
    assert code_of([given.command, *others, "@", *more], capsysbinary) == USAGE
