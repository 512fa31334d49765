"""The rows of `Process.nodes`: the memory of a mapping that is on one NUMA node."""

from __future__ import annotations

from pagemap._vocabulary.record import Record, field
from pagemap._vocabulary.schema import Column, Schema

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = ["NODES", "PLACED", "NodeRow", "with_nodes"]


class NodeRow(Record):
    """The memory of a mapping on one NUMA node, in bytes; a row of `Process.nodes`."""

    pid: int = field("", "the process", key=True)
    start: int = field("address", "address of the first byte of the mapping", rank=3, key=True)
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
    path: str = field("", "the file, a name in brackets, or empty", rank=2)


NODES = Schema.of(NodeRow, "pagemap.nodes", 1)

PLACED = (
    Column(
        "misplaced",
        "int",
        "bytes",
        "on nodes that the policy of its mapping, or the cpuset, excludes",
        nullable=True,
        rank=3,
    ),
    Column(
        "remote",
        "int",
        "bytes",
        "on nodes that none of its threads ran on last; an estimate",
        nullable=True,
        rank=3,
    ),
)
"""Columns of what is not where it should be."""


def with_nodes(schema: Schema[Any], nodes: Sequence[int]) -> Schema[Any]:
    """The same columns, and one for each of these nodes, and those of `PLACED`."""
    columns = [
        Column(f"node_{node}", "int", "bytes", f"resident on node {node}", nullable=True, rank=3)
        for node in nodes
    ]
    return Schema(schema.name, schema.version, [*schema, *columns, *PLACED])
