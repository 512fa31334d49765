"""Reading, with a plain file in the place of pagemap: every entry is known, and the end is near."""

from __future__ import annotations

import array
import errno

from hypothesis import example, given
from hypothesis import strategies as st

from pagemap import _native
from tests import oracle
from tests.property import strategies
from tests.property.fake import pagemap_of

RANGES = st.lists(st.tuples(st.integers(0, 800), st.integers(0, 90)), max_size=12)


@given(strategies.entries(), st.integers(0, 800), st.integers(0, 800))
def test_read(entries: list[int], vpn: int, count: int) -> None:
    with pagemap_of(entries) as fd:
        got = _native.read(fd, vpn, count)
    assert list(got) == entries[vpn : vpn + count]
    assert got.readonly
    assert got.format == "Q"


@given(strategies.entries(), RANGES)
@example([1, 2, 3], [(0, 2), (2, 5), (7, 0), (0, 1)])
def test_read_ranges(entries: list[int], ranges: list[tuple[int, int]]) -> None:
    with pagemap_of(entries) as fd:
        got, stored = _native.read_ranges(fd, ranges)
    expected = [entries[vpn : vpn + count] for vpn, count in ranges]
    assert stored == [len(part) for part in expected]
    assert list(got) == [entry for part in expected for entry in part]


@given(strategies.entries(longest=50), st.integers(0, 60), st.integers(1, 60))
def test_read_into(entries: list[int], vpn: int, count: int) -> None:
    canary = 0x5555
    buffer = array.array("Q", [canary] * (count + 3))
    expected = entries[vpn : vpn + count]
    with pagemap_of(entries) as fd:
        got = _native.read_into(fd, memoryview(buffer), vpn, count)
    assert got == len(expected)
    assert list(buffer) == expected + [canary] * (count + 3 - len(expected))


@given(strategies.entries(longest=50), st.integers(0, 60 * 65536), strategies.shifts)
def test_translate(entries: list[int], address: int, shift: int) -> None:
    with pagemap_of(entries) as fd:
        got = _native.translate(fd, address, shift)
    index, inside = divmod(address, 1 << shift)
    if index >= len(entries):
        assert got == -errno.ENODATA
    elif (frame := oracle.pfn(entries[index])) is None:
        assert got == -errno.ENXIO
    elif frame * 2**shift >= 2**63:
        assert got == -errno.EOVERFLOW
    else:
        assert got == frame * 2**shift + inside


@given(strategies.entries(longest=3))
def test_alive(entries: list[int]) -> None:
    with pagemap_of(entries) as fd:
        assert _native.alive(fd) == bool(entries)
