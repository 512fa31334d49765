"""What C counted of huge pages as columns: each is the sum of some of a mapping's counts."""

from __future__ import annotations

from array import array

from pagemap._native import huge as native
from pagemap._space.mapping_columns import mapping_columns
from pagemap._tables.table import Table
from pagemap._vocabulary.rows.huge import LARGEST, shares_of, size_word
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pagemap._native.lines import Lines
    from pagemap._vocabulary.rows.huge import HugeRow
    from pagemap._vocabulary.schema import Schema

__all__ = ["Counts"]


class Counts:
    """Makes columns of what C counted: of each, the places of the numbers that it is the sum of."""

    def __init__(self, schema: Schema[Any], conts: Sequence[int], *, told: bool) -> None:
        self._schema = schema
        self._told = told
        self.unknown = 0  # pages of frames without a word, so far
        at, both = native.place, ("anon", "file")
        orders = range(1, native.ORDERS)
        self._places: dict[str, list[int]] = {}
        for what in ("pmd", "partial"):
            self._places[what] = [at(kind, what) for kind in both]
        for what in ("aligned", "unaligned"):
            self._places[what] = [at(kind, what, order) for kind in both for order in orders]
        for order in conts:
            self._places[f"cont_{size_word(order)}"] = [at(kind, "cont", order) for kind in both]
        for order in orders:
            word = size_word(order)
            whole = [at(kind, what, order) for kind in both for what in ("aligned", "unaligned")]
            self._places[f"thp_{word}"] = whole + (self._places["pmd"] if order == LARGEST else [])
            for kind in both:
                for what in ("aligned", "unaligned", "cont"):
                    self._places[f"{kind}_{what}_{word}"] = [at(kind, what, order)]
        for kind in both:
            self._places[f"{kind}_thp"] = [
                *(at(kind, what) for what in ("pmd", "partial")),
                *(at(kind, what, order) for what in ("aligned", "unaligned") for order in orders),
            ]
            for what in ("pmd", "partial"):
                self._places[f"{kind}_{what}"] = [at(kind, what)]
        self._places = {name: places for name, places in self._places.items() if name in schema}

    def table(self, pid: int, lines: Lines, words: memoryview) -> Table[HugeRow]:
        """The rows of these mappings, out of native.WORDS counts for each."""
        rows, width, bounds = len(lines), native.WORDS, lines.bounds.tolist()
        present, anonymous, zero, hugetlb, thp, lost = (
            words[number::width].tolist() for number in range(len(native.COUNTS))
        )
        # what changes while it is counted may be looked at twice, and C wraps around 0
        rss = [
            max(all_ - none - pool, 0)
            for all_, none, pool in zip(present, zero, hugetlb, strict=True)
        ]
        columns = {
            "size": [
                (end - start) >> PAGE_SHIFT
                for start, end in zip(bounds[::2], bounds[1::2], strict=True)
            ],
            "present": present,
            "rss": rss,
            "anon": [own if own <= most else 0 for own, most in zip(anonymous, rss, strict=True)],
            "zero": zero,
            "hugetlb": hugetlb,
            "thp": thp,
        }
        parts = {name: [0] * rows for name in self._places}
        for row in [number for number, pages in enumerate(thp) if pages]:  # few have any
            counts = words[row * width : (row + 1) * width].tolist()
            for name, places in self._places.items():
                parts[name][row] = sum(map(counts.__getitem__, places))
        valid = {}
        if any(lost):
            self.unknown += sum(lost)
            known = memoryview(bytes(not pages for pages in lost)).cast("?")
            valid = dict.fromkeys(["thp", *parts], known)
        if not self._told:
            unknown = memoryview(bytes(rows)).cast("?")
            valid |= {name: unknown for name in parts if name.endswith("pmd")}
        amounts = (rss, columns["anon"], parts["anon_thp"], parts["file_thp"])
        of_rows = [
            (None, None) if pages else shares_of(*row)
            for pages, row in zip(lost, zip(*amounts, strict=True), strict=True)
        ]
        shares = {}
        for number, name in enumerate(("anon_share", "file_share")):
            cells = [each[number] for each in of_rows]
            shares[name] = memoryview(array("d", [each or 0.0 for each in cells])).toreadonly()
            valid[name] = memoryview(bytes(each is not None for each in cells)).cast("?")
        return Table(
            self._schema,
            {
                **mapping_columns(lines),
                "pid": _view([pid] * rows),
                **{
                    name: _view([n << PAGE_SHIFT for n in c])
                    for name, c in (columns | parts).items()
                },
                **shares,
            },
            valid=valid,
        )


def _view(numbers: list[int]) -> memoryview:
    return memoryview(array("q", numbers)).toreadonly()
