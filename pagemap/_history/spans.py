"""Mappings as they are now, cut to what is tracked of them."""

from __future__ import annotations

from pagemap._native.lines import Lines
from pagemap._vocabulary.units import PAGE_SHIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pagemap._space.address_space import AddressSpace

    Ranges = Sequence[tuple[int, int]]

__all__ = ["Spans"]


class Spans:
    """The mappings of a process, or with `ranges` what lies in them, in order of address.

    `bounds` are a start and an end in bytes of each; `whole` those of its mapping, `line` the
    number of that in `lines`. `private_file` has for each 1 where it is private memory of a file,
    else 0, and `shared` likewise where it is shared.
    """

    __slots__ = ("bounds", "line", "lines", "private_file", "shared", "whole")

    def __init__(self, process: AddressSpace, ranges: Ranges | None) -> None:
        self.lines = lines = Lines.of_blocks(process.maps_blocks())
        words = lines.bounds.tolist()
        self.whole = list(zip(words[::2], words[1::2], strict=True))
        end = process.end_page() << PAGE_SHIFT  # [vsyscall] lies past it
        if self.whole and self.whole[-1][1] > end:
            self.whole = [each for each in self.whole if each[1] <= end]
        if ranges is None:
            self.bounds, self.line = self.whole, list(range(len(self.whole)))
        else:
            found = _common(self.whole, ranges)
            self.bounds = [(start, last) for start, last, _ in found]
            self.line = [line for _, _, line in found]
            self.whole = [self.whole[line] for line in self.line]
        private = [word[3:4] == "p" for word in lines.perms.words]
        files = [
            private[code] and inode != 0
            for code, inode in zip(lines.perms.codes, lines.inodes, strict=True)
        ]
        self.private_file = bytes(map(files.__getitem__, self.line))
        shared = [not private[code] for code in lines.perms.codes]
        self.shared = bytes(map(shared.__getitem__, self.line))

    def writable(self, number: int) -> bool:
        """Whether the process may write there, as of now."""
        perms = self.lines.perms
        return "w" in perms.words[perms.codes[self.line[number]]]

    def file(self, number: int) -> tuple[str, int, int]:
        """What is there: the device and inode of a file, and where it would begin in memory."""
        lines, line = self.lines, self.line[number]
        start = self.whole[number][0]
        device = lines.devices.words[lines.devices.codes[line]]
        return device, lines.inodes[line], start - lines.offsets[line]

    def label(self, number: int) -> str:
        """What maps calls it."""
        paths = self.lines.paths
        return paths.words[paths.codes[self.line[number]]]


def _common(whole: Ranges, ranges: Ranges) -> list[tuple[int, int, int]]:
    """What lies in both, with the number of the first it is in; both are in order."""
    found = []
    at = 0
    for line, (start, end) in enumerate(whole):
        while at < len(ranges) and ranges[at][1] <= start:
            at += 1
        for first, last in ranges[at:]:
            if first >= end:
                break
            found.append((max(start, first), min(end, last), line))
    return found
