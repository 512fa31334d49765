"""Lines of /proc/PID/maps, each as a kernel wrote it, against what a reader of proc(5) expects."""

from __future__ import annotations

import os
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from pagemap._errors import PagemapError
from pagemap._kernel import maps, maps_blocks
from pagemap._native.lines import Lines
from pagemap._native.threads import Workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pagemap._vocabulary.rows.mapping import Mapping

FILE = b"7f1c2a028000-7f1c2a1bd000 r-xp 00028000 fe:01 658                        /lib/libc.so.6\n"
MORE = b"7f1c2a1bd000-7f1c2a1cd000 r--p 00028000 fe:01 658                        /lib/libc.so.6\n"
ANONYMOUS = b"7f1c2a000000-7f1c2a021000 rw-p 00000000 00:00 0 \n"
HEAP = b"55d0c0000000-55d0c0021000 rw-p 00000000 00:00 0                          [heap]\n"
VSYSCALL = b"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n"


def one(line: bytes) -> Mapping:
    (mapping,) = maps.parse(line)
    return mapping


def with_path(path: bytes, inode: int = 658) -> Mapping:
    return one(b"1000-2000 r--p 00000000 fe:00 %d         %b\n" % (inode, path))


def test_every_field_of_a_file_mapping() -> None:
    assert one(FILE) == (
        0x7F1C2A028000,
        0x7F1C2A1BD000,
        "r-xp",
        0x28000,
        "fe:01",
        658,
        "/lib/libc.so.6",
    )


def test_fields_have_their_names() -> None:
    mapping = one(FILE)
    assert (mapping.start, mapping.end, mapping.size) == (0x7F1C2A028000, 0x7F1C2A1BD000, 0x195000)
    assert (mapping.perms, mapping.offset, mapping.dev) == ("r-xp", 0x28000, "fe:01")
    assert (mapping.inode, mapping.path) == (658, "/lib/libc.so.6")


def test_the_inode_is_decimal_and_the_device_hex() -> None:
    mapping = one(b"1000-2000 r--p 00001000 fe:1f 1234567890 /x\n")
    assert mapping.inode == 1234567890
    assert mapping.device == os.makedev(0xFE, 0x1F)


def test_an_anonymous_mapping_has_no_path() -> None:
    assert one(ANONYMOUS).path == ""
    assert one(ANONYMOUS).anonymous
    assert not one(HEAP).anonymous


def test_pseudo_paths_stay_as_they_are() -> None:
    assert one(HEAP).path == "[heap]"
    assert one(VSYSCALL).path == "[vsyscall]"
    assert with_path(b"[anon: my arena]", 0).path == "[anon: my arena]"
    assert with_path(b"[anon_shmem:queue]").path == "[anon_shmem:queue]"


def test_addresses_reach_the_end_of_64_bits() -> None:
    assert one(b"fffffffffffff000-ffffffffffffffff r--p 00000000 00:00 0 \n").end == 2**64 - 1


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/tmp/two  spaces and a trailing one ", "/tmp/two  spaces and a trailing one "),
        (b"/tmp/a\\012b", "/tmp/a\nb"),
        (b"/tmp/back\\slash", "/tmp/back\\slash"),
        (b"/tmp/\r\x0b\x0c\x1c\x85", "/tmp/\r\x0b\x0c\x1c\udc85"),
        (b"/tmp/\xff\xfe", "/tmp/\udcff\udcfe"),
        ("/tmp/größe\u2028".encode(), "/tmp/größe\u2028"),
        (b"/memfd:x (deleted)", "/memfd:x (deleted)"),
        (b"anon_inode:[perf_event]", "anon_inode:[perf_event]"),
        (b"/with (deleted) inside", "/with (deleted) inside"),
    ],
)
def test_a_path_is_the_rest_of_the_line(raw: bytes, path: str) -> None:
    assert with_path(raw).path == path


def test_bytes_that_are_not_utf8_come_back_through_fsencode() -> None:
    assert os.fsencode(with_path(b"/tmp/\xff\xfe").path) == b"/tmp/\xff\xfe"


def test_deleted_is_the_end_of_a_files_path() -> None:
    assert with_path(b"/tmp/x (deleted)").deleted
    assert not with_path(b"/tmp/x (deleted) not").deleted
    assert not with_path(b"[anon:x (deleted)", 0).deleted


def test_several_lines_and_none() -> None:
    assert [mapping.path for mapping in maps.parse(HEAP + ANONYMOUS + FILE)] == [
        "[heap]",
        "",
        "/lib/libc.so.6",
    ]
    assert maps.parse(b"") == []


@pytest.mark.parametrize(
    "line",
    [
        *(b"nonsense", b"1000-zzzz r--p 0 0:0 0 ", b"\xff", b"-2000 r--p 0 0:0 0 "),
        *(b"1000-2000", b"1000-2000 r--p 0 0:0", b"1000-2000 r--p x 0:0 0 ", b"1000-2000-3000 "),
        *(b"1000-2000 r--p 0 0:0 x ", b"10000000000000000-1 r--p 0 0:0 0 "),
    ],
)
def test_what_is_no_line_of_maps_is_refused(line: bytes) -> None:
    """It was a bare ValueError from within: whoever caught PagemapError saw a traceback."""
    with pytest.raises(PagemapError, match="not a line of /proc/PID/maps: "):
        maps.parse(b"0-1000 r--p 0 0:0 0 \n" + line + b"\n" + ANONYMOUS)
    if not line.startswith(b"10000000000000000"):  # Python reads numbers of any size
        with pytest.raises(PagemapError, match="not a line of /proc/PID/maps: "):
            maps.parse_line(line)


REST = b" r--p 00000000 00:00 0 \n"


