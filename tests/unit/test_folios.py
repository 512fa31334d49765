"""Sizes of huge pages as the kernel tells them, and as callers ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pagemap._analyses.huge import orders_of
from pagemap._errors import UsageError
from pagemap._kernel import thp
from pagemap._vocabulary.rows.huge import LARGEST
from pagemap._vocabulary.units import PAGE_SIZE

if TYPE_CHECKING:
    from pathlib import Path


def settings(folder: Path, counts: dict[int, str | None], pmd: int = 9) -> str:
    """A folder like /sys/kernel/mm/transparent_hugepage: `counts` for orders, else none there are.

    Of an order whose count is None the kernel tells other things alone.
    """
    (folder / "hpage_pmd_size").write_text(f"{PAGE_SIZE << pmd}\n")
    for order, count in ({1: None} | dict.fromkeys(range(2, pmd + 1), "0") | counts).items():
        stats = folder / f"hugepages-{(PAGE_SIZE << order) // 1024}kB" / "stats"
        stats.mkdir(parents=True)
        if count is not None:
            (stats / "nr_anon").write_text(f"{count}\n")
    return str(folder)


@pytest.mark.parametrize(
    ("counts", "least"),
    [
        ({}, 9),
        ({9: "300"}, 9),
        ({8: "1"}, 8),
        ({4: "1", 6: "7", 9: "300"}, 4),
        ({2: "5", 3: "many"}, 2),
        ({1: "0"}, 9),
        ({1: "3", 4: "1"}, 1),
        ({4: None}, None),
        ({8: None}, None),
        ({4: "many"}, None),
        ({1: "many"}, None),
        ({4: ""}, None),
        (dict.fromkeys(range(1, 10)), None),
        # a sum over processors that was not taken at one moment may be less than none
        ({4: f"{2**64 - 1}"}, 4),
    ],
)
def test_the_least_order(tmp_path: Path, counts: dict[int, str | None], least: int | None) -> None:
    """Nothing is taken for granted where one size is not counted."""
    assert thp.least_anon_order(settings(tmp_path, counts)) == least


@pytest.mark.parametrize("order", range(2, 9))
def test_a_size_that_is_hidden(tmp_path: Path, order: int) -> None:
    """As a container may see it: some of the folders are there."""
    folder = settings(tmp_path, {})
    (tmp_path / f"hugepages-{(PAGE_SIZE << order) // 1024}kB").rename(tmp_path / "hidden")
    assert thp.least_anon_order(folder) is None


def test_without_thp(tmp_path: Path) -> None:
    assert thp.pmd_order(str(tmp_path)) is None
    assert thp.least_anon_order(str(tmp_path)) is None


def test_the_order_of_a_pmd(tmp_path: Path) -> None:
    assert thp.pmd_order(settings(tmp_path, {}, pmd=13)) == 13


def test_orders_of_blocks() -> None:
    assert orders_of([PAGE_SIZE << order for order in (4, 1, 4)]) == [1, 4]
    for size in (PAGE_SIZE, 3 * PAGE_SIZE, PAGE_SIZE + 1, 1 << 60):
        with pytest.raises(UsageError, match="power of two"):
            orders_of([size])
    for size in (0, -PAGE_SIZE):
        with pytest.raises(UsageError, match="cont must be from 1"):
            orders_of([size])


def test_the_largest_is_that_of_a_pmd() -> None:
    most = thp.pmd_order()
    if most is None:
        pytest.skip("THP: the kernel has none")
    assert most == LARGEST
