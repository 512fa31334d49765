"""The sampler of the C library: the price of a sample, and of a thread that takes them."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from pagemap._core import lib
from tests.live.test_c_sampler import ARCHIVE, ROOT, numbers, opened, take

from .floor import Floor
from .race import OURS, Neighbours, Table, race
from .test_sampler import sampled

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

SCAN = "C scan loop"
ALONE = "without a sampler"
HZ = "100"
MIB = "1024"
ROUNDS = "400000000"  # about half a second
WANTED = lib.PM_AMOUNT_RSS | lib.PM_AMOUNT_SWAP


def test_sample(table: Table, benchmark: BenchmarkFixture) -> None:
    """The rss and swap of 1 GiB of base pages, for little more than the kernel's scan."""
    with (
        sampled(1024) as process,
        contextlib.closing(Floor(process.pid)) as floor,
        opened(process.pid, WANTED) as sampler,
    ):

        def once() -> float:
            began = time.perf_counter()
            got, out = take(sampler)
            took = time.perf_counter() - began
            assert got == 0
            assert out.rss > 1 << 30
            return took

        figures = race(benchmark, once, {SCAN: lambda: floor.scan()[0]}, rounds=80)
    title = "C sample, 1 GiB, rss and swap"
    row = table.cost(title, figures[OURS], SCAN, figures[SCAN], at_most=1.1)
    assert row.met, row


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """examples/rss_sampler.cpp."""
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("needs g++ (Debian: apt install g++)")
    made = tmp_path_factory.mktemp("cpp") / "rss_sampler"
    header = f"-I{ROOT / 'csrc' / 'include'}"
    source = ROOT / "examples" / "rss_sampler.cpp"
    command: list[Any] = [compiler, "-std=c++17", "-O2", "-pthread", header, "-o", made, source]
    subprocess.run([*command, ARCHIVE], check=True, timeout=120)
    return made


def test_cpp_sampler(table: Table, benchmark: BenchmarkFixture, program: Path) -> None:
    """At 100 Hz, on a process of 1 GiB, a thread that computes hardly notices.

    By the thread's own processor time: what it waits for a processor depends on who else is there.
    """
    neighbours = Neighbours()
    figures = race(
        benchmark,
        lambda: numbers(program, HZ, MIB, ROUNDS)["own_seconds"],
        {ALONE: lambda: numbers(program, "0", MIB, ROUNDS)["own_seconds"]},
        rounds=12,
    )
    title = f"C++ thread beside {HZ} samples/s, {MIB} MiB"
    neighbours.tell(table, title)
    row = table.cost(title, figures[OURS], ALONE, figures[ALONE], at_most=1.03)
    assert row.met, row
