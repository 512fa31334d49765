"""A snapshot file, opened: its version, and the chunks at places that others know.

Whoever wrote the file may have meant harm: nothing is believed that was not checked, and nothing is
allocated by a number in it but within fixed bounds.
"""

from __future__ import annotations

import os
from errno import EBADMSG, EINVAL, ENOENT

from pagemap._errors import PagemapError
from pagemap._kernel.os_errors import from_os_error, kind_of_file_error, no_proc
from pagemap._kernel.regular import irregular, open_regular
from pagemap._native.descriptors import CLOSED, Descriptor, Holder
from pagemap._native.snapshot import HEADER_SIZE, MARK, chunk_sum
from pagemap._space import snapshot_chunks as chunks

__all__ = ["BEGINNING", "FILE_HEADER", "ChunkFile", "has_chunk", "no_snapshot", "open_snapshot"]

FILE_HEADER = 16
"""Bytes before the first chunk."""
BEGINNING = 1 << 16
"""Bytes that are searched for a chunk where these are damaged."""

_MARK = MARK.to_bytes(4, "little")
_PROGRAM = b"\x7fELF"  # a target is named by its program, whatever the author has put into that


def has_chunk(data: bytes) -> bool:
    """Whether a header of a chunk lies in the first bytes of a file that is no program.

    By chance none does.
    """
    if data.startswith(_PROGRAM):
        return False
    at = data.find(_MARK)
    while at >= 0:
        if chunks.parse_header(data[at : at + HEADER_SIZE]):
            return True
        at = data.find(_MARK, at + 1)
    return False


class ChunkFile(Holder):
    """A file of chunks.

    Raises PagemapError where it cannot be read, is no snapshot, or of a newer version.
    """

    __slots__ = ("_fd", "path", "size", "version")

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd: int = CLOSED
        self._fd = Descriptor(open_snapshot(path))
        self.size: int = os.fstat(self._fd).st_size
        header = self._bytes(0, FILE_HEADER)
        version = chunks.parse_version(header)
        if version is None:
            if header.startswith(chunks.MAGIC):
                raise self._damaged("it was cut short")
            if has_chunk(self._bytes(0, BEGINNING)):
                raise self._damaged("its first bytes are not those of a snapshot")
            raise no_snapshot(path)
        if version > chunks.VERSION:
            raise PagemapError(
                f"{path} is a snapshot of version {version}, which this pagemap does not know (it"
                f" knows {chunks.VERSION}): read it with a newer one",
                path=path,
            )
        self.version = version

    def close(self) -> None:
        """Let go of the file; who reads it still holds it until the end."""
        self._fd = CLOSED

    def _payload(self, offset: int, kind: int) -> bytes:
        """The payload of the chunk at `offset`, which is of this kind."""
        return self._chunk(offset, (kind,))[1]

    def _chunk(self, offset: int, kinds: tuple[int, ...]) -> tuple[int, bytes]:
        """The kind of the chunk at `offset`, which is one of these, and its payload."""
        if offset < FILE_HEADER:
            raise self._damaged("a chunk at no place")
        header = chunks.parse_header(self._bytes(offset, HEADER_SIZE))
        if header is None or header.kind not in kinds or offset + header.size > self.size:
            raise self._damaged(f"no chunk of kind {kinds[0]} at byte {offset}")
        if header.size > chunks.CEILINGS[header.kind]:
            raise self._damaged(f"the chunk at byte {offset} is larger than any of its kind")
        data = self._bytes(offset + HEADER_SIZE, header.size)
        if len(data) < header.size or chunk_sum(data) != header.sum:
            raise self._damaged(f"the chunk at byte {offset} is not as it was written")
        return header.kind, data

    def _bytes(self, offset: int, size: int) -> bytes:
        fd = self._fd
        if fd < 0:
            raise PagemapError(f"{self.path} was closed before this call", path=self.path)
        if offset >= self.size:
            return b""
        try:
            return os.pread(fd, size, offset)
        except OSError as error:
            raise from_os_error(error, pid=None, operation="read", path=self.path) from None

    def _damaged(self, why: str) -> PagemapError:
        return PagemapError(
            f"{self.path} is damaged: {why}",
            errno=EBADMSG,
            operation="read",
            path=self.path,
        )


def open_snapshot(path: str) -> int:
    """A descriptor of the file. Raises PagemapError where it cannot be opened, or is no file."""
    try:
        fd = open_regular(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _not_opened(error, path) from None
    if fd is None:
        raise irregular(path)
    return fd


def _not_opened(error: OSError, path: str) -> PagemapError:
    """The error for the file of a snapshot that cannot be opened, which goes through /proc."""
    missing = no_proc("/proc") if error.errno == ENOENT and os.path.exists(path) else None
    if missing is not None:
        return missing
    return kind_of_file_error(error)(
        f"cannot open {path}: {error.strerror}",
        errno=error.errno,
        operation="open the snapshot",
        path=path,
    )


def no_snapshot(path: str) -> PagemapError:
    """The error for a file that is there, and no snapshot."""
    return PagemapError(
        f"{path} is no snapshot of pagemap",
        errno=EINVAL,
        operation="open the snapshot",
        path=path,
    )
