"""What smaps has of a mapping beside sums, and status and oom_score of a process."""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import oracle, workloads
from tests.looks import agreed

if TYPE_CHECKING:
    from tests.conftest import Start

PAGE = oracle.PAGE
KIB = 1024
LIBC = ctypes.CDLL(None, use_errno=True)
# Each advice, its number in asm-generic/mman-common.h, and the word for the flag that it sets.
ADVICES = [
    ("random", 1, "random"),
    ("sequential", 2, "sequential"),
    ("dontfork", 10, "dont-fork"),
    ("mergeable", 12, "mergeable"),
    ("hugepage", 14, "hugepage"),
    ("nohugepage", 15, "no-hugepage"),
    ("dontdump", 16, "dont-dump"),
    ("wipeonfork", 18, "wipe-on-fork"),
]
SIZES = {
    "kernel_page_size": "KernelPageSize",
    "mmu_page_size": "MMUPageSize",
    "size": "Size",
    "referenced": "Referenced",
    "lazyfree": "LazyFree",
    "locked": "Locked",
    "anon_huge": "AnonHugePages",
    "shmem_huge": "ShmemPmdMapped",
    "file_huge": "FilePmdMapped",
    "ksm": "KSM",
}


def lines_of(pid: int | str) -> dict[int, dict[str, str]]:
    """The lines of each mapping in smaps, by its start."""
    found: dict[int, dict[str, str]] = {}
    start = 0
    for line in Path(f"/proc/{pid}/smaps").read_text("utf-8", "surrogateescape").splitlines():
        name, colon, rest = line.partition(":")
        if colon and name.replace("_", "").isalnum():
            found[start][name] = rest.strip()
        else:
            start = int(line.partition("-")[0], 16)
            found[start] = {}
    return found


def row_of(memory: mmap.mmap) -> pagemap.MappingFootprintRow:
    start = oracle.address_of(memory)
    with pagemap.Process("self") as process:
        (row,) = (row for row in process.footprints() if row.start == start)
    return row


