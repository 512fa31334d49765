"""Huge pages of targets of every size: against a count page by page, smaps, and thpmaps."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._native import huge as native
from tests import naive_huge, oracle, workloads
from tests.live import scanning
from tests.looks import agreed

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator
    from typing import Any

    from tests.conftest import Start
    from tests.naive_huge import Key
    from tests.workloads import Target

    Counts = list[Counter[Key]]

PAGE = oracle.PAGE
MIB = 1 << 20
ORDERS = range(2, 10)


@pytest.fixture(autouse=True)
def need_frames(need_pfns: None) -> None:
    """Skip where the kernel shows no frames, or has no huge pages."""
    if not oracle.may_read("/proc/kpageflags"):
        pytest.skip("/proc/kpageflags is for root alone")
    if not naive_huge.PMD_SIZE.exists():
        pytest.skip("THP: the kernel has none")


@pytest.fixture(scope="module", params=ORDERS, ids=lambda order: f"{(PAGE << order) // 1024}kB")
def folio_order(request: pytest.FixtureRequest) -> int:
    """The order of the folios of `sorted_out`."""
    order: int = request.param
    return order


@pytest.fixture(scope="module")
def sorted_out(folio_order: int) -> Iterator[Target]:
    """A target with folios of one size, mapped in every way, at rest."""
    try:
        with workloads.folios(PAGE << folio_order) as target:
            target.stop()
            yield target
    except workloads.Unavailable as reason:
        pytest.skip(str(reason))


def thpmaps() -> str:
    """The kernel's own tool, where it is found and can run."""
    folder = os.environ.get("PAGEMAP_KERNEL_TOOLS", "")
    path = shutil.which("thpmaps", path=os.pathsep.join([folder, os.environ.get("PATH", "")]))
    if path is None:
        pytest.skip("thpmaps: neither in $PAGEMAP_KERNEL_TOOLS nor on the PATH")
    if subprocess.run([path, "--help"], check=False, capture_output=True, timeout=60).returncode:
        pytest.skip("thpmaps: it does not run here; it needs numpy, for the python3 on the PATH")
    return path


def ours(process: pagemap.Process, conts: list[int], threads: int | None = None) -> Counts:
    sizes = [PAGE << order for order in conts]
    table = process.huge(sizes=True, cont=sizes, threads=threads)
    return [naive_huge.of_row(row) for row in table]


def both(process: pagemap.Process, conts: list[int]) -> tuple[Counts, Counts]:
    """Our counts and the naive ones."""
    return ours(process, conts), naive_huge.of_process(process.pid, conts)


