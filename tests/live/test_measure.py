"""`pagemap.measure`: what a piece of work took, beside what was made and the kernel's own sums."""

from __future__ import annotations

import mmap
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import everyone, mappings

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = mappings.PAGE
MIB = 1 << 20


@pytest.fixture
def file(tmp_path: Path) -> Iterator[mmap.mmap]:
    """A file of 64 pages, mapped private, of which nothing is there yet."""
    path = tmp_path / "measured"
    path.write_bytes(bytes(64 * PAGE))
    with path.open("rb") as opened, mmap.mmap(opened.fileno(), 0, mmap.MAP_PRIVATE) as mapped:
        yield mapped


def row_of(table: pagemap.Table[pagemap.MeasureRow], path: str) -> pagemap.MeasureRow:
    (row,) = [row for row in table if row.path == path]
    return row


def test_amounts_of_a_path(file: mmap.mmap, tmp_path: Path) -> None:
    """Pages that are written become copies of this process, whatever else goes on in it."""
    with pagemap.measure() as measured:
        for page in range(20):
            file[page * PAGE] = 1
        row = row_of(measured.table, str(tmp_path / "measured"))  # so far
        assert (row.anon, row.anon_change) == (20 * PAGE, 20 * PAGE)
        file[20 * PAGE] = 1
    row = row_of(measured.table, str(tmp_path / "measured"))
    assert (row.anon, row.anon_change) == (21 * PAGE, 21 * PAGE)
    assert (row.size, row.size_change, row.mappings) == (64 * PAGE, 0, 1)
    assert row.written is None
    assert measured.table.about["written_by"] is None
    assert measured.after is not None
    (after,) = [row for row in measured.after if row.path == str(tmp_path / "measured")]
    (before,) = [row for row in measured.before if row.path == str(tmp_path / "measured")]
    assert (before.anon, after.anon) == (0, 21 * PAGE)


def test_what_is_gone_and_what_is_new(tmp_path: Path) -> None:
    name = str(tmp_path / "gone")
    Path(name).write_bytes(bytes(8 * PAGE))
    with open(name, "rb") as opened:
        gone = mmap.mmap(opened.fileno(), 0, mmap.MAP_PRIVATE)
        gone[0] = 1
        with pagemap.measure() as measured:
            gone.close()
            new = mmap.mmap(-1, 4 * MIB)
            new.write(b"x" * (4 * MIB))
    row = row_of(measured.table, name)
    assert (row.size, row.size_change, row.mappings) == (0, -8 * PAGE, 0)
    assert (row.anon, row.anon_change) == (0, -PAGE)
    largest = measured.table[0]
    assert largest.rss_change == largest.shmem_change == 4 * MIB
    faults = measured.table.about["minor_faults"]
    assert isinstance(faults, int)
    assert faults > 0
    new.close()


def test_written_pages(need_own_tracking: None, file: mmap.mmap, tmp_path: Path) -> None:
    file[0] = 1
    with pagemap.measure(written=True) as measured:
        file[0] = 2
        file[5 * PAGE] = 2
    assert row_of(measured.table, str(tmp_path / "measured")).written == 2 * PAGE
    about = measured.table.about
    assert about["written_by"] == "userfaultfd"
    assert isinstance(about["noise_written"], int)
    assert "without any work" in repr(measured)


def test_the_sums_are_those_of_the_kernel() -> None:
    """Of another process, which stands still."""
    child = os.fork()
    if not child:
        signal.pause()
        os._exit(0)
    try:
        everyone.wait_asleep(child)
        with pagemap.measure(child) as measured:
            pass
        rollup = Path(f"/proc/{child}/smaps_rollup").read_text()
        rss = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Rss:"))
        total = measured.table.total()
        assert (total.rss, total.rss_change) == (rss << 10, 0)
        assert measured.table.about["noise"] is None
        assert measured.table.about["minor_faults"] is None
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_what_is_printed() -> None:
    with pagemap.measure() as measured:
        assert repr(measured) == "<Measurement: under way>"
        kept = mmap.mmap(-1, 4 * MIB)
        kept.write(b"x" * (4 * MIB))
    first, noise, heads, largest, *_ = repr(measured).splitlines()
    assert first.startswith(f"process {os.getpid()}, ")
    assert noise.startswith("without any work: rss ")
    assert heads.split()[:2] == ["RSS", "CHANGE"]
    assert "+4.0M" in largest.split()
    assert largest.split()[-2:] == ["/dev/zero", "(deleted)"]
    kept.close()


def test_an_exception_ends_it() -> None:
    measured = pagemap.measure()
    with pytest.raises(KeyError), measured:
        raise KeyError
    assert repr(measured) == "<Measurement: closed>"
    with pytest.raises(pagemap.ClosedProcess, match="exception"):
        _ = measured.table
    with pytest.raises(TypeError, match="copy or pickle"):
        measured.__reduce_ex__(2)


def test_no_descriptor_is_left() -> None:
    pagemap.measure().close()
    before = os.listdir("/proc/self/fd")
    with pagemap.measure():
        pass
    with pytest.raises(pagemap.NoSuchProcess):
        pagemap.measure(0)
    assert os.listdir("/proc/self/fd") == before


def test_a_measurement_has_one_with_statement() -> None:
    """It begins at the call: a second one would be told what came before it."""
    measured = pagemap.measure()
    with measured, pytest.raises(pagemap.ClosedProcess, match="make another"), measured:
        pass
    for _ in range(2):
        with pytest.raises(pagemap.ClosedProcess, match="make another"), measured:
            pass
    with pagemap.measure() as ended:
        ended.close()
