"""Enumerations that are spelled out for type checkers, and the tables that they come from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._vocabulary.flags import PAGE_FLAGS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from enum import IntFlag

    from pagemap._vocabulary.flags import Flag

CSRC = Path(__file__).resolve().parents[2] / "csrc"


@pytest.mark.parametrize(("kind", "table"), [(pagemap.PageFlag, PAGE_FLAGS)])
def test_each_flag_of_the_table_is_a_member(kind: type[IntFlag], table: Sequence[Flag]) -> None:
    """`PageFlag.RESERVED` ran, and mypy denied it: 25 of 45 flags were spelled for it."""
    assert {name: int(member) for name, member in kind.__members__.items()} == {
        flag.name.upper(): 1 << flag.bit for flag in table
    }


@pytest.mark.parametrize(
    ("kind", "file"),
    [("PageFlag", "_vocabulary/frame_flags")],
)
def test_type_checkers_see_what_runs(kind: str, file: str) -> None:
    """The members stand in the one class that there is, as numbers: no twin can lack some."""
    source = (Path(pagemap.__file__).parent / f"{file}.py").read_text(encoding="utf-8")
    body = source.split(f"class {kind}(IntFlag):", 1)[1].split("\n\n\n", 1)[0]
    spelled = re.findall(r"^    ([A-Z0-9_]+) = 1 << \d+$", body, re.MULTILINE)
    assert spelled == list(getattr(pagemap, kind).__members__)


def test_c_has_the_bits_of_the_table() -> None:
    """huge.h had five flags of its own, types.c eleven: nothing held them against the table."""
    spelled = [
        (name, int(bit))
        for path in sorted(CSRC.rglob("*.[ch]"))
        for name, bit in re.findall(r"\bPM_KPF_(\w+) = (\d+)", path.read_text(encoding="utf-8"))
    ]
    assert len(spelled) > 30
    assert len(spelled) == len(dict(spelled)), "a flag is spelled twice"
    assert dict(spelled).items() <= {flag.name.upper(): flag.bit for flag in PAGE_FLAGS}.items()


def test_unknown_bits_are_kept() -> None:
    assert int(pagemap.PageFlag(1 << 60 | 1)) == 1 << 60 | 1
