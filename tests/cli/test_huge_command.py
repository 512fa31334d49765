"""`pagemap huge`: whole outputs, against huge pages counted one by one."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests import naive_huge, oracle, workloads
from tests.cli.conftest import BELIEVING, Pagemap
from tests.zoo import ZOO

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Start
    from tests.naive_huge import Key

PAGE = oracle.PAGE
SIZE, ORDER = 16 * PAGE, 4
AMOUNTS = ["size", "present", "rss", "anon", "thp", "pmd", "aligned", "unaligned", "partial"]


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
    code, out, err = pagemap("huge", *words, "--json")
    assert (code, err) == (0, [])
    about: dict[str, Any] = json.loads(out)
    return about


def of_json(row: dict[str, Any]) -> Counter[Key]:
    return naive_huge.of_row(SimpleNamespace(**row))


def test_json(pagemap: Pagemap, target: workloads.Target) -> None:
    """Each mapping, its sums by all sizes, and the totals."""
    about = document(pagemap, target.pid, "--sizes", "--cont", f"{SIZE},{2 * PAGE}")
    assert (about["schema"], about["version"]) == ("pagemap.huge", 3)
    assert (about["about"]["pid"], about["about"]["page_size"]) == (target.pid, PAGE)
    wanted = naive_huge.of_process(target.pid, [1, ORDER])
    assert list(map(of_json, about["rows"])) == wanted
    lines = oracle.maps(target.pid)
    for row, line, counts in zip(about["rows"], lines, wanted, strict=True):
        assert (row["start"], row["end"], row["path"]) == (
            hex(line.start),
            hex(line.end),
            line.path,
        )
        assert (row["perms"], row["offset"]) == (line.perms, hex(line.offset))
        assert (row["dev"], row["inode"]) == (line.dev, line.inode)
        assert (row["pid"], row["size"]) == (target.pid, line.end - line.start)
        for name in ("aligned", "unaligned", "partial", "pmd"):
            assert row[name] == PAGE * sum(
                counts[kind, what, order] for kind, what, order in counts if what == name
            )
        assert row["thp"] == sum(row[name] for name in ("aligned", "unaligned", "partial", "pmd"))
        by_size = sum(row[f"thp_{naive_huge.word_of_size(order)}"] for order in range(1, 10))
        assert row["thp"] == by_size + row["partial"] or PAGE != 4096
        for order in (1, ORDER):
            assert row[f"cont_{naive_huge.word_of_size(order)}"] == PAGE * (
                counts["anon", "cont", order] + counts["file", "cont", order]
            )
    for name in (*AMOUNTS, "zero"):
        assert about["total"][name] == sum(row[name] for row in about["rows"])
    zeros = dict.fromkeys(about["rows"][0], 0)
    assert of_json({**zeros, **about["total"]}) == sum(wanted, Counter())
    alone = document(pagemap, target.pid, "--top", "0", "--sizes", "--cont", "64k,8K")
    if PAGE == 4096:
        assert (alone["rows"], alone["total"]) == ([], about["total"])


def test_csv(pagemap: Pagemap, target: workloads.Target) -> None:
    """The same numbers; those of each size where they are asked for."""
    more = ["--sizes", f"--cont={SIZE}"]
    code, out, err = pagemap("huge", target.pid, "--csv", *more)
    assert (code, err) == (0, [])
    titles, *rows = oracle.read_csv(out)
    about = document(pagemap, target.pid, *more)
    assert [dict(zip(titles, fields, strict=True)) for fields in rows] == [
        {name: "" if value is None else str(value) for name, value in row.items()}
        for row in about["rows"]
    ]
    code, out, err = pagemap("huge", target.pid, "--csv", "--cont", SIZE)
    (titles, *_) = oracle.read_csv(out)
    assert titles[:4] == ["pid", "start", "end", "perms"]
    assert titles[-2:] == ["path", f"cont_{naive_huge.word_of_size(ORDER)}"]
    one = f"anon_partial,anon_aligned_{naive_huge.word_of_size(ORDER)}"
    code, out, err = pagemap("huge", target.pid, "--csv", "--columns", one)
    assert (code, err, out.splitlines()[0].decode()) == (0, [], one)


def test_text(pagemap: Pagemap, target: workloads.Target) -> None:
    """A table, of chosen columns, the largest first."""
    size = naive_huge.word_of_size(ORDER)
    names = f"start,present,thp,aligned,unaligned,partial,cont_{size},thp_{size},path"
    words = ["huge", str(target.pid), "--cont", str(SIZE), "--map", "[anon]"]
    code, out, err = pagemap(*words, "--columns", names, "--sort", "thp")
    assert (code, err) == (0, [])
    titles, *rows = [line.split() for line in out.decode().splitlines()]
    assert titles == names.upper().split(",")
    pages = target.areas["whole"].pages
    torn = pages - pages // (SIZE // PAGE)
    all_of, most = (text(count) for count in (pages, torn))
    whole = [all_of, all_of, "0", "0", all_of, all_of]
    by_start = {int(row[0], 16): row[2:8] for row in rows[:-1]}
    areas = {
        name: next(row for start, row in by_start.items() if start + SIZE >= area.start >= start)
        for name, area in target.areas.items()
        if name in ("whole", "split", "moved", "torn")
    }
    assert areas == {
        "whole": whole,
        "split": whole,
        "moved": [all_of, "0", all_of, "0", "0", all_of],
        "torn": [most, "0", "0", most, "0", "0"],
    }
    assert rows[-1][0] == "total"
    assert rows[-1][2:] == [
        text(count) for count in (3 * pages + torn, 2 * pages, pages, torn, 2 * pages, 3 * pages)
    ]
    about = document(pagemap, target.pid, "--sort", "thp", "--map", "[anon]")
    sums = [row["thp"] for row in about["rows"]]
    assert sums == sorted(sums, reverse=True)


def text(pages: int) -> str:
    """So many pages, a few MiB, as a table has them."""
    mib = pages * PAGE / 2**20
    assert 1 <= mib < 1024
    return f"{mib:.1f}M"


def test_one_row_of_a_process(pagemap: Pagemap, target: workloads.Target) -> None:
    """With --by process, and where several are named; --by a column adds up its rows."""
    mappings = document(pagemap, target.pid)
    (row,) = document(pagemap, target.pid, "--by", "process")["rows"]
    assert {name: row[name] for name in mappings["total"]} == mappings["total"]
    assert row["name"] == Path(f"/proc/{target.pid}/comm").read_text().rstrip()
    both = document(pagemap, target.pid, os.getpid())
    assert {row["pid"] for row in both["rows"]} == {target.pid, os.getpid()}
    paths = document(pagemap, target.pid, "--by", "path")
    assert {row["path"] for row in paths["rows"]} == {row["path"] for row in mappings["rows"]}
    assert paths["total"]["thp"] == mappings["total"]["thp"]
    each = document(pagemap, target.pid, os.getpid(), "--by", "mapping", "--map", "[stack]")
    assert {row["pid"] for row in each["rows"]} == {target.pid, os.getpid()}


def test_without_a_scan(
    pagemap: Pagemap, target: workloads.Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What PMDs map is then unknown, and nothing else."""
    seen = document(pagemap, target.pid)["total"]
    monkeypatch.setenv("PAGEMAP_DISABLE", "scan")
    blind = document(pagemap, target.pid, "--sizes")["total"]
    assert (blind["pmd"], blind["anon_pmd"], blind["file_pmd"]) == (None, None, None)
    assert (blind["thp"], blind["partial"]) == (seen["thp"], seen["partial"])
    table = pagemap("huge", target.pid, "--top", "1", "--columns", "start,pmd")
    assert [line.split()[-1] for line in table.out.splitlines()] == [b"PMD", b"-", b"-"]
    table = pagemap("huge", target.pid, "--csv", "--columns", "pmd,thp")
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
    code, out, err = pagemap("huge", "--cgroup", str(folder), "--json", "--sizes", "--cont", SIZE)
    about = json.loads(out)
    assert (code, err) == (0, [f"pagemap: 1 process ended or called exec meanwhile: {gone}"])
    assert (about["schema"], about["about"]["complete"]) == ("pagemap.huge.processes", False)
    assert [each["pid"] for each in about["about"]["left_out"]] == [gone]
    assert sorted(row["pid"] for row in about["rows"]) == [pid for pid in pids if pid != gone]
    for row in about["rows"]:
        alone = document(pagemap, row["pid"], "--sizes", "--cont", SIZE)["total"]
        assert {name: row[name] for name in alone} == alone
        assert row["name"] == Path(f"/proc/{row['pid']}/comm").read_text().rstrip()
    for name in AMOUNTS:
        assert about["total"][name] == sum(row[name] for row in about["rows"])
    sums = [row["thp"] for row in about["rows"]]
    assert sums == sorted(sums, reverse=True)
    lines = pagemap("huge", "--cgroup", str(folder), "--columns", "pid,thp", "--csv").out
    rows = oracle.read_csv(lines)
    assert rows[0] == ["pid", "thp"]
    assert [target.pid, document(pagemap, target.pid)["total"]["thp"]] in [
        list(map(int, row)) for row in rows[1:]
    ]


