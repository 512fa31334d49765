"""Soft-dirty where the kernel tracks it: on the pages that were written, and on no other.

And on pages that nobody has touched: the kernel marks a new mapping as a whole, and then an entry
without a page has bit 55 set, and nothing else.
"""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pagemap
from tests import oracle
from tests.vm.guest.dirty import MARK, PAGES, PRESENT, WRITTEN_SINCE

if TYPE_CHECKING:
    from tests.vm.guest.dirty import Dirty


def marks(dirty: Dirty, name: str) -> list[int]:
    """The column of soft-dirty as pagemap has it."""
    area = dirty.areas[name]
    with pagemap.Process(dirty.pid) as process:
        pages = process.pages((area.start, area.end))
    column = list(pages.column("soft_dirty"))
    assert column == [page.soft_dirty for page in pages]
    assert pages.count("soft_dirty") == pages.counts().soft_dirty == sum(column)
    return column


def check_dump(pid: int, command: list[str]) -> None:
    """Library and command write what the textbook does, byte for byte; both values are there."""
    wanted = oracle.textbook(pid)
    file = io.BytesIO()
    pagemap.dump(pid, file)
    done = subprocess.run([*command, "dump", str(pid)], check=True, capture_output=True)
    assert done.stderr == b""
    for got in (file.getvalue(), done.stdout):
        rows = zip(got.splitlines(), wanted.splitlines(), strict=False)
        same = got == wanted
        # Short: pytest would print thousands of rows.
        assert same, next((pair for pair in rows if pair[0] != pair[1]), "not as many rows")


def marked_rows(pid: int) -> set[tuple[bytes, ...]]:
    """The pairs of present and soft-dirty that occur in a dump."""
    file = io.BytesIO()
    pagemap.dump(pid, file, header=False)
    rows = [row.split(b" ", 6) for row in file.getvalue().splitlines()]
    return {(row[5], row[2]) for row in rows}


def test_new_memory(dirty: Dirty, command: list[str]) -> None:
    assert dirty.entries("untouched") == [MARK] * PAGES
    assert all(entry & (MARK | PRESENT) == MARK | PRESENT for entry in dirty.entries("written"))
    for name in ("untouched", "written", "seen"):
        assert marks(dirty, name) == [1] * PAGES
    check_dump(dirty.pid, command)
    assert {(b"0", b"1"), (b"1", b"1")} <= marked_rows(dirty.pid)


def test_cleared_memory(dirty: Dirty, command: list[str]) -> None:
    dirty.clear()
    assert dirty.entries("untouched") == [0] * PAGES
    assert all(entry & (MARK | PRESENT) == PRESENT for entry in dirty.entries("written"))
    for name in ("untouched", "written", "seen"):
        assert marks(dirty, name) == [0] * PAGES
    check_dump(dirty.pid, command)
    assert {(b"0", b"0"), (b"1", b"0")} <= marked_rows(dirty.pid)


def test_memory_written_since(dirty: Dirty, command: list[str]) -> None:
    dirty.clear()
    dirty.write()
    for name in ("untouched", "written"):
        assert marks(dirty, name) == WRITTEN_SINCE
    assert marks(dirty, "seen") == [0] * PAGES
    # Mapped after the clearing: new to the kernel, so marked as a whole.
    assert dirty.entries("later") == [MARK] * PAGES
    assert marks(dirty, "later") == [1] * PAGES
    # All four: untouched and cleared, untouched and new, clean and written pages in one table.
    assert marked_rows(dirty.pid) == {
        (present, mark) for present in (b"0", b"1") for mark in (b"0", b"1")
    }
    check_dump(dirty.pid, command)


def test_json_of_untouched_memory(dirty: Dirty) -> None:
    area = dirty.areas["untouched"]
    for mark in (True, False):
        file = io.BytesIO()
        where = [(area.start, area.end)]
        pagemap.dump(dirty.pid, file, format="jsonl", header=False, ranges=where)
        rows = [json.loads(line) for line in file.getvalue().splitlines()]
        assert [row["soft_dirty"] for row in rows] == [mark] * PAGES
        assert not any(row["present"] or row["swapped"] for row in rows)
        assert {row["pfn"] for row in rows} == {None}
        dirty.clear()


def test_smaps_agrees(dirty: Dirty) -> None:
    """The kernel's own word for a mapping that is marked as a whole."""

    def marked(name: str) -> bool:
        smaps = oracle.parse_smaps(Path(f"/proc/{dirty.pid}/smaps").read_bytes())
        (flags,) = (each.flags for each in smaps if each.start == dirty.areas[name].start)
        return "sd" in flags

    assert marked("untouched")
    dirty.clear()
    dirty.write()
    assert not marked("untouched")
    assert marked("later")


def test_a_snapshot_says_the_same(dirty: Dirty, tmp_path: Path) -> None:
    """[vvar] too, which entries say is soft-dirty, and a scan passes over."""
    file = tmp_path / "one.pagemap"
    dirty.write()

    def said(process: pagemap.Process | pagemap.SavedProcess) -> list[object]:
        mappings = list(process.maps())
        asked = (["soft_dirty"], ["soft_dirty/present"], ["soft_dirty", "present"])
        return [
            [bytes(pages.entries) for pages in process.pages_of(mappings)],
            [list(process.regions(only=only).rows()) for only in asked],
            [list(process.tally(names)) for names in (["soft_dirty"], ["soft_dirty", "swap"])],
        ]

    with pagemap.Process(dirty.pid) as live:
        vvar = next(each for each in live.maps() if each.path == "[vvar]")
        assert list(live.pages(vvar).column("soft_dirty")) == [1] * (vvar.size // oracle.PAGE)
        with pagemap.Snapshot.take(dirty.pid, file) as snapshot, snapshot.process() as saved:
            for ours, wanted in zip(said(saved), said(live), strict=True):
                assert ours == wanted
