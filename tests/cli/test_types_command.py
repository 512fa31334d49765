"""`pagemap types`: whole outputs, and everything that can be wrong with its exit code."""

from __future__ import annotations

import csv
import io
import json
import mmap
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import everyone, looks, oracle, page_words, userfault, workloads

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

PAGE = oracle.PAGE
MIB = 1 << 20


@pytest.fixture
def need_frames(need_pfns: None) -> None:
    """Skip where the files about frames may not be read."""
    if not oracle.may_read("/proc/kpageflags"):
        pytest.skip("/proc/kpageflags may not be read: needs CAP_DAC_READ_SEARCH")


@pytest.fixture
def dense(start: Start, need_frames: None) -> workloads.Target:
    """A stopped target of 512 written pages."""
    target = start(workloads.dense(2 * MIB))
    target.stop()
    return target


def span(target: workloads.Target) -> list[str]:
    return ["--range", f"{target.first.start:x}-{target.first.end:x}"]


def flags_of(target: workloads.Target) -> dict[str, int]:
    area = target.first
    counts = page_words.histogram(oracle.entries(target.pid, area.start, area.end))
    return {hex(flags): pages for flags, pages in counts.items()}


def test_a_histogram_in_three_forms(pagemap: Pagemap, dense: workloads.Target) -> None:
    def shown(counted: Callable[[bytes], dict[str, int]], *words: str) -> bytes:
        """What is written, as soon as it has the flags that there are: kdamond changes some."""

        def look() -> tuple[tuple[bytes, dict[str, int]], object]:
            code, out, err = pagemap("types", dense.pid, *span(dense), *words)
            assert (code, err) == (0, [])
            return (out, counted(out)), (out, flags_of(dense))

        return looks.agreed(look)[0]

    def of_json(out: bytes) -> dict[str, int]:
        return {each["flags"]: each["pages"] for each in json.loads(out)["rows"]}

    def of_table(out: bytes) -> dict[str, int]:
        lines = [line.split() for line in out.decode().splitlines()]
        return {line[0]: int(line[1]) for line in lines[1:-1]}

    def of_csv(out: bytes) -> dict[str, int]:
        rows = csv.DictReader(io.StringIO(out.decode()))
        return {row["flags"]: int(row["pages"]) for row in rows}

    told = json.loads(shown(of_json, "--json"))
    assert (told["schema"], told["version"]) == ("pagemap.types", 3)
    assert told["total"] == {"pages": 512, "frames": 512, "size": 2 * MIB}
    wanted = {"raw": False, "page_size": PAGE, "unknown": 0, "left_out": [], "complete": True}
    assert wanted.items() <= told["about"].items()
    largest = told["rows"][0]
    assert largest["size"] == largest["pages"] * PAGE
    assert set(largest["names"].split(",")) >= {"uptodate", "mmap", "anonymous"}
    assert largest["letters"].replace("_", "")[0] in "RU"
    lines = [line.split() for line in shown(of_table).decode().splitlines()]
    assert lines[0] == ["FLAGS", "PAGES", "FRAMES", "SIZE", "LETTERS", "NAMES"]
    assert lines[-1] == ["total", "512", "512", "2.0M"]
    parsed = list(csv.DictReader(io.StringIO(shown(of_csv, "--csv").decode())))
    names = {row["flags"]: row["names"] for row in told["rows"]}
    assert all(names.get(row["flags"], row["names"]) == row["names"] for row in parsed)


