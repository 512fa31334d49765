"""What is there and nothing else: against a walk page by page, and the rows of a whole dump."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import naive, oracle, workloads
from tests.live import scanning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Start
    from tests.live.scanning import Seen
    from tests.workloads import Target

PAGE = oracle.PAGE
MIB = 1 << 20
FORMATS = ("text", "csv", "jsonl")

Run = tuple[int, int, int, list[int]]
"""The mapping's start and end, the address of the first page, and the entries."""


@pytest.fixture(scope="module")
def seen(stopped: Target) -> Seen:
    return scanning.see(stopped)


@pytest.fixture(scope="module", params=[True, False], ids=["scan", "entries"])
def process(
    request: pytest.FixtureRequest, stopped: Target, seen: Seen
) -> Iterator[pagemap.Process]:
    with scanning.opened(stopped, scan=request.param) as process:
        yield process


def settled(entry: int) -> int:
    """The entry without what other processes change: whether a file's page is mapped here alone."""
    return (
        entry & ~(1 << oracle.FLAGS["exclusive"]) if oracle.has(entry, "file_or_shared") else entry
    )


def expected_runs(seen: Seen) -> list[Run]:
    """Stretches as long as can be, none over the end of a mapping."""
    result: list[Run] = []
    for line, words in zip(seen.mappings, seen.entries, strict=True):
        address = line.start
        for entry in words:
            if naive.populated(entry):
                if not result or result[-1][0] != line.start or end_of(result[-1]) != address:
                    result.append((line.start, line.end, address, []))
                result[-1][3].append(settled(entry))
            address += PAGE
    return result


def end_of(run: Run) -> int:
    return run[2] + len(run[3]) * PAGE


def runs(process: pagemap.Process, threads: int | None) -> list[Run]:
    """The same as it is told, neighbours joined."""
    result: list[Run] = []
    for mapping, pages in process.populated(threads=threads):
        assert len(pages) > 0
        assert mapping.start <= pages.start < pages.end <= mapping.end
        last = result[-1] if result else None
        if last and last[0] == mapping.start and end_of(last) == pages.start:
            last[3].extend(map(settled, pages.entries))
        else:
            result.append(
                (mapping.start, mapping.end, pages.start, list(map(settled, pages.entries)))
            )
    return result


@pytest.mark.parametrize("threads", [1, 2, 3, None])
def test_populated(process: pagemap.Process, seen: Seen, threads: int | None) -> None:
    same = runs(process, threads) == expected_runs(seen)
    if not same and not seen.untouched_since(process.pid):
        pytest.skip("the kernel changed pages of a stopped process meanwhile")
    assert same


def rows_of(dump: bytes, form: str) -> list[bytes]:
    """The rows; those of CSV may hold newlines, in quotes, but each begins alike."""
    begins = {"text": rb"(?<=\n)", "csv": rb"(?<=\n)(?=0x[0-9a-f]+,)", "jsonl": rb"(?<=\n)"}
    return [row for row in re.split(begins[form], dump) if row]


def is_populated(row: bytes, form: str) -> bool:
    if form == "jsonl":
        return b'"swapped":true' in row or b'"present":true' in row
    words = row.split(b" " if form == "text" else b",", 6)
    return b"1" in words[4:6]


def settled_row(row: bytes, form: str) -> bytes:
    """See `settled`; the text has no such column."""
    if form == "csv":
        words = row.split(b",", 7)
        words[6] = b"-" if words[3] == b"1" else words[6]
        return b",".join(words)
    if form == "jsonl" and b'"file_or_shared":true' in row:
        return row.replace(b'"exclusive":true', b'"exclusive":false', 1)
    return row


def sample_of(seen: Seen, form: str) -> list[tuple[int, int]] | None:
    """Of an address space too large for Python, what begins and ends each mapping."""
    pages = sum(line.end - line.start for line in seen.mappings) // PAGE
    if pages < (200_000 if form == "text" else 20_000):
        return None
    if len(seen.mappings) > 1000:
        return [(seen.mappings[0].start, seen.mappings[4000].end)]
    share = 8000 // len(seen.mappings) * PAGE
    return [
        bounds
        for line in seen.mappings
        for bounds in ((line.start, line.start + share), (line.end - share, line.end))
    ]


def dumped(process: pagemap.Process, form: str, **options: object) -> list[bytes]:
    """The rows of a dump, without what other processes change."""
    file = io.BytesIO()
    count = pagemap.dump(process, file, format=form, header=False, **options)  # type: ignore[arg-type] # of dump
    rows = rows_of(file.getvalue(), form)
    assert len(rows) == count
    return [settled_row(row, form) for row in rows]