@pytest.mark.parametrize(("advice", "number", "word"), ADVICES)
def test_an_advice_is_a_word(advice: str, number: int, word: str) -> None:
    with mmap.mmap(-1, 64 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        address = oracle.address_of(memory)
        LIBC.mprotect(ctypes.c_void_p(address), 64 * PAGE, mmap.PROT_READ)  # as no neighbour has
        before = row_of(memory)
        try:
            memory.madvise(number)
        except OSError:
            pytest.skip(f"this kernel does not know MADV_{advice.upper()}")
        after = row_of(memory)
    assert before.vm_flags is not None
    assert after.vm_flags is not None
    assert set(after.vm_flags.split()) == {*before.vm_flags.split(), word}
    assert {"read", "may-read", "may-write"} <= set(before.vm_flags.split())
    assert "write" not in before.vm_flags.split()


def test_the_lines_of_smaps(start: Start) -> None:
    """Of every mapping of a stopped target; a line that this kernel lacks is not known."""
    target = start(workloads.dense(4 << 20))
    target.stop()

    def wanted(told: dict[str, str]) -> dict[str, object]:
        sizes = {
            field: int(told[name].removesuffix("kB")) * KIB if name in told else None
            for field, name in SIZES.items()
        }
        return {
            **sizes,
            "thp_eligible": told["THPeligible"] == "1" if "THPeligible" in told else None,
            "protection_key": int(told["ProtectionKey"]) if "ProtectionKey" in told else None,
            "flags": len(told["VmFlags"].split()),
        }

    def got(row: pagemap.MappingFootprintRow) -> dict[str, object]:
        names = [*SIZES, "thp_eligible", "protection_key"]
        flags = len((row.vm_flags or "").split())
        return {**{name: getattr(row, name) for name in names}, "flags": flags}

    def look() -> tuple[object, object]:  # again, for others mark pages of the vdso
        lines = lines_of(target.pid)
        return (
            [(row.start, got(row)) for row in process.footprints()],
            [(start, wanted(told)) for start, told in lines.items()],
        )

    with pagemap.Process(target.pid) as process:
        agreed(look)


def test_locked_memory_is_pmaps() -> None:
    """The table of `pmap -XX` has the same of it, in KiB, and its flags in letters."""
    if not shutil.which("pmap"):
        pytest.skip("there is no pmap")
    with mmap.mmap(-1, 16 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        address = oracle.address_of(memory)
        memory.write(b"x" * 16 * PAGE)
        memory.madvise(mmap.MADV_DONTDUMP)
        if LIBC.mlock(ctypes.c_void_p(address), 16 * PAGE):
            pytest.skip("memory may not be locked here")
        text = subprocess.run(
            ["pmap", "-XX", str(os.getpid())], capture_output=True, text=True, check=True
        ).stdout
        row = row_of(memory)
    _, titles, *rest = text.splitlines()
    names = titles.split()
    (line,) = (line for line in rest if line.split()[0] == f"{address:x}"[-len(line.split()[0]) :])
    cells = line.split()
    assert row.locked == 16 * PAGE == int(cells[names.index("Locked")]) * KIB
    assert row.referenced == int(cells[names.index("Referenced")]) * KIB
    assert row.kernel_page_size == int(cells[names.index("KernelPageSize")]) * KIB
    flags = set((row.vm_flags or "").split())
    assert {"locked", "dont-dump"} <= flags
    assert {"lo", "dd"} <= set(cells)


def test_virtual_size_and_page_tables(start: Start) -> None:
    """As ps and status say; oom_score as its file does."""
    target = start(workloads.dense(4 << 20))
    target.stop()
    columns = ["pid", "size", "page_tables", "oom_score", "oom_score_adj"]
    folder = Path(f"/proc/{target.pid}")
    for _ in range(20):  # the score depends on how much of the machine is in use
        before = int((folder / "oom_score").read_text())
        (row,) = pagemap.footprints([target.pid], names=columns)
        if before == int((folder / "oom_score").read_text()):
            break
    status = dict(
        line.split(":", 1) for line in (folder / "status").read_text().splitlines() if ":" in line
    )
    assert row.size == int(status["VmSize"].split()[0]) * KIB
    assert row.page_tables == int(status["VmPTE"].split()[0]) * KIB > 0
    assert row.oom_score == before
    assert row.oom_score_adj == int((folder / "oom_score_adj").read_text())
    vsz = subprocess.run(
        ["ps", "-o", "vsz=", "-p", str(target.pid)], capture_output=True, text=True, check=True
    ).stdout
    assert row.size == int(vsz) * KIB
    with pagemap.Process(target.pid) as process:
        alone = process.footprint()
        mappings = process.footprints()
    assert (alone.size, alone.page_tables) == (row.size, row.page_tables)
    in_status = sum(each.size or 0 for each in mappings if each.path != "[vsyscall]")
    assert in_status == row.size


def test_of_a_snapshot(start: Start, tmp_path: Path) -> None:
    """The same where the file has smaps; what nobody saved is not known."""
    target = start(workloads.dense(4 << 20))
    target.stop()
    for name, smaps in (("with", True), ("without", False)):
        words = ["snapshot", str(target.pid), "-o", str(tmp_path / name), *["--smaps"] * smaps]
        subprocess.run([sys.executable, "-m", "pagemap", *words], check=True)
    with pagemap.Process(target.pid) as process:
        live, alone = process.footprints(), process.footprint()
    with pagemap.Snapshot(str(tmp_path / "with")) as snapshot:
        saved = snapshot.process()
        kept = ("start", "vm_flags", "thp_eligible", "kernel_page_size", "size", "ksm", "lazyfree")
        assert [[getattr(row, name) for name in kept] for row in saved.footprints()] == [
            [getattr(row, name) for name in kept] for row in live
        ]
        whole = saved.footprint()
        assert (whole.size, whole.page_tables) == (alone.size, alone.page_tables)
        assert (whole.anon, whole.oom_score) == (alone.anon, None)
    with (
        pagemap.Snapshot(str(tmp_path / "without")) as snapshot,
        pytest.raises(pagemap.Unsupported, match="take it with smaps"),
    ):
        snapshot.process().footprints()