def test_lists(pagemap: Pagemap, dense: workloads.Target) -> None:
    area = dense.first
    where = span(dense)
    names = "address,pfn,mapcount,cgroup"

    def pfns() -> list[int]:
        return [oracle.place(entry) for entry in oracle.entries(dense.pid, area.start, area.end)]

    def each() -> tuple[list[list[int | None]], list[list[int | None]]]:
        words = (*where, "--list-each", "--csv", "--columns", names)
        code, out, err = pagemap("types", dense.pid, *words)
        assert (code, err) == (0, [])
        header, *rows = oracle.read_csv(out)
        assert header == names.split(",")
        found = pfns()
        files = (page_words.words(found, name) for name in ("kpagecount", "kpagecgroup"))
        addresses = range(area.start, area.end, PAGE)
        return [[int(row[0], 16), int(row[1], 16), int(row[2]), int(row[3])] for row in rows], [
            list(words) for words in zip(addresses, found, *files, strict=True)
        ]

    def runs() -> tuple[list[int], list[int]]:
        code, out, err = pagemap("types", dense.pid, *where, "--list", "--json")
        told = json.loads(out)
        assert (code, err, told["schema"]) == (0, [], "pagemap.page-runs")
        assert told["total"] == {"pages": 512}
        shown = [int(run["pfn"], 16) + at for run in told["rows"] for at in range(run["pages"])]
        return shown, pfns()

    looks.agreed(each)
    looks.agreed(runs)
    _, out, _ = pagemap("types", dense.pid, *where, "--list-each", "--csv")
    assert out.startswith(b"address,pfn,swap_offset,flags,letters,names\n")
    _, out, _ = pagemap("types", dense.pid, *where, "--list")
    lines = out.decode().splitlines()
    assert lines[0].split() == [
        *("ADDRESS", "PFN", "SWAP_OFFSET", "PAGES", "FLAGS", "LETTERS", "NAMES")
    ]
    assert (lines[1].split()[0], lines[1].split()[2]) == (hex(area.start), "-")
    assert sum(int(line.split()[3]) for line in lines[1:-1]) == 512
    assert lines[-1].split() == ["total", "512"]


def test_filters(pagemap: Pagemap, dense: workloads.Target) -> None:
    def pages(*options: str) -> int:
        code, out, err = pagemap("types", dense.pid, *span(dense), *options, "--json")
        assert (code, err) == (0, [])
        count: int = json.loads(out)["total"]["pages"]
        return count

    assert pages("--only", "anon") == 512
    assert pages("--only", "ksm,anon=anon") == 512
    assert pages("--only", "anon,~ksm") == pages("--only", "anon", "--without", "ksm") == 512
    assert pages("--only", "anon", "--only", "ksm") == 0
    assert pages("--only", "anon/ksm") == 512
    assert pages("--only", "=anon") == 0
    assert pages("--raw", "--only", "mmap_exclusive") == 512
    assert pages("--only", "present,~file") == pages("--without", "file") == 512
    assert pages("--only", "swap") == 0
    first = oracle.entries(dense.pid, dense.first.start, dense.first.start + PAGE)[0]
    (group,) = page_words.words([oracle.place(first)], "kpagecgroup")
    assert group is not None
    assert pages("--charged-to", f"@{group}") == 512
    assert pages("--charged-to", str(group + 1)) == 0


def test_several_targets(
    pagemap: Pagemap, start: Start, need_frames: None, unused_pid: int
) -> None:
    pids = [start(workloads.dense(MIB)).pid, start(workloads.dense(2 * MIB)).pid]
    singles = [json.loads(pagemap("types", pid, "--json").out)["total"]["pages"] for pid in pids]
    code, out, err = pagemap("types", *pids, "--json")
    assert (code, err) == (0, [])
    assert (
        abs(json.loads(out)["total"]["pages"] - sum(singles)) < 40
    )  # libraries are mapped around faults
    code, out, err = pagemap("types", *pids, "--list", "--csv")
    assert {row["pid"] for row in csv.DictReader(io.StringIO(out.decode()))} == set(map(str, pids))
    code, out, err = pagemap("types", pids[0], unused_pid, "--json")
    assert code == 66
    assert json.loads(out)["total"]["pages"] > 200
    assert len(err) == 1
    assert str(unused_pid) in err[0]