@pytest.mark.parametrize("form", FORMATS)
def test_dump(process: pagemap.Process, seen: Seen, form: str) -> None:
    ranges = sample_of(seen, form)
    for _ in range(3):
        whole = dumped(process, form, ranges=ranges, threads=1)
        expected = [row for row in whole if is_populated(row, form)]
        got = {
            threads: dumped(process, form, populated=True, ranges=ranges, threads=threads)
            for threads in (1, 2, 3, 8)
        }
        if dumped(process, form, ranges=ranges, threads=1) == whole:
            break
    different = [threads for threads, rows in got.items() if rows != expected]
    assert different == []


def told(*names: str) -> bool:
    """Whether this kernel tells of these flags: asked for one that it does not, dump refuses."""
    return not {*names} & {*oracle.FLAGS} - oracle.told_here()


FILTERS: list[tuple[list[str], list[str]]] = [
    (only, without)
    for only, without in (
        (["present"], []),
        (["swap"], []),
        (["file_or_shared"], []),
        (["present", "exclusive"], ["file_or_shared"]),
        (["guard"], ["present"]),
        (["uffd_wp"], []),
        ([], ["present", "swap"]),
        ([], ["soft_dirty"]),
    )
    if told(*only, *without)
]


def test_filters(process: pagemap.Process, seen: Seen) -> None:
    ranges = sample_of(seen, "jsonl")

    def passes(row: bytes, only: list[str], without: list[str]) -> bool:
        # of the kinds that have the kernel's bit there are guards here, and what is in swap
        row = row.replace(b'"swapped":true', b'"swap":true')
        if b'"guard":true' in row:
            row = row.replace(b'"swap":true', b'"swap":false')
        said = {name for name in {*only, *without} if b'"%b":true' % name.encode() in row}
        return said.issuperset(only) and said.isdisjoint(without)

    for _ in range(3):
        whole = dumped(process, "jsonl", ranges=ranges, threads=1)
        got = [
            dumped(process, "jsonl", ranges=ranges, only=only, without=without)
            for only, without in FILTERS
        ]
        if dumped(process, "jsonl", ranges=ranges, threads=1) == whole:
            break
    different = [
        names
        for names, rows in zip(FILTERS, got, strict=True)
        if rows != [row for row in whole if passes(row, *names)]
    ]
    assert different == []


def test_all_of_a_large_target(start: Start) -> None:
    """More than a thread takes alone, so that all of them work: rows in order, none twice."""
    target = start(workloads.sparse(768 * MIB, 3 * PAGE))
    target.stop()
    area = target.first
    expected = list(range(area.start, area.end, 3 * PAGE))
    for scan in (True, False):
        with scanning.opened(target, scan=scan) as process:
            for threads in (1, 2, 3, 8):
                got = [
                    pages.start + i * PAGE
                    for _, pages in process.populated(threads=threads)
                    if area.start <= pages.start < area.end
                    for i in range(len(pages))
                ]
                same = got == expected
                assert same, (scan, threads)


@pytest.mark.parametrize("scan", [True, False], ids=["scan", "entries"])
def test_vanished(start: Start, scan: bool) -> None:
    """What was told stands, and the end of it is an error, never silence."""
    for threads in (1, 3):
        target = start(workloads.sparse(512 * MIB, 2 * PAGE))
        with scanning.opened(target, scan=scan) as process:
            walk = process.populated(threads=threads)
            next(walk)
            target.kill()
            with pytest.raises(pagemap.TargetVanished):
                for _ in walk:
                    pass
            with pytest.raises(pagemap.TargetVanished):
                pagemap.dump(process, io.BytesIO(), populated=True)


def test_kernel_thread_and_odd_threads() -> None:
    with pagemap.Process("self") as process:
        for threads in (0, -1):
            with pytest.raises(pagemap.UsageError, match="threads must be 1 or more"):
                pagemap.dump(process, io.BytesIO(), threads=threads)
    try:
        kthreadd = pagemap.Process(2)
    except (pagemap.AccessDenied, pagemap.NoSuchProcess):
        return  # root's, and only root may open it; in a PID namespace there is none
    with kthreadd:
        if kthreadd.kernel_thread:
            assert list(kthreadd.populated()) == []
            assert list(kthreadd.regions().rows()) == []
            assert list(kthreadd.tally()) == []
