"""The rows of `virt-to-phys`: virtual addresses, and the physical addresses behind them."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.schema import Schema

__all__ = ["TRANSLATIONS", "TranslationRow"]


class TranslationRow(Record):
    """A virtual address, its physical address or why it has none; a row of `Process.translate`."""

    pid: int = field("", "the process", key=True)
    address: int = field("address", "the virtual address", rank=0, key=True)
    physical: int | None = field("address", "the physical address behind it", rank=1)
    pfn: int | None = field("pfn", "the number of its frame", rank=2)
    error: str | None = field(
        "", "why not: not_mapped, not_present, swapped_out or pfns_hidden", None, rank=3
    )
    detail: str | None = field("prose", "the error as a sentence", None)


TRANSLATIONS = Schema.of(TranslationRow, "pagemap.translations", 1)
