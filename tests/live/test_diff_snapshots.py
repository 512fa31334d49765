"""Two snapshots compared: huge pages, merged pages, and that the sums are changes of counts."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._analyses.tally_plan import tellable
from tests import mappings, oracle
from tests.changes import PAGES, changing
from tests.kernel_settings import Unavailable, setting, transparent_huge_pages, zram_swap
from tests.live.test_diff_kinds import CHANGES, SWAPPING, mappings_changed, pages_changed
from tests.target import Area, wait_until
from tests.workloads import KSM, MIB, smaps_number

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = (sys.executable, "-m", "pagemap")
_MOVE_PAGES, _MOVE_OURS = 279, 2  # of x86-64; MPOL_MF_MOVE
HUGE = (2 << 20) // oracle.PAGE
COUNTS = (
    *("size", "rss", "anon", "file", "shmem", "uss", "huge", "present", "zero", "hugetlb", "swap"),
    *("guard", "marker", "migrating", "poisoned", "device", "uffd_wp"),
)

Looks = tuple[pagemap.SavedProcess, pagemap.SavedProcess, "list[Area]"]


def take(pid: int, path: Path) -> None:
    """A snapshot, by the command."""
    subprocess.run([*COMMAND, "snapshot", str(pid), "-o", path], check=True, timeout=60)


@contextlib.contextmanager
def looks(name: str, folder: Path, *, merged: bool = False) -> Iterator[Looks]:
    """The process before its change and after it, saved, and the area that it changed."""
    with contextlib.ExitStack() as stack:
        try:
            target = stack.enter_context(changing(name, folder))
            areas = [target.area]
            take(target.pid, folder / "before")
            areas.append(target.change())
        except (Unavailable, EOFError) as reason:
            pytest.skip(str(reason))
        if merged:
            size = PAGES * oracle.PAGE
            wait_until(lambda: smaps_number(target.pid, "KSM") >= size, seconds=20)
        take(target.pid, folder / "after")
        first = stack.enter_context(pagemap.Snapshot(folder / "before"))
        second = stack.enter_context(pagemap.Snapshot(folder / "after"))
        yield first.process(), second.process(), areas


def check_sums(a: pagemap.SavedProcess, b: pagemap.SavedProcess) -> None:
    """What the kinds add up to, in every way, is what changed of the counts."""
    counts = tellable(a, COUNTS[1:])
    was, now = a.tally(counts).total(), b.tally(counts).total()
    for by in ("mapping", "path", "kind"):
        total = pagemap.diff(a, b, by=by).total()
        for name in ("size", *counts):
            found = getattr(total, name)
            old, new = getattr(was, name), getattr(now, name)
            if old is None or new is None:  # of zero pages only a scan tells, or their frames
                assert not a.can_scan, name
                continue
            assert found == new - old, (by, name)


@pytest.mark.usefixtures("need_pfns", "need_root")
@pytest.mark.parametrize("name", CHANGES)
def test_changes(name: str, tmp_path: Path) -> None:
    pages, mappings = CHANGES[name]
    with looks(name, tmp_path) as (a, b, areas):
        if name == "write zero" and not a.can_scan:  # nothing tells what the pages were
            pages = {"copied from shared": PAGES}
        assert pages_changed(a, b, areas) == pages
        assert mappings_changed(a, b, areas) == mappings
        check_sums(a, b)


@pytest.mark.usefixtures("need_pfns", "need_root")
@pytest.mark.parametrize("name", SWAPPING)
def test_changes_by_swapping(name: str, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(zram_swap(16 * MIB))
        except Unavailable as reason:
            pytest.skip(str(reason))
        a, b, areas = stack.enter_context(looks(name, tmp_path))
        assert pages_changed(a, b, areas) == SWAPPING[name]


HUGE_CHANGES = {
    "collapse": {"became huge": HUGE},
    "split": {"dropped": 1, "huge split": HUGE - 1},
}


@pytest.mark.usefixtures("need_pfns", "need_root")
@pytest.mark.parametrize("name", HUGE_CHANGES)
def test_changes_of_huge_pages(name: str, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(transparent_huge_pages())
        except Unavailable as reason:
            pytest.skip(str(reason))
        a, b, areas = stack.enter_context(looks(name, tmp_path))
        assert pages_changed(a, b, areas) == HUGE_CHANGES[name]
        check_sums(a, b)


@pytest.mark.usefixtures("need_pfns", "need_root")
def test_a_write_into_a_forked_huge_page(tmp_path: Path) -> None:
    """The rest of it is split, and no more: whose it is, no bit of a huge page tells."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(transparent_huge_pages())
        except Unavailable as reason:
            pytest.skip(str(reason))
        a, b, areas = stack.enter_context(looks("write forked huge", tmp_path))
        found = pages_changed(a, b, areas[:1])
        assert found.pop("huge split") == HUGE - 1
        assert found in ({"moved": 1}, {"copied from shared": 1})


