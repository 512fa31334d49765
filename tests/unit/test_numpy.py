"""What numpy makes of pages and columns. The package itself knows nothing of numpy."""

from __future__ import annotations

import mmap
from array import array

import pytest

import pagemap
from pagemap._space.pages import COLUMNS, NO_PFN, Pages

numpy = pytest.importorskip("numpy")

PRESENT, SWAPPED, FILE, EXCLUSIVE = 1 << 63, 1 << 62, 1 << 61, 1 << 56
ENTRIES = [0, PRESENT | 7, PRESENT | FILE | 0x123456789ABC, SWAPPED | 5 << 5 | 2, PRESENT | 9]


def pages() -> Pages:
    view = memoryview(array("Q", ENTRIES)).toreadonly()
    return Pages(view, start=0x7000, page_size=4096, pfns_visible=True)


def test_pages_are_an_array_of_their_entries() -> None:
    """`np.asarray(pages)` was a table of floats: addresses, entries, page sizes."""
    some = numpy.asarray(pages())
    assert some.dtype == numpy.uint64
    assert some.tolist() == ENTRIES
    assert (some >> 63 & 1).tolist() == [0, 1, 1, 0, 1]


def test_the_array_is_read_only_and_shares_memory() -> None:
    own = pages()
    some = numpy.asarray(own[1:4])
    assert some.tolist() == ENTRIES[1:4]
    assert not some.flags.writeable
    assert numpy.shares_memory(some, numpy.asarray(own.entries))
    copy = numpy.array(own)
    copy[0] = 1
    assert own.entries[0] == 0


def test_the_array_outlives_the_pages() -> None:
    with pagemap.Process("self") as process:
        some = numpy.asarray(process.pages(process.maps()[0]))
        again = process.pages(process.maps()[0])
    assert len(some) == len(again)
    assert (some >> 63).tolist() == [page.present for page in again]


def test_an_empty_array() -> None:
    some = numpy.asarray(pages()[2:2])
    assert some.dtype == numpy.uint64
    assert some.shape == (0,)


def test_another_type_can_be_asked_for() -> None:
    assert numpy.asarray(pages(), dtype=numpy.int64)[0] == 0
    assert numpy.asarray(pages(), dtype=numpy.int64).dtype == numpy.int64


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_tell_their_type(name: str) -> None:
    column = numpy.asarray(pages().column(name))
    kind = {"address": "u8", "pfn": "u8", "swap_offset": "u8", "swap_type": "u1"}.get(name, "?")
    assert column.dtype == numpy.dtype(kind)
    assert column.shape == (len(ENTRIES),)
    assert numpy.frombuffer(pages().column(name), dtype=kind).tolist() == column.tolist()


def test_flags_mask() -> None:
    """They were bytes: `pfns[present]` took the frames number 0 and 1, again and again."""
    some = pages()
    pfns = numpy.asarray(some.pfns())
    present = numpy.asarray(some.column("present"))
    exclusive = numpy.asarray(some.column("exclusive"))
    assert pfns[present].tolist() == [7, 0x123456789ABC, 9]
    assert pfns[present & ~exclusive].tolist() == [7, 0x123456789ABC, 9]
    assert pfns[~present].tolist() == [NO_PFN, NO_PFN]


def test_flags_are_booleans_in_python_too() -> None:
    assert list(pages().column("swapped")) == [False, False, False, True, False]
    assert pages().column("swapped")[3] is True
    assert bytes(pages().column("swapped")) == b"\0\0\0\1\0"


def test_a_live_process() -> None:
    with mmap.mmap(-1, 64 * mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        for at in range(0, len(memory), 2 * mmap.PAGESIZE):
            memory[at] = 1
        start = numpy.frombuffer(memory, numpy.uint8).__array_interface__["data"][0]
        with pagemap.Process("self") as process:
            some = process.pages((start, start + len(memory)))
        assert numpy.asarray(some.column("present")).sum() == some.counts().present
        assert numpy.asarray(some)[::2].astype(bool).all()
        addresses = numpy.asarray(some.addresses())
        assert (addresses - start)[numpy.asarray(some.column("present"))].max() < len(memory)


def test_words_of_frames_tell_their_type() -> None:
    """Those that FrameReader gives, put together here without it."""
    frames = pagemap.Frames(
        memoryview(array("Q", [1, 2])), flags=memoryview(array("Q", [1 << 12, 0]))
    )
    assert frames.flags is not None
    assert numpy.asarray(frames.flags).dtype == numpy.uint64