def test_all(pagemap: Pagemap, target: workloads.Target) -> None:
    code, out, _ = pagemap("huge", "--json", "--columns", "pid,thp,name")
    assert code == 0
    about = json.loads(out)
    rows = {row["pid"]: row for row in about["rows"]}
    assert rows[target.pid]["thp"] == document(pagemap, target.pid)["total"]["thp"]
    assert os.getpid() in rows
    assert about["total"]["thp"] == sum(row["thp"] for row in about["rows"])


def test_hugetlb_is_no_anonymous_memory_and_its_holes_are_none(
    pagemap: Pagemap, start: Start, need_pfns: None
) -> None:
    """Private hugetlb was anonymous memory of its own; what is untouched is nothing."""
    target = start(ZOO["hugetlb untouched"]())
    wanted = oracle.smaps_rollup(target.pid)
    total = document(pagemap, target.pid)["total"]
    assert wanted["Private_Hugetlb"] > 0
    assert total["hugetlb"] == wanted["Private_Hugetlb"] + wanted["Shared_Hugetlb"]
    assert (total["rss"], total["anon"]) == (wanted["Rss"], wanted["Anonymous"])
    assert total["present"] == total["rss"] + total["hugetlb"] + total["zero"]
    assert (total["thp"], total["pmd"]) == (0, 0)


def test_pages_of_zeros_are_no_anonymous_memory(
    pagemap: Pagemap, start: Start, need_pfns: None
) -> None:
    """Memory that was only read, as numpy.zeros is, was anonymous memory."""
    target = start(workloads.zero(4 << 20))
    wanted = oracle.smaps_rollup(target.pid)
    total = document(pagemap, target.pid)["total"]
    assert total["zero"] >= 4 << 20
    assert (total["rss"], total["anon"]) == (wanted["Rss"], wanted["Anonymous"])
