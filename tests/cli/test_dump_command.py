"""`pagemap dump`: whole outputs, row by row as the kernel's entries say."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, TypeVar

import pytest

from tests import looks, oracle, workloads
from tests.cli.conftest import CSV_HEADER, HEADER

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Pagemap, Result
    from tests.conftest import Start

    Lines = Callable[[int], list[str]]
    Rows = Callable[[int, oracle.MapsLine], bytes]

PAGE = oracle.PAGE

Made = TypeVar("Made")


@pytest.fixture
def rows(pfns_visible: bool) -> Rows:
    """The text rows of a mapping."""

    def make(pid: int, line: oracle.MapsLine) -> bytes:
        entries = oracle.entries(pid, line.start, line.end)
        return b"".join(
            oracle.text_row(entry, line.start + at * PAGE, line.label, hidden=not pfns_visible)
            for at, entry in enumerate(entries)
        )

    return make


def named(pid: int, ending: bytes) -> list[oracle.MapsLine]:
    """The mappings whose label ends so."""
    return [line for line in oracle.maps(pid) if line.label.endswith(ending)]


def of_each_page(pid: int, make: Callable[[int, int, oracle.MapsLine], Made]) -> list[Made]:
    """What is made of each page of each mapping, from its entry and address."""
    return [
        make(entry, line.start + at * PAGE, line)
        for line in oracle.maps(pid)
        for at, entry in enumerate(oracle.entries(pid, line.start, line.end))
    ]


def test_text(pagemap: Pagemap, start: Start, rows: Rows, hidden_line: Lines) -> None:
    target = start(workloads.odd_path())
    target.stop()

    def look() -> tuple[Result, tuple[int, bytes, list[str]]]:
        expected = HEADER + b"".join(rows(target.pid, line) for line in oracle.maps(target.pid))
        return pagemap("dump", target.pid), (0, expected, hidden_line(target.pid))

    looks.agreed(look)


def test_csv(pagemap: Pagemap, start: Start, pfns_visible: bool) -> None:
    told = oracle.told_here()
    target = start(workloads.odd_path())
    target.stop()

    def fields(entry: int, address: int, line: oracle.MapsLine) -> list[str]:
        return oracle.csv_fields(entry, address, line.path, hidden=not pfns_visible, told=told)

    def look() -> tuple[list[list[str]], list[list[str]]]:
        code, out, _ = pagemap("dump", target.pid, "--format", "csv")
        assert code == 0
        assert out.startswith(CSV_HEADER)
        return oracle.read_csv(out), [oracle.COLUMNS, *of_each_page(target.pid, fields)]

    looks.agreed(look)


def test_jsonl(pagemap: Pagemap, start: Start, pfns_visible: bool) -> None:
    told = oracle.told_here()
    target = start(workloads.odd_path())
    target.stop()

    def values(entry: int, address: int, line: oracle.MapsLine) -> dict[str, object]:
        path = oracle.in_json(line.path)
        return oracle.values(entry, address, path, hidden=not pfns_visible, told=told)

    def look() -> tuple[list[object], object]:
        code, out, _ = pagemap("dump", target.pid, "--format", "jsonl")
        assert code == 0
        return [json.loads(line) for line in out.splitlines()], of_each_page(target.pid, values)

    looks.agreed(look)


@pytest.mark.parametrize("form", ["csv", "json", "jsonl"])
def test_named_columns_are_written_as_all_are(pagemap: Pagemap, start: Start, form: str) -> None:
    """Rows are made in one way where no columns are named, and in another where they are."""
    target = start(workloads.odd_path())
    target.stop()
    words = ("dump", target.pid, "--map", "[stack]", "--map", "* two *", "--format", form)
    if not oracle.pfns_visible():
        pytest.skip("PFNs are hidden, and a column of them cannot be named")
    plain = pagemap(*words).out
    named = pagemap(*words, "--columns", ",".join(oracle.COLUMNS)).out
    if form == "json":
        documents = [json.loads(plain), json.loads(named)]
        for each in documents:
            assert each["about"].pop("begin") <= each["about"].pop("end")
        assert documents[0] == documents[1]
        plain, named = (text.partition(b"\n")[2] for text in (plain, named))
    assert plain == named
    assert plain.count(b"\n") > 16


@pytest.mark.parametrize("form", ["text", "csv"])
def test_without_the_header(pagemap: Pagemap, start: Start, form: str) -> None:
    target = start(workloads.idle())
    target.stop()
    # whether a page of a library is exclusive changes with who else maps it
    line = ("dump", target.pid, "--format", form, "--map", "[stack]")
    header, _, rest = pagemap(*line).out.partition(b"\n")
    assert header
    assert rest
    assert pagemap(*line, "--no-header").out == rest


@pytest.mark.parametrize(
    ("pattern", "ending"),
    [
        ("[heap]", b"[heap]"),
        ("[vd?o]", b"[vdso]"),
        ("*heap*", b"[heap]"),
        ("libc.so.*", b"/libc.so.6"),
        ("*/libc.so.6", b"/libc.so.6"),
    ],
)
def test_a_pattern(pagemap: Pagemap, start: Start, rows: Rows, pattern: str, ending: bytes) -> None:
    target = start(workloads.bash())
    target.stop()
    lines = named(target.pid, ending)
    if not lines:
        pytest.skip(f"bash has no {ending.decode()} here")

    def look() -> tuple[tuple[int, bytes], tuple[int, bytes]]:
        expected = HEADER + b"".join(rows(target.pid, line) for line in lines)
        return pagemap("dump", target.pid, "--map", pattern)[:2], (0, expected)

    looks.agreed(look)


def test_brackets_are_no_wildcards(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.bash())
    assert pagemap("dump", target.pid, "--map", "[a-z]*").code == 1
    assert pagemap("dump", target.pid, "--map", "libc.so.[0-9]").code == 1


def test_the_pattern_for_anonymous_memory(pagemap: Pagemap, start: Start, rows: Rows) -> None:
    target = start(workloads.dense(64 * PAGE))
    target.stop()
    lines = [line for line in oracle.maps(target.pid) if not line.label]
    assert lines
    expected = HEADER + b"".join(rows(target.pid, line) for line in lines)
    assert pagemap("dump", target.pid, "--map", "[anon]")[:2] == (0, expected)


def test_a_deleted_file_by_its_name_alone(pagemap: Pagemap, start: Start, rows: Rows) -> None:
    target = start(workloads.deleted(4 * PAGE))
    target.stop()
    expected = HEADER + b"".join(rows(target.pid, line) for line in named(target.pid, b"(deleted)"))
    for pattern in ("unlinked", "unlinked (deleted)", "*/unlinked"):
        assert pagemap("dump", target.pid, "--map", pattern)[:2] == (0, expected), pattern


def test_a_pattern_with_a_newline_and_bytes_that_are_no_text(
    pagemap: Pagemap, start: Start, rows: Rows
) -> None:
    target = start(workloads.odd_path())
    target.stop()
    lines = [line for line in oracle.maps(target.pid) if b" two  blanks" in line.label]
    expected = HEADER + b"".join(rows(target.pid, line) for line in lines)
    for pattern in (b" two  blanks\nand a \xff line (deleted)", b"*blanks?and*\xff*"):
        assert pagemap("dump", target.pid, "--map", pattern)[:2] == (0, expected), pattern


def test_several_patterns(pagemap: Pagemap, start: Start, rows: Rows) -> None:
    target = start(workloads.bash())
    target.stop()
    lines = [line for line in oracle.maps(target.pid) if line.label in (b"[heap]", b"[stack]")]
    expected = HEADER + b"".join(rows(target.pid, line) for line in lines)
    found = pagemap("dump", target.pid, "--map", "[stack]", "--map", "[heap]", "--map", "*heap]")
    assert found[:2] == (0, expected)


def test_a_pattern_that_fits_nothing(pagemap: Pagemap, start: Start, hidden_line: Lines) -> None:
    pid = start(workloads.idle()).pid
    said = [
        *hidden_line(pid),
        f"pagemap: no mapping of process {pid} matches the pattern 'nothing*'",
    ]
    assert pagemap("dump", pid, "--map", "nothing*") == (1, HEADER, said)


def test_one_pattern_that_fits_and_one_that_does_not(
    pagemap: Pagemap, start: Start, rows: Rows
) -> None:
    target = start(workloads.idle())
    target.stop()
    expected = HEADER + b"".join(rows(target.pid, line) for line in named(target.pid, b"[stack]"))
    code, out, err = pagemap("dump", target.pid, "--map", "[stack]", "--map", "nothing")
    assert (code, out) == (1, expected)
    assert err[-1] == f"pagemap: no mapping of process {target.pid} matches the pattern 'nothing'"


def test_ranges_widen_to_pages_and_are_not_repeated(
    pagemap: Pagemap, start: Start, rows: Rows
) -> None:
    target = start(workloads.dense(16 * PAGE))
    target.stop()
    first = target.first.start
    line = next(each for each in oracle.maps(target.pid) if each.start <= first < each.end)
    expected = HEADER + rows(target.pid, line._replace(start=first + PAGE, end=first + 4 * PAGE))
    result = pagemap(
        "dump",
        target.pid,
        "--range",
        f"{first + 2 * PAGE:#x}-{first + 3 * PAGE + 1:#x}",
        "--range",
        f"{first + PAGE + 1:#x}-{first + 3 * PAGE:#x}",
    )
    assert result[:2] == (0, expected)


def test_a_range_in_no_mapping(pagemap: Pagemap, start: Start, hidden_line: Lines) -> None:
    pid = start(workloads.idle()).pid
    said = [*hidden_line(pid), f"pagemap: process {pid} has no pages in the given ranges"]
    assert pagemap("dump", pid, "--range", "0x1000-2000") == (1, HEADER, said)


def test_hidden_pfns_are_dashes_and_the_flags_are_true(unprivileged: Pagemap) -> None:
    code, out, err = unprivileged("dump", "self", "--map", "[stack]")
    assert code == 0
    assert len(err) == 2 - ("soft_dirty" in oracle.told_here())
    assert err[0].endswith(
        " are left out: the kernel hides them without CAP_SYS_ADMIN "
        "(in the initial user namespace); run with sudo"
    )
    rows = [line.split(b" ") for line in out.splitlines()[1:]]
    present = [row for row in rows if row[5] == b"1"]
    assert present
    assert {row[1] for row in present} == {b"-"}
    assert {row[1] for row in rows if row[4:6] == [b"0", b"0"]} <= {b"0"}


def test_a_kernel_thread(pagemap: Pagemap, kernel_thread: int) -> None:
    said = [f"pagemap: process {kernel_thread} is a kernel thread: it has no mappings to dump"]
    assert pagemap("dump", kernel_thread) == (0, HEADER, said)
    assert pagemap("dump", kernel_thread, "--format", "csv") == (0, CSV_HEADER, said)


def test_a_zombie(pagemap: Pagemap, zombie: int) -> None:
    code, out, err = pagemap("dump", zombie)
    assert (code, out) == (66, b"")
    assert len(err) == 1
    assert err[0].startswith(f"pagemap: process {zombie} is a zombie: ")


def test_no_such_process(pagemap: Pagemap, unused_pid: int) -> None:
    code, out, err = pagemap("dump", unused_pid)
    assert (code, out) == (66, b"")
    assert len(err) == 1
    assert f"no process {unused_pid}" in err[0]


def test_a_process_of_another_user(pagemap_as_nobody: Pagemap) -> None:
    code, out, err = pagemap_as_nobody("dump", os.getpid())
    assert (code, out) == (77, b"")
    assert len(err) == 1
    assert f"process {os.getpid()}: permission denied" in err[0]
    assert "CAP_SYS_PTRACE" in err[0]
