r"""What the rows of a dump begin and end with; the rows themselves are made in C (csrc/rows).

Text is ``address pfn soft-dirty file/shared swapped present label``, numbers in hex; where PFNs are
hidden, ``-`` stands in the pfn column of a present or swapped page. CSV and JSON have the columns
of `DUMPED`, and their cells are those of every other result (`pagemap._export.cells`).
"""

from __future__ import annotations

from pagemap._vocabulary.page_columns import DUMPED
from pagemap._vocabulary.text import csv_cell, json_string, printable

__all__ = ["HEADERS", "LABELS", "printable_label"]

HEADERS = {
    "text": b"addr pfn soft-dirty file/shared swapped present library\n",
    "csv": ",".join(DUMPED).encode("ascii") + b"\n",
}
"""What stands before the rows, in formats that have a header."""


def _text_label(path: str) -> bytes:
    # As maps wrote it: its newlines are escaped there, so a row stays a line.
    return b" %b\n" % path.replace("\n", "\\012").encode("utf-8", "surrogateescape")


def printable_label(path: str) -> bytes:
    """The path for a terminal, which nothing in it drives."""
    return b" %b\n" % printable(path).encode()


def _csv_label(path: str) -> bytes:
    return csv_cell(path).encode() + b"\n"


def _jsonl_label(path: str) -> bytes:
    return json_string(path).encode("ascii") + b"}\n"


def _json_label(path: str) -> bytes:
    return json_string(path).encode("ascii") + b"},\n"


LABELS = {"text": _text_label, "csv": _csv_label, "json": _json_label, "jsonl": _jsonl_label}
"""What turns a mapping's path into the end of that mapping's rows."""
