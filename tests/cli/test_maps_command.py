"""`pagemap maps`: the kernel's own lines, as a table and as JSON."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from tests import oracle, workloads

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

COUNTS = ["RSS", "ANON", "FILE", "SHMEM", "USS", "HUGE", "HUGETLB", "SWAP"]
TITLES = ["START", "END", "PERMS", "SIZE", *COUNTS, "PATH"]
PLACES = "start,end,size,perms,offset,dev,inode,path"
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def test_the_table(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.bash())
    code, out, err = pagemap("maps", target.pid, "--columns", PLACES)
    assert (code, err) == (0, [])
    lines = out.decode().splitlines()
    assert lines[0].split() == PLACES.upper().split(",")
    expected = oracle.maps(target.pid)
    assert lines[-1].split()[0] == "total"
    assert len(lines) == len(expected) + 2
    for line, mapping in zip(lines[1:-1], expected, strict=True):
        first, last, size, perms, offset, dev, inode, *path = line.split(maxsplit=7)
        number, unit = size.rstrip("KMGT"), size.lstrip("0123456789.")
        assert (int(first, 16), int(last, 16)) == (mapping.start, mapping.end)
        # Written with one digit after the point, so within a twentieth of the unit.
        assert abs(float(number) * UNITS[unit] - (mapping.end - mapping.start)) <= UNITS[unit] / 20
        assert (perms, int(offset, 16)) == (mapping.perms, mapping.offset)
        assert (dev, int(inode), " ".join(path)) == (
            mapping.dev,
            mapping.inode,
            mapping.path or "[anon]",
        )


def test_its_columns_are_aligned(pagemap: Pagemap, start: Start) -> None:
    lines = pagemap("maps", start(workloads.bash()).pid).out.decode().splitlines()
    header = lines[0]
    for line in lines[1:-1]:
        # Numbers end below the end of their title, texts begin below its beginning.
        for title in (each for each in TITLES[:-1] if each != "PERMS"):
            end = header.index(title) + len(title)
            assert line[end - 1] != " "
            assert line[end : end + 2] in ("  ", "")
        assert line[header.index("PERMS") :][:4].strip("rwxps-") == ""
        assert line == line.rstrip()


def test_an_odd_path_stays_on_its_line(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.odd_path())
    out = pagemap("maps", target.pid).out.decode()
    (line, *_) = (line for line in out.splitlines() if "blanks" in line)
    assert line.endswith(r"/ two  blanks\012and a \377 line (deleted)")


def test_json(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.odd_path())
    code, out, err = pagemap("maps", target.pid, "--json", "--columns", PLACES)
    assert (code, err) == (0, [])
    assert out.isascii()
    lines = oracle.maps(target.pid)
    found = json.loads(out)
    about = found.pop("about")
    assert (about["pid"], about["page_size"]) == (target.pid, oracle.PAGE)
    assert found == {
        "schema": "pagemap.maps",
        "version": 3,
        "rows": [
            {
                "start": hex(line.start),
                "end": hex(line.end),
                "size": line.end - line.start,
                "perms": line.perms,
                "offset": hex(line.offset),
                "dev": line.dev,
                "inode": line.inode,
                "path": oracle.in_json(line.path),
            }
            for line in lines
        ],
        "total": {"size": sum(line.end - line.start for line in lines)},
    }


def test_sixty_thousand_mappings(pagemap: Pagemap, start: Start) -> None:
    target = start(workloads.many())
    expected = oracle.maps(target.pid)
    assert len(expected) >= 60_000
    lines = pagemap("maps", target.pid).out.splitlines()
    assert len(lines) == len(expected) + 2
    starts = [int(line.split()[0], 16) for line in lines[1:-1]]
    assert starts == [line.start for line in expected]
    found = json.loads(pagemap("maps", target.pid, "--json").out)["rows"]
    assert [int(each["start"], 16) for each in found] == starts


def test_a_kernel_thread(pagemap: Pagemap, kernel_thread: int) -> None:
    said = [f"pagemap: process {kernel_thread} is a kernel thread: it has no mappings"]
    code, out, err = pagemap("maps", kernel_thread)
    assert (code, err) == (0, said)
    header, total = (line.split() for line in out.decode().splitlines())
    assert (header, total[0], set(total[1:])) == (TITLES, "total", {"0"})
    code, out, err = pagemap("maps", kernel_thread, "--json")
    assert (code, json.loads(out)["rows"], err) == (0, [], said)


def test_a_zombie(pagemap: Pagemap, zombie: int) -> None:
    code, out, err = pagemap("maps", zombie)
    assert (code, out, len(err)) == (66, b"", 1)


def test_no_such_process(pagemap: Pagemap, unused_pid: int) -> None:
    code, out, err = pagemap("maps", unused_pid)
    assert (code, out, len(err)) == (66, b"", 1)


def test_a_process_of_another_user(pagemap_as_nobody: Pagemap) -> None:
    code, out, err = pagemap_as_nobody("maps", os.getpid())
    assert (code, out, len(err)) == (77, b"", 1)
    assert "CAP_SYS_PTRACE" in err[0]