def test_each_sort(folio_order: int, sorted_out: Target) -> None:
    """What the areas were made for, by their names."""
    pages = 4 * MIB // PAGE
    size = 1 << folio_order
    biggest = PAGE << folio_order == int(naive_huge.PMD_SIZE.read_text())
    with pagemap.Process(sorted_out.pid) as process:
        found = {row.start: naive_huge.of_row(row) for row in process.huge(sizes=True)}
        told = process.can_scan
    areas = {name: area.start for name, area in sorted_out.areas.items()}
    by_pmd = biggest and told
    whole = {("anon", "pmd", 0) if by_pmd else ("anon", "aligned", folio_order): pages}

    def inside(name: str) -> dict[Key, int]:
        # a mapping may begin before the area: with room that was left to align it
        counts = found[max(start for start in found if start <= areas[name])]
        return {key: pages for key, pages in counts.items() if key[1] not in naive_huge.PLAIN}

    if sum(inside("whole").values()) < pages:
        pytest.skip("THP: memory is too fragmented for huge pages of this size")
    assert inside("whole") == whole
    assert inside("split") == {("anon", "aligned", folio_order): pages}
    assert inside("moved") == {("anon", "unaligned", folio_order): pages}
    assert inside("torn") == {("anon", "partial", 0): pages - pages // size}


def test_naive(sorted_out: Target) -> None:
    with pagemap.Process(sorted_out.pid) as process:
        if not process.can_scan:
            pytest.skip("this kernel has no PAGEMAP_SCAN (6.7)")
        for conts in ([], [1, 4], [9, 2, 3, 7]):
            wanted = agreed(lambda each=conts: both(process, each))  # type: ignore[misc]
        for threads in (1, 2, 5):
            assert ours(process, conts, threads) == wanted


def test_thpmaps(sorted_out: Target) -> None:
    """Mapping for mapping, and in sum; it tells nothing of pages of zeros."""
    tool, conts = thpmaps(), [1, 4, 9]
    with pagemap.Process(sorted_out.pid) as process:
        if not process.can_scan:
            pytest.skip("this kernel has no PAGEMAP_SCAN (6.7)")

        def look() -> tuple[object, object]:
            wanted = naive_huge.of_thpmaps(tool, process.pid, conts)
            found = ours(process, conts)
            for counts in found:
                for word in naive_huge.PLAIN:
                    del counts[word, word, 0]
                for kind in ("anon", "file"):  # nor of folios of two pages
                    for how in ("aligned", "unaligned"):
                        del counts[kind, how, 1]
            return found, wanted

        agreed(look)


def test_every_kind(kind: str, stopped: Target) -> None:
    """Targets that were not made for it: files, shared memory, swap, hugetlb, programs."""
    with scanning.opened(stopped, scan=True) as process:
        wanted = agreed(lambda: both(process, [1, 4]))
        for row, smaps in zip(
            process.huge(),
            oracle.parse_smaps(Path(f"/proc/{process.pid}/smaps").read_bytes()),
            strict=True,
        ):
            assert (row.start, row.end) == (smaps.start, smaps.end)
            assert row.size == row.end - row.start
    with scanning.opened(stopped, scan=False) as process:
        table = process.huge()
    assert all(row.pmd is None for row in table)
    other = ("cont", *naive_huge.PLAIN)
    for row, counts in zip(table, wanted, strict=True):
        anon, file = (
            PAGE * sum(n for key, n in counts.items() if key[0] == each and key[1] not in other)
            for each in ("anon", "file")
        )
        assert (row.anon_thp, row.file_thp) == (anon, file)
        shares = (anon, row.anon), (file, row.rss - row.anon)
        for share, (part, whole) in zip((row.anon_share, row.file_share), shares, strict=True):
            assert share == (None if not whole else pytest.approx(part / whole, abs=1e-6))
    sums = [counts[key] for counts in wanted for key in counts if key[1] not in other]
    assert table.total().thp == PAGE * sum(sums)


def test_small_pieces_add_up(sorted_out: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever mappings are cut for several threads, each folio counts once, whole."""
    with pagemap.Process(sorted_out.pid) as process:
        wanted = ours(process, [4])
        for pages in (1, 7, 100, 513):
            monkeypatch.setattr("pagemap._analyses.huge._piece_pages", lambda _, pages=pages: pages)
            assert ours(process, [4], 3 if pages > 7 else 1) == wanted


@pytest.mark.parametrize(
    ("told", "used"),
    [
        ([9, 9], [9]),
        ([9, 4], [9, 0]),  # some came meanwhile
        ([9, None], [9, 0]),
        ([4, 9], [4]),
        ([None, 4], [0]),
        ([None, None], [0]),
    ],
)
def test_sizes_known_before_and_after(
    told: list[int | None], used: list[int], start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was counted by a size that does not hold any more is counted again, word by word."""
    target = start(workloads.dense())
    target.stop()
    answers, pieces, orders = iter(told), native.pieces, []

    def noted(*where: Any, anon_order: int, **how: Any) -> Iterator[native.HugePiece]:
        orders.append(anon_order)
        return pieces(*where, anon_order=anon_order, **how)

    with pagemap.Process(target.pid) as process:
        wanted = ours(process, [4])
        monkeypatch.setattr("pagemap._kernel.thp.least_anon_order", lambda: next(answers))
        monkeypatch.setattr(native, "pieces", noted)
        assert ours(process, [4]) == wanted
    assert orders == used
    assert list(answers) == []


def test_vanished(start: Start) -> None:
    target = start(workloads.dense())
    with pagemap.Process(target.pid) as process:
        process.huge()
        target.kill()
        with pytest.raises(pagemap.TargetVanished):
            process.huge()


def test_sizes_of_blocks(start: Start) -> None:
    with pagemap.Process("self") as process:
        for size in (0, PAGE, 3 * PAGE, PAGE + 1, -PAGE, 1 << 60):
            with pytest.raises(pagemap.UsageError, match=r"power of two|cont must be from 1"):
                process.huge(cont=[size])


def test_flags_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the file, the capability, and what still works."""

    def refuse(path: str, *_: object) -> int:
        raise PermissionError(13, "Permission denied", path)

    with pagemap.Process("self") as process:
        monkeypatch.setattr("pagemap._kernel.frames.os.open", refuse)
        with pytest.raises(pagemap.AccessDenied, match="/proc/kpageflags") as caught:
            process.huge()
    assert "CAP_DAC_READ_SEARCH" in str(caught.value)
    assert (caught.value.pid, caught.value.path) == (process.pid, "/proc/kpageflags")


def test_flags_that_end_early_are_an_error(start: Start, need_pfns: None, tmp_path: Path) -> None:
    """A frame without a word counted as a small page, and nothing was said."""
    if not oracle.may_read("/proc/kpageflags"):
        pytest.skip("/proc/kpageflags cannot be read: needs CAP_DAC_READ_SEARCH")
    target = start(workloads.dense(1 << 20))
    for name in ("zoneinfo", "self", str(target.pid)):
        (tmp_path / name).symlink_to(f"/proc/{name}")
    (tmp_path / "kpageflags").write_bytes(bytes(8 * 64))
    said = f"{tmp_path}/kpageflags ends at frame 0x40, but the process maps frames past that"
    with (
        pagemap.Process(target.pid, procfs=str(tmp_path)) as process,
        pytest.raises(pagemap.PagemapError, match=said) as caught,
    ):
        process.huge()
    assert caught.value.pid == target.pid
