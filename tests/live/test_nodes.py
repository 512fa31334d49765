"""Memory by NUMA node, of real processes, beside the kernel's own numa_maps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import workloads, zoo
from tests.live.as_nobody import without_admin

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from tests.conftest import Start

MIB = 1 << 20
KINDS: dict[str, Callable[[], AbstractContextManager[workloads.Target]]] = {
    "dense": lambda: workloads.dense(4 * MIB),
    "file": workloads.file,
    "shared": workloads.shared,
    "thp": workloads.thp,
    "hugetlb": workloads.hugetlb,
    "zero": workloads.zero,
    "huge zero page": zoo.zero_huge,
    "guard": workloads.guard,
}
# What the kernel maps of itself has frames, and numa_maps leaves these out.
APART = ("[vdso]", "[vvar]", "[vvar_vclock]", "[vsyscall]")


def by_kernel(pid: int) -> dict[tuple[int, int], int]:
    """The bytes of each mapping on each node, by numa_maps."""
    found = {}
    for line in Path(f"/proc/{pid}/numa_maps").read_text().splitlines():
        start, _, *words = line.split()
        sizes = dict(word.split("=", 1) for word in words if "=" in word)
        for name, count in sizes.items():
            if name[0] == "N" and name[1:].isdecimal():
                size = int(count) * int(sizes["kernelpagesize_kB"]) << 10
                found[int(start, 16), int(name[1:])] = size
    return found


def told(process: pagemap.Process) -> dict[tuple[int, int | None], int]:
    return {(row.start, row.node): row.resident for row in process.nodes() if row.path not in APART}


@pytest.fixture
def numa_maps() -> None:
    if not Path("/proc/self/numa_maps").exists():
        pytest.skip("the kernel has no numa_maps (CONFIG_NUMA)")


@pytest.mark.usefixtures("need_pfns", "numa_maps")
@pytest.mark.parametrize("kind", KINDS)
def test_beside_the_kernel(start: Start, kind: str) -> None:
    target = start(KINDS[kind]())
    target.stop()
    with pagemap.Process(target) as process:
        for _ in range(5):  # the kernel may move pages of a stopped process too
            before = by_kernel(target.pid)
            found = told(process)
            if before == by_kernel(target.pid):
                break
        assert found == before
        table = process.nodes(threads=2)
        assert table.about["counted_by"] == "frames"
        assert {row.policy for row in table} == {"default"}
        assert {row.misplaced for row in table} == {0}
        assert {row.policy for row in process.nodes(policies=False)} == {None}


@pytest.mark.usefixtures("numa_maps")
def test_without_rights(start: Start, pfns_visible: bool) -> None:
    """On one node what is resident is known without any file; on several numa_maps tells."""
    if pfns_visible and os.geteuid() != 0:
        pytest.skip("everybody sees PFNs here")
    target = start(workloads.dense(4 * MIB))
    target.stop()

    def look() -> tuple[dict[tuple[int, int | None], int], object, object]:
        with pagemap.Process(target) as process:
            table = process.nodes()
            return told(process), table.about["counted_by"], table.about["nodes"]

    found, by, nodes = without_admin(look) if pfns_visible else look()
    assert found == by_kernel(target.pid)
    assert by == ("the only node" if nodes == [0] else "numa_maps")


def test_a_target_that_ends(start: Start) -> None:
    target = start(workloads.idle())
    with pagemap.Process(target) as process:
        target.kill()
        with pytest.raises(pagemap.TargetVanished):
            process.nodes()


def test_wrong_arguments() -> None:
    with pagemap.Process("self") as process, pytest.raises(pagemap.UsageError, match="threads"):
        process.nodes(threads=0)


def test_of_a_snapshot(tmp_path: Path) -> None:
    """It has the nodes of its own machine; without PFNs, where that has one node alone."""
    path = tmp_path / "own.pagemap"
    pagemap.Snapshot.take([os.getpid()], path, pfns=False)
    with pagemap.Process("self") as live:
        several = len(live.nodes().about["nodes"]) > 1  # type: ignore[arg-type]
    with pagemap.Snapshot(path) as snapshot, snapshot.process(os.getpid()) as process:
        if several:
            with pytest.raises(pagemap.PfnsHidden, match="was taken without them"):
                process.nodes()
        else:
            assert process.nodes().total().resident > 0


def test_pages_are_of_this_machine() -> None:
    """The sum is what is resident, by another way of counting."""
    with pagemap.Process("self") as process:
        total = process.nodes().total().resident
        rss = process.tally(["rss"]).total().rss
    assert rss is not None
    assert abs(total - rss) < 2 * MIB
