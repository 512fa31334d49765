"""`pagemap maps --huge`: whole outputs, against huge pages counted one by one."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import naive_huge, oracle, workloads
from tests.cli.conftest import BELIEVING, Pagemap
from tests.zoo import ZOO

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from tests.conftest import Start
    from tests.naive_huge import Key

PAGE = oracle.PAGE
SIZE, ORDER = 16 * PAGE, 4
AMOUNTS = ["size", "present", "rss", "anonymous", "thp", "pmd", "aligned", "unaligned", "partial"]


@pytest.fixture(scope="module")
def target(pfns_visible: bool) -> Iterator[workloads.Target]:
    """Folios of sixteen pages, mapped in every way; skips where frames are hidden."""
    if not pfns_visible or not oracle.may_read("/proc/kpageflags"):
        pytest.skip("PFNs or /proc/kpageflags are hidden: needs root")
    try:
        with workloads.folios(SIZE) as target:
            target.stop()
            yield target
    except workloads.Unavailable as reason:
        pytest.skip(str(reason))


def document(pagemap: Pagemap, *words: str | int) -> dict[str, Any]:
    code, out, err = pagemap("maps", *words, "--huge", "--json")
    assert (code, err) == (0, [])
    about: dict[str, Any] = json.loads(out)
    return about


def of_json(row: dict[str, Any]) -> Counter[Key]:
    """A row of JSON in the form of naive_huge."""
    result: Counter[Key] = type(naive_huge.count(0, [], lambda _: 0))()
    for word in naive_huge.PLAIN:
        result[word, word, 0] = row[word] // PAGE
    for kind in ("anon", "file"):
        counts = row[f"thp_{kind}"]
        result[kind, "pmd", 0] = counts["pmd"] // PAGE
        result[kind, "partial", 0] = counts["partial"] // PAGE
        for what in ("aligned", "unaligned", "cont"):
            for size, amount in counts.get(what, {}).items():
                result[kind, what, (int(size) // PAGE).bit_length() - 1] = amount // PAGE
    return +result


def test_json(pagemap: Pagemap, target: workloads.Target) -> None:
    """Each mapping, its sums by all sizes, and the totals."""
    about = document(pagemap, target.pid, "--cont", f"{SIZE},{2 * PAGE}")
    assert list(about) == ["schema", "pid", "page_size", "mappings", "totals"]
    assert (about["schema"], about["pid"], about["page_size"]) == (
        "pagemap.huge/2",
        target.pid,
        PAGE,
    )
    wanted = naive_huge.of_process(target.pid, [1, ORDER])
    assert [of_json(row) for row in about["mappings"]] == wanted
    lines = oracle.maps(target.pid)
    for row, line, counts in zip(about["mappings"], lines, wanted, strict=True):
        assert (row["start"], row["end"], row["path"]) == (
            hex(line.start),
            hex(line.end),
            line.path,
        )
        assert (row["perms"], row["offset"]) == (line.perms, hex(line.offset))
        assert (row["dev"], row["inode"]) == (line.dev, line.inode)
        assert row["size"] == line.end - line.start
        for name in ("aligned", "unaligned", "partial", "pmd"):
            assert row[name] == PAGE * sum(
                counts[kind, what, order] for kind, what, order in counts if what == name
            )
        assert row["thp"] == sum(row[name] for name in ("aligned", "unaligned", "partial", "pmd"))
        assert row["cont"] == {
            str(PAGE << order): PAGE
            * (counts["anon", "cont", order] + counts["file", "cont", order])
            for order in (1, ORDER)
        }
    for name in (*AMOUNTS, "zero"):
        assert about["totals"][name] == sum(row[name] for row in about["mappings"])
    assert of_json(about["totals"]) == sum(wanted, type(wanted[0])())
    alone = json.loads(
        pagemap("maps", target.pid, "--huge", "--json", "--totals-only", "--cont", "64k,8K").out
    )
    if PAGE == 4096:
        assert alone == {name: about[name] for name in about if name != "mappings"}


def test_csv(pagemap: Pagemap, target: workloads.Target) -> None:
    """The same numbers, a column for each size."""
    cont = f"--cont={SIZE}"
    code, out, err = pagemap("maps", target.pid, "--huge", "--csv", cont)
    assert (code, err) == (0, [])
    titles, *rows = oracle.read_csv(out)
    about = document(pagemap, target.pid, cont)
    assert len(rows) == len(about["mappings"])
    for fields, row in zip(rows, about["mappings"], strict=True):
        found = dict(zip(titles, fields, strict=True))
        for name in ("start", "end", "perms", "offset", "dev", "path", *AMOUNTS, "zero"):
            assert found[name] == str(row[name])
        assert found[f"cont_{SIZE}"] == str(row["cont"][str(SIZE)])
        for kind in ("anon", "file"):
            for what in ("pmd", "partial"):
                assert found[f"thp_{kind}_{what}"] == str(row[f"thp_{kind}"][what])
            for what in ("aligned", "unaligned"):
                columns = [name for name in titles if name.startswith(f"thp_{kind}_{what}_")]
                assert len(columns) == 9 or PAGE != 4096
                for name in columns:
                    size = name.rpartition("_")[2]
                    assert found[name] == str(row[f"thp_{kind}"][what].get(size, 0))
    chosen = pagemap("maps", target.pid, "--huge", "--csv", "--columns", "thp,pmd", "--totals-only")
    totals = about["totals"]
    assert chosen == (0, f"thp,pmd\n{totals['thp']},{totals['pmd']}\n".encode(), [])


def test_text(pagemap: Pagemap, target: workloads.Target) -> None:
    """A table, of chosen columns, in pages, the largest first."""
    names = "start,present,thp,aligned,unaligned,partial,cont,thp-anon,path"
    words = ["maps", str(target.pid), "--huge", "--cont", str(SIZE), "--map", "[anon]"]
    code, out, err = pagemap(*words, "--columns", names, "--pages", "--sort", "thp")
    assert (code, err) == (0, [])
    titles, *rows = [line.split() for line in out.decode().splitlines()]
    size = f"{SIZE // 1024}K"
    amounts = ["PRESENT", "THP", "ALIGNED", "UNALIGNED", "PARTIAL"]
    assert titles == ["START", *amounts, f"CONT-{size}", "THP-ANON", "PATH"]
    pages = target.areas["whole"].pages
    torn = pages - pages // (SIZE // PAGE)
    whole = [str(pages), str(pages), "0", "0", str(pages), f"{size}:{pages}"]
    by_start = {int(row[0], 16): row[2:] for row in rows[:-1]}
    areas = {
        name: next(row for start, row in by_start.items() if start + SIZE >= area.start >= start)
        for name, area in target.areas.items()
        if name in ("whole", "split", "moved", "torn")
    }
    assert areas == {
        "whole": whole,
        "split": whole,
        "moved": [str(pages), "0", str(pages), "0", "0", f"{size}:{pages}"],
        "torn": [str(torn), "0", "0", str(torn), "0", f"part:{torn}"],
    }
    together = 3 * pages + torn
    assert rows[-1][0] == "total"
    assert rows[-1][2:] == [
        *map(str, (together, 2 * pages, pages, torn, 2 * pages)),
        f"{size}:{3 * pages},part:{torn}",
    ]
    sums = [int(row[2]) for row in rows[:-1]]
    assert sums == sorted(sums, reverse=True)


def test_text_totals(pagemap: Pagemap, target: workloads.Target) -> None:
    """A line for each amount; of sizes, for what there is."""
    words = ["maps", str(target.pid), "--huge", "--totals-only", "--pages", "--cont", str(SIZE)]
    code, out, err = pagemap(*words, "--columns", "thp,cont,thp-anon,path", "--map", "[anon]")
    pages = target.areas["whole"].pages
    torn = pages - pages // (SIZE // PAGE)
    size = f"{SIZE // 1024}K"
    assert (code, err) == (0, [])
    assert [line.rsplit(None, 1) for line in out.decode().splitlines()] == [
        ["WHAT", "TOTAL"],
        ["THP", str(3 * pages + torn)],
        [f"CONT {size}", str(2 * pages)],
        ["THP-ANON partial", str(torn)],
        [f"THP-ANON {size} aligned", str(2 * pages)],
        [f"THP-ANON {size} unaligned", str(pages)],
        [f"THP-ANON {size} cont", str(2 * pages)],
    ]


def test_without_a_scan(
    pagemap: Pagemap, target: workloads.Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What PMDs map is then unknown, and nothing else."""
    seen = document(pagemap, target.pid)["totals"]
    monkeypatch.setenv("PAGEMAP_DISABLE", "scan")
    blind = document(pagemap, target.pid)["totals"]
    assert (blind["pmd"], blind["thp_anon"]["pmd"], blind["thp_file"]["pmd"]) == (None, None, None)
    assert (blind["thp"], blind["partial"]) == (seen["thp"], seen["partial"])
    totals = pagemap("maps", target.pid, "--huge", "--totals-only", "--columns", "pmd")
    assert totals.out.split() == [b"WHAT", b"TOTAL", b"PMD", b"-"]
    table = pagemap("maps", target.pid, "--huge", "--csv", "--totals-only", "--columns", "pmd,thp")
    assert table.out.splitlines()[1].startswith(b",")


