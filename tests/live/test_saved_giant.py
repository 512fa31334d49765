"""Snapshots of a kernel without PAGEMAP_SCAN, and with a mapping as large as the address space."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._space import snapshot_chunks as chunks
from tests.fuzz import snapshots as fuzz

if TYPE_CHECKING:
    from pathlib import Path

END = 0x7FFFFFFFF000
FILE = fuzz.FOLDER / "version-1.pagemap"
SOFT_DIRTY = 1 << 55
HUGETLB = 4
SECONDS = 60  # a read of each page would take several minutes


def changed(path: Path, *, giant: bool = False, **facts: object) -> str:
    """A copy of FILE, whose process has these facts, and perhaps no mapping but a giant one."""
    data = FILE.read_bytes()
    pieces = fuzz.pieces_of(data)
    for piece in pieces:
        if piece.kind == chunks.PROCESS:
            about = {**json.loads(zlib.decompress(piece.payload, -15)), **facts}
            piece.payload = fuzz.deflated(json.dumps(about).encode())
        elif piece.kind == chunks.MAPS and giant:
            size = len(zlib.decompress(piece.payload, -15))  # which the index has, too
            line = b"1000-%x rw-p 00000000 fe:00 5 /" % END
            piece.payload = fuzz.deflated(line.ljust(size - 1, b"x") + b"\n")
    path.write_bytes(fuzz.written(int.from_bytes(data[8:12], "little"), pieces))
    return str(path)


CALLS = """
import sys, pagemap
with pagemap.Snapshot(sys.argv[1]) as snapshot:
    process = snapshot.process()
    for counts in (None, ["rss", "uss", "uffd_wp"], ["soft_dirty"]):
        (row,) = process.tally(counts)
        assert row.size == row.end - row.start == {end} - 4096
    for only, without in ((["present"], []), (["soft_dirty"], []), ([], ["present"])):
        print(sum(row.size for table in process.regions(only=only, without=without)
                  for row in table))
"""


@pytest.mark.parametrize("devices", [{}, {"fe:00": HUGETLB}], ids=["file", "hugetlb"])
def test_what_is_empty_is_passed(tmp_path: Path, devices: dict[str, int]) -> None:
    """A saved table was read page by page, for minutes and with no Ctrl-C."""
    told = json.loads(zlib.decompress(_process().payload, -15))["told"] | SOFT_DIRTY
    file = changed(tmp_path / "f", giant=True, can_scan=False, devices=devices, told=told)
    with pagemap.Snapshot(FILE) as snapshot:
        present = snapshot.process().tally(["present"]).total().present
    words = [sys.executable, "-c", CALLS.format(end=END), file]
    done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.stderr == ""
    sizes = [int(line) for line in done.stdout.split()]
    assert sizes == [present, 0, END - 0x1000 - (present or 0)]


def test_without_a_scan_it_tells_the_same(tmp_path: Path) -> None:
    """All that entries tell is as in the file of a kernel that has PAGEMAP_SCAN."""
    results = []
    for file in (str(FILE), changed(tmp_path / "f", can_scan=False)):
        with pagemap.Snapshot(file) as snapshot:
            process = snapshot.process()
            assert process.can_scan == (file == str(FILE))
            rows = list(process.tally(["present", "uss", "uffd_wp", "swap", "guard"]))
            regions = [row for table in process.regions() for row in table]
            results.append((rows, regions))
    assert results[0] == results[1]
    assert all(results[0])


def _process() -> fuzz.Piece:
    pieces = fuzz.pieces_of(FILE.read_bytes())
    return next(piece for piece in pieces if piece.kind == chunks.PROCESS)