def test_frames_of_two_processes_count_once(
    pagemap: Pagemap, start: Start, need_frames: None
) -> None:
    """What a child shares with its parent was counted for each of them."""
    parent = start(workloads.dense(4 * MIB))
    child = parent.ask("f")
    parent.stop()
    area = parent.first
    pfns = {
        oracle.pfn(entry)
        for pid in (parent.pid, child)
        for line in oracle.maps(pid)
        for entry in oracle.entries(pid, line.start, line.end)
        if oracle.pfn(entry)
    }
    told = [json.loads(pagemap("types", pid, "--json").out)["total"] for pid in (parent.pid, child)]
    both = json.loads(pagemap("types", parent.pid, child, "--json").out)["total"]
    assert abs(both["pages"] - told[0]["pages"] - told[1]["pages"]) < 40
    assert abs(both["frames"] - len(pfns)) < 40
    assert both["frames"] < told[0]["frames"] + told[1]["frames"] - area.pages + 40
    assert both["size"] == both["frames"] * PAGE


def test_a_name_may_fit_several(pagemap: Pagemap, namesakes: list[int], need_frames: None) -> None:
    """Then a list says of which process each row is, and of one that is named twice it need not."""
    name = everyone.status(namesakes[0], "Name")
    code, out, err = pagemap("types", name, "--list", "--csv")
    assert (code, err) == (0, [])
    rows = list(csv.DictReader(io.StringIO(out.decode())))
    assert {int(row["pid"]) for row in rows} >= set(namesakes)
    pid = namesakes[0]
    code, out, err = pagemap("types", pid, pid, "--list", "--csv", "--columns", "address")
    assert (code, err, out.splitlines()[0]) == (0, [], b"address")


@pytest.mark.parametrize("how", ["twice", "vfork", "CLONE_VM"])
def test_one_address_space_counts_once(
    pagemap: Pagemap, start: Start, need_frames: None, how: str
) -> None:
    """`types P P`, and a child of vfork beside its parent, counted all pages twice."""
    if how == "CLONE_VM":
        target = start(workloads.own_target("clone_vm", 2 * MIB))
        (other,) = target.children
    else:
        target = start(workloads.dense(2 * MIB))
        other = target.ask("v") if how == "vfork" else target.pid
    alone = json.loads(pagemap("types", target.pid, "--json").out)["total"]["pages"]
    code, out, err = pagemap("types", target.pid, other, "--json")
    assert code == 0
    assert abs(json.loads(out)["total"]["pages"] - alone) < 40
    said = [f"counted once (vfork, CLONE_VM): process {target.pid} includes {other}"]
    assert err == ([] if how == "twice" else [f"pagemap: {each}" for each in said])


def test_markers_have_no_place_in_swap(
    pagemap: Pagemap, need_frames: None, pfns_visible: bool
) -> None:
    """Untouched pages that userfaultfd protects were listed at swap offset 1."""
    try:
        with userfault.marked(8 * PAGE, touch=2 * PAGE) as (start, end):
            where = ["--range", f"{start:#x}-{end:#x}", "--list", "--csv", "--raw"]
            code, out, _ = pagemap("types", os.getpid(), *where, "--only", "marker")
            pages = pagemap("types", os.getpid(), *where).out
    except workloads.Unavailable as reason:
        pytest.skip(str(reason))
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out.decode())))
    assert [(int(row["pages"]), row["swap_offset"], row["pfn"]) for row in rows] == [(6, "", "")]
    names = rows[0]["names"].split(",")
    assert "marker" in names
    assert "swap" not in names
    assert sum(int(row["pages"]) for row in csv.DictReader(io.StringIO(pages.decode()))) == 2


