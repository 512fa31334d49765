"""The rows of `frame_files`: what lies in a frame, and where in which file."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.schema import Schema

__all__ = ["FRAME_FILES", "FrameFileRow"]


class FrameFileRow(Record):
    """What a frame is for, and which page of which file it has; of `pagemap.frame_files`.

    What is of the file is None where it was not found: `searched` and `unsearched` of the table's
    `about` say where it was looked for, and where not.
    """

    pfn: int = field("pfn", "the frame", rank=0, key=True)
    kind: str = field("", "what the frame is for, as in `memory`", rank=1)
    offset: int | None = field("offset", "offset of the page in the file", rank=3)
    dev: str | None = field("", 'the device of the file as "major:minor", in hex')
    inode: int | None = field("inode", "the inode number of the file")
    deleted: bool | None = field("", "whether the file has no name any more")
    pids: tuple[int, ...] = field("", "processes that have the file open or mapped", rank=4)
    path: str | None = field("", "the file, by a name that it had when it was looked at", rank=2)


FRAME_FILES = Schema.of(FrameFileRow, "pagemap.frame_files", 1)
