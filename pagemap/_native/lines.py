"""Lines of /proc/PID/maps as columns, a block at a time or all of them."""

from __future__ import annotations

from array import array
from errno import EINVAL, ERANGE
from itertools import chain

from pagemap._core import ffi, lib
from pagemap._errors import PagemapError
from pagemap._native import allocate, checked, view_of
from pagemap._vocabulary.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Lines", "Words", "bad_line", "path_of"]

_SHOWN = 80  # bytes of a line that is none


def path_of(word: bytes) -> str:
    """The path that maps wrote as `word`, or `maps_blocks.settled` has made of it."""
    return _unescaped(word.decode("utf-8", "surrogateescape"))


def _unescaped(path: str) -> str:
    return path.replace("\\012", "\n").replace("\0", "\\")


class Words:
    """A column of text: line i has ``words[codes[i]]``; `codes` are of format i."""

    __slots__ = ("codes", "words")

    def __init__(self, codes: memoryview, words: list[str]) -> None:
        self.codes = codes
        self.words = words

    def __iter__(self) -> Iterator[str]:
        return map(self.words.__getitem__, self.codes)

    def take_from(self, known: dict[str, int]) -> None:
        """Number the words as `known` does, to which new ones are added, and let go of them."""
        numbers = array("i", [known.setdefault(word, len(known)) for word in self.words])
        checked(
            lib.pm_codes_renumber(
                ffi.from_buffer("int32_t[]", self.codes, require_writable=True),
                len(self.codes),
                ffi.from_buffer("int32_t[]", numbers),
                len(numbers),
            )
        )
        self.words = []


class Lines:
    """The lines in `text`, whole ones of maps, in order of address.

    `bounds` are two addresses for each line, in bytes, `offsets` in the file and `inodes` a number,
    all of format Q; `perms`, `devices` and `paths` are `Words`, each word once as a rule. Raises
    PagemapError where a line is none of maps, or lies below the one above it.
    """

    __slots__ = ("bounds", "devices", "inodes", "offsets", "paths", "perms")

    def __init__(self, text: bytes) -> None:
        source = ffi.from_buffer("char[]", text)
        capacity = lib.pm_lines_count(source, len(text))
        # C fills the columns; all of them are of one block of memory
        numbers = allocate("uint64_t[]", 4 * capacity)
        codes = allocate("int32_t[]", 3 * capacity)
        words = allocate("struct pm_line_word[]", 3 * capacity)
        slots = 1 << capacity.bit_length()
        scratch = allocate("uint32_t[]", 3 * slots)
        job = ffi.new("struct pm_lines *")
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
        self.bounds = view[: 2 * count]
        self.offsets = view[2 * capacity : 2 * capacity + count]
        self.inodes = view[3 * capacity : 3 * capacity + count]
        self.perms, self.devices, self.paths = (
            Words(coded[at : at + count], _words(text, places[2 * at : 2 * (at + column.count)]))
            for at, column in zip(range(0, 3 * capacity, capacity), columns, strict=True)
        )
        if b"\\" in text or b"\0" in text:
            self.paths.words = list(map(_unescaped, self.paths.words))

    @classmethod
    def of_blocks(cls, blocks: Iterable[bytes]) -> Lines:
        """The lines of all blocks. Their text is let go, and a path of many lines is held once."""
        blocks = iter(blocks)
        first = next(blocks, b"")
        second = next(blocks, None)
        if second is None:
            return cls(first)
        words: tuple[dict[str, int], ...] = ({}, {}, {})
        columns = [bytearray() for _ in range(6)]
        for part in map(cls, chain((first, second), blocks)):
            texts = part.perms, part.devices, part.paths
            for text, known in zip(texts, words, strict=True):
                text.take_from(known)
            numbers = part.bounds, part.offsets, part.inodes, *(text.codes for text in texts)
            for column, more in zip(columns, numbers, strict=True):
                column.extend(more)
        self = cls.__new__(cls)
        self.bounds, self.offsets, self.inodes = (
            memoryview(column).cast("Q") for column in columns[:3]
        )
        self.perms, self.devices, self.paths = (
            Words(memoryview(codes).cast("i"), list(known))
            for codes, known in zip(columns[3:], words, strict=True)
        )
        return self

    def ranges(self) -> Iterator[tuple[int, int, str]]:
        """The first address of each line, the one past its last, and its path."""
        bounds = self.bounds.tolist()
        return zip(bounds[::2], bounds[1::2], self.paths, strict=True)

    def __len__(self) -> int:
        return len(self.inodes)


def _words(text: bytes, places: memoryview) -> list[str]:
    each = iter(places.tolist())
    return [
        text[at : at + size].decode("utf-8", "surrogateescape")
        for at, size in zip(each, each, strict=True)
    ]


def bad_line(line: bytes | str, *, ordered: bool = False) -> PagemapError:
    """The error for a line of maps that cannot be parsed, or with `ordered` is out of place."""
    text = line if isinstance(line, str) else line.decode("utf-8", "surrogateescape")
    why = "out of order in" if ordered else "not a line of"
    shown = printable(text[:_SHOWN])
    return PagemapError(f"{why} /proc/PID/maps: '{shown}'", operation="read the mappings")