@pytest.mark.parametrize("raw", [False, True])
def test_guards_count_only_by_their_name(pagemap: Pagemap, need_frames: None, raw: bool) -> None:
    """They were pages without flags, and with --raw "swap"."""
    with mmap.mmap(-1, 8 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        memory.write(b"x" * len(memory))
        try:
            memory.madvise(102, 2 * PAGE, 3 * PAGE)
        except OSError:
            pytest.skip("MADV_GUARD_INSTALL is of Linux 6.13")
        start = oracle.address_of(memory)
        where = ["--range", f"{start:#x}-{start + 8 * PAGE:#x}", "--json", *["--raw"][:raw]]
        told = json.loads(pagemap("types", os.getpid(), *where).out)
        assert told["total"]["pages"] == 5
        for more in ([], ["--list"]):
            told = json.loads(pagemap("types", os.getpid(), *where, *more, "--only", "guard").out)
            (row,) = told["rows"]
            assert row["pages"] == 3
            assert "guard" in row["names"].split(",")
            assert "swap" not in row["names"].split(",")
        told = json.loads(pagemap("types", os.getpid(), *where, "--without", "swap").out)
        assert told["total"]["pages"] == 5


def test_a_row_without_flags_says_so(pagemap: Pagemap, need_frames: None) -> None:
    """Its cell of NAMES was empty."""
    code, out, _ = pagemap("types", "--only", "=")
    assert code == 0
    assert [line.split()[-1] for line in out.decode().splitlines()[1:2]] == ["(none)"]


def test_swapped_pages(pagemap: Pagemap, start: Start, need_frames: None) -> None:
    target = start(workloads.swapped())
    target.stop()
    area = target.areas["swapped"]
    where = ["--range", f"{area.start:x}-{area.end:x}", "--csv"]
    out = pagemap("types", target.pid, *where).out.decode()
    counted = {row["flags"]: int(row["pages"]) for row in csv.DictReader(io.StringIO(out))}
    entries = oracle.entries(target.pid, area.start, area.end)
    swapped = [entry for entry in entries if oracle.has(entry, "swapped")]
    assert counted["0x0"] == len(swapped) > 0
    out = pagemap("types", target.pid, *where, "--list-each", "--only", "=").out.decode()
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [int(row["swap_offset"]) for row in rows] == [oracle.place(e) // 32 for e in swapped]
    assert {row["pfn"] for row in rows} == {""}
    out = pagemap("types", target.pid, *where, "--raw", "--only", "swap").out.decode()
    assert sum(int(row["pages"]) for row in csv.DictReader(io.StringIO(out))) == len(swapped)


def test_merged_pages_of_all_memory(pagemap: Pagemap, start: Start, need_frames: None) -> None:
    """Frames of the slab allocator have the flag of merged ones, and no process has them.

    The kernel's own count has those too whose processes have ended, until ksmd comes by, which
    rests here.
    """
    if not everyone.ksm_is_told():
        pytest.skip("this kernel gives every anonymous page the flag of merged ones (6.10 on)")
    target = start(workloads.ksm())
    target.stop()
    shared = Path("/sys/kernel/mm/ksm/pages_shared")
    area = target.first
    entries = oracle.entries(target.pid, area.start, area.end)
    pfns = sorted({oracle.place(entry) for entry in entries})
    flags = page_words.words(pfns, "kpageflags")
    ours = [pfn for pfn, word in zip(pfns, flags, strict=True) if (word or 0) & everyone.KSM]
    before = int(shared.read_text())
    code, out, err = pagemap("types", "--only", "ksm", "--list-each", "--json")
    assert (code, err) == (0, [])
    listed = {int(row["pfn"], 16) for row in json.loads(out)["rows"]}
    assert ours
    assert set(ours) <= listed
    assert len(listed) <= max(before, int(shared.read_text()))
    where = [word for pfn in ours for word in ("--pfn", f"{pfn:#x}")]
    for more in ([], ["--raw"]):
        told = json.loads(pagemap("types", *where, "--only", "ksm", *more, "--json").out)
        assert told["total"]["pages"] == len(ours)


def test_memory(pagemap: Pagemap, need_frames: None) -> None:
    code, out, err = pagemap("types", "--pfn", "0x10-20", "--pfn", "0x18-28", "--json")
    assert (code, err, json.loads(out)["total"]["pages"]) == (0, [], 24)
    code, out, err = pagemap("types", "--pfn", "0x10-20", "--pfn", "0x40", "--json")
    assert (code, err, json.loads(out)["total"]["pages"]) == (0, [], 17)
    code, out, err = pagemap("types", "--pfn", "0x10-0x12", "--list-each", "--csv")
    assert (code, err) == (0, [])
    assert out.decode().splitlines()[0] == "pfn,flags,letters,names"
    assert [line.split(",")[0] for line in out.decode().splitlines()[1:]] == ["0x10", "0x11"]
    code, out, err = pagemap("types", "--pfn", hex(1 << 50))
    assert (code, out) == (2, b"")
    assert re.fullmatch(
        r"pagemap: there is no frame 0x4000000000000: the last one here is 0x[0-9a-f]+", err[0]
    )


def test_files(pagemap: Pagemap, tmp_path: Path, need_frames: None) -> None:
    (tmp_path / "a,b").write_bytes(b"x" * (PAGE + 1))
    (tmp_path / "c").write_bytes(b"x" * (3 * PAGE))
    code, out, err = pagemap("types", "--file", str(tmp_path), "--json")
    assert (code, err, json.loads(out)["total"]["pages"]) == (0, [], 5)
    code, out, err = pagemap("types", "--file", str(tmp_path), "--list-each", "--csv")
    rows = list(csv.DictReader(io.StringIO(out.decode())))
    assert [(row["offset"], row["path"]) for row in rows] == [
        *((hex(at * PAGE), str(tmp_path / "a,b")) for at in range(2)),
        *((hex(at * PAGE), str(tmp_path / "c")) for at in range(3)),
    ]
    once = json.loads(pagemap("types", "--file", str(tmp_path), "--json").out)["total"]["pages"]
    os.link(tmp_path / "c", tmp_path / "d")
    again = [arg for name in (".", "c", "c", "d") for arg in ("--file", str(tmp_path / name))]
    for options in (again, again[2:] + again[:2]):
        code, out, err = pagemap("types", *options, "--json")
        assert (code, err, json.loads(out)["total"]["pages"]) == (0, [], once)
        code, out, err = pagemap("types", *options, "--list-each", "--csv")
        assert (code, err, len(out.splitlines())) == (0, [], once + 1)
    (tmp_path / "d").unlink()
    gone = tmp_path / "gone"
    said = f"pagemap: cannot look at the page cache of {str(gone)!r}: No such file or directory"
    assert pagemap("types", "--file", str(gone)) == (66, b"", [said])
    code, out, err = pagemap("types", "--file", str(gone), "--file", str(tmp_path / "c"), "--json")
    assert (code, err, json.loads(out)["total"]["pages"]) == (66, [said], 3)
    code, out, err = pagemap("types", "--file", "/dev/null")
    assert (code, out) == (66, b"")
    assert err[0].endswith("it is neither a regular file nor a directory")


def test_descriptions(pagemap: Pagemap) -> None:
    """Nothing is read for these, so anybody may ask."""
    code, out, err = pagemap("types", "--describe", "0x868")
    lines = out.decode().splitlines()
    assert (code, err) == (0, [])
    assert lines[0].split() == ["BIT", "LETTER", "NAME", "MEANING"]
    assert [line.split()[:3] for line in lines[1:]] == [
        ["3", "U", "uptodate"],
        ["5", "l", "lru"],
        ["6", "A", "active"],
        ["11", "M", "mmap"],
    ]
    assert b"bit_30" in pagemap("types", "--describe", "0x40000000").out
    about = json.loads(pagemap("types", "--describe", "huge,thp", "--json").out)
    assert about["about"]["flags"] == "0x420000"
    assert [each["name"] for each in about["rows"]] == ["huge", "thp"]
    assert pagemap("types", "--describe", "lru", "--csv").out.startswith(
        b"bit,letter,name,meaning\n"
    )
