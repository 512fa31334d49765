"""Columns, counts and pages against the naive twin, over every bit of the entry."""

from __future__ import annotations

import array
import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import pagemap
from pagemap import _native
from pagemap._space.pages import COLUMNS, Pages
from tests import oracle
from tests.property import strategies

PAGE_SIZES = st.sampled_from([4096, 16384, 65536])


def make_pages(
    entries: list[int], start: int = 0x1000, page_size: int = 4096, *, visible: bool = True
) -> Pages:
    view = strategies.view(entries)
    return Pages(view, start=start, page_size=page_size, pfns_visible=visible)


@given(strategies.entries(), st.integers(0, 63))
def test_bits(entries: list[int], bit: int) -> None:
    got = _native.bits(strategies.view(entries), bit)
    assert list(got) == [entry >> bit & 1 for entry in entries]


@given(strategies.entries(), st.booleans())
def test_columns(entries: list[int], visible: bool) -> None:
    pages = make_pages(entries, visible=visible)
    hidden = not visible
    expected = {
        "address": [0x1000 + 4096 * i for i in range(len(entries))],
        "pfn": [oracle.NONE if (p := oracle.pfn(e)) is None else p for e in entries],
        **{name: [int(oracle.has(e, name)) for e in entries] for name in oracle.FLAGS},
        "swap_type": [
            255 if (t := oracle.swap_type(e, hidden=hidden)) is None else t for e in entries
        ],
        "swap_offset": [
            oracle.NONE if (o := oracle.swap_offset(e, hidden=hidden)) is None else o
            for e in entries
        ],
    }
    assert {name: list(pages.column(name)) for name in COLUMNS} == expected
    assert list(pages.pfns()) == expected["pfn"]
    assert list(pages.addresses()) == expected["address"]


@given(strategies.entries())
def test_counts(entries: list[int]) -> None:
    pages = make_pages(entries)
    expected = oracle.counts(entries)
    assert pages.counts()._asdict() == expected
    assert {name: pages.count(name) for name in expected} == expected


@given(
    strategies.entries(longest=60),
    st.sets(st.sampled_from(["soft_dirty", "exclusive", "uffd_wp", "guard"])),
)
def test_flags_that_the_kernel_does_not_tell(entries: list[int], untold: set[str]) -> None:
    """They were False and 0: now None, and no column."""
    told = sum(1 << bit for name, bit in oracle.FLAGS.items() if name not in untold)
    pages = Pages(strategies.view(entries), start=0, page_size=4096, pfns_visible=True, told=told)
    same = pickle.loads(pickle.dumps(pages[:]))
    assert same.told == pages.told == told
    expected = oracle.counts(entries)
    assert same.counts()._asdict() == {**expected, **dict.fromkeys(untold)}
    for name in oracle.FLAGS:
        values = [getattr(page, name) for page in same]
        if name in untold:
            assert set(values) <= {None}
            for call in (same.column, same.count):
                with pytest.raises(pagemap.Unsupported, match=name.replace("_", "[-_]")):
                    call(name)
        else:
            assert values == [oracle.has(entry, name) for entry in entries]
            assert list(same.column(name)) == values
            assert same.count(name) == sum(values)


@given(strategies.entries(longest=60), st.booleans(), PAGE_SIZES, st.integers(0, 2**36))
def test_pages_one_by_one(entries: list[int], visible: bool, page_size: int, vpn: int) -> None:
    start = vpn * page_size
    pages = make_pages(entries, start, page_size, visible=visible)
    assert len(pages) == len(entries)
    assert list(pages.entries) == entries
    assert pages.end == start + len(entries) * page_size
    for index, (page, entry) in enumerate(zip(pages, entries, strict=True)):
        frame = oracle.pfn(entry)
        assert page == pages[index] == pages[index - len(entries)]
        assert (page.address, page.entry) == (start + index * page_size, entry)
        assert page.pfn == frame
        assert page.physical_address == (None if frame is None else frame * page_size)
        assert page.swap_type == oracle.swap_type(entry, hidden=not visible)
        assert page.swap_offset == oracle.swap_offset(entry, hidden=not visible)
        for name in oracle.FLAGS:
            assert getattr(page, name) is oracle.has(entry, name)
    assert [page.address for page in reversed(pages)] == list(pages.addresses())[::-1]


@given(strategies.entries(longest=40), st.integers(-50, 50), st.integers(-50, 50))
def test_slices_by_index(entries: list[int], first: int, last: int) -> None:
    pages = make_pages(entries)
    part = pages[first:last]
    assert list(part.entries) == entries[first:last]
    assert list(part) == list(pages)[first:last]
    assert list(pages[first:]) == list(pages)[first:]
    for index in (len(entries), -len(entries) - 1):
        with pytest.raises(IndexError):
            pages[index]


ADDRESSES = st.integers(0, 0x1000 + 4096 * 45)


@given(strategies.entries(longest=40), ADDRESSES, ADDRESSES)
@example([0], 0x1001, 0x1001)  # nothing, in the middle of a page
@example([0, 0], 0x1FFF, 0x2001)
def test_slices_by_address(entries: list[int], start: int, end: int) -> None:
    pages = make_pages(entries)
    part = pages.between(start, end)
    wanted = [
        page
        for page in pages
        if start < end and page.address < end and start < page.address + pages.page_size
    ]
    assert list(part) == wanted


@given(strategies.entries(longest=40), ADDRESSES)
def test_page_at_an_address(entries: list[int], address: int) -> None:
    pages = make_pages(entries)
    holds = [page for page in pages if page.address <= address < page.address + 4096]
    if holds:
        assert [pages.at(address)] == holds
    else:
        with pytest.raises(IndexError):
            pages.at(address)


@given(strategies.entries(longest=40))
def test_buffers_are_read_only_and_shared(entries: list[int]) -> None:
    memory = array.array("Q", entries)
    pages = Pages(memoryview(memory), start=0, page_size=4096, pfns_visible=True)
    for buffer in (pages.entries, pages.pfns(), pages.addresses(), pages.column("present")):
        assert buffer.readonly
    if entries:
        memory[0] ^= 1 << 63
        assert pages[:1][0].entry == memory[0]
