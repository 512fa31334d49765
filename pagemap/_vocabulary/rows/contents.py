"""The rows of `contents`: what a snapshot file has, by moment and process."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.schema import Schema

__all__ = ["CONTENTS", "ContentsRow"]


class ContentsRow(Record):
    """A process at one moment of a snapshot file; a row of `Snapshot.contents`.

    In a record a moment that is not `full` is saved as what changed since the one before.
    """

    moment: int = field("", "the number of the moment, from 0", rank=0, key=True)
    begin: str = field("", "when its taking began (UTC)", rank=1)
    pid: int = field("", "the process", rank=2, key=True)
    name: str = field("", "the command name", rank=3)
    resident: int = field("bytes", "resident in memory, as the kernel counted", rank=5, adds=False)
    saved: int = field("bytes", "how much of the file it takes", rank=4)
    full: bool = field("", "whether all is saved, not only what changed", rank=10)
    complete: bool = field("", "whether it was taken to the end; reading it shows damage", rank=6)
    pfns: bool = field("", "whether PFNs are saved", rank=7)
    smaps: bool = field("", "whether smaps is saved", rank=8)
    frames: bool = field("", "whether flags and map counts of frames are saved", rank=9)
    stopped: bool = field("", "whether the process was stopped meanwhile", rank=12)
    host: str = field("", "the machine that it was on", rank=11)
    kernel: str = field("", "the release of its kernel")


CONTENTS = Schema.of(ContentsRow, "pagemap.contents", 1)
