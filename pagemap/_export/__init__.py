"""Every page of a process as rows: text, CSV, or JSON lines, one file for each format.

A format module has `header(process)`, the bytes before the rows, and `label(raw)`, which turns a
mapping's path as maps wrote it into the end of that mapping's rows. The rows themselves are written
in C (csrc/rows_*.c).
"""

from pagemap._export.stream import FORMATS, dump

__all__ = ["FORMATS", "dump"]
