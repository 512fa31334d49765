"""A call travels down in csrc/ too: a folder includes itself and what lies below it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSRC = Path(__file__).resolve().parents[2] / "csrc"

BELOW = {
    "include": set(),
    "kernel": {"include"},
    "walk": {"kernel"},
    "analyses": {"kernel", "walk"},
    "rows": {"kernel", "walk"},
    "columns": {"kernel", "walk"},
    "history": {"kernel", "walk", "analyses"},
    "snapshot": {"kernel", "walk"},
    "library": {"include", "kernel", "walk", "analyses", "history"},
    "binding": {"columns", "include"},
}


def test_every_folder_has_its_place() -> None:
    assert {path.parent.name for path in CSRC.glob("*/*.[ch]")} == BELOW.keys()


@pytest.mark.parametrize("folder", BELOW)
def test_includes_lead_down(folder: str) -> None:
    for path in (CSRC / folder).glob("*.[ch]"):
        used = re.findall(r'^#include "(\w+)/', path.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(used) <= BELOW[folder] | {folder}, path.name
