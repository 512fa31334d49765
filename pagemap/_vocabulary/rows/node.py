"""The rows of `Process.nodes`: the memory of a mapping that is on one NUMA node."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.schema import Schema

__all__ = ["NODES", "NodeRow"]


class NodeRow(Record):
    """The memory of a mapping on one NUMA node, in bytes; a row of `Process.nodes`."""

    pid: int = field("", "the process", key=True)
    start: int = field("address", "address of the first byte of the mapping", rank=2, key=True)
    end: int = field("address", "address past its last byte", rank=7)
    perms: str = field("rights", "as in /proc/PID/maps", rank=8)
    node: int | None = field("", "the NUMA node; unknown of memory of a device", rank=0, key=True)
    resident: int = field("bytes", "in memory there, including hugetlb, without zero pages", rank=1)
    policy: str | None = field("", "where the kernel is to place its pages (mbind)", rank=5)
    misplaced: int | None = field(
        "bytes", "part of resident: its policy or cpuset names other nodes", rank=4
    )
    remote: int | None = field(
        "bytes", "part of resident: no thread ran on this node last; an estimate", rank=6
    )
    path: str = field("", "the file, a name in brackets, or empty", rank=3)


NODES = Schema.of(NodeRow, "pagemap.nodes", 1)
