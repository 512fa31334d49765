"""`pagemap virt-to-phys`: addresses in, addresses or reasons out."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import oracle, userfault, workloads

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

PAGE = oracle.PAGE


def physical(target: workloads.Target, address: int) -> str:
    """What the entry of the page says, in the command's words."""
    (entry,) = oracle.entries(target.pid, address // PAGE * PAGE, address // PAGE * PAGE + PAGE)
    frame = oracle.pfn(entry)
    assert frame is not None
    return f"{frame * PAGE + address % PAGE:#x}"


@pytest.mark.usefixtures("need_pfns")
def test_addresses_in_order(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.dense(8 * PAGE))
    target.stop()
    first = target.first.start
    addresses = [first + 3 * PAGE + 17, first, first + 3 * PAGE + 17, first + 8 * PAGE - 1]
    given = list(map(hex, addresses))
    expected = "".join(f"{physical(target, address)}\n" for address in addresses)
    assert pagemap("virt-to-phys", target.pid, *given) == (0, expected.encode(), [])


@pytest.mark.usefixtures("need_pfns")
def test_addresses_of_standard_input(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.dense(4 * PAGE))
    target.stop()
    first = target.first.start
    lines = f"# two pages\n\n  {first:#x}  \n\t\n{first + PAGE:x}\n#{first}\n{first + 9:#x}"
    expected = [physical(target, address) for address in (first, first + PAGE, first + 9)]
    last = physical(target, first + 2 * PAGE)
    result = pagemap("virt-to-phys", target.pid, "-", hex(first + 2 * PAGE), stdin=lines.encode())
    assert result == (0, "\n".join([*expected, last, ""]).encode(), [])


@pytest.mark.usefixtures("need_pfns")
def test_each_line_of_standard_input_is_answered_at_once(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.dense(4 * PAGE))
    target.stop()
    process = pagemap.start("virt-to-phys", target.pid, "-", stdin=subprocess.PIPE)
    with process:
        assert process.stdin
        assert process.stdout
        for address in (target.first.start, target.first.start + PAGE):
            process.stdin.write(f"{address:#x}\n".encode())
            process.stdin.flush()
            assert process.stdout.readline().decode() == f"{physical(target, address)}\n"


@pytest.mark.usefixtures("need_pfns")
def test_a_malformed_line_is_named_and_the_others_are_answered(
    pagemap: Pagemap, start: Start
) -> None:
    target = start(workloads.dense(4 * PAGE))
    target.stop()
    first = target.first.start
    lines = f"{first:#x}\n# comment\nwhat\n\xff\n{first + PAGE:#x}\n".encode("latin-1")
    code, out, err = pagemap("virt-to-phys", target.pid, "-", stdin=lines)
    assert code == 2
    assert out.decode().split() == [physical(target, first), physical(target, first + PAGE)]
    assert [line[:60] for line in err] == [
        "pagemap: standard input, line 3: malformed address 'what': g",
        r"pagemap: standard input, line 4: malformed address '\\xff': ",
    ]


def test_a_line_without_an_end(pagemap: Pagemap, start: Start) -> None:
    """What is no address is neither kept nor said again at any length."""
    pid = start(workloads.idle()).pid
    lines = b"# " + b"x" * 9000 + b"\n" + b"1" * 4096 + b"\n" + b"2" * 100_000 + b"\n0\n3"
    code, out, err = pagemap("virt-to-phys", pid, "-", stdin=lines)
    assert (code, out) == (2, b"")
    assert err == [
        "pagemap: standard input, line 2: no address has 4096 characters",
        "pagemap: standard input, line 3: no address has 4096 characters",
        f"pagemap: 0x0 of process {pid} is in no mapping: /proc/{pid}/maps lists them",
        f"pagemap: 0x3 of process {pid} is in no mapping: /proc/{pid}/maps lists them",
    ]


def test_standard_input_that_cannot_be_read(pagemap: Pagemap, start: Start, tmp_path: Path) -> None:
    pid = start(workloads.idle()).pid
    with (tmp_path / "file").open("wb") as file:
        process = pagemap.start("virt-to-phys", pid, "-", "0", stdin=file.fileno())
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, b"")
    assert err.decode().splitlines() == [
        "pagemap: cannot read addresses: standard input: Bad file descriptor",
        f"pagemap: 0x0 of process {pid} is in no mapping: /proc/{pid}/maps lists them",
    ]


def test_standard_input_without_addresses(pagemap: Pagemap, start: Start) -> None:
    assert pagemap("virt-to-phys", start(workloads.idle()).pid, "-") == (0, b"", [])


