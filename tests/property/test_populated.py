"""Populated pages of a fake process: any entries, mappings, threads, and sizes of a step."""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

import pagemap
from pagemap._native.scan import EntryBuffer
from pagemap._space.walk import Reach
from tests import naive, oracle
from tests.property import fake, strategies
from tests.property.test_dump import PID, mappings

PAGE = oracle.PAGE


@given(
    entries=strategies.entries(),
    maps=mappings(),
    threads=st.integers(1, 3),
    size=st.sampled_from([1, 2, 7, 64, 65, 1 << 16]),
    runs=st.sampled_from([1, 2, 5, 1 << 14]),
    reach=st.sampled_from([1, 3, 100, 1 << 15]),
)
def test_populated(
    entries: list[int], maps: bytes, threads: int, size: int, runs: int, reach: int
) -> None:
    entries = [0, *entries]
    lines = oracle.parse_maps(maps)
    expected = [
        (tuple(line[:2]), address, entries[address // PAGE])
        for line in lines
        for address in range(line.start, min(line.end, len(entries) * PAGE), PAGE)
        if naive.populated(entries[address // PAGE])
    ]
    got = []
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(EntryBuffer, "size", size),
        mock.patch.object(EntryBuffer, "most_runs", runs),
        mock.patch.object(Reach, "LEAST", reach),
        mock.patch("pagemap._native.pipeline.ALONE_PAGES", 32),
    ):
        fake.write_process(Path(folder), PID, entries, maps)
        with pagemap.Process(PID, procfs=folder) as process:
            for mapping, pages in process.populated(threads=threads):
                assert len(pages) > 0
                assert mapping.start <= pages.start
                assert pages.end <= mapping.end
                got += [((mapping.start, mapping.end), page.address, page.entry) for page in pages]
    assert got == expected
