"""Every kind of target, stopped: what pagemap says of it against the kernel and the textbook."""

from __future__ import annotations

import io
import json
import subprocess
from array import array
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import oracle

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.workloads import Target

PAGE = oracle.PAGE
# Python reads one entry in 1 us and formats a row in 10: enough pages to tell, few enough to wait.
SAMPLE = 1500
TRIES = 5


def settled(read: Callable[[], bytes], judge: Callable[[], bytes]) -> tuple[bytes, bytes]:
    """What `read` gives, and what `judge` gave both before and after.

    The kernel may migrate or reclaim a page of a stopped process too; then once more.
    """
    for _ in range(TRIES):
        before, got, after = judge(), read(), judge()
        if before == after:
            break
    return got, after


def expected_text(target: Target, *, visible: bool) -> bytes:
    table = oracle.textbook(target.pid)
    return table if visible else oracle.hide_pfns(table)


def sample_of(target: Target) -> list[tuple[int, int]]:
    """The first pages of each area, or of each mapping of a target without areas."""
    areas = [(area.start, area.end) for area in target.areas.values()]
    areas = areas or [(line.start, line.end) for line in oracle.maps(target.pid)]
    share = max(4, SAMPLE // len(areas))
    return [(start, min(end, start + share * PAGE)) for start, end in areas]


def test_dump_equals_the_textbook(stopped: Target, pfns_visible: bool) -> None:
    def dump() -> bytes:
        file = io.BytesIO()
        rows = pagemap.dump(stopped.pid, file)
        assert rows + 1 == file.getvalue().count(b"\n")
        return file.getvalue()

    got, wanted = settled(dump, lambda: expected_text(stopped, visible=pfns_visible))
    # Not `assert got == wanted`: pytest would take minutes to explain the difference of megabytes.
    same = got == wanted
    assert same, first_difference(got, wanted)


def test_command_equals_the_textbook(
    stopped: Target, pfns_visible: bool, command: list[str]
) -> None:
    def dump() -> bytes:
        done = subprocess.run(
            [*command, "dump", str(stopped.pid)],
            check=False,
            capture_output=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr.decode()
        said = 2 - pfns_visible - ("soft_dirty" in oracle.told_here())
        assert len(done.stderr.splitlines()) == said, done.stderr.decode()
        return done.stdout

    got, wanted = settled(dump, lambda: expected_text(stopped, visible=pfns_visible))
    same = got == wanted
    assert same, first_difference(got, wanted)


def first_difference(got: bytes, wanted: bytes) -> str:
    ours, theirs = got.split(b"\n"), wanted.split(b"\n")
    for number, (our, their) in enumerate(zip(ours, theirs, strict=False)):
        if our != their:
            return f"row {number}: {our!r}, wanted {their!r}"
    return f"{len(ours)} rows, wanted {len(theirs)}"


def test_csv_and_jsonl(stopped: Target, pfns_visible: bool) -> None:
    ranges = sample_of(stopped)
    lines = oracle.maps(stopped.pid)

    def pages() -> list[tuple[int, int, str]]:
        return [
            (entry, start + i * PAGE, line.path)
            for line in lines
            for first, last in ranges
            if (start := max(line.start, first)) < (end := min(line.end, last))
            for i, entry in enumerate(oracle.entries(stopped.pid, start, end))
        ]

    for _ in range(TRIES):
        before = pages()
        csv, jsonl = io.BytesIO(), io.BytesIO()
        pagemap.dump(stopped.pid, csv, format="csv", ranges=ranges)
        pagemap.dump(stopped.pid, jsonl, format="jsonl", ranges=ranges, header=False)
        if pages() == before:
            break
    hidden, told = not pfns_visible, oracle.told_here()
    header, *rows = oracle.read_csv(csv.getvalue())
    assert header == oracle.COLUMNS
    assert rows == [oracle.csv_fields(*page, hidden=hidden, told=told) for page in before]
    assert [json.loads(line) for line in jsonl.getvalue().splitlines()] == [
        oracle.values(*page, hidden=hidden, told=told) for page in before
    ]


def test_maps(stopped: Target) -> None:
    with pagemap.Process(stopped.pid) as process:
        got = process.maps()
    expected = oracle.maps(stopped.pid)
    assert [tuple(mapping) for mapping in got] == [(*line[:6], line.path) for line in expected]


def test_entries_and_columns(stopped: Target, pfns_visible: bool) -> None:
    ranges = sample_of(stopped)
    with pagemap.Process(stopped.pid) as process:
        assert process.pfns_visible == pfns_visible
        for _ in range(TRIES):
            before = [oracle.entries(stopped.pid, *where) for where in ranges]
            one_by_one = [process.pages(where) for where in ranges]
            at_once = process.pages_of(ranges)
            if before == [oracle.entries(stopped.pid, *where) for where in ranges]:
                break
        for where, expected, pages, same in zip(ranges, before, one_by_one, at_once, strict=True):
            assert list(pages.entries) == expected
            assert list(same.entries) == expected
            assert (pages.start, same.start) == (where[0], where[0])
            untold = oracle.FLAGS.keys() - oracle.told_here()
            wanted = {**oracle.counts(expected), **dict.fromkeys(untold)}
            assert pages.counts()._asdict() == wanted
            frames = [oracle.NONE if (f := oracle.pfn(e)) is None else f for e in expected]
            assert list(pages.pfns()) == frames


def test_read_into(stopped: Target) -> None:
    (start, end), *_ = sample_of(stopped)
    count = (end - start) // PAGE
    buffer = array("Q", [7] * (count + 2))
    with pagemap.Process(stopped.pid) as process:
        for _ in range(TRIES):
            expected = oracle.entries(stopped.pid, start, end)
            got = process.read_into(buffer, start, count=count)
            if expected == oracle.entries(stopped.pid, start, end):
                break
    assert got == len(expected)
    assert list(buffer) == [*expected, *[7] * (count + 2 - got)]


def test_virt_to_phys(stopped: Target, need_pfns: None) -> None:
    with pagemap.Process(stopped.pid) as process:
        for start, end in sample_of(stopped):
            for index, entry in enumerate(oracle.entries(stopped.pid, start, end)[:40]):
                address = start + index * PAGE + index * 97 % PAGE
                frame = oracle.pfn(entry)
                if frame is None:
                    with pytest.raises(pagemap.AddressError) as caught:
                        process.virt_to_phys(address)
                    assert caught.value.address == address
                else:
                    physical = frame * PAGE + address % PAGE
                    assert process.virt_to_phys(address) == physical
