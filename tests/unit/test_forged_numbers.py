"""Numbers that no kernel writes: a copy of /proc, or one of a container, may have any."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests.unit import fake_proc

if TYPE_CHECKING:
    from collections.abc import Iterable

OF_MACHINE = ("meminfo", "zoneinfo", "buddyinfo", "vmstat", "version")
OF_PROCESS = ("status", "stat", "statm", "smaps", "smaps_rollup", "maps", "comm", "auxv")
FORGED = {
    "30 digits": b"9" * 30,
    "past 63 bits": b"9223372036854775808",
    "more digits than Python takes": b"9" * 5000,
    "of another script": "\N{ARABIC-INDIC DIGIT THREE}".encode(),
}


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Some files of /proc, those of this process as those of 4242."""
    (tmp_path / "self").mkdir()
    (tmp_path / "4242").mkdir()
    copy(OF_MACHINE, Path("/proc"), tmp_path)
    copy(OF_PROCESS, Path("/proc/self"), tmp_path / "4242")
    return tmp_path


def copy(names: Iterable[str], source: Path, to: Path) -> None:
    for name in names:
        (to / name).write_bytes((source / name).read_bytes())


def forge(path: Path, number: bytes, lines: bytes = rb"") -> None:
    """Put it in the place of all numbers, of lines that begin so."""
    text = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(
        b"".join(
            re.sub(rb"\b[0-9]+\b", number, line) if re.match(lines, line) else line for line in text
        )
    )


@pytest.mark.parametrize("number", FORGED.values(), ids=FORGED)
@pytest.mark.parametrize("name", OF_MACHINE[:-1])
def test_of_the_machine(copied: Path, name: str, number: bytes) -> None:
    forge(copied / name, number)
    told = pagemap.memory(frames=False, procfs=str(copied), sysfs=str(copied))
    kinds = {row.kind: row for row in told.kinds}
    if name == "meminfo":
        assert told.about["total"] is None
        assert kinds["anon"].kernel is None
    else:
        assert told.about["total"] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if name == "zoneinfo":
        assert len(told.zones) == 0
    if name == "buddyinfo":
        assert {row.kernel for row in told.orders} <= {None}


@pytest.mark.parametrize("number", FORGED.values(), ids=FORGED)
def test_of_a_process(copied: Path, number: bytes) -> None:
    forge(copied / "4242" / "status", number, rb"Uid|Vm(PTE|Size|Swap)|Threads")
    (row,) = pagemap.footprints(procfs=str(copied))
    assert (row.user, row.page_tables) == (None, None)
    assert row.rss


@pytest.mark.parametrize("field", [6, 19], ids=["flags", "start"])
@pytest.mark.parametrize("number", list(FORGED.values())[:2], ids=list(FORGED)[:2])
def test_the_state_of_a_process(copied: Path, field: int, number: bytes) -> None:
    """They had 64 bits of it: a process could be a thread of the kernel's by that."""
    stat = copied / "4242/stat"
    name, _, rest = stat.read_bytes().rpartition(b") ")
    fields = rest.split(b" ")
    fields[field] = number
    stat.write_bytes(name + b") " + b" ".join(fields))
    found = pagemap.footprints([4242], by="mapping", procfs=str(copied))
    assert len(found) == 0
    assert "Input/output error" in str(found.about["left_out"])


@pytest.mark.parametrize("statm", [b"", b"12", b"12 k 1\n", b"9 " + b"9" * 30, b"1 " + b"9" * 5000])
def test_the_counts_of_a_process(tmp_path: Path, statm: bytes) -> None:
    """They were errors of Python's own."""
    procfs = fake_proc.make(tmp_path, maps=fake_proc.line(1, 2))
    with pagemap.Sampler(4242, ["rss"], procfs=procfs) as sampler:
        (tmp_path / "4242/statm").write_bytes(statm)
        with pytest.raises(pagemap.PagemapError, match="Input/output error"):
            sampler.rss()
    with (
        pagemap.Process(4242, procfs=procfs) as process,
        pytest.raises(pagemap.PagemapError, match="read statm"),
    ):
        _ = process.resident_pages


@pytest.mark.parametrize("number", FORGED.values(), ids=FORGED)
def test_the_device_of_a_mount(copied: Path, number: bytes) -> None:
    (copied / "4242/mountinfo").write_bytes(b"22 1 0:%b / /x rw - tmpfs x rw\n" % number)
    for by in ("mapping", "path"):
        assert len(pagemap.footprints([4242], by=by, procfs=str(copied)))


@pytest.mark.parametrize("number", FORGED.values(), ids=FORGED)
def test_the_sums_of_smaps(tmp_path: Path, number: bytes) -> None:
    """Asked where nothing else tells whether a mapping is of hugetlb."""
    line = fake_proc.line(1, 2, "/x").replace(b"00:00 0 ", b"00:7f 9 ", 1)
    procfs = fake_proc.make(tmp_path, maps=line, entries={1: 1 << 63})
    (tmp_path / "4242/status").write_bytes(b"Name:\tx\nHugetlbPages:\t4 kB\n")
    told = [line, b"Rss: %b kB\n" % number, b"Swap: kB\n", b"VmFlags: rd ht\n"]
    told += [number + b"-\xff r\n", b"VmFlags: rd\n"]
    (tmp_path / "4242/smaps").write_bytes(b"".join(told))
    with pagemap.Process(4242, procfs=procfs) as process:
        assert [row.hugetlb for row in process.tally(counts=["hugetlb"])] == [fake_proc.PAGE_SIZE]
