"""`pagemap types` of unusual pages: markers, guards, in swap, merged."""

from __future__ import annotations

import csv
import io
import json
import mmap
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import everyone, oracle, page_words, userfault, workloads

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

PAGE = oracle.PAGE
MIB = 1 << 20


def test_markers_have_no_place_in_swap(
    pagemap: Pagemap, need_frames: None, pfns_visible: bool
) -> None:
    """Untouched pages that userfaultfd protects were listed at swap offset 1."""
    try:
        with userfault.marked(8 * PAGE, touch=2 * PAGE) as (start, end):
            where = ["--range", f"{start:#x}-{end:#x}", "--list", "--csv", "--raw"]
            code, out, _ = pagemap("types", os.getpid(), *where, "--only", "marker")
            pages = pagemap("types", os.getpid(), *where).out
    except workloads.Unavailable as reason:
        pytest.skip(str(reason))
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out.decode())))
    assert [(int(row["pages"]), row["swap_offset"], row["pfn"]) for row in rows] == [(6, "", "")]
    names = rows[0]["names"].split(",")
    assert "marker" in names
    assert "swap" not in names
    assert sum(int(row["pages"]) for row in csv.DictReader(io.StringIO(pages.decode()))) == 2


@pytest.mark.parametrize("raw", [False, True])
def test_guards_count_only_by_their_name(pagemap: Pagemap, need_frames: None, raw: bool) -> None:
    """They were pages without flags, and with --raw "swap"."""
    with mmap.mmap(-1, 8 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.write(b"x" * len(memory))
        try:
            memory.madvise(102, 2 * PAGE, 3 * PAGE)
        except OSError:
            pytest.skip("MADV_GUARD_INSTALL is of Linux 6.13")
        start = oracle.address_of(memory)
        where = ["--range", f"{start:#x}-{start + 8 * PAGE:#x}", "--json", *["--raw"][:raw]]
        told = json.loads(pagemap("types", os.getpid(), *where).out)
        assert told["total"]["pages"] == 5
        for more in ([], ["--list"]):
            told = json.loads(pagemap("types", os.getpid(), *where, *more, "--only", "guard").out)
            (row,) = told["rows"]
            assert row["pages"] == 3
            assert "guard" in row["names"].split(",")
            assert "swap" not in row["names"].split(",")
        told = json.loads(pagemap("types", os.getpid(), *where, "--without", "swap").out)
        assert told["total"]["pages"] == 5


def test_swapped_pages(pagemap: Pagemap, start: Start, need_frames: None) -> None:
    target = start(workloads.swapped())
    target.stop()
    area = target.areas["swapped"]
    where = ["--range", f"{area.start:#x}-{area.end:#x}", "--csv"]
    out = pagemap("types", target.pid, *where).out.decode()
    counted = {row["flags"]: int(row["pages"]) for row in csv.DictReader(io.StringIO(out))}
    entries = oracle.entries(target.pid, area.start, area.end)
    swapped = [entry for entry in entries if oracle.has(entry, "swapped")]
    assert counted["0x0"] == len(swapped) > 0
    out = pagemap("types", target.pid, *where, "--list-each", "--only", "=").out.decode()
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [int(row["swap_offset"]) for row in rows] == [oracle.place(e) // 32 for e in swapped]
    assert {row["pfn"] for row in rows} == {""}
    out = pagemap("types", target.pid, *where, "--raw", "--only", "swap").out.decode()
    assert sum(int(row["pages"]) for row in csv.DictReader(io.StringIO(out))) == len(swapped)


def test_merged_pages_of_all_memory(pagemap: Pagemap, start: Start, need_frames: None) -> None:
    """Frames of the slab allocator have the flag of merged ones, and no process has them.

    The kernel's own count has those too whose processes have ended, until ksmd comes by, which
    rests here.
    """
    if not everyone.ksm_is_told():
        pytest.skip("this kernel gives every anonymous page the flag of merged ones (6.10 on)")
    target = start(workloads.ksm())
    target.stop()
    shared = Path("/sys/kernel/mm/ksm/pages_shared")
    area = target.first
    entries = oracle.entries(target.pid, area.start, area.end)
    pfns = sorted({oracle.place(entry) for entry in entries})
    flags = page_words.words(pfns, "kpageflags")
    ours = [pfn for pfn, word in zip(pfns, flags, strict=True) if (word or 0) & everyone.KSM]
    before = int(shared.read_text())
    code, out, err = pagemap("types", "--only", "ksm", "--list-each", "--json")
    assert (code, err) == (0, [])
    listed = {int(row["pfn"], 16) for row in json.loads(out)["rows"]}
    assert ours
    assert set(ours) <= listed
    assert len(listed) <= max(before, int(shared.read_text()))
    where = [word for pfn in ours for word in ("--pfn", f"{pfn:#x}")]
    for more in ([], ["--raw"]):
        told = json.loads(pagemap("types", *where, "--only", "ksm", *more, "--json").out)
        assert told["total"]["pages"] == len(ours)
