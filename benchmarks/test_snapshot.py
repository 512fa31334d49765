"""Snapshots beside the bare reads of the same pages, and their size beside other formats'."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pagemap import Process, Recorder, Snapshot
from pagemap._history.snapshot import Options, take
from tests import oracle
from tests.target import PAGE, run
from tests.workloads import Area, Unavailable, smaps_number

from .floor import Floor
from .race import OURS, Figure, Table, race, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

    from tests.target import Target

    from .stage import Stage

PREADS, SCAN, FULL = "preads on two threads", "scan of all", "full moment"
GIB = 1 << 30
MIB = 1 << 20
ROUNDS = 15
PEAK = """
import pathlib, runpy, sys
try:
    runpy.run_module("pagemap", run_name="__main__", alter_sys=True)
finally:
    status = pathlib.Path("/proc/self/status").read_text()
    sys.stderr.write("peak " + status.partition("VmHWM:")[2].split()[0])
"""
# Objects of a gigabyte, some of them let go again, as a program that has run for a while has it.
PYTHON = """
import sys
held = [bytes(200 + 37 * (i % 90)) for i in range(500_000)]
del held[::3]
print("ready", flush=True)
sys.stdin.read(1)
"""
NODE = """
const held = [];
for (let i = 0; i < 900000; i++) held.push(new Array(120).fill(i));
console.log("ready");
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
"""
JAVA = """
import java.util.*;
public class Held {
    public static void main(String[] none) throws Exception {
        List<byte[]> held = new ArrayList<>();
        for (int i = 0; i < 900_000; i++) held.add(new byte[400 + 37 * (i % 40)]);
        System.out.println("ready");
        System.in.read();
        System.out.println(held.size());
    }
}
"""
# 1 GiB of small pages; told to change, it drops 5 % of them, all over, and writes them again.
CHANGING = """
import mmap, random, sys, time
size = int(sys.argv[1])
memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
memory.madvise(15)  # MADV_NOHUGEPAGE
for at in range(0, size, mmap.PAGESIZE):
    memory[at] = 1