def test_an_address_in_no_mapping(pagemap: Pagemap, start: Start) -> None:
    pid = start(workloads.idle()).pid
    for address in (0, 2**64 - 1):
        code, out, err = pagemap("virt-to-phys", pid, hex(address))
        assert (code, out) == (1, b"")
        assert len(err) == 1
        assert f"{address:#x} of process {pid} " in err[0]


def test_a_page_that_is_not_present(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.untouchable(4 * PAGE))
    address = target.first.start + PAGE
    code, out, err = pagemap("virt-to-phys", target.pid, hex(address))
    assert (code, out) == (1, b"")
    assert len(err) == 1
    assert f"{address:#x} of process {target.pid} " in err[0]
    assert "not present" in err[0]
    assert "its permissions are none" in err[0]


def test_memory_that_the_kernel_hides(pagemap: Pagemap, start: Start) -> None:
    """What a driver maps reads as never touched: [vvar], which every call of time() reads."""
    target = start(workloads.idle())
    line = next((line for line in oracle.maps(target.pid) if line.label == b"[vvar]"), None)
    if line is None:
        pytest.skip("this machine has no [vvar]")
    code, out, err = pagemap("virt-to-phys", target.pid, hex(line.start))
    assert (code, out, len(err)) == (1, b"", 1)
    assert "VmFlags pf" in err[0]
    assert "never touched" not in err[0]


@pytest.mark.parametrize("kind", ["marker", "poisoned", "hugetlb"])
def test_what_is_marked_is_not_swapped_out(pagemap: Pagemap, kind: str, pfns_visible: bool) -> None:
    """A marker of userfaultfd was "swapped out: swap type 31"."""
    if kind == "hugetlb":
        marks = userfault.marked_hugetlb(1, touch=0)
    else:
        marks = userfault.marked(4 * PAGE, poison=kind == "poisoned")
    word = {"poisoned": "is poisoned"}.get(kind, "protected through userfaultfd")
    if not pfns_visible and kind != "hugetlb":
        if oracle.swap_in_use():
            pytest.skip("the kernel hides swap types without CAP_SYS_ADMIN")
        word = "not in swap"
    try:
        with marks as (first, _):
            code, out, err = pagemap("virt-to-phys", os.getpid(), hex(first + 5))
    except workloads.Unavailable as reason:
        pytest.skip(str(reason))
    assert (code, out, len(err)) == (1, b"", 1)
    assert word in err[0]
    assert "swap type" not in err[0]


def test_a_perf_ring(pagemap: Pagemap) -> None:
    """Its pages are there and written, and no entry tells."""
    size = (1 + 8) * PAGE
    try:
        fd = userfault.perf_event()
    except workloads.Unavailable as reason:
        pytest.skip(str(reason))
    try:
        with mmap.mmap(fd, size) as ring:
            ring[0] = ring[0]
            address = oracle.address_of(ring)
            code, out, err = pagemap("virt-to-phys", os.getpid(), hex(address))
    except OSError as error:
        pytest.skip(f"perf: {error.strerror}")
    finally:
        os.close(fd)
    if code == 0:
        pytest.skip("this kernel tells of the pages of a ring (6.14 hides them)")
    assert (code, out) == (1, b"")
    assert "VmFlags pf" in err[0]
    assert "never touched" not in err[0]


def test_the_name_of_a_file_drives_no_terminal(pagemap: Pagemap, tmp_path: Path) -> None:
    """A target may map a file that it named so as to clear the screen of whoever looks at it."""
    path = os.fsencode(tmp_path) + b"/\x1b[2J\x07\xff\n"
    with open(path, "w+b") as file:
        file.truncate(PAGE)
        with mmap.mmap(file.fileno(), PAGE) as memory:
            address = oracle.address_of(memory)
            code, out, err = pagemap("virt-to-phys", os.getpid(), hex(address))
    assert (code, out) == (1, b"")
    assert len(err) == 1
    assert rf"is mapped ({tmp_path}/\033[2J\007\377\012) but not present" in err[0]


@pytest.mark.usefixtures("need_pfns")
def test_a_swapped_page_with_its_place(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.swapped())
    target.stop()
    area = target.areas["swapped"]
    entries = oracle.entries(target.pid, area.start, area.end)
    at = next(at for at, entry in enumerate(entries) if oracle.has(entry, "swapped"))
    kind = oracle.swap_type(entries[at], hidden=False)
    offset = oracle.swap_offset(entries[at], hidden=False)
    address = area.start + at * PAGE
    code, out, err = pagemap("virt-to-phys", target.pid, hex(address))
    assert (code, out) == (1, b"")
    assert len(err) == 1
    assert f"{address:#x} of process {target.pid} is swapped out" in err[0]
    assert f"swap type {kind}, offset {offset:#x}" in err[0]


