"""The examples of docs/pytest-plugin.md, run as a reader would run them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.plugin_runs import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(os.environ.get("PAGEMAP_SOURCE", Path(__file__).parents[2]))


@pytest.fixture(scope="module")
def page() -> str:
    path = ROOT / "docs" / "pytest-plugin.md"
    if not path.exists():
        pytest.skip("the page lies in the source tree, which is not here")
    return path.read_text(encoding="utf-8")


def blocks(page: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", page, flags=re.DOTALL)


def like(line: str) -> str:
    """A pattern for a line that may have other numbers, but for counts of pages."""
    return re.sub(r"0x[0-9a-f]+", "0x[0-9a-f]+", re.escape(line))


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return iter([None])


def test_the_examples_pass_or_say_why_not(
    need_own_tracking: None, page: str, pytester: pytest.Pytester, pfns_visible: bool
) -> None:
    tests = [block for block in blocks(page, "python") if "def test_" in block]
    assert len(tests) == 4
    for number, block in enumerate(tests):
        (pytester.path / f"test_{number}.py").write_text(block)
    result = pytester.runpytest_inprocess(*OPTIONS)
    outcomes = result.parseoutcomes()
    assert outcomes.pop("failed") == 1
    skipped = outcomes.pop("skipped", 0)
    assert skipped <= 1 + (not pfns_visible)  # of huge pages, and of frames
    assert outcomes == {"passed": 6 - skipped}
    shown = blocks(page, "text")[0].strip()
    assert re.search(like(shown), result.stdout.str()), shown


def test_the_measurement_prints_what_is_shown(
    need_own_tracking: None, page: str, pytester: pytest.Pytester
) -> None:
    (block,) = (block for block in blocks(page, "python") if "def test_" not in block)
    told = pytester.runpython(pytester.makepyfile(block)).stdout.str()
    shown = blocks(page, "text")[2].splitlines()
    number = r"[+-]?[\d.]+[KM]?"
    for one, other in zip(shown[:2], told.splitlines(), strict=False):
        assert re.sub(number, "N", one) == re.sub(number, "N", other)
    largest = r"^ *8\.0M +\+8\.0M .* \+8\.0M +8\.0M  /dev/zero \(deleted\)$"
    assert re.search(largest, shown[3])
    assert re.search(largest, told.splitlines()[3])