@pytest.mark.usefixtures("need_pfns", "need_root")
def test_merged_pages(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(setting(KSM / "run", "1"))
            stack.enter_context(setting(KSM / "pages_to_scan", "10000"))
        except Unavailable as reason:
            pytest.skip(str(reason))
        a, b, areas = stack.enter_context(looks("merge", tmp_path, merged=True))
        assert pages_changed(a, b, areas) == {"became shared": PAGES}
        check_sums(a, b)


def migrate(start: int, pages: int) -> None:
    """Have the kernel move these pages to frames of the other node or, if there is none, compact.

    move_pages(2) tells of each page what went wrong, in `status`.
    """
    if Path("/sys/devices/system/node/node1").exists():
        addresses = (ctypes.c_void_p * pages)(
            *range(start, start + pages * oracle.PAGE, oracle.PAGE)
        )
        status = (ctypes.c_int * pages)()
        move = ctypes.CDLL(None).syscall
        arguments = os.getpid(), ctypes.c_ulong(pages), addresses
        assert move(_MOVE_PAGES, *arguments, None, status, 0) == 0
        nodes = (ctypes.c_int * pages)(*(1 - max(node, 0) for node in status))
        assert move(_MOVE_PAGES, *arguments, nodes, status, _MOVE_OURS) >= 0
    try:
        Path("/proc/sys/vm/compact_memory").write_text("1")
    except OSError as reason:
        pytest.skip(f"needs a second node, or compaction: {reason}")


@pytest.mark.usefixtures("need_pfns", "need_root")
def test_migration(tmp_path: Path) -> None:
    """What the kernel moves to other frames is moved, and nothing else: by the entries."""
    pages = 1 << 13
    start = mappings.alone(pages)
    ranges = (start, start + pages * oracle.PAGE)
    paths = tmp_path / "before", tmp_path / "after"
    entries = []
    try:
        for page in range(0, pages, 2):  # free frames between those that are to move
            mappings.drop(start + page * oracle.PAGE, 1)
        for path in paths:
            pagemap.Snapshot.take([os.getpid()], path)
            entries.append(oracle.entries(os.getpid(), *ranges))
            if path == paths[0]:
                migrate(start, pages)
    finally:
        mappings.free(start, pages)
    moved = sum(was != now for was, now in zip(*entries, strict=True))
    if not moved:
        pytest.skip("this machine has one node, and compaction moved nothing")
    with pagemap.Snapshot(paths[0]) as first, pagemap.Snapshot(paths[1]) as second:
        a, b = first.process(), second.process()
        assert pages_changed(a, b, [Area("area", *ranges)]) == {"moved": moved}


def test_hidden_frames(tmp_path: Path) -> None:
    """Without PFNs nothing is said to have moved, and the sums are right all the same."""
    with changing("write file", tmp_path) as target:
        for name in ("before", "after"):
            subprocess.run(
                [*COMMAND, "snapshot", "--no-pfns", str(target.pid), "-o", tmp_path / name],
                check=True,
                timeout=60,
            )
            target.change()
        with (
            pagemap.Snapshot(tmp_path / "before") as first,
            pagemap.Snapshot(tmp_path / "after") as second,
        ):
            a, b = first.process(), second.process()
            kinds = pagemap.diff(a, b, by="kind")
            assert kinds.about["pfns_compared"] is False
            assert kinds.about["pfns_not_compared_because"]
            found = {row.kind: row.amount // oracle.PAGE for row in kinds}
            assert found["copied from file"] >= PAGES
            assert "moved" not in found


@pytest.mark.usefixtures("need_pfns", "need_root")
def test_shared_memory_in_swap(tmp_path: Path) -> None:
    """No entry has it: its pages look dropped, and the kernel's sums say how much is in swap."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(zram_swap(16 * MIB))
        except Unavailable as reason:
            pytest.skip(str(reason))
        a, b, areas = stack.enter_context(looks("page out shared", tmp_path))
        assert pages_changed(a, b, areas) == {"dropped": PAGES}
        dropped = [row for row in pagemap.diff_regions(a, b).rows() if row.start == areas[0].start]
        assert [(row.before, row.after) for row in dropped] == [("shmem", "none")]
        (row,) = (row for row in pagemap.diff(a, b) if row.kind == "swapped out")
        assert row.start == areas[0].start
        assert (row.amount, row.swap, row.rss) == (PAGES * oracle.PAGE, PAGES * oracle.PAGE, 0)
        check_sums(a, b)
