"""Pieces of a dump: as many rows as surely fit in each, and all rows in the end."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pagemap._native import range_table_of
from pagemap._native import rows as native_rows
from tests import oracle
from tests.property import strategies
from tests.property.fake import pagemap_of

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMS = st.sampled_from(["text", "csv", "jsonl"])
LABELS = b" /some/label, or a part of it, and as long as it takes\n" * 8

Span = tuple[int, int, int, int]


@st.composite
def spans(draw: st.DrawFn) -> list[Span]:
    """(vpn, count, label_at, label_size), in order of address or not."""
    result = []
    for _ in range(draw(st.integers(0, 6))):
        size = draw(st.integers(0, 100))
        at = draw(st.integers(0, len(LABELS) - size))
        result.append((draw(st.integers(0, 700)), draw(st.integers(0, 60)), at, size))
    return result


def make_rows(fd: int, table: Sequence[Span], form: str, *, hidden: bool) -> native_rows.Rows:
    spans = range_table_of([word for span in table for word in span[:2]])
    labels = b"".join(struct.pack("=2Q", *span[2:]) for span in table)
    return native_rows.Rows(fd, spans, labels, LABELS, form=form, page_shift=12, hidden=hidden)


def naive_plan(table: Sequence[Span], bound: int, size: int) -> list[int]:
    """The pages of each piece, row by row; the size doubles for a row that does not fit in it."""
    pieces: list[int] = []
    room = used = 0
    for row in [bound + label for _, count, _, label in table for _ in range(count)]:
        if not pieces or used + row > room:
            while row > size - native_rows.ROW_SLACK:
                size *= 2
            room = size - native_rows.ROW_SLACK
            pieces.append(0)
            used = 0
        pieces[-1] += 1
        used += row
    return pieces


@given(spans(), FORMS, st.integers(1, 3000))
def test_plan(table: list[Span], form: str, size: int) -> None:
    rows = make_rows(-1, table, form, hidden=False)
    expected = naive_plan(table, native_rows.row_bound(form), size)
    assert [piece.pages for piece in rows.plan(size)] == expected


@given(spans(), FORMS, st.integers(0, 100))
def test_a_row_that_fits_exactly_is_planned(table: list[Span], form: str, spare: int) -> None:
    longest = max((label_size for _, count, _, label_size in table if count), default=0)
    exact = native_rows.row_bound(form) + longest
    rows = make_rows(-1, table, form, hidden=False)
    pages = sum(count for _, count, _, _ in table)
    size = exact + spare + native_rows.ROW_SLACK
    assert sum(piece.pages for piece in rows.plan(size)) == pages


@given(strategies.entries(), spans(), FORMS, st.booleans(), st.integers(0, 20_000))
def test_write(entries: list[int], table: list[Span], form: str, hidden: bool, spare: int) -> None:
    buffer = native_rows.RowBuffer(
        native_rows.row_bound(form) + 100 + spare + native_rows.ROW_SLACK
    )
    got, missing = b"", 0
    with pagemap_of(entries) as fd:
        for piece in make_rows(fd, table, form, hidden=hidden).plan(buffer.size):
            data, shown, holes = piece.run(buffer)
            assert shown + holes == piece.pages
            assert piece.done
            got += bytes(data)
            missing += holes
    expected, lost = b"", 0
    for vpn, count, at, size in table:
        part = entries[vpn : vpn + count]
        lost += count - len(part)
        expected += native_rows.format_rows(
            strategies.view(part),
            vpn,
            LABELS[at : at + size],
            form=form,
            page_shift=12,
            hidden=hidden,
        )
    assert got == expected
    assert missing == lost
    if form == "text":
        # format_rows is itself checked against Python in test_rows; once more, for the whole way.
        assert got == b"".join(
            oracle.text_row(entry, (vpn + i) << 12, b"", hidden=hidden)[:-2]
            + LABELS[at : at + size]
            for vpn, count, at, size in table
            for i, entry in enumerate(entries[vpn : vpn + count])
        )
