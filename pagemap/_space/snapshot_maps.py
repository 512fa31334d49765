"""The text of maps as columns, from which the same text comes back, byte for byte.

Most of a line says what the line before it says, and what is left are addresses, which nothing
shrinks: so a number is how many bits it has, how many zeros end it, and the bits between. The first
two are alike in many lines, and deflated; the bits between lie one after another, as they are.
"""

from __future__ import annotations

import os
import zlib
from array import array
from struct import Struct, error

from pagemap._errors import PagemapError
from pagemap._native.lines import Lines
from pagemap._native.scan import Spans
from pagemap._native.snapshot import joined
from pagemap._space.snapshot_chunks import MOST_TEXT, RAW, deflated, inflated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    _File = tuple[str, int, str]

__all__ = ["MOST_LINES", "pack_maps", "spans_below", "unpack_bounds", "unpack_maps"]

MOST_LINES = MOST_TEXT // 32
"""Lines of a chunk: none is shorter."""

_HEAD = Struct("<III")  # lines, and the bytes of what is deflated: of numbers, and of words
_NUMBERS = 3  # gap before each mapping, its size, its offset in the file
_COLUMNS = 2 * _NUMBERS + 3
_PATH_AT = 73  # the column of a line at which its path begins, if what is before is not longer
_DIGITS = 20  # of an inode
_MASK = (1 << 64) - 1


