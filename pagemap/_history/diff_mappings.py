"""What became of mappings between two looks, by their lines of maps; and which pages to pair.

What only one look has (`pagemap._history.diff_lines`) is removed or added, unless it moved
(`pagemap._history.diff_moves`).
"""

from __future__ import annotations

from bisect import bisect_right

from pagemap._history.diff_lines import apart, laid_over, same
from pagemap._vocabulary.record import Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pagemap._history.diff_lines import Piece
    from pagemap._vocabulary.rows.mapping import Mapping

    Move = tuple[int, int, int]

__all__ = ["Event", "Layout", "Pair", "Row", "layout"]


class Pair(Record):
    """Addresses whose pages are to be compared."""

    before: int | None = field("address", "where they begin at the first look")
    after: int | None = field("address", "where they begin at the second")
    size: int = field("bytes", "how many there are")
    row: int = field("", "the number of the row that they count in")
    mapping_before: Mapping | None = field("", "whose they were")
    mapping_after: Mapping | None = field("", "whose they are")


class Event(Record):
    """A change of a mapping."""

    row: int = field("", "the number of its row")
    kind: str = field("", "a name of MAPPING_CHANGES")
    amount: int = field("bytes", "how much of it")
    size: int = field("bytes", "how much more is mapped now")


class Row(Record):
    """A mapping: as it was if it is gone, else as it is now."""

    mapping: Mapping = field("", "the mapping")
    was: Mapping | None = field("", "what it was before; None where it is new")


class Layout(Record):
    """The mappings of both looks."""

    rows: list[Row] = field("", "all mappings, in order of address")
    pairs: list[Pair] = field("", "all memory of them, in order of address")
    events: list[Event] = field("", "what changed of them")
    homes: tuple[dict[int, int], dict[int, int]] = field(
        "", "the row of each mapping before, and now, by its first address"
    )


def layout(
    before: Sequence[Mapping], after: Sequence[Mapping], moves: Iterable[Move] = ()
) -> Layout:
    """What became of the mappings; `moves` are ``(address before, address now, bytes)``."""
    return _Maker(before, after, sorted(moves)).made()


class _Part(Record):
    """A piece of memory of one mapping or, if it was kept, of one before and one now."""

    start: int = field("address", "where it is, or was if it is gone")
    size: int = field("bytes", "how much it is")
    before: Mapping | None = field("", "None if it is new")
    after: Mapping | None = field("", "None if it is gone")
    was: int = field("address", "where it was before")
    covered: bool = field("", "whether it is gone, and another mapping is in its place")


