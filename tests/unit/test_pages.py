"""Pages and Page over words made by hand from the kernel's table of bits."""

from __future__ import annotations

import pickle

import pytest

import pagemap
from pagemap._space.page import Page
from pagemap._space.pages import COLUMNS, NO_PFN, Pages

# 63 present, 62 swapped, 61 file or shared, 58 guard, 57 uffd-wp, 56 exclusive, 55 soft-dirty
RESIDENT = 0x8180_0000_0012_3456  # present, exclusive, soft-dirty, PFN 0x123456
LIBRARY = 0xA000_0000_0000_0ABC  # present, file, PFN 0xabc
IN_SWAP = 0x4000_0000_0000_0C43  # swapped: type 3, offset 0x62
GUARD = 0x4400_0000_0000_0000
WATCHED = 0x8200_0000_0000_0001  # present, uffd-wp, PFN 1
HIDDEN = 0x8000_0000_0000_0000  # present, and no PFN
UNTOUCHED = 0
DIRTY_ONLY = 0x0080_0000_0000_0000  # never touched, in a mapping marked soft-dirty
FUTURE = 0x9800_0000_0000_0002  # bits 59 and 60, which mean nothing yet

ALL = [RESIDENT, LIBRARY, IN_SWAP, GUARD, WATCHED, HIDDEN, UNTOUCHED, DIRTY_ONLY, FUTURE]


def pages(words: list[int] = ALL, *, visible: bool = True) -> Pages:
    data = b"".join(word.to_bytes(8, "little") for word in words)
    return Pages(memoryview(data).cast("Q"), start=0x400000, page_size=4096, pfns_visible=visible)


def test_a_resident_page() -> None:
    page = pages()[0]
    assert page.address == 0x400000
    assert page.entry == RESIDENT
    assert page.pfn == 0x123456
    assert page.physical_address == 0x123456000
    assert [page.present, page.exclusive, page.soft_dirty] == [True, True, True]
    others = [page.swapped, page.file_or_shared, page.uffd_wp, page.guard]
    assert others == [False, False, False, False]
    assert page.swap_type is None
    assert page.swap_offset is None


def test_a_swapped_page_has_a_place_and_no_frame() -> None:
    page = pages()[2]
    assert page.swapped
    assert not page.present
    assert (page.swap_type, page.swap_offset) == (3, 0x62)
    assert page.pfn is None
    assert page.physical_address is None


def test_the_other_bits() -> None:
    assert pages()[1].file_or_shared
    assert pages()[3].guard
    assert pages()[4].uffd_wp
    assert pages()[5].pfn is None
    assert pages()[7].soft_dirty
    assert not pages()[7].present
    assert pages()[8].pfn == 2
    assert pages()[8].entry == FUTURE


def test_counts_by_hand() -> None:
    counts = pages().counts()
    assert tuple(counts) == (9, 5, 2, 1, 1, 2, 1, 1, 4)
    assert (counts.pages, counts.present, counts.swapped) == (9, 5, 2)
    assert (counts.file_or_shared, counts.exclusive, counts.soft_dirty) == (1, 1, 2)
    assert (counts.uffd_wp, counts.guard, counts.anonymous) == (1, 1, 4)
    assert pages().count("present") == 5
    assert pages([]).counts() == (0,) * 9


def test_columns_by_hand() -> None:
    found = {name: pages().column(name).tolist() for name in COLUMNS}
    none = 2**64 - 1
    assert found == {
        "address": [0x400000 + 4096 * i for i in range(9)],
        "pfn": [0x123456, 0xABC, none, none, 1, none, none, none, 2],
        "soft_dirty": [1, 0, 0, 0, 0, 0, 0, 1, 0],
        "file_or_shared": [0, 1, 0, 0, 0, 0, 0, 0, 0],
        "swapped": [0, 0, 1, 1, 0, 0, 0, 0, 0],
        "present": [1, 1, 0, 0, 1, 1, 0, 0, 1],
        "exclusive": [1, 0, 0, 0, 0, 0, 0, 0, 0],
        "uffd_wp": [0, 0, 0, 0, 1, 0, 0, 0, 0],
        "guard": [0, 0, 0, 1, 0, 0, 0, 0, 0],
        "swap_type": [255, 255, 3, 0, 255, 255, 255, 255, 255],
        "swap_offset": [none, none, 0x62, 0, none, none, none, none, none],
    }
    assert none == NO_PFN
    assert pages().pfns().tolist() == found["pfn"]
    assert pages().addresses().tolist() == found["address"]


def test_buffers_are_read_only_and_plain() -> None:
    some = pages()
    for view in (some.entries, some.pfns(), some.addresses(), some.column("present")):
        assert view.readonly
        assert view.c_contiguous
        assert view.format in ("Q", "?")


@pytest.mark.parametrize("call", ["count", "column"])
def test_a_name_that_does_not_exist_lists_those_that_do(call: str) -> None:
    with pytest.raises(pagemap.UsageError, match=r"'dirty'.*present"):
        getattr(pages(), call)("dirty")


def test_sequence() -> None:
    some = pages()
    assert len(some) == 9
    assert [page.entry for page in some] == ALL
    assert [page.entry for page in reversed(some)] == ALL[::-1]
    assert some[-1] == some[8]
    for index in (9, -10):
        with pytest.raises(IndexError):
            some[index]


def test_slices_share_the_buffer() -> None:
    whole = pages()
    part = whole[2:5]
    assert (part.start, part.end, len(part)) == (0x402000, 0x405000, 3)
    assert part[0].entry == IN_SWAP
    assert part.entries.obj is whole.entries.obj
    assert len(pages()[7:3]) == 0
    assert pages()[-2:][0].entry == DIRTY_ONLY
    with pytest.raises(ValueError, match="steps of one"):
        pages()[::2]


def test_by_address() -> None:
    some = pages()
    assert some.at(0x402FFF).entry == IN_SWAP
    for address in (0x3FFFFF, 0x409000):
        with pytest.raises(IndexError, match=f"{address:#x}"):
            some.at(address)
    part = some.between(0x401001, 0x402001)
    assert (part.start, len(part)) == (0x401000, 2)
    assert len(some.between(0, 2**64)) == 9
    assert len(some.between(0x409000, 0x500000)) == 0
    assert len(some.between(0, 0x400000)) == 0
    assert len(some.between(0x402000, 0x402000)) == 0


def test_entries_must_be_words() -> None:
    with pytest.raises(ValueError, match="format 'Q'"):
        Pages(memoryview(b"12345678"), start=0, page_size=4096, pfns_visible=True)


def test_repr_says_what_a_person_wants() -> None:
    assert repr(pages()[0]) == "<Page 0x400000 pfn=0x123456 soft_dirty present exclusive>"
    assert repr(pages()[6]) == "<Page 0x406000 pfn=- untouched>"
    assert repr(pages()) == "<Pages 0x400000-0x409000 9 pages>"


def test_pickles() -> None:
    again = pickle.loads(pickle.dumps(pages(visible=False)))
    assert again.entries.tolist() == ALL
    assert (again.start, again.page_size, again.pfns_visible) == (0x400000, 4096, False)
    assert pickle.loads(pickle.dumps(pages()[0])) == pages()[0]


def test_pages_compare_by_what_they_say() -> None:
    assert pages()[0] == Page(0x400000, RESIDENT, 4096, pfns_visible=True)
    assert len({pages()[0], pages()[0]}) == 1
