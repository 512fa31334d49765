"""Rows of text, CSV and JSON lines against Python's own formatting."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pagemap._export.dump_formats import LABELS
from pagemap._native import rows as native_rows
from tests import oracle
from tests.property import strategies

UNTOUCHED = [1 << 55] * 600


def rows(form: str, entries: list[int], vpn: int, raw: bytes, shift: int, *, hidden: bool) -> bytes:
    label = LABELS[form](decoded(raw))
    view = strategies.view(entries)
    return native_rows.format_rows(view, vpn, label, form=form, page_shift=shift, hidden=hidden)


def decoded(raw: bytes) -> str:
    return raw.replace(rb"\012", b"\n").decode("utf-8", "surrogateescape")


CASES = (
    strategies.entries(),
    strategies.vpns,
    strategies.raw_labels,
    strategies.shifts,
    st.booleans(),
)


@given(*CASES)
@example(UNTOUCHED, 0, b"", 12, False)
@example(UNTOUCHED, 3, b"[heap]", 12, True)
@example(UNTOUCHED, 0xFFFFFEF1, b"/a", 16, False)
@example([0] * 600, 255 * 16 - 7, b"/odd", 14, False)
@example(UNTOUCHED, 2**52 - 600, b"/high", 12, False)
@example([1 << 63] * 40 + [0] * 40, 2**48 - 100, b"x" * 33, 12, True)
def test_text(entries: list[int], vpn: int, raw: bytes, shift: int, hidden: bool) -> None:
    got = rows("text", entries, vpn, raw, shift, hidden=hidden)
    expected = [
        oracle.text_row(entry, (vpn + i) << shift, raw, hidden=hidden)
        for i, entry in enumerate(entries)
    ]
    assert got == b"".join(expected)


@given(*CASES)
@example(UNTOUCHED, 0, b"", 12, False)
def test_jsonl(entries: list[int], vpn: int, raw: bytes, shift: int, hidden: bool) -> None:
    got = rows("jsonl", entries, vpn, raw, shift, hidden=hidden)
    expected = [
        oracle.json_row(entry, (vpn + i) << shift, decoded(raw), hidden=hidden)
        for i, entry in enumerate(entries)
    ]
    assert got == b"".join(expected)
    for line in got.splitlines()[:3]:
        assert list(json.loads(line)) == oracle.COLUMNS


@given(*CASES)
@example(UNTOUCHED, 0, b"", 12, False)
def test_csv(entries: list[int], vpn: int, raw: bytes, shift: int, hidden: bool) -> None:
    got = rows("csv", entries, vpn, raw, shift, hidden=hidden)
    expected = [
        oracle.csv_fields(entry, (vpn + i) << shift, decoded(raw), hidden=hidden)
        for i, entry in enumerate(entries)
    ]
    assert oracle.read_csv(got) == expected


@given(
    strategies.entries(),
    st.sets(st.sampled_from(sorted(oracle.FLAGS))),
    st.booleans(),
)
def test_flags_that_the_kernel_does_not_tell(
    entries: list[int], untold: set[str], hidden: bool
) -> None:
    """They are null or empty, never 0; all else stays as it is, and the table of text whole."""
    bits = sum(1 << oracle.FLAGS[name] for name in untold)
    view = strategies.view(entries)
    got, whole = (
        {
            form: native_rows.format_rows(
                view,
                5,
                LABELS[form]("x"),
                form=form,
                page_shift=12,
                hidden=hidden,
                untold=mask,
            )
            for form in LABELS
        }
        for mask in (bits, 0)
    )
    assert got["text"] == whole["text"]
    expected = [json.loads(line) for line in whole["jsonl"].splitlines()]
    for row in expected:
        row.update(dict.fromkeys(untold))
    assert [json.loads(line) for line in got["jsonl"].splitlines()] == expected
    rows_of_text = oracle.read_csv(whole["csv"])
    for fields in rows_of_text:
        for name in untold:
            fields[oracle.COLUMNS.index(name)] = ""
    assert oracle.read_csv(got["csv"]) == rows_of_text


@pytest.mark.parametrize("form", LABELS)
@given(word=strategies.words, vpn=strategies.vpns, shift=strategies.shifts, hidden=st.booleans())
@example(word=2**64 - 1, vpn=2**52 - 1, shift=12, hidden=False)
def test_no_row_is_longer_than_its_bound(
    form: str, word: int, vpn: int, shift: int, hidden: bool
) -> None:
    view = strategies.view([word])
    row = native_rows.format_rows(view, vpn, b"", form=form, page_shift=shift, hidden=hidden)
    assert len(row) <= native_rows.row_bound(form)
