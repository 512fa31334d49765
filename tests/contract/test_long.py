"""`make test-long` runs everything that is shortened by default at its full length."""

from __future__ import annotations

import re
from pathlib import Path

from tests.contract.test_docs import ROOT

TESTS = Path(__file__).parents[1]
LENGTH = re.compile(r'(?:int|float)\(os\.environ\.get\("(\w+)", "([\d.]+)"\)\)')
WHERE_IT_BEGINS = {"FUZZ_SEED"}  # and no length


def shortened() -> dict[str, float]:
    """The variables that say how long a test runs, and what each is by default."""
    return {
        name: float(default)
        for path in TESTS.rglob("*.py")
        for name, default in LENGTH.findall(path.read_text())
        if name not in WHERE_IT_BEGINS
    }


def test_every_length_is_set_and_longer() -> None:
    text = (ROOT / "Makefile").read_text().replace("\\\n", "")
    (line,) = re.findall(r"^LONG := (.*)", text, re.MULTILINE)
    lengths = {name: float(value) for name, value in re.findall(r"(\w+)=([\d.]+)", line)}
    lengths["FUZZ_SECONDS"] = float(*re.findall(r"^FUZZ_SECONDS \?= (\d+)", text, re.MULTILINE))
    defaults = shortened()
    assert lengths.keys() == defaults.keys()
    assert all(lengths[name] > defaults[name] for name in defaults)