def pack_maps(text: bytes) -> bytes | None:
    """The payload for whole lines of maps; None where they are not written as usual."""
    try:
        lines = Lines(text)
    except PagemapError:
        return None
    files = list(zip(lines.devices, lines.inodes, lines.paths, strict=True))
    bounds, perms = lines.bounds.tolist(), list(lines.perms)
    known_files = {each: number for number, each in enumerate(dict.fromkeys(files))}
    known_perms = {each: number for number, each in enumerate(dict.fromkeys(perms))}
    offsets = lines.offsets.tolist()
    codes = [known_files[each] for each in files]
    if not 0 < len(codes) <= MOST_LINES or len(known_files) > 1 << 16 or len(known_perms) > 1 << 8:
        return None
    if _text(bounds, perms, offsets, files) != text:
        return None
    ends = [0, *bounds[1::2]]
    gaps = [start - end for start, end in zip(bounds[::2], ends, strict=False)]
    sizes = [end - start for start, end in zip(bounds[::2], bounds[1::2], strict=True)]
    jumps = [
        (offset - wanted) & _MASK
        for offset, wanted in zip(offsets, _expected(files, offsets, sizes), strict=True)
    ]
    columns: list[bytes] = []
    middles: list[str] = []
    for numbers in (gaps, sizes, jumps):
        columns += _split(numbers, middles)
    columns.append(bytes(known_perms[each] for each in perms))
    columns += (bytes(code & 255 for code in codes), bytes(code >> 8 for code in codes))
    words = [*known_perms, *(f"{dev} {inode} {path}" for dev, inode, path in known_files)]
    coded, names = _smallest(columns), deflated(os.fsencode("\n".join(words)), 9)
    bits = "".join(middles)
    packed = int(f"1{bits}", 2).to_bytes(len(bits) // 8 + 1, "big")
    return _HEAD.pack(len(codes), len(coded), len(names)) + coded + names + packed


def unpack_maps(payload: bytes) -> bytes:
    """The text back. Raises ValueError where the payload is none."""
    columns, gaps, sizes, jumps, names = _unpacked(payload)
    perms, low, high = columns
    words = os.fsdecode(inflated(names, MOST_TEXT)).split("\n")
    count = max(perms, default=-1) + 1
    known = list(map(_file, words[count:]))
    try:
        files = [known[code | more << 8] for code, more in zip(low, high, strict=True)]
        rights = [words[code] for code in perms]
    except IndexError:
        raise ValueError("maps of words that are not there") from None
    offsets: list[int] = []
    for jump, wanted in zip(jumps, _expected(files, offsets, sizes), strict=True):
        offsets.append((wanted + jump) & _MASK)
    return _text(_bounds(gaps, sizes), rights, offsets, files)


def unpack_bounds(payload: bytes) -> array[int]:
    """Only the addresses of each line: its first, and that past its last. Raises ValueError."""
    _, gaps, sizes, _, _ = _unpacked(payload)
    return array("Q", _bounds(gaps, sizes))


def spans_below(bounds: array[int], end_page: int, page_shift: int) -> Spans:
    """The mappings with these bounds that have a page table, where those that touch are one.

    Raises OSError where they are not in order.
    """
    while bounds and bounds[-1] > end_page << page_shift:  # [vsyscall] lies past all entries
        del bounds[-2:]
    return joined(Spans.of_bounds(memoryview(bounds), page_shift))


def _text(
    bounds: Sequence[int],
    perms: Iterable[str],
    offsets: Iterable[int],
    files: Iterable[_File],
) -> bytes:
    lines, size = [], 0
    for start, end, perm, offset, (dev, inode, path) in zip(
        bounds[::2], bounds[1::2], perms, offsets, files, strict=True
    ):
        head = f"{start:08x}-{end:08x} {perm} {offset:08x} {dev} {inode} "
        lines.append(f"{head.ljust(_PATH_AT)}{path}\n" if path else f"{head}\n")
        size += len(lines[-1])
        if size > MOST_TEXT:
            raise ValueError("more text than a chunk may have")
    return os.fsencode("".join(lines))


def _file(word: str) -> _File:
    """Device, inode and path of what is mapped."""
    dev, inode, path = word.split(" ", 2)
    if len(inode) > _DIGITS:
        raise ValueError("an inode that is no number")
    return dev, int(inode), path


def _expected(
    files: Iterable[_File], offsets: Sequence[int], sizes: Sequence[int]
) -> Iterator[int]:
    """The offset of each line if its file goes on in it; `offsets` has those of lines above."""
    last = None
    for number, file in enumerate(files):
        goes_on = file == last and file[1]
        yield offsets[number - 1] + sizes[number - 1] if goes_on else 0
        last = file


def _bounds(gaps: Iterable[int], sizes: Iterable[int]) -> list[int]:
    bounds: list[int] = []
    end = 0
    for gap, size in zip(gaps, sizes, strict=True):
        bounds += (end + gap, end + gap + size)
        end += gap + size
        if end > _MASK:
            raise ValueError("mappings past the end of all addresses")
    return bounds


def _split(numbers: Iterable[int], middles: list[str]) -> tuple[bytes, bytes]:
    """How many bits each has from its first 1 to its last, and zeros behind; the rest to middles.

    The first and the last bit of several are 1, and need not be kept.
    """
    lengths, zeros = bytearray(), bytearray()
    for number in numbers:
        behind = (number & -number).bit_length() - 1 if number else 0
        odd = number >> behind
        length = odd.bit_length()
        lengths.append(length)
        zeros.append(behind)
        if length > 2:
            middles.append(f"{odd:b}"[1:-1])
    return bytes(lengths), bytes(zeros)


def _joined(lengths: bytes, zeros: bytes, bits: str, at: int) -> tuple[list[int], int]:
    """The numbers back, of whose bits the first is bits[at]; and where those of others begin."""
    numbers = []
    for length, behind in zip(lengths, zeros, strict=True):
        if length + behind > 64:
            raise ValueError("numbers of too many bits")
        if length <= 2:
            numbers.append((0, 1, 3)[length] << behind)
            continue
        end = at + length - 2
        numbers.append(int(f"1{bits[at:end]}1", 2) << behind)
        at = end
    if at > len(bits):
        raise ValueError("fewer bits than numbers have")
    return numbers, at


def _smallest(columns: list[bytes]) -> bytes:
    """The columns deflated, in the way that suits them best: all read the same."""
    found = []
    for strategy, apart in (
        (zlib.Z_DEFAULT_STRATEGY, False),
        (zlib.Z_DEFAULT_STRATEGY, True),
        (zlib.Z_RLE, True),
    ):
        packer = zlib.compressobj(9, zlib.DEFLATED, RAW, 9, strategy)
        parts = []
        for column in columns:
            parts.append(packer.compress(column))
            if apart:
                parts.append(packer.flush(zlib.Z_PARTIAL_FLUSH))
        found.append(b"".join((*parts, packer.flush())))
    return min(found, key=len)


def _unpacked(payload: bytes) -> tuple[list[bytes], list[int], list[int], list[int], bytes]:
    """The columns of codes, the numbers, and what is deflated of words."""
    try:
        lines, size, words = _HEAD.unpack_from(payload)
    except error as why:
        raise ValueError(str(why)) from None
    if lines > MOST_LINES:
        raise ValueError("more lines than a chunk may have")
    at = _HEAD.size + size
    text = inflated(payload[_HEAD.size : at], _COLUMNS * lines)
    if len(text) != _COLUMNS * lines:
        raise ValueError("columns of fewer lines")
    columns = [text[lines * number : lines * (number + 1)] for number in range(_COLUMNS)]
    bits, begin = f"{int.from_bytes(payload[at + words :], 'big'):b}"[1:], 0
    gaps, begin = _joined(columns[0], columns[1], bits, begin)
    sizes, begin = _joined(columns[2], columns[3], bits, begin)
    jumps, begin = _joined(columns[4], columns[5], bits, begin)
    if begin != len(bits):
        raise ValueError("more bits than numbers have")
    return columns[2 * _NUMBERS :], gaps, sizes, jumps, payload[at : at + words]
