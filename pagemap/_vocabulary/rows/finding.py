"""The rows of `doctor`: what works here, and what does not."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.schema import Schema

__all__ = ["FINDINGS", "FindingRow"]


class FindingRow(Record):
    """What `pagemap.doctor` tried: whether it works, what was seen, what would make it work."""

    name: str = field("", "what was tried", rank=0, key=True)
    ok: bool | None = field("", "whether it works; unknown where only its use tells", rank=1)
    detail: str = field("prose", "what was seen", rank=2)
    remedy: str | None = field("prose", "what would make it work", None, rank=3)
    errno: int | None = field("", "the number of the error", None)


FINDINGS = Schema.of(FindingRow, "pagemap.doctor", 2)
