"""The rows of `Sampler.stream`: what a process held from moment to moment."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.schema import Schema

__all__ = ["SAMPLES", "SampleRow"]


class SampleRow(Record):
    """What a process held at one moment, in bytes; None for what was not asked, or is not known.

    A row of `SampleStream.read` and `SampleStream.table`. The amounts are those of `Sample`.
    """

    time: int = field("ns", "when it was taken, from the beginning of the stream", rank=0, key=True)
    took: int = field("ns", "how long that took", rank=10)
    rss: int | None = field("bytes", "in memory, as the kernel's own Rss", rank=1, adds=False)
    swap: int | None = field("bytes", "in swap, that of shared memory too", rank=2, adds=False)
    anon: int | None = field("bytes", "of rss: neither of a file nor shared", rank=3, adds=False)
    file_or_shared: int | None = field(
        "bytes", "of rss: of a file or shared anonymous memory", rank=4, adds=False
    )
    huge: int | None = field(
        "bytes", "in memory, mapped by huge entries; hugetlb too", rank=5, adds=False
    )
    uss: int | None = field("bytes", "of rss: mapped nowhere else", rank=6, adds=False)
    present: int | None = field(
        "bytes", "in memory, zero pages and hugetlb too", rank=7, adds=False
    )
    zero: int | None = field(
        "bytes", "read and never written: the kernel's page of zeros", rank=8, adds=False
    )
    hugetlb: int | None = field("bytes", "in memory, of hugetlb", rank=9, adds=False)


SAMPLES = Schema.of(SampleRow, "pagemap.samples", 1)
