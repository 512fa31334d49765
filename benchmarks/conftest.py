"""Fixtures of the benchmarks, and the table of ratios at the end of a session."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest
from pytest_benchmark.logger import PytestBenchmarkWarning

import pagemap
from tests import workloads

from .race import Table
from .stage import FULL_GIB, SIZED_BY, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.workloads import Target

TABLE = pytest.StashKey[Table]()


def pytest_configure(config: pytest.Config) -> None:
    """Lay out the table that every benchmark adds to, and have the raw samples kept."""
    config.stash[TABLE] = Table()
    option = config.option
    if not (option.benchmark_json or option.benchmark_save or option.benchmark_autosave):
        option.benchmark_save = "ratios"
    # Said where a benchmark failed or was skipped before it timed anything: that is told anyway.
    # One filter is for the tests, the other for the end of the session, which is outside theirs.
    config.addinivalue_line(
        "filterwarnings", "ignore::pytest_benchmark.logger.PytestBenchmarkWarning"
    )
    warnings.filterwarnings("ignore", category=PytestBenchmarkWarning)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table."""
    table = config.stash[TABLE]
    if table.rows or table.notes:
        terminalreporter.section("ratios (of the minima)")
        for line in table.lines():
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def table(pytestconfig: pytest.Config) -> Table:
    """The table that is printed at the end."""
    return pytestconfig.stash[TABLE]


@pytest.fixture(scope="session")
def stage(table: Table) -> Iterator[Stage]:
    """All targets; those still alive are killed at the end of the session."""
    with Stage(table.note) as stage:
        if stage.gib != FULL_GIB:
            table.note(
                f"{SIZED_BY}={stage.gib}: dense and sparse targets are smaller than the "
                f"{FULL_GIB} GiB and {8 * FULL_GIB} GiB that their ratios are meant for"
            )
        yield stage


@pytest.fixture
def target(stage: Stage) -> Callable[[str], Target]:
    """Give a stopped target by name, or skip when it cannot be made here."""

    def get(name: str) -> Target:
        try:
            return stage.target(name)
        except workloads.Unavailable as reason:
            pytest.skip(str(reason))

    return get


@pytest.fixture
def visible_pfns() -> None:
    """Skip where the kernel hides PFNs: nothing translates, and the textbook shows zeros."""
    with pagemap.Process("self") as process:
        if not process.pfns_visible:
            pytest.skip("PFNs: the kernel hides them without CAP_SYS_ADMIN")
