"""`pagemap dump` of chosen pages: the rows of a full dump, but for those that were not wanted."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests import looks, oracle, userfault, workloads
from tests.cli.conftest import HEADER

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

PAGE = oracle.PAGE
MIB = 1 << 20
KINDS: dict[str, workloads.Maker] = {
    "sparse": lambda: workloads.sparse(64 * MIB, MIB),
    "swapped": workloads.swapped,
    "guard": workloads.guard,
    "shared": workloads.shared,
    "thp": workloads.thp,
    "uffd_wp": workloads.uffd_wp,
    "odd_path": workloads.odd_path,
}


@pytest.fixture(params=KINDS)
def stopped(request: pytest.FixtureRequest, start: Start) -> workloads.Target:
    target = start(KINDS[request.param]())
    target.stop()
    return target


def present_or_swapped(row: bytes) -> bool:
    return b"1" in row.split(b" ", 6)[4:6]


def test_populated_text(pagemap: Pagemap, stopped: workloads.Target, can_scan: bool) -> None:
    def look() -> tuple[tuple[int, bytes], tuple[int, bytes]]:
        rows = pagemap("dump", stopped.pid).out.splitlines(keepends=True)
        expected = [row for row in rows[1:] if present_or_swapped(row)]
        assert 0 < len(expected) < len(rows) - 1
        return pagemap("dump", stopped.pid, "--populated")[:2], (0, HEADER + b"".join(expected))

    looks.agreed(look)


def own_range(target: workloads.Target) -> str:
    """Its first area, which no other process shares: what its flags are stays so."""
    return f"{target.first.start:#x}-{target.first.end:#x}"


def test_populated_csv_and_jsonl(
    pagemap: Pagemap, stopped: workloads.Target, can_scan: bool
) -> None:
    arguments = ["dump", str(stopped.pid), "--range", own_range(stopped), "--format"]
    header, *rows = oracle.read_csv(pagemap(*arguments, "csv").out)
    held = [header.index("swapped"), header.index("present")]
    expected = [header, *(row for row in rows if "1" in [row[at] for at in held])]
    assert len(expected) > 1
    assert oracle.read_csv(pagemap(*arguments, "csv", "--populated").out) == expected
    whole = [json.loads(line) for line in pagemap(*arguments, "jsonl").out.splitlines()]
    found = pagemap(*arguments, "jsonl", "--populated").out
    assert [json.loads(line) for line in found.splitlines()] == [
        whole[0],
        *(each for each in whole[1:] if each["swapped"] or each["present"]),
    ]


SPELT = {
    "present": "present",
    "file": "file_or_shared",
    "soft-dirty": "soft_dirty",
    "soft_dirty": "soft_dirty",
    "exclusive": "exclusive",
    "uffd-wp": "uffd_wp",
    "guard": "guard",
}


# Pages that have it, and pages that have not; that the filter holds for each kind of memory,
# live/test_populated.py shows.
OF_FLAGS = [
    *(("sparse", "present"), ("swapped", "present"), ("thp", "present"), ("guard", "present")),
    *(("odd_path", "file"), ("sparse", "file"), ("shared", "file"), ("guard", "guard")),
    *(("thp", "exclusive"), ("odd_path", "exclusive"), ("shared", "exclusive")),
    *(("sparse", "soft-dirty"), ("swapped", "soft_dirty"), ("uffd_wp", "uffd-wp")),
    *(("swapped", "guard"), ("swapped", "uffd-wp"), ("guard", "uffd-wp")),
]


@pytest.mark.parametrize(("kind", "name"), OF_FLAGS)
@pytest.mark.parametrize("populated", [[], ["--populated"]])
def test_each_flag(
    pagemap: Pagemap, start: Start, can_scan: bool, kind: str, name: str, populated: list[str]
) -> None:
    if SPELT[name] not in oracle.told_here():
        pytest.skip(f"this kernel does not tell which pages are {name}")
    target = start(KINDS[kind]())
    target.stop()
    arguments = ["dump", str(target.pid), "--range", own_range(target), "--format", "csv"]
    arguments += populated
    header, *rows = oracle.read_csv(pagemap(*arguments).out)
    at = header.index(SPELT[name])
    for option, bit in (("--only", "1"), ("--without", "0")):
        expected = [header, *(row for row in rows if row[at] == bit)]
        code, out, _ = pagemap(*arguments, option, name)
        assert (code, oracle.read_csv(out)) == (0, expected), option


def test_each_name_has_a_kind_with_it() -> None:
    assert {name for _, name in OF_FLAGS} == set(SPELT)


def test_only_swap_is_what_smaps_calls_swap(
    pagemap: Pagemap, stopped: workloads.Target, can_scan: bool, pfns_visible: bool
) -> None:
    """`--only swapped` had guard regions, and all else with bit 62."""
    if not pfns_visible and oracle.swap_in_use():
        pytest.skip("the kernel hides swap types without CAP_SYS_ADMIN")

    def rows(*options: str) -> int:
        return pagemap("dump", stopped.pid, "--no-header", *options).out.count(b"\n")

    def look() -> tuple[tuple[int, int], tuple[int, int]]:
        swap = workloads.smaps_number(stopped.pid, "Swap") // PAGE
        return (rows("--only", "swap"), rows("--without", "swap")), (swap, rows() - swap)

    looks.agreed(look)


@pytest.mark.parametrize("option", ["--only", "--without"])
def test_a_flag_that_the_kernel_does_not_tell(pagemap: Pagemap, start: Start, option: str) -> None:
    """Soft-dirty on a kernel without it was an empty success."""
    if "soft_dirty" in oracle.told_here():
        pytest.skip("this kernel tracks soft-dirty")
    target = start(workloads.idle())
    code, out, err = pagemap("dump", target.pid, option, "soft-dirty", "--format", "csv")
    assert (code, out) == (69, b"")
    assert "CONFIG_MEM_SOFT_DIRTY" in err[-1]
    # the text dump spoke of rows before that never came
    code, out, err = pagemap("dump", target.pid, option, "soft-dirty")
    why = "this kernel does not tell which pages are soft-dirty; Linux 3.11"
    assert (code, out) == (69, b"")
    assert err == [f"pagemap: {why} with CONFIG_MEM_SOFT_DIRTY does"]


@pytest.mark.parametrize("word", ["marker", "poisoned"])
def test_kinds_that_are_no_swap(
    pagemap: Pagemap, word: str, pfns_visible: bool, can_scan: bool
) -> None:
    """Markers of userfaultfd and poisoned pages were rows of `--only swapped`."""
    size = 64 * PAGE
    try:
        with userfault.marked(size, poison=word == "poisoned") as (start, end):
            where: list[str | int] = [
                "dump",
                os.getpid(),
                "--range",
                f"{start:#x}-{end:#x}",
                "--no-header",
            ]
            code, out, err = pagemap(*where, "--only", word)
            if not pfns_visible:
                assert (code, out) == (77, b"")
                assert "run with sudo" in err[-1]
                return
            assert (code, out.count(b"\n")) == (0, 64)
            for others in ("swap", "guard", "present", "migrating", "device"):
                assert pagemap(*where, "--only", others)[:2] == (0, b"")
            assert pagemap(*where, "--without", word)[:2] == (0, b"")
    except workloads.Unavailable as reason:
        pytest.skip(str(reason))


def test_flags_together_with_maps_and_ranges(
    pagemap: Pagemap, start: Start, can_scan: bool
) -> None:
    target = start(workloads.file())
    target.stop()
    area = target.areas["written"]
    middle = f"{area.start + 3 * PAGE:#x}-{area.start + 9 * PAGE:#x}"
    arguments = ["dump", str(target.pid), "--map", "file", "--range", middle]
    header, *rows = pagemap(*arguments).out.splitlines(keepends=True)
    assert len(rows) == 6
    wanted = [row for row in rows if row.split(b" ")[3:6] == [b"0", b"0", b"1"]]
    assert wanted
    filters = ["--only", "present", "--without", "file,swap", "--without", "guard"]
    for more in ([], ["--populated"]):
        assert pagemap(*arguments, *filters, *more).out == header + b"".join(wanted)


@pytest.mark.parametrize("more", [[], ["--populated"], ["--only", "present,exclusive"]])
def test_threads_keep_the_order(
    pagemap: Pagemap, start: Start, can_scan: bool, more: list[str]
) -> None:
    target = start(workloads.sparse(1024 * MIB, MIB))
    target.stop()
    arguments = ["dump", str(target.pid), "--map", "[anon]", *more]

    def look() -> tuple[list[bytes], list[bytes]]:
        one, *others = (pagemap(*arguments, "--threads", number).out for number in (1, 2, 5))
        assert len(one) > 1000 * 20
        return others, [one, one]

    looks.agreed(look)


def test_no_such_pages_are_an_answer(
    pagemap: Pagemap, start: Start, hidden_line: Callable[[int], list[str]], can_scan: bool
) -> None:
    target = start(workloads.untouchable())
    where = ["--range", own_range(target)]
    said = hidden_line(target.pid)
    for more in (["--populated"], ["--only", "guard"], ["--only", "present"]):
        assert pagemap("dump", target.pid, *where, *more) == (0, HEADER, said)


def test_an_unused_pattern_is_still_told(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.idle())
    code, out, err = pagemap("dump", target.pid, "--populated", "--map", "nothing")
    assert (code, out) == (1, HEADER)
    assert err[-1] == f"pagemap: no mapping of process {target.pid} matches the pattern 'nothing'"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "--only presnt",
            "--only knows no 'presnt'; did you mean present? choose from soft_dirty,",
        ),
        ("--without Soft_Drity", "--without knows no 'soft_drity'; did you mean soft_dirty?"),
        (
            "--only 5",
            "--only knows no '5'; choose from soft_dirty, file_or_shared, present, exclusive",
        ),
        ("--only swapped", "--only knows no 'swapped'; did you mean swap?"),
        ("--only present,", "--only has an empty word; separate words by commas"),
        ("--only file --without FILE", "no page is both file_or_shared and not file_or_shared"),
        ("--threads 0", "--threads needs a number from 1 on, not '0'"),
        ("--threads=-1", "--threads needs a number from 1 on, not '-1'"),
        ("--threads two", "--threads needs a number from 1 on, not 'two'"),
    ],
)
def test_what_cannot_be_understood(pagemap: Pagemap, unused_pid: int, line: str, said: str) -> None:
    code, out, err = pagemap("dump", unused_pid, *line.split())
    assert (code, out, len(err)) == (2, b"", 1)
    assert err[0].startswith(f"pagemap: {said}")


@pytest.mark.parametrize("form", ["text", "csv", "json", "jsonl"])
def test_stdout_closed_early(pagemap: Pagemap, start: Start, can_scan: bool, form: str) -> None:
    target = start(workloads.dense(16 * MIB))
    arguments = ("dump", target.pid, "--populated", "--without", "guard", "--format", form)
    with pagemap.start(*arguments) as process:
        assert process.stdout
        assert process.stderr
        assert os.read(process.stdout.fileno(), 10)
        process.stdout.close()
        err = process.stderr.read().decode()
        assert process.wait(timeout=60) == 141
    assert "Broken pipe" not in err
    assert "Traceback" not in err
