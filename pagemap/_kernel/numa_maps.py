"""/proc/PID/numa_maps: the policy of each mapping, and how many pages are on which node.

A line is ``ADDRESS POLICY [file=PATH] ... N0=3 N1=8 kernelpagesize_kB=4`` (show_numa_map in
fs/proc/task_mmu.c); a page of hugetlb counts as one. Zero pages do not count, nor those of the
kernel's image ([vdso]). To write a line the kernel walks the page table of the mapping, and holds
the mmap_lock of the process meanwhile.
"""

from __future__ import annotations

import os
from errno import ENOENT

from pagemap._kernel import number_lists
from pagemap._kernel.maps_blocks import read_blocks
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pagemap._kernel.folder import Folder
    from pagemap._kernel.number_lists import Ranges

__all__ = ["MappingNodes", "named_nodes", "parse", "read"]

_DIGITS = 15
_OPERATION = "read the policies of its memory"
_GOES_ON = ("(", "interleave")  # in "prefer (many):0-1", "weighted interleave:0"


class MappingNodes(Record):
    """A line of numa_maps."""

    policy: str = field("", "where new pages are to lie: default, local, bind:0, interleave:0-1")
    nodes: dict[int, int] = field("bytes", "by node")


def read(folder: Folder) -> dict[int, MappingNodes] | None:
    """Each mapping by its first address; None where the kernel has no such file.

    Raises AccessDenied, TargetVanished.
    """
    try:
        fd = folder.open("numa_maps")
    except OSError as error:
        if error.errno == ENOENT and folder.read("stat", _OPERATION):
            return None  # without CONFIG_NUMA
        raise folder.error(error, _OPERATION, "numa_maps") from None
    try:
        return parse(read_blocks(fd))
    except OSError as error:
        raise folder.error(error, _OPERATION, "numa_maps") from None
    finally:
        os.close(fd)


def parse(blocks: Iterable[bytes]) -> dict[int, MappingNodes]:
    """What lines in `blocks` of whole ones tell; those that are none are passed over."""
    found: dict[int, MappingNodes] = {}
    for block in blocks:
        for line in block.decode("utf-8", "surrogateescape").split("\n"):
            words = line.split(" ")
            try:
                start = int(words[0], 16)
            except ValueError:
                continue
            if len(words) > 1:
                found[start] = _parsed(words)
    return found


def named_nodes(policy: str) -> Ranges | None:
    """The nodes that a policy names; None where it names none, as ``default`` and ``local``."""
    _, colon, text = policy.partition(":")
    return number_lists.parse(text) if colon else None


def _parsed(words: list[str]) -> MappingNodes:
    policy = words[1]
    if len(words) > 2 and words[2].startswith(_GOES_ON):
        policy += f" {words[2]}"
    size = 0
    pages: dict[int, int] = {}
    for word in words[2:]:
        name, equals, text = word.partition("=")
        if not equals or not text.isdecimal() or len(text) > _DIGITS:
            continue
        if name == "kernelpagesize_kB":
            size = int(text) << 10
        elif name[:1] == "N" and name[1:].isdecimal() and len(name) <= _DIGITS:
            pages[int(name[1:])] = int(text)
    return MappingNodes(printable(policy), {node: each * size for node, each in pages.items()})
