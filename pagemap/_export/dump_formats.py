r"""What the rows of a dump begin and end with; the rows themselves are made in C (csrc/rows).

Text is ``address pfn soft-dirty file/shared swapped present label``, numbers in hex; where PFNs are
hidden, ``-`` stands in the pfn column of a present or swapped page. CSV and JSON have the columns
of `DUMPED`, and their cells are those of every other result (`pagemap._export.cells`).
"""

from __future__ import annotations

from pagemap._kernel.maps import as_written, decode_path
from pagemap._vocabulary.page_columns import DUMPED
from pagemap._vocabulary.text import csv_cell, json_string, printable

__all__ = ["HEADERS", "LABELS", "printable_label"]

HEADERS = {
    "text": b"addr pfn soft-dirty file/shared swapped present library\n",
    "csv": ",".join(DUMPED).encode("ascii") + b"\n",
}
"""What stands before the rows, in formats that have a header."""


def _text_label(raw: bytes) -> bytes:
    # As maps wrote it: its newlines are escaped there, so a row stays a line.
    return b" %b\n" % as_written(raw)


def printable_label(raw: bytes) -> bytes:
    """The path for a terminal, which nothing in it drives."""
    return b" %b\n" % printable(as_written(raw).decode("utf-8", "surrogateescape")).encode()


def _csv_label(raw: bytes) -> bytes:
    # A newline stays the \012 that maps has for it.
    return csv_cell(as_written(raw).decode("utf-8", "surrogateescape")).encode() + b"\n"


def _jsonl_label(raw: bytes) -> bytes:
    return json_string(decode_path(raw)).encode("ascii") + b"}\n"


def _json_label(raw: bytes) -> bytes:
    return json_string(decode_path(raw)).encode("ascii") + b"},\n"


LABELS = {"text": _text_label, "csv": _csv_label, "json": _json_label, "jsonl": _jsonl_label}
"""What turns a mapping's path, as maps wrote it, into the end of that mapping's rows."""
