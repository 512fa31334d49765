"""What a process holds, as smaps says it: one kind of mapping after another.

Each of these was counted by a bit that means something else: present for rss, bit 62 for swap, bit
56 for all of a huge page, the scan's huge for what hugetlb has only reserved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import pagemap
from pagemap._analyses import tally_plan
from pagemap._vocabulary.rows.tally import COUNTS
from tests import held, oracle, zoo, zoo_kernel
from tests.live import scanning
from tests.live.as_nobody import without_admin
from tests.looks import agreed
from tests.workloads import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.target import Target

PAGE = oracle.PAGE
KINDS = [
    *("thp child writes", "thp child keeps", "hugetlb", "hugetlb shared", "hugetlb untouched"),
    *("hugetlb protected", "zero", "zero huge", "guard", "uffd-wp", "markers", "swapped"),
    *("swapped shmem", "swap cache", "folios PMD", "vvar", "forked", "lazyfree", "deleted"),
]


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def target(kind: str) -> Iterator[Target]:
    try:
        with zoo.ZOO[kind]() as made:
            made.stop()
            yield made
    except Unavailable as reason:
        pytest.skip(str(reason))


def accounts(pid: int) -> list[oracle.Smaps]:
    with open(f"/proc/{pid}/smaps", "rb") as file:
        return oracle.parse_smaps(file.read())


def truth(pid: int) -> list[tuple[int, dict[str, Any]]]:
    """Where each mapping starts, and what it holds by smaps and kpagecount, in bytes."""
    result = []
    shmem = held.shmem_devices()
    untold = {"guard"} - oracle.told_here()
    for account, line in zip(accounts(pid), oracle.maps(pid), strict=True):
        entries = oracle.entries(pid, account.start, account.end)
        counts = held.held(account, entries)
        sizes = account.sizes
        counts["uss"] = sizes["Private_Clean"] + sizes["Private_Dirty"]
        types = oracle.swap_type_names()
        counts["marker"] = PAGE * sum(oracle.kind(entry, types) == "marker" for entry in entries)
        parted = held.parted(counts, line, shmem) | dict.fromkeys(untold)
        result.append((account.start, parted))
    return result


@pytest.mark.parametrize("scan", [True, False], ids=["scan", "entries"])
def test_each_mapping(target: Target, kind: str, scan: bool, need_pfns: None) -> None:
    """EXCLUSIVE of forked THP was 30 MiB for 92 KiB, or 36 KiB for 30.7 MiB.

    SWAP was guard regions and markers, and left out swapped shared memory; RSS was zero pages and
    hugetlb; UFFD-WP of hugetlb was 6, 1.5 or 2 MiB by three ways.
    """
    with scanning.opened(target, scan=scan) as process:
        names = ["present", "rss", "hugetlb", "swap", "guard", "marker", "anon"]
        names += ["file", "shmem", "uffd_wp", "zero", "uss", *(["huge"] if scan else [])]
        asked = tally_plan.tellable(process, COUNTS)

        def look() -> tuple[object, object]:
            kernels = [
                (start, {name: counts[name] for name in names})
                for start, counts in truth(target.pid)
            ]
            rows = process.tally(asked)
            return (
                [(row.start, {name: getattr(row, name) for name in names}) for row in rows],
                kernels,
            )

        agreed(look)
        # whatever is asked for decides how it is counted, and never what comes out
        for name in tally_plan.tellable(process, names):
            agreed(
                lambda name=name: (  # type: ignore[misc]
                    [getattr(row, name) for row in process.tally([name])],
                    [getattr(row, name) for row in process.tally(asked)],
                )
            )


@pytest.mark.parametrize("scan", [True, False], ids=["scan", "entries"])
def test_samples(target: Target, scan: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In bytes, in the words of smaps, whatever is there."""
    monkeypatch.setenv("PAGEMAP_DISABLE", "" if scan else "scan")
    with pagemap.Sampler(target.pid) as sampler:

        def look() -> tuple[dict[str, Any], object]:
            sums, sample = oracle.smaps_rollup(target.pid), sampler.sample()
            wanted = {
                "rss": sums["Rss"],
                "anon": sums["Anonymous"],
                "swap": sums["Swap"],
                "hugetlb": sums["Shared_Hugetlb"] + sums["Private_Hugetlb"],
            }
            if sampler.uss_by == "map count":
                wanted["uss"] = sums["Private_Clean"] + sums["Private_Dirty"]
            return {name: getattr(sample, name) for name in wanted}, wanted

        told = agreed(look)
        assert abs(sampler.rss() - told["rss"]) <= zoo_kernel.STATUS_SLACK


@pytest.mark.parametrize("scan", [True, False], ids=["scan", "entries"])
def test_without_rights(
    target: Target, kind: str, scan: bool, need_root: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the kernel hides is smaps' word, or not known: never 0, and never what it is not.

    Pages of zeros are told by a scan, or by /proc/kpageflags, which is hidden here.
    """
    monkeypatch.setenv("PAGEMAP_DISABLE", "" if scan else "scan")

    def look() -> tuple[bool, list[tuple[int, dict[str, int | None]]]]:
        with pagemap.Process(target.pid) as process:
            assert not process.pfns_visible
            known = tally_plan.tellable(process, COUNTS)
            return process.can_scan, [(row.start, row._asdict()) for row in process.tally(known)]

    before = truth(target.pid)
    can_scan, rows = without_admin(look)
    if scan and not can_scan:
        pytest.skip("this kernel has no PAGEMAP_SCAN (6.7)")
    assert can_scan == scan
    for (start, counts), (at, told) in zip(before, rows, strict=True):
        assert start == at
        for name in ("present", "rss", "hugetlb", "swap", "guard", "anon", "uffd_wp", "zero"):
            wanted = counts[name] if scan or name != "zero" else None
            assert told[name] == wanted, (kind, name)
        assert told["marker"] in (counts["marker"], None)
        assert (told["marker"] is None) <= (counts["marker"] + counts["swap"] > 0)
