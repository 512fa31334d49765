"""The most memory that a dump ever holds, measured from inside the command."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import workloads
from tests.property import fake
from tests.property.test_dump import PID

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Start
    from tests.workloads import Maker

LIMIT = 64 << 20

# The kernel's high-water mark of this address space. Not wait4's maxrss: that begins with the
# memory of whoever started the process.
SCRIPT = """
import pathlib, runpy, sys
try:
    runpy.run_module("pagemap", run_name="__main__", alter_sys=True)
finally:
    status = pathlib.Path("/proc/self/status").read_text()
    sys.stderr.write("peak " + status.partition("VmHWM:")[2].split()[0])
"""

TARGETS: dict[str, Maker] = {
    "60,000 mappings": workloads.many,
    "a million pages, one in 4096 touched": lambda: workloads.sparse(4 << 30, 16 << 20),
    "65,536 resident pages": lambda: workloads.dense(256 << 20),
}


@pytest.mark.parametrize("form", ["text", "csv", "json", "jsonl"])
@pytest.mark.parametrize("name", TARGETS)
def test_peak_of_the_command(name: str, form: str, start: Start) -> None:
    target = start(TARGETS[name]())
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "dump", str(target.pid), "--format", form],
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    peak = int(done.stderr.rpartition("peak ")[2]) * 1024
    assert peak < LIMIT, f"{peak / (1 << 20):.1f} MiB"


# These two keep most; with PAGEMAP_BREADTH=1 others are tried, too.
VIEWS = ["--by cgroup", "--blockers"]
if int(os.environ.get("PAGEMAP_BREADTH", "0")):
    VIEWS += ["--by kind", "--blocks", "--by user"]
# A number for each frame: which group of processes maps it.
TABLES = {"--by user": 4 * os.sysconf("SC_PHYS_PAGES")}


@pytest.mark.parametrize("view", VIEWS)
def test_peak_of_memory(view: str, need_pfns: None) -> None:
    """However much memory there is: nothing is kept for each frame, but where that is said."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "memory", *view.split()],
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    peak = int(done.stderr.rpartition("peak ")[2]) * 1024
    assert peak < LIMIT // 2 + TABLES.get(view, 0), f"{peak / (1 << 20):.1f} MiB"


@pytest.mark.parametrize("words", ["cache /usr/lib --frames --bar --csv", "who --pfn 1"])
def test_peak_of_the_page_cache(words: str, need_pfns: None) -> None:
    """Pages of files that are mapped for a moment count too, so few are at a time."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words.split()],
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
    )
    peak = int(done.stderr.rpartition("peak ")[2]) * 1024
    assert peak < 2 * LIMIT, f"{peak / (1 << 20):.1f} MiB"


def test_regions_are_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, no more than two tables of them."""
    monkeypatch.setattr("pagemap._analyses.regions.ROWS", 1 << 12)

    def peak(regions: int) -> int:
        folder = tmp_path / str(regions)
        folder.mkdir(exist_ok=True)
        maps = b"%08x-%08x rw-p 00000000 00:00 0 \n" % (0, 2 * regions * workloads.PAGE)
        fake.write_process(folder, PID, [1 << 63, 0] * regions, maps)
        with pagemap.Process(PID, procfs=str(folder)) as process:
            tracemalloc.start()
            try:
                assert sum(len(table) for table in process.regions()) == regions
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    peak(20_000)  # what is tried once, and known then
    assert peak(80_000) < 1.1 * peak(20_000) < 8 << 20
