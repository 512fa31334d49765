"""Names that files of csrc/ share: all stand in headers, because of -Wmissing-prototypes."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

CSRC = Path(__file__).resolve().parents[2] / "csrc"
HEADERS = sorted(CSRC.rglob("*.h"))

TYPE = re.compile(r"^(?:struct|union|enum) (\w+) \{", re.MULTILINE)
ENUM = re.compile(r"^enum(?: \w+)? \{(.*?)\}", re.MULTILINE | re.DOTALL)
CONSTANT = re.compile(r"(\w+)\s*(?:=[^,]*)?(?:,|$)")
MACRO = re.compile(r"^#define (?!_GNU_SOURCE\b)(\w+)", re.MULTILINE)  # that one is the C library's
FUNCTION = re.compile(r"^(?:\w+ )+\**(\w+)\(", re.MULTILINE)


def names(path: Path) -> tuple[list[str], list[str], list[str]]:
    """The types that a header defines, its functions, and its constants and macros."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="ascii"), flags=re.DOTALL)
    constants = [name for body in ENUM.findall(text) for name in CONSTANT.findall(body)]
    return TYPE.findall(text), FUNCTION.findall(text), constants + MACRO.findall(text)


@pytest.mark.parametrize("path", HEADERS, ids=lambda path: path.name)
def test_shared_names_have_our_prefix(path: Path) -> None:
    types, functions, constants = names(path)
    assert types or functions or constants
    assert [name for name in types + functions if not name.startswith("pm_")] == []
    assert [name for name in constants if not name.startswith("PM_")] == []


def test_no_name_stands_for_two_things() -> None:
    # There was a pm_stretch in each of two headers, and a pm_tally that counts beside a struct.
    types: Counter[str] = Counter()
    functions = set()
    for path in HEADERS:
        found = names(path)
        types.update(found[0])
        functions.update(found[1])
    assert len(types) > 30
    assert len(functions) > 100
    assert {name for name, times in types.items() if times > 1} == set()
    assert types.keys() & functions == set()
