"""One target seen three ways: by PAGEMAP_SCAN, by the way without it, and naively."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

import pytest

import pagemap
from tests import naive, oracle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.workloads import Target


class Seen(NamedTuple):
    """An address space at rest: its mappings, and the entries of each, read one by one."""

    mappings: list[oracle.MapsLine]
    entries: list[list[int]]
    stretches: list[naive.Stretch]

    def untouched_since(self, pid: int) -> bool:
        """Whether all is as it was; the kernel may reclaim from a stopped process too."""
        return naive.entries_of(pid, self.mappings) == self.entries


def see(target: Target) -> Seen:
    """Look at every page of a stopped target."""
    mappings = oracle.maps(target.pid)
    entries = naive.entries_of(target.pid, mappings)
    return Seen(
        mappings, entries, naive.stretches(mappings, entries, hidden_is_swap=oracle.swap_in_use())
    )


@contextlib.contextmanager
def opened(target: Target | str, *, scan: bool) -> Iterator[pagemap.Process]:
    """The process, to be read with PAGEMAP_SCAN or without; skips where the kernel has it not."""
    with pagemap.Process(target) as process, contextlib.ExitStack() as stack:
        if not scan:
            stack.enter_context(mock.patch.dict(os.environ, {"PAGEMAP_DISABLE": "scan"}))
        can = process.can_scan  # it is looked up once, and kept
        if scan and not can:
            pytest.skip("this kernel has no PAGEMAP_SCAN (6.7)")
        assert can == scan
        yield process