@pytest.mark.usefixtures("need_pfns")
def test_the_others_are_answered_and_the_code_is_the_gravest(
    pagemap: Pagemap, start: Start
) -> None:
    target = start(workloads.dense(4 * PAGE))
    target.stop()
    first = target.first.start
    code, out, err = pagemap(
        "virt-to-phys", target.pid, "0", hex(first), "0x1000", f"{first + 1:#x}"
    )
    assert (code, len(err)) == (1, 2)
    assert out.decode().split() == [physical(target, first), physical(target, first + 1)]


@pytest.mark.usefixtures("need_pfns")
def test_rows_say_why_there_is_none(pagemap: Pagemap, start: Start) -> None:
    """In each format but text, for each address one row; it had no JSON."""
    target = start(workloads.untouchable(4 * PAGE))
    stack = next(line for line in oracle.maps(target.pid) if line.label == b"[stack]")
    there = next(
        stack.start + at * PAGE + 7
        for at, entry in enumerate(oracle.entries(target.pid, stack.start, stack.end))
        if oracle.has(entry, "present")
    )
    absent = target.first.start + PAGE
    lines = f"{there:#x}\n{absent:#x}\n".encode()
    code, out, err = pagemap("virt-to-phys", target.pid, "0", "-", "--json", stdin=lines)
    assert code == 1
    about = json.loads(out)
    told = [f"pagemap: {row['detail']}" for row in about["rows"] if row["error"]]
    assert (len(told), err) == (2, told)
    assert (about["schema"], about["about"]["pid"]) == ("pagemap.translations", target.pid)
    wanted = physical(target, there)
    assert [(row["address"], row["physical"], row["error"]) for row in about["rows"]] == [
        ("0x0", None, "not_mapped"),
        (hex(there), wanted, None),
        (hex(absent), None, "not_present"),
    ]
    assert about["rows"][1]["pfn"] == hex(int(wanted, 16) // PAGE)
    assert "its permissions are none" in about["rows"][2]["detail"]
    code, out, err = pagemap("virt-to-phys", target.pid, "0", "what", "--csv")
    assert (code, out) == (2, b"")
    code, out, err = pagemap("virt-to-phys", target.pid, "-", "--csv", stdin=b"0\nwhat\n")
    assert (code, len(err)) == (2, 2)
    assert "standard input, line 2" in err[0]
    assert out.splitlines()[0] == b"pid,address,physical,pfn,error,detail"
    assert out.splitlines()[1].startswith(f"{target.pid},0x0,,,not_mapped,".encode())
    code, out, err = pagemap("virt-to-phys", target.pid, hex(there), "--format", "table")
    assert (code, err) == (0, [])
    assert out.decode().splitlines()[1].split()[:2] == [hex(there), wanted]


def test_columns_are_of_the_table(pagemap: Pagemap) -> None:
    code, out, err = pagemap("virt-to-phys", "self", "0", "--columns", "address,error")
    assert (code, out.split()) == (1, [b"ADDRESS", b"ERROR", b"0x0", b"not_mapped"])
    assert "0x0 of process" in err[0]


def test_hidden_pfns(unprivileged: Pagemap) -> None:
    process = unprivileged.start("virt-to-phys", "self", "-", stdin=subprocess.PIPE)
    with process:
        assert process.stdin
        assert process.stderr
        process.stdin.write(b"0\n")
        process.stdin.flush()
        # Once this is answered, what exec sets up is all there.
        assert "0x0 of process" in process.stderr.readline().decode()
        # Read by its dynamic linker at the start, so it is present.
        vdso = next(line for line in oracle.maps(process.pid) if line.label == b"[vdso]")
        process.stdin.write(f"{vdso.start:#x}\n0\n".encode())
        process.stdin.close()
        err = process.stderr.read().decode().splitlines()
    assert process.returncode == 77
    assert err[0].startswith(f"pagemap: cannot read PFNs of process {process.pid}: ")
    assert "CAP_SYS_ADMIN" in err[0]
    assert "0x0 of process" in err[1]


def test_no_such_process(pagemap: Pagemap, unused_pid: int) -> None:
    code, out, err = pagemap("virt-to-phys", unused_pid, "0x1000")
    assert (code, out, len(err)) == (66, b"", 1)
