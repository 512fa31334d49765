"""Which lines of maps have the same memory in both looks, and what only one of them has.

Both lists are laid over each other and cut wherever either has a border. A piece that both have is
the same memory if it is of the same file at the same offset, or of no file.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.rows.mapping import of_a_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from pagemap._vocabulary.rows.mapping import Mapping

    Part = tuple[int, int, Mapping]

__all__ = ["Piece", "anonymous", "apart", "in_place", "laid_over", "leftovers", "same"]

_ANONYMOUS = ("", "[heap]", "[stack]")
_NAMED = ("[anon:", "[stack:")


def anonymous(mapping: Mapping) -> bool:
    """Whether it is of no file; a name that was given to the memory does not matter."""
    named = mapping.path in _ANONYMOUS or mapping.path.startswith(_NAMED)
    return named and not of_a_file(mapping.dev, mapping.inode)


def _alike(a: Mapping, b: Mapping) -> bool:
    """Whether two mappings are of the same file, or both of none, and private or shared alike."""
    if (a.dev, a.inode, a.perms[3:]) != (b.dev, b.inode, b.perms[3:]):
        return False
    return a.inode != 0 or a.path == b.path or (anonymous(a) and anonymous(b))


def same(a: Mapping, b: Mapping) -> bool:
    """Whether an address of both has the same memory behind it."""
    return _alike(a, b) and (anonymous(a) or a.offset - a.start == b.offset - b.start)


class Piece(Record):
    """Addresses over which nothing begins or ends, and the mapping that has them in each look."""

    start: int = field("address", "the first")
    end: int = field("address", "past the last")
    before: Mapping | None = field("", "None where nothing was")
    after: Mapping | None = field("", "None where nothing is")


def apart(
    before: Sequence[Mapping], after: Sequence[Mapping], moved: Iterable[int] = ()
) -> tuple[list[Mapping], list[Mapping], list[Mapping]]:
    """The lines of both looks that are not in the other, and those that are in both.

    Not of these are mappings from or to which something was `moved`: addresses, in order.
    """
    both = set(before).intersection(after)  # as a rule nearly all
    if both and (starts := list(moved)):
        both = {
            each
            for each in both
            if bisect_left(starts, each.start) == bisect_left(starts, each.end)
        }
    return (
        [each for each in before if each not in both],
        [each for each in after if each not in both],
        [each for each in after if each in both],
    )


def laid_over(
    before: Sequence[Mapping], after: Sequence[Mapping], edges: Sequence[int] = ()
) -> Iterator[Piece]:
    """The pieces, in order of address; cut at `edges` too."""
    borders = sorted(
        {
            *edges,
            *(each.start for each in before),
            *(each.end for each in before),
            *(each.start for each in after),
            *(each.end for each in after),
        }
    )
    i = j = 0
    for start, end in pairwise(borders):
        while i < len(before) and before[i].end <= start:
            i += 1
        while j < len(after) and after[j].end <= start:
            j += 1
        a = before[i] if i < len(before) and before[i].start <= start else None
        b = after[j] if j < len(after) and after[j].start <= start else None
        if a is not None or b is not None:
            yield Piece(start, end, a, b)


def leftovers(
    before: Sequence[Mapping], after: Sequence[Mapping], replaced: Collection[int] = ()
) -> tuple[list[Part], list[Part]]:
    """What is gone and what is new, as ``(start, end, mapping)``, if nothing moved.

    What has the same memory by its lines is both, if it begins at an address in `replaced`.
    """
    gone: list[Part] = []
    new: list[Part] = []
    if not replaced:
        before, after, _ = apart(before, after)
    for piece in laid_over(before, after):
        a, b = piece.before, piece.after
        if a is not None and b is not None and same(a, b) and piece.start not in replaced:
            continue
        for parts, mapping in ((gone, a), (new, b)):
            if mapping is None:
                continue
            if parts and parts[-1][1:] == (piece.start, mapping):
                parts[-1] = parts[-1][0], piece.end, mapping
            else:
                parts.append((piece.start, piece.end, mapping))
    return gone, new


def in_place(before: Sequence[Mapping], after: Sequence[Mapping]) -> Iterator[Piece]:
    """Anonymous memory that both looks have in the same place, by their lines."""
    for piece in laid_over(before, after):
        a, b = piece.before, piece.after
        if a is not None and b is not None and anonymous(a) and same(a, b):
            yield piece
