"""`import pagemap` in fresh interpreters beside the import of what it stands on."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from .commands import ENVIRONMENT, Stopwatch
from .race import OURS, Table, race

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

    from .race import Contestant

ROUNDS = 40
NEEDED = "import os, _cffi_backend"
FIRST_USE = "import pagemap; pagemap.Process"
PROFILER = "import pagemap; pagemap.Sampler"
HEAVY = ("argparse", "ctypes", "dataclasses", "json", "numpy", "rich")


def python(script: str, cwd: Path) -> str:
    """What a fresh interpreter prints, away from the source tree."""
    command = [sys.executable, "-c", script]
    return subprocess.run(
        command, cwd=cwd, env=ENVIRONMENT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def statement(words: str, cwd: Path) -> Contestant:
    """Time a statement within a fresh interpreter, its start left out."""
    script = f"from time import perf_counter as now; t = now(); {words}; print(now() - t)"
    return lambda: float(python(script, cwd))


def test_import(table: Table, benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """Little is loaded, so it costs little."""
    for words in ("import pagemap", FIRST_USE):
        loaded = python(f"{words}; import sys; print(*sys.modules)", tmp_path).split()
        assert "pagemap" in loaded
        assert [module for module in HEAVY if module in loaded] == []

    figures = race(
        benchmark,
        statement("import pagemap", tmp_path),
        {NEEDED: statement(NEEDED, tmp_path), FIRST_USE: statement(FIRST_USE, tmp_path)},
        rounds=ROUNDS,
    )
    row = table.cost("import pagemap", figures[OURS], NEEDED, figures[NEEDED], at_most=1.3)
    table.cost(FIRST_USE, figures[FIRST_USE], NEEDED, figures[NEEDED])
    assert row.met, row


def test_what_a_profiler_pays(table: Table, benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """The whole process, from its start to its end."""
    figures = race(
        benchmark,
        Stopwatch((sys.executable, "-c", PROFILER), tmp_path),
        {NEEDED: Stopwatch((sys.executable, "-c", NEEDED), tmp_path)},
        rounds=ROUNDS,
    )
    row = table.cost(f"{PROFILER}, whole", figures[OURS], NEEDED, figures[NEEDED], at_most=2)
    assert row.met, row


def test_what_a_profiler_holds(table: Table, benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """The memory of that process at its peak, by the kernel's own VmHWM."""

    def peak(words: str) -> Contestant:
        read = "print(next(line.split()[1] for line in open('/proc/self/status') if 'HWM' in line))"
        script = f"{words}\n{read}"
        return lambda: float(python(script, tmp_path)) / 1024

    figures = race(benchmark, peak(PROFILER), {NEEDED: peak(NEEDED)}, rounds=5)
    row = table.cost(
        f"{PROFILER}, peak", figures[OURS], NEEDED, figures[NEEDED], at_most=2, unit="MiB"
    )
    assert row.met, row
