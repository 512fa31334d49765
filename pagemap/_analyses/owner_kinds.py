"""Which mappings may hold a frame, and how often it is mapped, by its flags and its map count."""

from __future__ import annotations

from pagemap._vocabulary.flags import entry_flag
from pagemap._vocabulary.frame_flags import PAGE_FLAGS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pagemap._kernel.frame import Frame
    from pagemap._vocabulary.rows.mapping import Mapping

__all__ = [
    "is_counted",
    "is_exclusive",
    "kinds",
    "lesser",
    "takes_anonymous",
    "takes_anonymous_alone",
]

_BIT = {flag.name: 1 << flag.bit for flag in PAGE_FLAGS}
_COMPOUND = _BIT["compound_head"] | _BIT["compound_tail"]
_HUGETLB = _BIT["huge"]
_OF_LARGE = (_BIT["compound_head"], _BIT["compound_tail"])  # and not of hugetlb
_EXCLUSIVE = 1 << entry_flag("exclusive").bit
_PRIVATE = 3  # where perms of a mapping have p or s


def lesser(before: int | None, after: int | None) -> int | None:
    """The lesser of two map counts; None where one of them is not known."""
    return None if before is None or after is None else min(before, after)


def is_exclusive(entry: int, frame: Frame) -> bool:
    """Whether the page is mapped here alone: by the count where its frame is of a large folio.

    Bit 56 of a huge page is that of its first page for all of them, from 6.15 on.
    """
    if frame.mapcount is not None and int(frame.flags or 0) & (_COMPOUND | _HUGETLB) in _OF_LARGE:
        return frame.mapcount == 1
    return bool(entry & _EXCLUSIVE)


def is_counted(frame: Frame) -> bool:
    """Whether the map count is that of this one frame, and exact."""
    return bool(frame.mapcount) and not (frame.flags or 0) & _COMPOUND


def kinds(frames: list[Frame]) -> tuple[bool, bool]:
    """Whether there are anonymous frames among them, and others; both where that is not sure."""
    anonymous = other = False
    for frame in frames:
        flags = int(frame.flags or 0)
        if flags & _BIT["anonymous"]:
            anonymous = True
        elif flags & _BIT["mmap"] and not flags & _BIT["zero_page"]:
            other = True
        else:  # of the kernel's, or the page of zeros, which stands in for both
            anonymous = other = True
    return anonymous, other


def takes_anonymous(mapping: Mapping) -> bool:
    """Whether anonymous pages can be in it: in private ones; a device may map what it likes."""
    return mapping.perms[_PRIVATE] != "s" or mapping.path.startswith("/dev/")


def takes_anonymous_alone(mapping: Mapping) -> bool:
    """Whether no pages but anonymous ones can be in it."""
    return mapping.inode == 0 and (
        not mapping.path or mapping.path.startswith(("[heap]", "[stack", "[anon:"))
    )
