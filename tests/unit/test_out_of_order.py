"""Somebody's copy of /proc, whose maps no kernel wrote: an error at the call, and never no end."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._native import probes
from pagemap._native.scan import Spans
from tests.unit import fake_proc
from tests.unit.fake_proc import PAGE_SIZE, line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PRESENT = 1 << 63
UNORDERED = {
    "ends before it begins": line(8, 4),
    "empty": line(4, 4),
    "below the line above": line(8, 12) + line(2, 4),
    "huge and below": line(8, 2**52 - 1) + line(0, 4),
}
CALLS: dict[str, Callable[[pagemap.Process], object]] = {
    "maps": lambda process: process.maps(),
    "tally": lambda process: list(process.tally()),
    "populated": lambda process: list(process.populated(threads=1)),
    "populated, threads": lambda process: list(process.populated(threads=2)),
    "dump": lambda process: pagemap.dump(process, io.BytesIO()),
    "dump, populated": lambda process: pagemap.dump(process, io.BytesIO(), populated=True),
    "regions": lambda process: list(process.regions(only=["present"])),
    "huge": lambda process: process.huge(),
    "page_types": lambda process: process.page_types(),
}


@pytest.fixture(autouse=True)
def _without_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGEMAP_DISABLE", "scan")  # a plain file has no ioctl
    monkeypatch.setattr(probes, "pfns", lambda: True)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("text", UNORDERED)
def test_maps_out_of_order(tmp_path: Path, text: str, call: str) -> None:
    """`tally` and others never came to an end, or took 2^52 pages for a mapping."""
    procfs = fake_proc.make(tmp_path, maps=UNORDERED[text], entries={9: PRESENT})
    with pagemap.Process(4242, procfs=procfs) as process:
        try:
            CALLS[call](process)
        except pagemap.PagemapError as error:
            if "kpageflags" not in str(error):  # of the copy, which has none
                assert "out of order in /proc/PID/maps: '" in str(error)  # noqa: PT017
        else:
            pytest.fail("no error")


def test_lines_that_overlap_count_once(tmp_path: Path) -> None:
    procfs = fake_proc.make(
        tmp_path, maps=line(4, 8) + line(6, 10), entries=dict.fromkeys(range(4, 10), PRESENT)
    )
    with pagemap.Process(4242, procfs=procfs) as process:
        assert process.tally().total().present == 6 * PAGE_SIZE
        assert sum(len(pages) for _, pages in process.populated()) == 6
        assert pagemap.dump(process, io.BytesIO()) == 6


def test_a_malformed_line_is_named(tmp_path: Path) -> None:
    """It was a ValueError, and the command's a traceback."""
    procfs = fake_proc.make(tmp_path / "proc", maps=line(1, 2) + b"no line\x1b[31m\n")
    script = (
        "import sys, pagemap\n"
        "try: pagemap.Process(4242, procfs=sys.argv[1]).maps()\n"
        "except pagemap.PagemapError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, procfs],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout == "not a line of /proc/PID/maps: 'no line\\033[31m'\n", done.stderr


@pytest.mark.parametrize(
    "spans", [[(4, -1)], [(4, 2**64)], [(8, 2), (4, 2)], [(4, 4), (6, 4)], [(2**63, 1)]]
)
def test_spans_out_of_order(spans: list[tuple[int, int]]) -> None:
    """Whoever makes spans for C is told at the call."""
    with pytest.raises((OSError, struct.error)):
        Spans(spans)


def test_a_span_past_the_end_of_all_there_is(tmp_path: Path) -> None:
    """Where entries end, a mapping's walk ends, however long it says it is."""
    maps = line(4, 2**52 - 1)
    procfs = fake_proc.make(tmp_path, maps=maps, entries={9: PRESENT}, pages=16)
    with pagemap.Process(4242, procfs=procfs) as process:
        (counts,) = process.tally()
        assert counts.present == PAGE_SIZE
        ((_, pages),) = process.populated(threads=1)
        assert (pages.start, len(pages)) == (9 * PAGE_SIZE, 1)