pages = size // mmap.PAGESIZE
draw = random.Random(7)
print("ready", flush=True)
for line in sys.stdin:
    if line == "change\\n":
        chosen = draw.sample(range(pages), pages // 20)
        for page in chosen:
            memory.madvise(mmap.MADV_DONTNEED, page * mmap.PAGESIZE, mmap.PAGESIZE)
        draw.shuffle(chosen)  # else each would get the frame back that it had
        for page in chosen:
            memory[page * mmap.PAGESIZE] = 2
        print("done", flush=True)
    else:  # faults and frees pages: what one takes, by the clock and by this process's own
        end, done, used = time.perf_counter() + float(line), 0, time.process_time()
        while time.perf_counter() < end:
            at = done % 512 * mmap.PAGESIZE
            memory[at] = 3
            memory.madvise(mmap.MADV_DONTNEED, at, mmap.PAGESIZE)
            done += 1
        print(float(line) / done, (time.process_time() - used) / done, flush=True)
"""


def nothing(_: object) -> None:
    """Where what is written goes to be timed without a disk."""


@contextlib.contextmanager
def held_by(name: str, folder: Path) -> Iterator[int]:
    """A program of that runtime that holds a gigabyte; its pid."""
    source = folder / "Held.java"
    source.write_text(JAVA)
    words = {
        "python": [sys.executable, "-c", PYTHON],
        "node": ["node", "--max-old-space-size=4096", "-e", NODE],
        "java": ["java", "-Xmx3g", "-XX:-UsePerfData", str(source)],
    }[name]
    if shutil.which(words[0]) is None or (name == "java" and shutil.which("javac") is None):
        pytest.skip(f"{words[0]} is not installed")
    with run(*words) as target:
        yield target.pid


def size_of(pid: int, *, pfns: bool = True) -> int:
    """How many bytes a snapshot takes."""
    return int(take([pid], nothing, Options(pfns=pfns))["bytes"])


@pytest.mark.usefixtures("visible_pfns")
def test_dense(stage: Stage, table: Table, benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """At most 2.5 times the bare reads on two threads."""
    target = stage.target("dense")
    options = Options()
    with closing(Floor(target.pid, target.first)) as floor:
        figures = race(
            benchmark,
            timed(lambda: take([target.pid], nothing, options)),
            {PREADS: floor.read_paired},
            rounds=ROUNDS,
        )
    row = table.cost(
        f"snapshot of {stage.gib} GiB", figures[OURS], PREADS, figures[PREADS], at_most=2.5
    )
    path = tmp_path / "file"
    done = subprocess.run(
        [sys.executable, "-c", PEAK, "snapshot", str(target.pid), "-o", str(path)],
        check=True,
        capture_output=True,
        text=True,
        timeout=600,
    )
    peak = int(done.stderr.rpartition("peak ")[2]) * 1024
    table.note(f"snapshot of {stage.gib} GiB: at most {peak / MIB:.1f} MiB are held")
    assert peak < 64 * MIB
    assert row.met, row


@pytest.mark.usefixtures("visible_pfns")
def test_a_range_reads_little(stage: Stage, tmp_path: Path) -> None:
    """One page of all: under 1 % of the file beside what opens it is read."""
    target = stage.target("dense")
    path = tmp_path / "file"
    with Snapshot.take(target.pid, path) as snapshot:
        area = target.first
        middle = (area.start + area.end) // 2 // PAGE * PAGE
        before = read_by_us()
        pages = snapshot.process().pages((middle, middle + PAGE))
        read = read_by_us() - before
    assert list(pages.entries) == oracle.entries(target.pid, middle, middle + PAGE)
    assert read < path.stat().st_size / 100


def read_by_us() -> int:
    """How many bytes this process has read."""
    text = Path("/proc/self/io").read_text()
    return int(text.partition("rchar: ")[2].split()[0])


def test_reserved(stage: Stage, table: Table, benchmark: BenchmarkFixture) -> None:
    """Under 20 ms for 20 TiB."""
    target = stage.target("20 TiB")
    options = Options()
    with closing(Floor(target.pid)) as floor:
        figures = race(
            benchmark,
            timed(lambda: take([target.pid], nothing, options)),
            {SCAN: lambda: floor.scan()[0]},
            rounds=ROUNDS,
        )
    table.cost("snapshot of 20 TiB reserved", figures[OURS], SCAN, figures[SCAN])
    assert figures[OURS].least < 0.020


def test_thp(stage: Stage, table: Table) -> None:
    """At most 0.01 bytes for each page of what is huge."""
    try:
        target = stage.target("thp")
    except Unavailable as why:
        pytest.skip(str(why))
    huge = smaps_number(target.pid, "AnonHugePages") // PAGE
    # what is beside it, mappings and header, is that of a small process
    size = size_of(target.pid) - size_of(stage.target("small").pid, pfns=False)
    table.note(f"huge pages: {size / huge:.4f} bytes a page")
    assert size / huge < 0.01


@pytest.mark.usefixtures("visible_pfns")
@pytest.mark.parametrize("name", ["python", "node", "java"])
def test_sizes(name: str, table: Table, tmp_path: Path) -> None:
    """No larger than Parquet of the same runs, and at most 0.85 of zstd of the raw entries."""
    with held_by(name, tmp_path) as pid:
        process = Process(pid)
        present = sum(row.rss or 0 for row in process.tally(["rss"])) // PAGE
        ours, plain = size_of(pid), size_of(pid, pfns=False)
        parquet, packed = parquet_of(process), zstd_of(process)
        process.close()
    table.note(
        f"{name} of {present * PAGE / GIB:.2f} GiB: {ours / present:.3f} bytes a page; "
        f"{ours / parquet:.2f} of Parquet, {ours / packed:.2f} of zstd -3; "
        f"{plain / present:.4f} without PFNs"
    )
    assert ours <= parquet
    assert ours <= 0.85 * packed


def runs_of(process: Process) -> tuple[list[int], list[int], list[int], list[int]]:
    """Start, pages, flags and PFN of runs of neighbours in both address and frame."""
    starts: list[int] = []
    counts: list[int] = []
    flags: list[int] = []
    places: list[int] = []
    place_bits = (1 << 55) - 1
    for _, pages in process.populated():
        vpn = pages.start // PAGE
        for number, entry in enumerate(pages.entries, vpn):
            if (
                starts
                and starts[-1] + counts[-1] == number
                and flags[-1] == entry >> 55
                and places[-1] + counts[-1] == entry & place_bits
            ):
                counts[-1] += 1
                continue
            starts.append(number)
            counts.append(1)
            flags.append(entry >> 55)
            places.append(entry & place_bits)
    return starts, counts, flags, places


def parquet_of(process: Process) -> int:
    """Bytes of the same runs in Parquet."""
    import pyarrow as pa
    from pyarrow import parquet

    names = ["start", "pages", "flags", "pfn"]
    table = pa.table(dict(zip(names, runs_of(process), strict=True)))
    out = BytesIO()
    parquet.write_table(
        table,
        out,
        compression="zstd",
        use_dictionary=False,
        column_encoding=dict.fromkeys(names, "DELTA_BINARY_PACKED"),
    )
    return len(out.getvalue())


def zstd_of(process: Process) -> int:
    """Bytes of the raw entries of what is populated, by zstd -3."""
    import pyarrow as pa

    data = b"".join(bytes(pages.entries) for _, pages in process.populated())
    return len(pa.Codec("zstd", compression_level=3).compress(data, asbytes=True))


@pytest.fixture
def changing() -> Iterator[Target]:
    """1 GiB that changes by 5 % when it is told."""
    with run(sys.executable, "-c", CHANGING, str(GIB)) as target:
        yield target


def ask(target: Target, line: str) -> str:
    """What the target answers."""
    target.tell(f"{line}\n")
    return str(target.read_line())


@pytest.mark.usefixtures("visible_pfns")
def test_patch(changing: Target, table: Table, benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """A patch where 5 % changed is at most a third of all; a round at most 1.5 bare reads."""
    with Recorder(changing.pid, str(tmp_path / "record")) as recorder:
        full = recorder.take()
        ask(changing, "change")
        patch = recorder.take()
        with Recorder(changing.pid, str(tmp_path / "whole")) as another:
            whole = another.take()  # of the same moment: what the patch stands for
        table.note(
            f"record of 1 GiB: {full} bytes before, {whole} after 5 % changed; the patch has "
            f"{patch}: {patch / whole:.2f} of the latter, {patch / full:.2f} of the former"
        )
        assert patch <= whole / 3
        largest = max(oracle.maps(changing.pid), key=lambda each: each.end - each.start)
        area = Area("largest", largest.start, largest.end)
        with closing(Floor(changing.pid, area)) as floor:
            figures = race(
                benchmark,
                timed(recorder.take),
                {"preads": lambda: floor.read()[0]},
                rounds=ROUNDS,
            )
    row = table.cost(
        "record, a round of 1 GiB", figures[OURS], "preads", figures["preads"], at_most=1.5
    )
    assert row.met, row


@pytest.mark.usefixtures("visible_pfns")
def test_record_at_2_hz(changing: Target, table: Table, tmp_path: Path) -> None:
    """Under 10 % of a core, and the target is slowed by under 5 %."""
    alone: list[list[float]] = []
    beside: list[list[float]] = []
    share: list[float] = []
    for number in range(10):
        alone.append([float(word) for word in ask(changing, "1.5").split()])
        words = ["record", str(changing.pid), "--every", "500ms", "-o", str(tmp_path / str(number))]
        with subprocess.Popen(
            [sys.executable, "-m", "pagemap", *words, "--for", "1900ms"], stderr=subprocess.DEVNULL
        ) as recorder:
            time.sleep(0.2)  # it starts
            beside.append([float(word) for word in ask(changing, "1.5").split()])
            _, status, usage = os.wait4(recorder.pid, 0)
            recorder.returncode = status
        assert status == 0
        share.append((usage.ru_utime + usage.ru_stime) / 1.9)
    table.note(f"record of 1 GiB at 2 Hz: {100 * min(share):.1f} % of a core, start included")
    assert min(share) < 0.1
    # By the clock whoever else wants a core counts too.
    for clock, at_most in ((1, 1.05), (0, None)):
        row = table.cost(
            f"a fault beside record at 2 Hz, {('by the clock', 'of its own time')[clock]}",
            Figure.of([each[clock] for each in beside]),
            "alone",
            Figure.of([each[clock] for each in alone]),
            at_most=at_most,
        )
        assert row.met, row
