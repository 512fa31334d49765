"""Process.columns: what the kernel's entries say, cell by cell, to each consumer."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from tests import everyone, oracle, workloads, zoo
from tests.looks import agreed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Start

PAGE = oracle.PAGE
KINDS = ("file", "sparse", "swapped", "guard", "zero", "odd_path", "shared")


def rows_of(tables: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for table in tables for row in table]


def expected(pid: int, *, populated: bool, hidden: bool) -> Iterator[tuple[Any, ...]]:
    for line in oracle.maps(pid):
        for number, entry in enumerate(oracle.entries(pid, line.start, line.end)):
            if populated and not (oracle.has(entry, "present") or oracle.has(entry, "swapped")):
                continue
            told = oracle.told_here()
            values = oracle.values(entry, 0, line.path, hidden=hidden, told=told)
            values["address"] = line.start + number * PAGE
            values["pfn"] = oracle.pfn(entry)
            values.pop("path")  # as JSON has it
            swap = values.pop("swap_type"), values.pop("swap_offset")
            yield (*values.values(), kind_of(entry), *swap, line.start, line.path)


def kind_of(entry: int) -> str | None:
    """What an entry is; of those that the targets here have."""
    if oracle.has(entry, "present"):
        return "present"
    if not oracle.has(entry, "swapped"):
        return "none"
    if oracle.has(entry, "guard"):
        return "guard"
    return "swap" if oracle.place(entry) else None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("populated", [True, False])
def test_every_cell(start: Start, kind: str, populated: bool, pfns_visible: bool) -> None:
    maker = workloads.KINDS[kind]
    target = start(workloads.sparse(64 << 20, 1 << 20) if kind == "sparse" else maker())
    target.stop()

    def look() -> tuple[object, object]:
        wanted = list(expected(target.pid, populated=populated, hidden=not pfns_visible))
        return rows_of(process.columns(populated=populated)), wanted

    with pagemap.Process(target.pid) as process:
        agreed(look)


def test_without_the_scan(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    target = start(workloads.sparse(64 << 20, 1 << 20))
    target.stop()

    def look() -> tuple[object, object]:
        monkeypatch.delenv("PAGEMAP_DISABLE", raising=False)
        with pagemap.Process(target.pid) as process:
            scanned = rows_of(process.columns())
        monkeypatch.setenv("PAGEMAP_DISABLE", "scan")
        with pagemap.Process(target.pid) as process:
            return rows_of(process.columns()), scanned

    agreed(look)


def test_filters(start: Start, pfns_visible: bool) -> None:
    target = start(workloads.file())
    target.stop()
    area = target.areas["written"]
    inside = [(area.start, area.end)]  # others map libc too, and change what is exclusive there
    wanted = [
        row
        for row in expected(target.pid, populated=False, hidden=not pfns_visible)
        if area.start <= row[0] < area.end
    ]
    names = ["address", "pfn", *oracle.FLAGS]
    present, file = names.index("present"), names.index("file_or_shared")
    with pagemap.Process(target.pid) as process:
        got = rows_of(process.columns(only=["present"], without=["file_or_shared"], ranges=inside))
        assert got == [row for row in wanted if row[present] and not row[file]]
        got = rows_of(process.columns(populated=False, without=["present"], ranges=inside))
        assert got == [row for row in wanted if not row[present]]
        with pytest.raises(pagemap.UsageError, match="both present and not present"):
            process.columns(only=["present"], without=["present"])
        ranges = [(area.start + PAGE, area.start + 3 * PAGE), (area.end - 1, area.end)]
        got = rows_of(process.columns(["address"], populated=False, ranges=ranges))
        addresses = [area.start + PAGE, area.start + 2 * PAGE, area.end - PAGE]
        assert got == [(address,) for address in addresses]
        stream = process.columns(populated=False, ranges=inside)
        whole = stream.snapshot()
        assert list(whole["address"]) == [row[0] for row in wanted]
        assert list(stream.rows()) == list(whole)


def test_words_of_frames(start: Start, need_pfns: None) -> None:
    if not all(map(oracle.may_read, ("/proc/kpageflags", "/proc/kpagecount"))):
        pytest.skip("/proc/kpageflags may not be read: needs CAP_DAC_READ_SEARCH")
    target = start(workloads.dense(64 * PAGE))
    target.stop()
    area = target.first
    with pagemap.Process(target.pid) as process:
        stream = process.columns(
            ["pfn", "mapcount", "flags"], populated=False, ranges=[(area.start, area.end)]
        )
        got = rows_of(stream)
    for pfn, mapcount, flags in got:
        for value, file, mask in (
            (mapcount, "kpagecount", -1),
            (flags, "kpageflags", 1 << 11 | 1 << 12),  # MMAP, ANON: those that do not change
        ):
            with open(f"/proc/{file}", "rb") as words:
                word = struct.unpack("=Q", os.pread(words.fileno(), 8, 8 * pfn))[0]
            assert value & mask == word & mask


@pytest.mark.parametrize("deed", [b"writes", b"keeps"])
def test_huge_pages_are_exclusive_by_their_counts(
    start: Start, need_pfns: None, deed: bytes
) -> None:
    """From Linux 6.15 on all entries of a huge page have bit 56 as its first page has it."""
    if not oracle.may_read("/proc/kpagecount"):
        pytest.skip("/proc/kpagecount may not be read: needs CAP_DAC_READ_SEARCH")
    target = start(zoo.forked_thp(deed))
    area = target.first
    with pagemap.Process(target.pid) as process:
        got = rows_of(process.columns(["pfn", "exclusive"], ranges=[(area.start, area.end)]))
        chosen = rows_of(
            process.columns(["pfn"], only=["exclusive"], ranges=[(area.start, area.end)])
        )
    assert len(got) == area.pages
    wanted = [(pfn, everyone.word("kpagecount", pfn) == 1) for pfn, _ in got]
    assert got == wanted
    assert chosen == [(pfn,) for pfn, alone in wanted if alone]


def test_only_swap(start: Start, need_pfns: None) -> None:
    """Guard regions have the kernel's bit of swapped, and are not in swap."""
    with pagemap.Process(start(workloads.guard()).pid) as process:
        guards = sum(map(len, process.columns(only=["guard"])))
        assert guards > 0
        assert sum(map(len, process.columns(only=["swap"]))) == 0
    target = start(workloads.swapped())
    target.stop()
    with pagemap.Process(target.pid) as process:
        swapped = sum(map(len, process.columns(only=["swap"])))
    assert swapped * PAGE == oracle.smaps_rollup(target.pid)["Swap"]


