"""As many ranges as there are mappings: the work grows as either, not as their product."""

from __future__ import annotations

import contextlib
import io
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

import pagemap
from pagemap._native import probes
from tests import looks
from tests.unit import fake_proc
from tests.unit.fake_proc import PAGE_SIZE, line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COUNT = 3000
Ranges = list[tuple[int, int]]


def columns(process: pagemap.Process, ranges: Ranges) -> list[int]:
    stream = process.columns(["address"], populated=False, ranges=ranges)
    return [address for table in stream for address in table["address"]]


def dump(process: pagemap.Process, ranges: Ranges) -> list[int]:
    file = io.BytesIO()
    pagemap.dump(process, file, format="csv", ranges=ranges)
    return [int(row.split(b",")[0], 16) for row in file.getvalue().splitlines()[1:]]


def seconds(call: Callable[[], object]) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin


@pytest.mark.parametrize("call", [columns, dump], ids=["columns", "dump"])
def test_many_ranges(
    call: Callable[[pagemap.Process, Ranges], list[int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PAGEMAP_DISABLE", "scan")  # a plain file has no ioctl
    monkeypatch.setattr(probes, "pfns", lambda: True)
    calls = []
    with contextlib.ExitStack() as opened:
        for count in (COUNT, 4 * COUNT):
            # of four pages three are mapped, and a range is the second
            starts = range(1, 4 * count, 4)
            maps = b"".join(line(start, start + 3) for start in starts)
            procfs = fake_proc.make(tmp_path / str(count), maps=maps, pages=4 * count + 4)
            ranges = [((start + 1) * PAGE_SIZE, (start + 2) * PAGE_SIZE) for start in starts]
            process = opened.enter_context(pagemap.Process(4242, procfs=procfs))
            assert call(process, ranges[::-1]) == [start for start, _ in ranges]
            calls.append(partial(call, process, ranges))
        few, many = calls
        # 4 times as many of both; their product is 16 times as many
        looks.agreed(lambda: (seconds(many) < 8 * seconds(few), True))