@pytest.mark.parametrize(
    "lines",
    [
        [b"2000-1000"],
        [b"2000-2000"],
        [b"1000-2000", b"5000-4000"],
        [b"4000-5000", b"1000-2000"],
        [b"4000-5000", b"3000-5000"],
        [b"4000-5000", b"1000-4000", b"6000-7000"],
        [b"1000-ffffffffffffffff", b"0-1000"],
    ],
)
def test_lines_out_of_order_are_refused(lines: list[bytes]) -> None:
    """With such lines of somebody's copy of /proc `tally` never came to an end."""
    text = b"".join(line + REST for line in lines)
    for read in (maps.parse, lambda data: list(Lines(data).ranges()), _in_blocks_of_a_line):
        with pytest.raises(PagemapError, match=r"out of order in /proc/PID/maps: '[0-9a-f]+-"):
            read(text)


@pytest.mark.parametrize(
    ("lines", "bounds"),
    [
        ([b"1000-3000", b"2000-4000"], [(0x1000, 0x3000), (0x3000, 0x4000)]),  # it grew
        ([b"2000-3000", b"1000-4000"], [(0x2000, 0x3000), (0x3000, 0x4000)]),  # both ways
        ([b"1000-5000", b"3000-5000", b"6000-7000"], [(0x1000, 0x5000), (0x6000, 0x7000)]),
        ([b"1000-5000", b"1000-5000"], [(0x1000, 0x5000)]),
    ],
)
def test_what_the_kernel_lists_again_counts_once(
    lines: list[bytes], bounds: list[tuple[int, int]]
) -> None:
    """Between two reads of maps a mapping that was listed may merge with the next one."""
    text = b"".join(line + REST for line in lines)
    for read in (maps.parse, lambda data: list(Lines(data).ranges()), _in_blocks_of_a_line):
        assert [tuple(each[:2]) for each in read(text)] == bounds


def _in_blocks_of_a_line(text: bytes) -> list[Mapping]:
    return maps.parse(b"".join(maps_blocks.in_order(text.splitlines(keepends=True))))


def test_a_line_without_label() -> None:
    with pytest.raises(PagemapError, match=r"not a line of /proc/PID/maps: '1000-2000 r--p 0'"):
        Lines(b"1000-2000 r--p 0\n")


def test_one_line() -> None:
    for line in (ANONYMOUS, FILE, HEAP):
        assert [maps.parse_line(line[:-1])] == maps.parse(line)


def test_ranges_have_their_paths() -> None:
    lines = b"1000-2000 r--p 00000000 fe:00 658    /a\\012 b\xff\n" + ANONYMOUS + FILE
    assert list(Lines(lines).ranges()) == [
        (0x1000, 0x2000, "/a\n b\udcff"),
        (0x7F1C2A000000, 0x7F1C2A021000, ""),
        (0x7F1C2A028000, 0x7F1C2A1BD000, "/lib/libc.so.6"),
    ]


@pytest.mark.parametrize("lines", [[], [FILE], [HEAP, ANONYMOUS, FILE, MORE, VSYSCALL]])
def test_blocks_are_as_their_text_in_one(lines: list[bytes]) -> None:
    joined = Lines.of_blocks(iter(lines))
    assert list(maps.mappings_of(joined)) == maps.parse(b"".join(lines))
    for column in (joined.perms, joined.devices, joined.paths):
        assert len(set(column.words)) == len(column.words)


@pytest.mark.parametrize(("different", "most"), [(False, 1 << 21), (True, 10 << 20)])
def test_the_text_of_all_blocks_is_never_held(*, different: bool, most: int) -> None:
    """Paths are the target's to choose: of 8 MiB of them three times as much was held."""

    def blocks() -> Iterator[bytes]:
        for n in range(1, 2001):
            path = b"/x" * 2048 + (b"%d" % n if different else b"")
            yield b"%x-%x r--p 00000000 fe:00 658 %b\n" % (n << 12, (n + 1) << 12, path)

    tracemalloc.start()
    try:
        lines = Lines.of_blocks(blocks())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(lines) == 2000
    assert len(lines.paths.words) == (2000 if different else 1)
    assert peak < most


def in_a_pipe(data: bytes) -> int:
    """A descriptor that gives `data` in pieces, as the kernel gives maps."""
    reader, writer = os.pipe()
    os.write(writer, data)
    os.close(writer)
    return reader


@pytest.mark.parametrize("size", [4196, 8192, 20000, 1 << 18])
def test_blocks_hold_whole_lines_whatever_their_size(size: int) -> None:
    data = b"".join(
        b"%x-%x rw-p 00000000 00:00 0 %b\n" % (n << 12, (n + 1) << 12, b"/x" * (n % 60))
        for n in range(1, 600)
    )
    fd = in_a_pipe(data)
    try:
        blocks = list(maps_blocks.read_blocks(fd, size))
    finally:
        os.close(fd)
    assert b"".join(blocks) == data
    assert all(block.endswith(b"\n") for block in blocks)
    assert len(blocks) == 1 or size < len(data)


def test_few_lines_take_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a thread was started")

    monkeypatch.setattr(Workers, "start", refuse)
    fd = in_a_pipe(ANONYMOUS + FILE)
    try:
        assert b"".join(maps_blocks.read_blocks(fd)) == ANONYMOUS + FILE
    finally:
        os.close(fd)


def test_a_last_line_without_newline_is_not_lost() -> None:
    fd = in_a_pipe(ANONYMOUS + FILE[:-1])
    try:
        mappings = maps.parse(b"".join(maps_blocks.read_blocks(fd)))
        assert [mapping.path for mapping in mappings] == ["", "/lib/libc.so.6"]
    finally:
        os.close(fd)
