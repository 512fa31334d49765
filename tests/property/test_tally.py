"""Tallies of a fake process against counts page by page: any entries, mappings and counts asked."""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pagemap
from pagemap import tally
from tests import oracle
from tests.property import fake, strategies
from tests.property.test_dump import PID, mappings

PAGE = oracle.PAGE
COUNTS = sorted(set(tally.COUNTABLE) - {"huge"})


@given(
    entries=strategies.entries(),
    maps=mappings(),
    asked=st.one_of(st.none(), st.lists(st.sampled_from(COUNTS), max_size=4)),
    threads=st.integers(1, 3),
    piece=st.sampled_from([1, 7, 100, 1 << 15]),
)
def test_tally(
    entries: list[int], maps: bytes, asked: list[str] | None, threads: int, piece: int
) -> None:
    # A file or swap place behind nothing is no kernel's entry, and found or not as it happens.
    entries = [0, *(word if word >> 62 else word & 1 << 55 for word in entries)]
    told = {"pages", *(COUNTS if asked is None else asked)}
    expected = []
    for line in oracle.parse_maps(maps):
        counts = oracle.counts(entries[line.start // PAGE : line.end // PAGE])
        counts["pages"] = (line.end - line.start) // PAGE
        row = {name: counts.get(name) if name in told else None for name in tally.Tally._fields}
        expected.append(((line.start, line.end), row))
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch("pagemap.tally._piece_pages", return_value=piece),
        mock.patch("pagemap.pipeline.ALONE_PAGES", 16),
    ):
        fake.write_process(Path(folder), PID, entries, maps)
        with pagemap.Process(PID, procfs=folder) as process:
            found = list(process.tally(asked, threads=threads))
    assert [((m.start, m.end), counts._asdict()) for m, counts in found] == expected
    total = tally.total([counts for _, counts in found])
    for name, value in total._asdict().items():
        rows = [row[name] for _, row in expected]
        if expected and name not in told:
            assert value is None
        else:
            assert value == sum(row or 0 for row in rows)


@pytest.mark.parametrize("asked", [["rss"], ["pages"], ["present", "Huge"]])
def test_unknown_counts(asked: list[str], tmp_path: Path) -> None:
    fake.write_process(tmp_path, PID, [0], b"")
    with (
        pagemap.Process(PID, procfs=str(tmp_path)) as process,
        pytest.raises(pagemap.UsageError, match="no count is called"),
    ):
        list(process.tally(asked))


def test_huge_needs_a_scan(tmp_path: Path) -> None:
    fake.write_process(tmp_path, PID, [0], b"")
    with pagemap.Process(PID, procfs=str(tmp_path)) as process:
        with pytest.raises(pagemap.Unsupported, match=r"6\.7"):
            list(process.tally(["huge"]))
        assert list(process.tally()) == []
