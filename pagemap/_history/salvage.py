"""What is whole of a damaged snapshot, or of one that was cut short, into a new one."""

from __future__ import annotations

import os
from io import FileIO

from pagemap._errors import PagemapError
from pagemap._history.salvage_chunks import chunks_of
from pagemap._history.salvage_moments import Copy, moments_of
from pagemap._history.salvage_parts import Parts
from pagemap._history.snapshot_writer import SnapshotWriter
from pagemap._space import snapshot_chunks as chunks
from pagemap._space.snapshot_opened import open_snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["open_damaged", "salvage", "salvage_open"]


def salvage(path: str, write: Callable[[bytes | memoryview], object]) -> dict[str, Any]:
    """Write what is whole of `path` as a snapshot that can be read.

    That is each whole moment, a patch only behind what it changes; or, where there is none, what is
    whole of the first: then the processes are not complete; one whose facts are damaged is left
    out, and so are the pages of one whose mappings are, and a block that lies below one before it.

    Returns ``moments``, how many were written, and ``lost``, how many more the file has some of;
    ``whole``; ``processes`` of the last one and, where it is not whole, ``blocks``; ``skipped``,
    how many bytes of the file were of no use; ``lost_frames``, how many processes may have lost
    words of frames. Raises PagemapError where nothing is whole, or the file cannot be read.
    """
    with open_damaged(path) as file:
        return salvage_open(file, path, write)


def open_damaged(path: str) -> FileIO:
    """The file, to be read. Raises PagemapError where it cannot be opened, or is no file."""
    return FileIO(open_snapshot(path))


def salvage_open(
    file: FileIO, path: str, write: Callable[[bytes | memoryview], object]
) -> dict[str, Any]:
    """See `salvage`; of the open file."""
    fd = file.fileno()
    size = os.fstat(fd).st_size
    version = chunks.parse_version(os.pread(fd, 16, 0))
    if version is not None and version > chunks.VERSION:
        raise PagemapError(
            f"{path} is a snapshot of version {version}, which this pagemap does not know: salvage "
            "it with a newer one",
            path=path,
        )
    whole, begun = moments_of(fd, size)
    writer = SnapshotWriter(write)
    if whole:
        copy = Copy(fd, path, size, writer)
        for moment in whole:
            copy.add(moment)
        return {
            "moments": len(whole),
            "lost": begun - len(whole),
            "whole": True,
            "processes": copy.processes,
            "skipped": size - copy.used,
            "lost_frames": 0,
        }
    parts = Parts(writer, fd, size)
    used = 0 if version is None else 16
    for chunk in chunks_of(fd, size):
        if chunk.kind == chunks.TRAILER:
            break  # what follows changes it
        used += len(chunk.data)
        parts.add(chunk)
    if not parts.processes:
        raise PagemapError(
            f"nothing of {path} is whole: there is no process in it",
            operation="open the snapshot",
            path=path,
        )
    parts.end()
    return {
        "moments": 1,
        "lost": max(begun - 1, 0),
        "whole": False,
        "processes": len(parts.processes),
        "blocks": sum(len(each.columns[0]) for each in parts.processes.values()),
        "skipped": size - used,
        "lost_frames": parts.lost_frames,
    }
