"""Lines of /proc/PID/maps as columns."""

from __future__ import annotations

from errno import EINVAL, ERANGE

from pagemap._core import ffi, lib
from pagemap._errors import PagemapError
from pagemap._native import allocate, checked, view_of
from pagemap._vocabulary.text import printable

__all__ = ["Lines", "Words", "bad_line"]

_SHOWN = 80  # bytes of a line that is none


class Words:
    """A column of text: line i has ``words[codes[i]]``; `codes` are of format i."""

    __slots__ = ("codes", "words")

    def __init__(self, codes: memoryview, words: list[bytes]) -> None:
        self.codes = codes
        self.words = words


class Lines:
    """The lines in `text`, whole ones of maps, in order of address.

    `bounds` are two addresses for each line, in bytes, `offsets` in the file and `inodes` a number,
    all of format Q; `perms`, `devices` and `paths` are `Words`, each word once as a rule. Raises
    PagemapError where a line is none of maps, or lies below the one above it.
    """

    __slots__ = ("bounds", "devices", "inodes", "offsets", "paths", "perms", "text")

    def __init__(self, text: bytes) -> None:
        capacity = text.count(b"\n") + 1
        # C fills the columns; all of them are of one block of memory
        numbers = allocate("uint64_t[]", 4 * capacity)
        codes = allocate("int32_t[]", 3 * capacity)
        words = allocate("struct pm_line_word[]", 3 * capacity)
        slots = 1 << capacity.bit_length()
        scratch = allocate("uint32_t[]", 3 * slots)
        job = ffi.new("struct pm_lines *")
        source = ffi.from_buffer("char[]", text)
        job.text, job.text_size, job.capacity, job.slots_count = source, len(text), capacity, slots
        job.bounds = numbers
        job.offsets, job.inodes = numbers + 2 * capacity, numbers + 3 * capacity
        columns = job.perms, job.devices, job.paths
        for number, column in enumerate(columns):
            column.codes = codes + number * capacity
            column.words = words + number * capacity
            column.slots = scratch + number * slots
        count = lib.pm_lines_split(job)
        if count in (-EINVAL, -ERANGE):
            raise bad_line(text[job.bad :].partition(b"\n")[0], ordered=count == -ERANGE)
        checked(count)
        view, coded, places = view_of(numbers, "Q"), view_of(codes, "i"), view_of(words, "Q")
        self.text = text
        self.bounds = view[: 2 * count]
        self.offsets = view[2 * capacity : 2 * capacity + count]
        self.inodes = view[3 * capacity : 3 * capacity + count]
        self.perms, self.devices, self.paths = (
            Words(coded[at : at + count], _words(text, places[2 * at : 2 * (at + column.count)]))
            for at, column in zip(range(0, 3 * capacity, capacity), columns, strict=True)
        )

    def __len__(self) -> int:
        return len(self.inodes)


def _words(text: bytes, places: memoryview) -> list[bytes]:
    words = places.tolist()
    return [text[at : at + size] for at, size in zip(words[::2], words[1::2], strict=True)]


def bad_line(line: bytes | str, *, ordered: bool = False) -> PagemapError:
    """The error for a line of maps that cannot be parsed, or with `ordered` is out of place."""
    text = line if isinstance(line, str) else line.decode("utf-8", "surrogateescape")
    why = "out of order in" if ordered else "not a line of"
    shown = printable(text[:_SHOWN])
    return PagemapError(f"{why} /proc/PID/maps: '{shown}'", operation="read the mappings")