@pytest.fixture
def cgroup(tmp_path: Path, target: workloads.Target, start: Start) -> tuple[Path, list[int]]:
    """A folder like a cgroup's, with one below it; and the pids in both."""
    other, gone = start(workloads.dense()), start(workloads.idle())
    other.stop()
    below = tmp_path / "a b" / "c"
    below.mkdir(parents=True)
    (tmp_path / "cgroup.procs").write_text(f"{target.pid}\n{gone.pid}\n0\n")
    (below / "cgroup.procs").write_text(f"{other.pid}\n{target.pid}\n")
    gone.kill()
    return tmp_path, sorted([target.pid, other.pid, gone.pid])


def test_cgroup(cgroup: tuple[Path, list[int]], target: workloads.Target) -> None:
    """A row for each process that there still is, and the sum."""
    pagemap = Pagemap([sys.executable, "-c", BELIEVING])
    folder, pids = cgroup
    (gone,) = [pid for pid in pids if not Path(f"/proc/{pid}").exists()]
    code, out, err = pagemap("maps", "--huge", "--cgroup", str(folder), "--json", "--cont", SIZE)
    about = json.loads(out)
    assert (code, err) == (0, [f"pagemap: 1 process ended or called exec meanwhile: {gone}"])
    assert list(about) == ["schema", "page_size", "processes", "totals"]
    assert [row["pid"] for row in about["processes"]] == [pid for pid in pids if pid != gone]
    for row in about["processes"]:
        alone = document(pagemap, row["pid"], "--cont", SIZE)["totals"]
        assert {name: row[name] for name in alone} == alone
        assert row["name"] == Path(f"/proc/{row['pid']}/comm").read_text().rstrip()
    for name in AMOUNTS:
        assert about["totals"][name] == sum(row[name] for row in about["processes"])
    lines = pagemap(
        "maps", "--huge", "--cgroup", str(folder), "--columns", "pid,thp", "--pages"
    ).out
    rows = [line.split() for line in lines.decode().splitlines()]
    assert rows[0] == ["PID", "THP"]
    assert [str(target.pid), str(about["totals"]["thp"] // PAGE)] in rows


def test_all(pagemap: Pagemap, target: workloads.Target) -> None:
    code, out, _ = pagemap("maps", "--huge", "--all", "--json", "--columns", "pid,thp,name")
    assert code == 0
    about = json.loads(out)
    rows = {row["pid"]: row for row in about["processes"]}
    assert rows[target.pid]["thp"] == document(pagemap, target.pid)["totals"]["thp"]
    assert os.getpid() in rows
    assert about["totals"]["thp"] == sum(row["thp"] for row in about["processes"])


def test_hugetlb_is_no_anonymous_memory_and_its_holes_are_none(
    pagemap: Pagemap, start: Start, need_pfns: None
) -> None:
    """Private hugetlb was anonymous memory of its own; what is untouched is nothing."""
    target = start(ZOO["hugetlb untouched"]())
    wanted = oracle.smaps_rollup(target.pid)
    totals = document(pagemap, target.pid, "--totals-only")["totals"]
    assert wanted["Private_Hugetlb"] > 0
    assert totals["hugetlb"] == wanted["Private_Hugetlb"] + wanted["Shared_Hugetlb"]
    assert (totals["rss"], totals["anonymous"]) == (wanted["Rss"], wanted["Anonymous"])
    assert totals["present"] == totals["rss"] + totals["hugetlb"] + totals["zero"]
    assert (totals["thp"], totals["pmd"]) == (0, 0)


def test_pages_of_zeros_are_no_anonymous_memory(
    pagemap: Pagemap, start: Start, need_pfns: None
) -> None:
    """Memory that was only read, as numpy.zeros is, was anonymous memory."""
    target = start(workloads.zero(4 << 20))
    wanted = oracle.smaps_rollup(target.pid)
    totals = document(pagemap, target.pid, "--totals-only")["totals"]
    assert totals["zero"] >= 4 << 20
    assert (totals["rss"], totals["anonymous"]) == (wanted["Rss"], wanted["Anonymous"])
