"""Parts of files, by the flags of their pages: those of the whole file that lie in the part."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from pagemap._cli.parsing import parse_file_ranges
from pagemap._errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
PAGES = 40
HOLE = range(20, 25)


@pytest.fixture
def sparse(tmp_path: Path, need_frames: None) -> Path:
    """A file of 40 pages and a bit, of which five were never written."""
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        for page in range(PAGES):
            if page not in HOLE:
                os.pwrite(file.fileno(), b"x" * PAGE, page * PAGE)
        os.pwrite(file.fileno(), b"end", PAGES * PAGE)
    return path


@pytest.fixture
def need_frames(need_pfns: None) -> None:
    """Skip where the files about frames may not be read, or frames are not shown."""
    if not os.access("/proc/kpageflags", os.R_OK):
        pytest.skip("needs root: /proc/kpageflags")


def offsets(path: Path, **how: Any) -> list[int]:
    """The cached pages, each by its number."""
    tables = pagemap.page_runs(files=[str(path)], each=True, **how)
    return [(row.offset or 0) // PAGE for table in tables for row in table]


@pytest.mark.parametrize(
    "ranges",
    [
        [(0, 3)],
        [(5, 9), (7, 22)],
        [(30, 31), (2, 4)],
        [(HOLE.start, HOLE.stop)],
        [(38, 1000)],
        [(500, 1000)],
    ],
)
def test_parts_of_a_file(sparse: Path, ranges: list[tuple[int, int]]) -> None:
    whole = offsets(sparse)
    assert set(whole) >= set(range(PAGES + 1)) - set(HOLE)
    wanted = [page for page in whole if any(first <= page < last for first, last in ranges)]
    asked = [(first * PAGE + 1, last * PAGE - 1) for first, last in ranges]
    assert offsets(sparse, ranges=asked) == wanted
    table = pagemap.page_types(files=[str(sparse)], ranges=asked)
    assert table.total().pages == len(wanted)
    several = pagemap.page_types(files=[str(sparse.parent)], ranges=asked)
    assert several.total().pages == len(wanted)


def test_words() -> None:
    words = {
        "0-16": (0, 16 * PAGE),
        "64K-2M": (64 << 10, 2 << 20),
        "0-2MiB": (0, 2 << 20),
        "0x1000-0x3000": (0x1000, 0x3000),
        "1-1G": (PAGE, 1 << 30),
    }
    for word, wanted in words.items():
        assert parse_file_ranges([word]) == [(wanted[0] & -PAGE, -(-wanted[1] & -PAGE))], word
    for word in (
        "4",
        "9-4",
        "4-4",
        "a-b",
        "1-2-3",
        "-3",
        "3-",
        "0x-0x1",
        "1.5K-2K",
        "9" * 40 + "-1",
    ):
        with pytest.raises(UsageError):
            parse_file_ranges([word])
