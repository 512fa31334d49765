"""Sizes of huge pages as the kernel tells them, and as callers ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pagemap import folios
from pagemap.errors import UsageError
from pagemap.units import PAGE_SIZE

if TYPE_CHECKING:
    from pathlib import Path


def settings(folder: Path, counts: dict[int, str | None], pmd: int = 9) -> str:
    """A folder like /sys/kernel/mm/transparent_hugepage: what is counted of each order."""
    (folder / "hpage_pmd_size").write_text(f"{PAGE_SIZE << pmd}\n")
    for order, count in counts.items():
        stats = folder / f"hugepages-{(PAGE_SIZE << order) // 1024}kB" / "stats"
        stats.mkdir(parents=True)
        if count is not None:
            (stats / "nr_anon").write_text(f"{count}\n")
    return str(folder)


@pytest.mark.parametrize(
    ("counts", "least"),
    [
        ({2: "0", 4: "0", 9: "300"}, 9),
        ({2: "0", 4: "0", 9: "0"}, 9),
        ({2: "0", 4: "1", 6: "7", 9: "300"}, 4),
        ({1: None, 2: "5", 9: "0"}, 2),
        ({2: "0", 4: None, 9: "0"}, None),
        ({2: "0", 4: "many", 9: "0"}, None),
        ({}, None),
    ],
)
def test_the_least_order(tmp_path: Path, counts: dict[int, str | None], least: int | None) -> None:
    """Nothing is taken for granted where one size is not counted."""
    assert folios.least_anon_order(settings(tmp_path, counts)) == least


def test_without_thp(tmp_path: Path) -> None:
    assert folios.pmd_order(str(tmp_path)) is None
    assert folios.least_anon_order(str(tmp_path)) is None


def test_the_order_of_a_pmd(tmp_path: Path) -> None:
    assert folios.pmd_order(settings(tmp_path, {}, pmd=13)) == 13


def test_orders_of_blocks() -> None:
    assert [folios.order_of(PAGE_SIZE << order) for order in (1, 4)] == [1, 4]
    for size in (0, -PAGE_SIZE, PAGE_SIZE, 3 * PAGE_SIZE, PAGE_SIZE + 1, 1 << 60):
        with pytest.raises(UsageError, match="power of two"):
            folios.order_of(size)


def test_a_sum_of_nothing() -> None:
    assert folios.total([]) == folios.NOTHING
    assert (folios.NOTHING.thp, folios.NOTHING.pmd, folios.NOTHING.cont(4)) == (0, 0, None)
