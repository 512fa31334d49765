"""Numbers as people write them: sizes, addresses, ranges."""

from __future__ import annotations

import mmap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagemap._errors import UsageError
from pagemap._vocabulary import units


def test_the_page_size_is_the_one_that_mmap_knows() -> None:
    assert mmap.PAGESIZE == units.PAGE_SIZE
    assert 2**units.PAGE_SHIFT == units.PAGE_SIZE


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (4096, "4.0 KiB"),
        (1536, "1.5 KiB"),
        (1024 * 1024 - 1, "1.0 MiB"),
        (1024 * 1024, "1.0 MiB"),
        (132 * 1024, "132.0 KiB"),
        (64 * 1024**3, "64.0 GiB"),
        (128 * 1024**4, "128.0 TiB"),
        (2**64, "16.0 EiB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert units.format_size(size) == text


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0", 0),
        ("7fff12ab", 0x7FFF12AB),
        ("1e3", 0x1E3),
        ("0x1000", 4096),
        ("0X1000", 4096),
        ("0xDEADbeef", 3735928559),
        ("0007", 7),
        ("0" * 5000 + "9", 9),
        ("9", 9),
        ("0xffffffffffffffff", 2**64 - 1),
    ],
)
def test_addresses(text: str, address: int) -> None:
    assert units.parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        "x10",
        "0xg",
        "-1",
        "+1",
        "1_000",
        " 1",
        "1\n",
        "1.0",
        "0x-1",
        "0x 1",
        "1e3x",
        "٣",
        "²",
    ],
)
def test_a_malformed_address_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="malformed address"):
        units.parse_address(text)


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("400000", "write 0x400000 if it is hexadecimal, 0x61a80 if it is decimal"),
        ("0010", "write 0x10 if it is hexadecimal, 0xa if it is decimal"),
        ("18446744073709551616", "write 0x18446744073709551616 if it is hexadecimal, 0x1000"),
        ("9" * 5000, "write 0x99999999"),
    ],
)
def test_digits_alone_are_refused(text: str, readings: str) -> None:
    """What a table had printed in hexadecimal was read as decimal: silently another frame."""
    with pytest.raises(UsageError, match=f"can be read in two ways: {readings}"):
        units.parse_address(text)


@pytest.mark.parametrize(
    ("text", "readings"),
    [
        ("400000-401000", "write 0x400000-0x401000 if it is hexadecimal, 0x61a80-0x61e68 if it"),
        ("0-10", "write 0x0-0x10 if it is hexadecimal, 0x0-0xa if it is decimal"),
    ],
)
def test_a_range_of_digits_alone_is_refused(text: str, readings: str) -> None:
    with pytest.raises(UsageError, match=f"can be read in two ways: {readings}"):
        units.parse_range(text)


@pytest.mark.parametrize("text", ["0b1", "0B1011"])
def test_binary_is_not_taken_for_bare_hexadecimal(text: str) -> None:
    with pytest.raises(UsageError, match="give 0x and hexadecimal digits"):
        units.parse_address(text)


@pytest.mark.parametrize("text", ["1844674407370955161a", "0x10000000000000000", "f" * 5000])
def test_an_address_past_64_bits_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="at most 64 bits"):
        units.parse_address(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1000-200a", (0x1000, 0x200A)),
        ("0x1000-0x2000", (0x1000, 0x2000)),
        ("1000-0x2000", (0x1000, 0x2000)),
        ("00400000-0040b000", (0x400000, 0x40B000)),
        ("0-9", (0, 9)),
        ("0-ffffffffffffffff", (0, 2**64 - 1)),
    ],
)
def test_ranges(text: str, expected: tuple[int, int]) -> None:
    assert units.parse_range(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "malformed range"),
        ("1000", "malformed range"),
        ("-", "malformed range"),
        ("1000-", "malformed range"),
        ("-1000", "malformed range"),
        ("1000-2000-3000", "malformed range"),
        ("1000 - 2000", "malformed range"),
        ("1000-20_00", "malformed range"),
        ("wxyz-2000", "malformed range"),
        ("2000-1000", "START must be below END"),
        ("1000-1000", "START must be below END"),
        ("0-10000000000000000", "at most 64 bits"),
        ("10000000000000000-20000000000000000", "at most 64 bits"),
    ],
)
def test_a_bad_range_is_a_usage_error(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        units.parse_range(text)


def test_a_range_of_bytes_grows_to_whole_pages() -> None:
    page = mmap.PAGESIZE
    assert units.page_range(page, 2 * page) == (page, 2 * page)
    assert units.page_range(page + 1, 2 * page + 1) == (page, 3 * page)
    assert units.page_range(page - 1, page) == (0, page)
    assert units.page_range(2**64 - 2, 2**64 - 1) == (2**64 - page, 2**64)


def test_ranges_are_put_in_order_and_joined() -> None:
    page = mmap.PAGESIZE
    assert units.page_ranges([]) == []
    # one within another, one that touches, one that shares a page once widened, one apart
    given = [(9 * page, 10 * page), (2 * page, 8 * page), (3 * page, 4 * page), (0, 2 * page - 5)]
    assert units.page_ranges(given) == [(0, 8 * page), (9 * page, 10 * page)]
    assert units.page_ranges([(page - 1, page), (page - 2, page - 1)]) == [(0, page)]
    with pytest.raises(UsageError, match="START must be below END"):
        units.page_ranges([(0, page), (page, page)])


@given(st.sets(st.integers(0, 40)), st.integers(0, 40), st.integers(1, 40))
def test_what_of_a_mapping_lies_in_ranges(within: set[int], start: int, size: int) -> None:
    page = mmap.PAGESIZE
    mapping = range(start, start + size)
    ranges = units.page_ranges([(number * page, number * page + 1) for number in within])
    parts = list(units.clipped(start * page, (start + size) * page, ranges))
    assert parts == units.page_ranges(
        [(number * page, number * page + 1) for number in sorted(within.intersection(mapping))]
    )


def test_all_of_a_mapping_is_in_no_ranges_and_in_the_widest() -> None:
    last = 2**64 - mmap.PAGESIZE
    for ranges in (None, [(0, 2**64)], [(last, 2**64)]):
        assert list(units.clipped(last, 2**64, ranges)) == [(last, 2**64)]
