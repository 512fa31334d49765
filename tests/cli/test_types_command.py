"""`pagemap types`: whole outputs, and everything that can be wrong with its exit code."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from typing import TYPE_CHECKING

import pytest

from tests import looks, oracle, page_words, workloads

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

PAGE = oracle.PAGE
MIB = 1 << 20


@pytest.fixture
def dense(start: Start, need_frames: None) -> workloads.Target:
    """A stopped target of 512 written pages."""
    target = start(workloads.dense(2 * MIB))
    target.stop()
    return target


def span(target: workloads.Target) -> list[str]:
    return ["--range", f"{target.first.start:#x}-{target.first.end:#x}"]


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


def test_a_row_without_flags_says_so(pagemap: Pagemap, need_frames: None) -> None:
    """Its cell of NAMES was empty."""
    code, out, _ = pagemap("types", "--only", "=")
    assert code == 0
    assert [line.split()[-1] for line in out.decode().splitlines()[1:2]] == ["(none)"]


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
