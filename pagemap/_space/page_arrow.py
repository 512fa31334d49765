"""Entries in memory as columns for consumers of Arrow, named as those of `Process.columns`."""

from __future__ import annotations

from pagemap._errors import UsageError
from pagemap._kernel import features
from pagemap._kernel.swap_types import kinds
from pagemap._native.columns import Words
from pagemap._native.page_columns import entries_stream
from pagemap._tables.arrow import about_text, schema_capsule, stream_capsule
from pagemap._vocabulary.page_columns import ENTRIES, ENTRY_BITS, KIND_WORDS

__all__ = ["schema_of", "stream_of"]


def schema_of(page_size: int, pfns_visible: bool) -> object:
    """The capsule of the schema of entries: their columns, and what holds for all of them."""
    return schema_capsule(ENTRIES, {"kind": KIND_WORDS}, _about(page_size, pfns_visible))


def stream_of(
    entries: memoryview, start: int, page_size: int, pfns_visible: bool, told_bits: int
) -> object:
    """The capsule of a stream of the entries of pages from address `start` on."""
    if start % page_size or page_size & (page_size - 1):
        raise UsageError(
            f"cannot make columns of pages from {start:#x} on: this is not the address of a page"
        )
    address = entries_stream(
        ENTRIES,
        ENTRY_BITS,
        entries,
        {"kind": Words(KIND_WORDS)},
        about_text(_about(page_size, pfns_visible)),
        vpn=start // page_size,
        page_shift=page_size.bit_length() - 1,
        hidden=not pfns_visible,
        kinds=kinds(),
        untold=features.ALL & ~told_bits,
    )
    return stream_capsule(address)


def _about(page_size: int, pfns_visible: bool) -> dict[str, object]:
    # exclusive is bit 56, which of a huge page may be that of its first page: see Page
    return {"page_size": page_size, "pfns_visible": pfns_visible, "exclusive_by": "page table"}
