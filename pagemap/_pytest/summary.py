"""What tests took: looks at the whole process around each test, and a list of the heaviest.

Two looks take some microseconds: the kernel's own counter of resident pages, and its counts of page
faults. Results are user properties of the tests, so they come from the workers of pytest-xdist too.
"""

from __future__ import annotations

import os
import resource
import statistics

import pytest

from pagemap._vocabulary.units import PAGE_SIZE, compact_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["Heaviest"]

_LISTED = 10
_ROUNDS = 5
_GROWN, _PEAK, _FAULTS = "pagemap_grown", "pagemap_peak", "pagemap_faults"
_NOISE = "pagemap_noise"
_START = pytest.StashKey[tuple[int, int, int]]()


class Heaviest:
    """Hooks around each test, and at the end."""

    def __init__(self) -> None:
        self._statm = -1
        self._owner = 0
        self._noise: int | None = None
        self._told: list[tuple[str, dict[str, int]]] = []
        self._noises: list[int] = []

    def _look(self) -> tuple[int, int, int]:
        """Resident bytes, the most of them that there ever were, and page faults."""
        if self._owner != os.getpid():  # a child of fork has its own
            self._owner = os.getpid()
            self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        resident = int(os.pread(self._statm, 200, 0).split()[1]) * PAGE_SIZE
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return resident, usage.ru_maxrss << 10, usage.ru_minflt + usage.ru_majflt

    def _empty(self) -> int:
        """What a test that does nothing grows by: the most of some."""
        most = 0
        for _ in range(_ROUNDS):
            before = self._look()
            most = max(most, self._look()[0] - before[0])
        return most

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Look before the fixtures of a test."""
        if self._noise is None:
            self._noise = self._empty()
            item.user_properties.append((_NOISE, self._noise))
        item.stash[_START] = self._look()
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Look when the test is done, passed or not."""
        try:
            return (yield)
        finally:
            now = self._look()
            before = item.stash.get(_START, now)
            names = (_GROWN, _PEAK, _FAULTS)
            item.user_properties += zip(names, map(int.__sub__, now, before), strict=True)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of what a test took, wherever it ran."""
        if report.when != "call":
            return
        told = {name: value for name, value in report.user_properties if isinstance(value, int)}
        if _GROWN in told:
            self._told.append((report.nodeid, told))
        if _NOISE in told:
            self._noises.append(told[_NOISE])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List the heaviest."""
        if not self._told:
            return
        terminalreporter.section("pagemap: the heaviest tests (resident memory of the process)")
        for line in lines(self._told, self._noises):
            terminalreporter.write_line(line)

    def pytest_unconfigure(self) -> None:
        """Close the file."""
        if self._owner == os.getpid():
            os.close(self._statm)
            self._owner = 0


def lines(told: list[tuple[str, dict[str, int]]], noises: list[int]) -> list[str]:
    """The table, and how much of it is noise."""
    heaviest = sorted(told, key=_weight, reverse=True)[:_LISTED]
    rows = ["     GROWN       PEAK     FAULTS  TEST"]
    for name, each in heaviest:
        grown, peak = _signed(each[_GROWN]), _signed(each.get(_PEAK, 0))
        rows.append(f"{grown:>10} {peak:>10} {each.get(_FAULTS, 0):>10}  {name}")
    median = int(statistics.median(each[_GROWN] for _, each in told))
    noise = f"an empty test: {_signed(max(noises))}; " if noises else ""
    rows.append(f"{noise}the median of {len(told)}: {_signed(median)}; setup and call of each")
    return rows


def _weight(test: tuple[str, dict[str, int]]) -> tuple[int, int]:
    told = test[1]
    return max(told[_GROWN], told.get(_PEAK, 0)), told.get(_FAULTS, 0)


def _signed(change: int) -> str:
    return f"+{compact_size(change)}" if change > 0 else compact_size(change)
