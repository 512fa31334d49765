"""Enumerations that are spelled out for type checkers, and the tables that they come from."""

from __future__ import annotations

import re
from pathlib import Path

import pagemap
from pagemap._vocabulary.frame_flags import PAGE_FLAGS

CSRC = Path(__file__).resolve().parents[2] / "csrc"


def test_type_checkers_see_what_runs() -> None:
    """`PageFlag.RESERVED` ran, and mypy denied it. The members stand in the class, as numbers."""
    source = (Path(pagemap.__file__).parent / "_vocabulary/frame_flags.py").read_text("utf-8")
    spelled = re.findall(r"^    ([A-Z0-9_]+) = 1 << (\d+), ", source, re.MULTILINE)
    members = pagemap.PageFlag.__members__
    assert {name: 1 << int(bit) for name, bit in spelled} == dict(members)
    assert [flag.name.upper() for flag in PAGE_FLAGS] == list(members)
    assert all(each.letter and each.meaning and each.since for each in members.values())


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
