"""Tallies of a fake process against counts page by page: any entries, mappings and counts asked."""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pagemap
from pagemap._vocabulary.rows.tally import COUNTS
from tests import oracle
from tests.property import fake, strategies
from tests.property.test_dump import PID, mappings

PAGE = oracle.PAGE
# Of a process whose PFNs are hidden, and without scans: smaps knows no fake process.
KNOWN = sorted(set(COUNTS) - {"huge", "zero", "rss", "anon", "file", "shmem"})
DEAR = {"uss", "uffd_wp", "soft_dirty"}  # counted for whoever asks
ABSENT = ("swap", "marker", "migrating", "poisoned", "device")


def count(entries: list[int], *, types: list[str] | None, swap_used: bool) -> dict[str, int | None]:
    """Page by page; without `types` the kernel hides them."""
    bits = oracle.counts(entries)
    kinds = [oracle.kind(entry, types or oracle.swap_type_names()) for entry in entries]
    counts: dict[str, int | None] = {**bits, "hugetlb": 0, "guard": kinds.count("guard")}
    counts["uss"] = sum(
        oracle.has(entry, "exclusive") and oracle.has(entry, "present") for entry in entries
    )
    counts |= {name: kinds.count(name) for name in ABSENT}
    if "hidden" in kinds:
        counts |= dict.fromkeys(ABSENT)
        counts["swap"] = None if swap_used else 0
    return counts


@given(
    entries=strategies.entries(),
    maps=mappings(),
    asked=st.one_of(st.none(), st.lists(st.sampled_from(KNOWN), max_size=4)),
    threads=st.integers(1, 3),
    piece=st.sampled_from([1, 7, 100, 1 << 15]),
    hidden=st.booleans(),
    swap_used=st.booleans(),
)
def test_tally(
    entries: list[int],
    maps: bytes,
    asked: list[str] | None,
    threads: int,
    piece: int,
    hidden: bool,
    swap_used: bool,
) -> None:
    """Guard regions, markers and entries of migration counted as swap: each has its word."""
    # A file or swap place behind nothing is no kernel's entry, and found or not as it happens.
    entries = [0, *(word if word >> 62 else word & 1 << 55 for word in entries)]
    if hidden:
        entries = [word >> 55 << 55 for word in entries]
    told = set(KNOWN) - DEAR if asked is None else set(asked)
    expected = []
    for line in oracle.parse_maps(maps):
        counts = count(
            entries[line.start // PAGE : line.end // PAGE],
            types=None if hidden else oracle.swap_type_names(),
            swap_used=swap_used,
        )
        row = {name: counts.get(name) if name in told else None for name in COUNTS}
        row = {name: None if pages is None else pages * PAGE for name, pages in row.items()}
        expected.append(((line.start, line.end, line.end - line.start), row))
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch("pagemap._analyses.tally._piece_pages", return_value=piece),
        mock.patch("pagemap._native.pipeline.ALONE_PAGES", 16),
        mock.patch("pagemap._native.procmap.swap_in_use", return_value=swap_used),
    ):
        fake.write_process(Path(folder), PID, entries, maps)
        with pagemap.Process(PID, procfs=folder) as process:
            process.pfns_visible = not hidden
            found = process.tally(asked, threads=threads)
    assert [
        ((row.start, row.end, row.size), {name: getattr(row, name) for name in COUNTS})
        for row in found
    ] == expected
    total = found.total()
    for name in COUNTS:
        cells = [row[name] for _, row in expected]
        known = [cell for cell in cells if cell is not None]
        is_known = name in told and len(known) == len(cells)  # of no rows too
        assert getattr(total, name) == (sum(known) if is_known else None)


@pytest.mark.parametrize("asked", [["swapped"], ["pages"], ["present", "Huge"]])
def test_unknown_counts(asked: list[str], tmp_path: Path) -> None:
    fake.write_process(tmp_path, PID, [0], b"")
    with (
        pagemap.Process(PID, procfs=str(tmp_path)) as process,
        pytest.raises(pagemap.UsageError, match=r"^counts knows no '"),
    ):
        process.tally(asked)


def test_huge_needs_a_scan(tmp_path: Path) -> None:
    fake.write_process(tmp_path, PID, [0], b"")
    with pagemap.Process(PID, procfs=str(tmp_path)) as process:
        with pytest.raises(pagemap.Unsupported, match=r"6\.7"):
            process.tally(["huge"])
        assert len(process.tally()) == 0
