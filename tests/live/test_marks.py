"""Marks on single pages: each is on the page that was marked, and on no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import oracle, workloads

if TYPE_CHECKING:
    from tests.conftest import Start

PAGE = oracle.PAGE


def test_every_second_page_is_a_guard(start: Start) -> None:
    target = start(workloads.guard())
    target.stop()
    area = target.first
    with pagemap.Process(target.pid) as process:
        pages = process.pages((area.start, area.end))
        assert list(pages.column("guard")) == [0, 1] * (area.pages // 2)
        assert [page.guard for page in pages] == [False, True] * (area.pages // 2)
        assert [page.present for page in pages] == [True, False] * (area.pages // 2)
        with pytest.raises(pagemap.NotPresent, match="guard"):
            process.virt_to_phys(area.start + PAGE)


def test_write_protected_pages(start: Start) -> None:
    target = start(workloads.uffd_wp())
    target.stop()
    with pagemap.Process(target.pid) as process:
        for name, mark in (("protected", 1), ("open", 0)):
            area = target.areas[name]
            pages = process.pages((area.start, area.end))
            assert list(pages.column("uffd_wp")) == [mark] * area.pages
            assert pages.count("present") == area.pages


def test_only_touched_pages_are_there(start: Start) -> None:
    target = start(workloads.sparse(64 << 20, 1 << 20))
    area = target.first
    with pagemap.Process(target.pid) as process:
        pages = process.pages((area.start, area.end))
    there = [page.address - area.start for page in pages if page.present]
    assert there == list(range(0, 64 << 20, 1 << 20))


def test_a_page_that_is_freed_is_gone(start: Start) -> None:
    target = start(workloads.dense(64 * PAGE))
    area = target.first
    with pagemap.Process(target.pid) as process:
        assert process.pages((area.start, area.end)).count("present") == 64
        target.tell("u")
        assert target.read_line() == "unmapped"
        # The same open Process: nothing is remembered of what was read before.
        assert process.pages((area.start, area.end)).count("present") == 0
        with pytest.raises(pagemap.NotMapped):
            process.virt_to_phys(area.start)