def test_a_filter_that_drops_most_of_many_batches(start: Start) -> None:
    target = start(workloads.sparse(2 << 30, 1 << 26))
    target.stop()
    area = target.first
    with pagemap.Process(target.pid) as process:
        where = [(area.start, area.end)]
        kept = process.columns(["address"], populated=False, only=["present"], ranges=where)
        assert [row for (row,) in rows_of(kept)] == list(range(area.start, area.end, 1 << 26))
        names = ["address", "pfn", "swap_offset", "mapping"]  # batches of fewer rows than pages
        rest = process.columns(names, populated=False, without=["present"], ranges=where)
        assert sum(map(len, rest)) == area.pages - 32


def test_names() -> None:
    with pagemap.Process("self") as process:
        assert "flags" not in process.columns().schema
        assert "flags" in process.columns(frames=["flags"]).schema
        stream = process.columns(["path", "address"])
        assert stream.schema.names == ("path", "address")
        for wrong in (["adress"], ["address", "address"], []):
            with pytest.raises(pagemap.UsageError):
                process.columns(wrong)
        with pytest.raises(TypeError, match="names"):
            process.columns("address")
        for argument in ("only", "without", "frames"):
            with pytest.raises(pagemap.UsageError, match="nonsense"):
                process.columns(**{argument: ["nonsense"]})  # type: ignore[arg-type]


def test_a_kernel_thread_has_no_rows() -> None:
    try:
        with pagemap.Process(2) as process:
            assert process.kernel_thread
            (empty,) = process.columns()
            assert len(empty) == 0
            assert empty.schema.names == process.columns().schema.names
    except (pagemap.AccessDenied, pagemap.NoSuchProcess) as error:
        pytest.skip(f"process 2 cannot be read here: {error}")


def test_a_target_that_is_gone(start: Start) -> None:
    target = start(workloads.dense(64 * PAGE))
    with pagemap.Process(target.pid) as process:
        tables = process.columns()
        target.kill()
        with pytest.raises(pagemap.TargetVanished):
            list(tables)


def test_after_close(start: Start) -> None:
    process = pagemap.Process("self")
    stream = process.columns()
    process.close()
    with pytest.raises(pagemap.ClosedProcess):
        list(stream)
    with pytest.raises(pagemap.ClosedProcess):
        stream.__arrow_c_stream__()
