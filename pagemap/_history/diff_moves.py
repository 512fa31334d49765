"""Which memory moved to another address (mremap): by its frames or, of files, by place and size.

The kernel does not say that memory was moved. What is gone in one place, and is in another place
with the same frames, in the same order, was. Of a file the same part mapped elsewhere is the same
memory, whether it was moved or mapped anew.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from itertools import islice

from pagemap._history.diff_lines import anonymous, in_place, leftovers
from pagemap._native.scan import EntryBuffer, Query, Spans, scan
from pagemap._vocabulary.flags import PFN_BITS, SCAN_CATEGORIES
from pagemap._vocabulary.rows.mapping import of_a_file
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pagemap._history.diff_sides import Side
    from pagemap._vocabulary.rows.mapping import Mapping

    Part = tuple[int, int, Mapping]
    Move = tuple[int, int, int]

__all__ = ["file_moves", "frame_moves", "moves_away"]

_PFN = (1 << PFN_BITS) - 1
_OF_FILE = 1 << 61
_MOST_LOOKED_AT = 4096  # parts, of a call each
_ZERO = next(1 << flag.bit for flag in SCAN_CATEGORIES if flag.name == "pfnzero")


class _Samples(EntryBuffer):
    """So many pages of a part tell whether it is the same as another."""

    size = 64
    most_runs = 32


def file_moves(gone: Sequence[Part], new: Sequence[Part]) -> list[Move]:
    """``(address before, address now, bytes)`` of parts of files that are elsewhere now."""
    before, after = _by_place(gone), _by_place(new)
    return [
        (before[place][0], after[place][0], place[-1])
        for place in before.keys() & after.keys()
        if len(before[place]) == len(after[place]) == 1
    ]


def _by_place(parts: Sequence[Part]) -> dict[tuple[str, int, str, int, int], list[int]]:
    """Where each part of a file is mapped, by the file, the place in it, and the size."""
    found: dict[tuple[str, int, str, int, int], list[int]] = {}
    for start, end, mapping in parts:
        if of_a_file(mapping.dev, mapping.inode):
            offset = mapping.offset + start - mapping.start
            place = mapping.dev, mapping.inode, mapping.perms[3:], offset, end - start
            found.setdefault(place, []).append(start)
    return found


def frame_moves(
    before: Side,
    gone: Sequence[Part],
    after: Side,
    new: Sequence[Part],
    doubtful: Sequence[int] = (),
) -> list[Move]:
    """The same of anonymous memory, whose first pages have the same frames elsewhere now.

    One of these will do; but where a part has a `doubtful` address, of these in order, it must be
    most of them, and two.
    """
    gone = [each for each in gone if anonymous(each[2])]
    new = [each for each in new if anonymous(each[2])]
    if not gone or not new:
        return []
    places: dict[int, tuple[int, int]] = {}
    twice = set()  # what KSM merged
    wanted = []
    for number, part in enumerate(gone):
        frames = _frames(before, part)
        doubted = _any_within(doubtful, part[0], part[1])
        wanted.append(max(2, len(frames) // 2 + 1) if doubted else 1)
        for address, pfn in frames:
            if pfn in places:
                twice.add(pfn)
            places[pfn] = number, address
    moves: list[Move] = []
    taken_up: list[tuple[int, int]] = []  # in order: where a move ends up, its end first
    left = dict(enumerate(gone))
    for part in new:
        start, end, _ = part
        votes = Counter(
            (places[pfn][0], address - places[pfn][1])
            for address, pfn in _frames(after, part)
            if pfn in places and pfn not in twice
        )
        for (number, way), count in votes.most_common():
            if number not in left or count < wanted[number]:
                continue
            first = max(left[number][0], start - way)
            last = min(left[number][1], end - way)
            place = last + way, first + way
            next_one = bisect_right(taken_up, (place[1], 1 << 64))
            taken = next_one < len(taken_up) and taken_up[next_one][1] < place[0]
            if first < last and not taken:
                moves.append((first, first + way, last - first))
                taken_up.insert(next_one, place)
                del left[number]
    return moves


def moves_away(before: Side, after: Side, new: Sequence[Part]) -> list[Move]:
    """As `frame_moves`, if memory moved away and other memory is in its place now; else none."""
    replaced = _places_taken(before, after, new)
    if not replaced:
        return []
    gone, new = leftovers(before.mappings, after.mappings, replaced)
    moves = frame_moves(before, gone, after, new, replaced)
    return moves if any(_any_within(replaced, at, at + size) for at, _, size in moves) else []


def _any_within(addresses: Sequence[int], start: int, end: int) -> bool:
    return bisect_left(addresses, start) != bisect_left(addresses, end)


def _places_taken(before: Side, after: Side, new: Sequence[Part]) -> list[int]:
    """Where anonymous memory may have moved away, and other memory be in its place now.

    The first addresses of what both looks have there, of which no page has the frame that it had.
    Nothing moved where nothing is new; and of many mappings only the first are looked at.
    """
    if not any(anonymous(each[2]) for each in new):
        return []
    found = []
    for piece in islice(in_place(before.mappings, after.mappings), _MOST_LOOKED_AT):
        a, b = piece.before, piece.after
        assert a is not None
        assert b is not None
        was = _frames(before, (piece.start, piece.end, a))
        if was and not set(was).intersection(_frames(after, (piece.start, piece.end, b))):
            found.append(piece.start)
    return found


def _frames(side: Side, part: Part) -> list[tuple[int, int]]:
    """Addresses and PFNs of its first anonymous pages, without those of zeros."""
    process, (start, end, _) = side.process, part
    spans = Spans([(start >> PAGE_SHIFT, (end - start) >> PAGE_SHIFT)])
    pieces = spans.populated(
        process.source, PAGE_SHIFT, use_scan=process.can_scan, pages=lambda: spans.pages
    )
    found: list[tuple[int, int]] = []
    try:
        entries, runs = next(pieces).run(_Samples())
        at = 0
        for vpn, count in zip(runs[::2], runs[1::2], strict=True):
            for number, entry in enumerate(entries[at : at + count]):
                if entry >> 63 and not entry & _OF_FILE:
                    found.append(((vpn + number) << PAGE_SHIFT, entry & _PFN))
            at += count
        zeros = _zeros(side, found)
    except OSError as error:
        raise process.read_error(error) from None
    return [each for each in found if not _within(zeros, each[0]) and not side.is_zero(each[1])]


def _zeros(side: Side, found: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Where among these pages a scan finds those of zeros."""
    if not found or "pfnzero" not in side.found:
        return []
    query = Query(all_of=0, any_of=_ZERO, none_of=0, returned=_ZERO)
    end = found[-1][0] + (1 << PAGE_SHIFT)
    regions, _ = scan(side.process.source, query, found[0][0], end, 2 * _Samples.size)
    return [(first, last) for first, last, _ in regions]


def _within(ranges: Sequence[tuple[int, int]], address: int) -> bool:
    return any(first <= address < last for first, last in ranges)