class _Maker:
    def __init__(
        self, before: Sequence[Mapping], after: Sequence[Mapping], moves: list[Move]
    ) -> None:
        ends = sorted(address for old, new, _ in moves for address in (old, new))
        before, after, self._alike = apart(before, after, ends)
        self._before = before
        self._gone = moves
        self._new = sorted((new, old, size) for old, new, size in moves)
        edges = [e for old, new, size in moves for e in (old, old + size, new, new + size)]
        self._parts = list(self._divided(laid_over(before, after, edges)))
        # by where mappings begin: bytes of one before in each of now, and of one now out of each
        self._kept: dict[int, dict[int, int]] = {}
        self._out_of: dict[int, dict[int, int]] = {}
        for part in self._parts:
            a, b = part.before, part.after
            if a is not None and b is not None:
                for table, one, other in ((self._kept, a, b), (self._out_of, b, a)):
                    sizes = table.setdefault(one.start, {})
                    sizes[other.start] = sizes.get(other.start, 0) + part.size
        self._before_by_start = {each.start: each for each in before}
        self._after_by_start = {each.start: each for each in after}
        rows = [Row(each, each) for each in before if each.start not in self._kept]
        rows += [Row(each, self._origin(each)) for each in after]
        rows += [Row(each, each) for each in self._alike]
        self._rows = sorted(rows, key=lambda row: row.mapping.start)
        self._number = {id(row.mapping): number for number, row in enumerate(self._rows)}
        self._events: dict[tuple[int, str], list[int]] = {}

    def _divided(self, pieces: Iterable[Piece]) -> Iterator[_Part]:
        """Memory that was kept as one part; of all other pieces a part for each look."""
        starts = [each.start for each in self._before]
        for start, end, a, b in pieces:
            size = end - start
            left, move = _holding(self._gone, start), _holding(self._new, start)
            if a is not None and b is not None and same(a, b) and left is move is None:
                yield _Part(start, size, a, b, start, covered=False)
                continue
            if a is not None and left is None:
                yield _Part(start, size, a, None, start, covered=b is not None)
            if b is not None:
                was = start if move is None else start - move[0] + move[1]
                old = None if move is None else self._before[bisect_right(starts, was) - 1]
                yield _Part(start, size, old, b, was, covered=False)

    def _origin(self, mapping: Mapping) -> Mapping | None:
        """The first mapping before that it has memory of."""
        for start in self._out_of.get(mapping.start, ()):
            return self._before_by_start[start]
        return None

    def _row(self, part: _Part) -> int:
        """Of what is gone it is that of the first mapping with memory of the same, if any."""
        if part.after is not None:
            return self._number[id(part.after)]
        assert part.before is not None
        return self._home(part.before)

    def _home(self, mapping: Mapping) -> int:
        """The row of what was in a mapping before."""
        for start in self._kept.get(mapping.start, ()):
            mapping = self._after_by_start[start]
            break
        return self._number[id(mapping)]

    def made(self) -> Layout:
        """The result."""
        rows = self._number
        pairs = [
            Pair(each.start, each.start, each.size, rows[id(each)], each, each)
            for each in self._alike
        ]
        for part in self._parts:
            row = self._row(part)
            pairs.append(
                Pair(
                    None if part.before is None else part.was,
                    None if part.after is None else part.start,
                    part.size,
                    row,
                    part.before,
                    part.after,
                )
            )
            self._judge(row, part)
        for sizes in self._kept.values():
            if len(sizes) > 1:
                for start, size in sizes.items():
                    number = rows[id(self._after_by_start[start])]
                    self._add(number, "mapping split", size)
        for start, sizes in self._out_of.items():
            if len(sizes) > 1:
                number = rows[id(self._after_by_start[start])]
                self._add(number, "mapping merged", sum(sizes.values()))
        events = [Event(row, kind, *sums) for (row, kind), sums in self._events.items()]
        pairs.sort(key=_address)
        homes = {each.start: rows[id(each)] for each in self._alike}
        now = homes | {start: rows[id(each)] for start, each in self._after_by_start.items()}
        homes |= {each.start: self._home(each) for each in self._before}
        return Layout(self._rows, pairs, events, (homes, now))

    def _judge(self, row: int, part: _Part) -> None:
        a, b, size = part.before, part.after, part.size
        if b is None:
            assert a is not None
            kept = a.start in self._kept
            kind = "shrank" if kept else "removed"
            self._add(row, f"mapping {'replaced' if part.covered else kind}", size, -size)
        elif a is None:
            grew = b.start in self._out_of
            self._add(row, "mapping grew" if grew else "mapping added", size, size)
        else:
            if part.was != part.start:
                self._add(row, "mapping moved", size)
            if a.perms != b.perms:
                self._add(row, "rights changed", size)
            if a.path != b.path:
                self._add(row, "mapping renamed", size)

    def _add(self, row: int, kind: str, amount: int, size: int = 0) -> None:
        sums = self._events.setdefault((row, kind), [0, 0])
        sums[0] += amount
        sums[1] += size


def _address(pair: Pair) -> int:
    """Where it is, or was if it is gone."""
    address = pair.before if pair.after is None else pair.after
    assert address is not None
    return address


def _holding(moves: Sequence[Move], address: int) -> Move | None:
    """That of the moves, by their first addresses in order, in whose bytes an address lies."""
    at = bisect_right(moves, (address, 1 << 64, 0)) - 1
    if at >= 0 and address < moves[at][0] + moves[at][2]:
        return moves[at]
    return None
