"""JSON documents of one long list, written as the list comes, an item a line.

What is written is a whole document whenever the items end: also where the target vanished, for what
was read until then stands.
"""

from __future__ import annotations

from itertools import islice

from pagemap._errors import TargetVanished

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    _T = TypeVar("_T")

    Write = Callable[[bytes], object]

__all__ = ["NEXT", "batches", "write_list"]

# What is written at a time: enough that a call does not count, little enough that memory is flat.
_BATCH = 1024

NEXT = ",\n"
"""What stands between two items; a block may hold several that are joined by it already."""


def batches(items: Iterable[_T], size: int = _BATCH) -> Iterator[list[_T]]:
    """The items in lists of `size`, the last of them shorter."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def write_list(
    head: str, blocks: Iterable[list[str]], write: Write, tail: Callable[[], str]
) -> None:
    """Write `head`, which ends in the ``[`` of a list, the items of all `blocks`, and `tail()`.

    The items are ASCII. `tail` is asked for at the end, and gives what comes after the list within
    its object: nothing, or from the comma on. Nothing is written before the first block is there,
    so an error then leaves no half of a document.
    """
    begun = False
    try:
        for block in blocks:
            write(f"{',' if begun else head}\n{NEXT.join(block)}".encode("ascii"))
            begun = True
    except TargetVanished:
        if begun:
            write(b"\n]}\n")
        raise
    write(f"{'' if begun else head}\n]{tail()}}}\n".encode("ascii"))
