"""Pages that two threads read: the same as one reads, and as the kernel has them."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

import pagemap
from pagemap._analyses import page_stream
from tests import oracle, workloads

if TYPE_CHECKING:
    from tests.conftest import Start

PAGE = oracle.PAGE


def pfn_at(pagemap_file: int, address: int) -> int | None:
    """The kernel's own word for this page."""
    (entry,) = struct.unpack("=Q", os.pread(pagemap_file, 8, address // PAGE * 8))
    return oracle.pfn(entry)


@pytest.mark.parametrize(
    ("size", "step"),
    [(100_000 * PAGE, 2 * PAGE), (16 << 30, 1 << 20)],
    ids=["every other page", "few of many"],
)
def test_two_threads_give_what_one_gives(
    start: Start, monkeypatch: pytest.MonkeyPatch, size: int, step: int, *, pfns_visible: bool
) -> None:
    target = start(workloads.sparse(size, step))
    target.stop()
    area = target.first
    found = []
    with pagemap.Process(target.pid) as process:
        for threads in (1, 2):
            monkeypatch.setattr(page_stream, "default_threads", lambda n=threads: n)
            stream = process.columns(ranges=[(area.start, area.end)])
            found.append(pa.RecordBatchReader.from_stream(stream).read_all())
    assert found[0].equals(found[1])
    addresses = found[1]["address"].to_pylist()
    assert addresses == list(range(area.start, area.end, step))
    if pfns_visible:
        with Path(f"/proc/{target.pid}/pagemap").open("rb", buffering=0) as file:
            wanted = [pfn_at(file.fileno(), address) for address in addresses]
        assert found[1]["pfn"].to_pylist() == wanted


def test_a_target_that_is_gone(start: Start) -> None:
    """In the midst of it, too, the consumer is told so, and has no rows for all of them."""
    target = start(workloads.sparse(100_000 * PAGE, 2 * PAGE))
    with pagemap.Process(target.pid) as process:
        batches = iter(process.columns(["address"]))
        target.kill()
        with pytest.raises(pagemap.TargetVanished):
            list(batches)
