"""A mapping, as /proc/PID/maps lists it."""

from __future__ import annotations

import os

from pagemap._errors import PagemapError
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.schema import Schema

__all__ = ["MAPPINGS", "NO_FILE", "Mapping", "is_deleted", "of_a_file"]

NO_FILE = "00:00"  # the device of what is of no file
_DELETED = " (deleted)"


def of_a_file(dev: str, inode: int) -> bool:
    """Whether a mapping is of one. The inode of a segment of System V is its id, the first's 0."""
    return inode != 0 or dev != NO_FILE


def is_deleted(inode: int, path: str) -> bool:
    """Whether maps has it as unlinked."""
    return (inode != 0 or path.startswith("/")) and path.endswith(_DELETED)


class Mapping(Record):
    r"""One line of /proc/PID/maps.

    `path` is the file, a pseudo-path in brackets as ``[heap]``, or empty for anonymous memory;
    bytes that are not UTF-8 stand as surrogate escapes, so `os.fsencode(path)` gives them back.

    >>> import pagemap
    >>> with pagemap.Process("self") as process:
    ...     [mapping.perms for mapping in process.maps() if mapping.path == "[stack]"]
    ['rw-p']
    """

    start: int = field("address", "address of the first byte", rank=0, key=True)
    end: int = field("address", "address past the last byte", rank=1)
    perms: str = field("rights", "permissions, then p for private or s for shared: r-xp", rank=2)
    offset: int = field("offset", "offset in the file at which it begins", rank=3)
    dev: str = field("", 'the device of the file as "major:minor", in hex', rank=3)
    inode: int = field("inode", "the inode number of the file; 0 without one", rank=3)
    path: str = field("", "the file, a name in brackets, or empty", rank=0)

    @property
    def size(self) -> int:
        """The length in bytes."""
        return self.end - self.start

    @property
    def anonymous(self) -> bool:
        """Whether no file and no name stands behind it."""
        return not self.path

    @property
    def deleted(self) -> bool:
        """Whether the file was unlinked; one really named "x (deleted)" reads the same."""
        return is_deleted(self.inode, self.path)

    @property
    def device(self) -> int:
        """The device number, as in `os.stat_result.st_dev`."""
        major, _, minor = self.dev.partition(":")
        try:
            return os.makedev(int(major, 16), int(minor, 16))
        except (ValueError, OverflowError):
            raise PagemapError(f"no device of /proc/PID/maps: {self.dev!r}") from None


MAPPINGS = Schema.of(Mapping, "pagemap.mappings", 1)
