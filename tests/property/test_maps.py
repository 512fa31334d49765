"""Lines of maps, with every path that a kernel can write there."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagemap._errors import PagemapError
from pagemap._kernel import maps, maps_blocks
from pagemap._native.lines import Lines
from tests import oracle
from tests.property import strategies


@st.composite
def lines(draw: st.DrawFn, *, low: bool = False) -> bytes:
    """A line in the kernel's form (show_map_vma): addresses of 8 digits or more, a padded path."""
    start = draw(st.integers(0, 2**18 if low else 2**64 - 2**17)) & -4096
    end = start + 4096 * draw(st.integers(1, 16))
    perms = "".join(draw(st.sampled_from([letter, "-"])) for letter in "rwx")
    perms += draw(st.sampled_from("ps"))
    offset = draw(st.integers(0, 2**64 - 1))
    major, minor = draw(st.integers(0, 0xFFF)), draw(st.integers(0, 0xFFFFF))
    inode = draw(st.integers(0, 2**64 - 1))
    head = f"{start:08x}-{end:08x} {perms} {offset:08x} {major:02x}:{minor:02x} {inode} ".encode()
    label = draw(strategies.raw_labels)
    return (head.ljust(73) + label if label else head) + b"\n"


TEXTS = st.one_of(
    st.lists(lines(), max_size=12).map(sorted),
    st.lists(lines(), max_size=3),
    st.lists(lines(low=True), max_size=6),  # many that overlap
).map(b"".join)


def in_order(lines: list[oracle.MapsLine]) -> list[oracle.MapsLine] | None:
    """What of the lines is not told by those before; None where they are out of order."""
    found: list[oracle.MapsLine] = []
    above = floor = 0
    for line in lines:
        if line.end <= line.start or (line.end <= floor and line.start < above):
            return None
        if line.end > floor:
            found.append(line._replace(start=max(line.start, floor)))
            above, floor = line.start, line.end
    return found


@given(TEXTS)
def test_parse(text: bytes) -> None:
    expected = in_order(oracle.parse_maps(text))
    if expected is None:
        with pytest.raises(PagemapError, match="out of order"):
            maps.parse(text)
        return
    got = maps.parse(text)
    assert [tuple(mapping) for mapping in got] == [(*line[:6], line.path) for line in expected]
    for mapping, line in zip(got, expected, strict=True):
        assert mapping.size == line.end - line.start
        assert mapping.anonymous == (not line.label)
        assert mapping.deleted == (line.inode != 0 and line.label.endswith(b" (deleted)"))
        major, minor = line.dev.split(":")
        assert mapping.device == os.makedev(int(major, 16), int(minor, 16))
        assert os.fsencode(mapping.path).replace(b"\n", rb"\012") == line.label


@given(TEXTS)
def test_ranges(text: bytes) -> None:
    found = in_order(oracle.parse_maps(text))
    if found is None:
        with pytest.raises(PagemapError, match="out of order"):
            Lines(text)
        return
    expected = [(line.start, line.end, line.path) for line in found]
    assert list(Lines(text).ranges()) == expected
    blocks = maps_blocks.in_order(re.findall(rb"[^\n]*\n", text))
    joined = Lines.of_blocks(blocks)
    assert list(joined.ranges()) == expected
    assert list(maps.mappings_of(joined)) == maps.parse(text)


@given(TEXTS, st.integers(1, 3).map(lambda factor: factor * 8192))
def test_blocks_hold_whole_lines(text: bytes, size: int) -> None:
    fd = os.memfd_create("maps")
    try:
        os.write(fd, text)
        os.lseek(fd, 0, os.SEEK_SET)
        blocks = list(maps_blocks.read_blocks(fd, size))
    finally:
        os.close(fd)
    assert b"".join(blocks) == text
    assert all(block.endswith(b"\n") for block in blocks)
