"""The plugin for pytest: what it takes of each test, where it is asked and where it is not.

Processor time of whole runs, of hundreds of tests that do nothing, divided: a difference of
microseconds is not seen in one test.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from .commands import time_command
from .race import OURS, Figure, Table, race

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

    from .race import Contestant

ROUNDS = 6
TESTS = 500
LIMIT = 0.0005  # seconds for each test
IMPORT = "import pytest; from time import perf_counter as now; t = now(); {}; print(now() - t)"
PLAIN = f"""
import pytest

@pytest.mark.parametrize("number", range({TESTS}))
def test_nothing(number):
    pass
"""
MARKED = f"""
import mmap, pytest
DATA = mmap.mmap(-1, 1 << 20)
DATA[:] = bytes(1 << 20)

@pytest.mark.limit_pages(written=1, of=DATA)
@pytest.mark.parametrize("number", range({TESTS}))
def test_nothing(number):
    DATA[0] = 1
"""


def run(folder: Path, file: str, *options: str) -> Contestant:
    """Time a run of pytest with our plugin and no other."""
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, file]

    def contestant() -> float:
        took = time_command(["env", "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1", *words], cwd=folder)
        return took.user_seconds + took.system_seconds

    return contestant


def test_what_each_test_pays(table: Table, benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    (tmp_path / "test_plain.py").write_text(PLAIN)
    (tmp_path / "test_marked.py").write_text(MARKED)
    figures = race(
        benchmark,
        run(tmp_path, "test_plain.py", "-p", "pagemap", "--pagemap"),
        {
            "off": run(tmp_path, "test_plain.py", "-p", "pagemap"),
            "none": run(tmp_path, "test_plain.py"),
            "marked": run(tmp_path, "test_marked.py", "-p", "pagemap"),
        },
        rounds=ROUNDS,
        every={"marked": 3},
    )

    def each(name: str, beside: str) -> Figure:
        more = figures[name].less(figures[beside])
        return Figure(more.least / TESTS, more.median / TESTS)

    limit = Figure(LIMIT, LIMIT)
    row = table.cost("pytest --pagemap, each test", each(OURS, "none"), "limit", limit, at_most=1)
    table.cost("pytest without the option, each test", each("off", "none"), "limit", limit)
    table.cost("a test with limit_pages(written=, of=)", each("marked", "none"), "limit", limit)
    assert row.met, row


def test_import(table: Table, benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """What pytest loads of us in each run, beside an empty module."""
    (tmp_path / "empty.py").touch()

    def statement(words: str) -> Contestant:
        command = [sys.executable, "-c", IMPORT.format(words)]
        return lambda: float(subprocess.check_output(command, cwd=tmp_path))

    figures = race(
        benchmark,
        statement("import pagemap._pytest.plugin"),
        {"import empty": statement("import empty")},
        rounds=ROUNDS,
    )
    empty = figures["import empty"]
    table.cost("import of the plugin for pytest", figures[OURS], "import empty", empty)
