"""The multi-gen LRU (/sys/kernel/debug/lru_gen): pages of each memory cgroup by generation.

A generation is what was accessed, or came into memory, between two moments of aging. Aging a cgroup
on a node walks the page tables of its processes: what has an accessed mark goes to the youngest
generation, its mark is cleared, and a new generation begins, which is empty (try_to_inc_max_seq in
mm/vmscan.c; Documentation/admin-guide/mm/multigen_lru.rst). There are four generations at most:
when there would be a fifth, the oldest becomes part of the next.

Before Linux 6.12 the walk for one node clears the accessed mark of each table of pages that it has
looked at (if bit 2 of `enabled` is set), and passes over tables without one. The walk for the next
node then finds none, and takes what was touched there for untouched.
"""

from __future__ import annotations

import os
from errno import EACCES, EINVAL, ENOENT, ENOTSUP, EPERM

from pagemap._errors import AccessDenied, PagemapError, Unsupported
from pagemap._kernel.control_files import get, put
from pagemap._kernel.release import version
from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MOST", "Generation", "Generations", "parse"]

MOST = 4
"""How many generations there are at most (MAX_NR_GENS in include/linux/mmzone.h)."""

_OPERATION = "find the working set"
_FIELDS = 4  # of a line of a generation
_SHOWN = 80  # characters of a line that is malformed
_NAMED = 2  # words of a line that begins with memcg or node
_CORE, _TABLES = 1, 4  # bits of enabled: all of it; marks of tables are looked at, and cleared
_EACH_NODE = (6, 12)  # from this version on a walk that is asked for looks at every table


class Generation(Record):
    """The pages of one generation of a memory cgroup on a node."""

    memcg: int = field("", "the cgroup's number, in this file")
    path: str = field("", "the cgroup's path in its hierarchy")
    node: int = field("", "the node")
    number: int = field("", "the generation's number: younger ones have higher ones")
    age: int = field("milliseconds", "how long ago it began")
    anon: int = field("pages", "anonymous and shared memory")
    file: int = field("pages", "files")


def parse(text: str) -> Iterator[Generation]:
    """The generations in the text of lru_gen. Raises PagemapError for what is none."""
    memcg, path, node = -1, "", -1
    for line in text.split("\n"):
        words = line.split()
        if not words:
            continue
        if words[0] == "memcg" and len(words) > 1 and words[1].isdecimal():
            # the path is the rest of the line, and may hold anything but a newline
            memcg, node = int(words[1]), -1
            path = line.partition(words[1])[2].removeprefix(" ")
        elif words[0] == "node" and len(words) == _NAMED and words[1].isdecimal():
            node = int(words[1])
        elif node >= 0 and len(words) == _FIELDS and all(map(str.isdecimal, words)):
            yield Generation(memcg, path, node, *map(int, words))
        else:
            shown = printable(line[:_SHOWN])
            raise PagemapError(f"not a line of lru_gen: {shown!r}", operation=_OPERATION)


class Generations:
    """The generations of this kernel. Raises Unsupported, AccessDenied."""

    def __init__(self, *, sysfs: str = "/sys", release: str | None = None) -> None:
        self._file = f"{sysfs}/kernel/debug/lru_gen"
        self._enabled = enabled = f"{sysfs}/kernel/mm/lru_gen/enabled"
        try:
            on = int(get(enabled), 16)
        except (OSError, ValueError):
            raise Unsupported(
                f"this kernel has no {enabled}: the multi-gen LRU needs CONFIG_LRU_GEN (Linux 6.1)",
                errno=ENOENT,
                operation=_OPERATION,
                path=enabled,
            ) from None
        if not on & _CORE:
            raise Unsupported(
                f"the multi-gen LRU is switched off here; switch it on: echo y > {enabled}",
                errno=ENOTSUP,
                operation=_OPERATION,
                path=enabled,
            )
        kernel = version(os.uname().release if release is None else release)
        self._one_node = bool(on & _TABLES) and kernel < _EACH_NODE

    def read(self, path: str) -> list[Generation]:
        """Those of the cgroup with this path in its hierarchy, and of the cgroups below it.

        Raises Unsupported where there are several nodes, and aging misses touches on all but one.
        """
        below = "/" if path == "/" else f"{path}/"
        found = [
            each for each in parse(self._text()) if each.path == path or each.path.startswith(below)
        ]
        if self._one_node and len({each.node for each in found}) > 1:
            raise Unsupported(
                "before Linux 6.12 the multi-gen LRU misses what is touched on all NUMA nodes but "
                f"one, while it looks at marks of page tables: echo 3 > {self._enabled}",
                errno=ENOTSUP,
                operation=_OPERATION,
                path=self._enabled,
            )
        return found

    def _text(self) -> str:
        try:
            return get(self._file)
        except OSError as error:
            raise self._error(error) from None

    def age(self, memcg: int, node: int, number: int) -> None:
        """Begin a new generation after the youngest, `number`; anonymous memory is aged too.

        Where the kernel has done so meanwhile by itself, or has removed the cgroup, nothing is
        done. Raises what stands for another OSError.
        """
        try:
            put(self._file, f"+ {memcg} {node} {number} 1 1")
        except OSError as error:
            if error.errno != EINVAL:
                raise self._error(error) from None

    def _error(self, error: OSError) -> PagemapError:
        if error.errno in (EACCES, EPERM):
            return AccessDenied(
                f"cannot use {self._file}: permission denied; run with sudo",
                errno=error.errno,
                operation=_OPERATION,
                path=self._file,
            )
        if error.errno == ENOENT:
            folder = os.path.dirname(self._file)
            return Unsupported(
                f"there is no {self._file}: mount it: mount -t debugfs debugfs {folder}",
                errno=ENOENT,
                operation=_OPERATION,
                path=self._file,
            )
        return PagemapError(
            f"cannot use {self._file}: {error.strerror or error}",
            errno=error.errno,
            operation=_OPERATION,
            path=self._file,
        )
