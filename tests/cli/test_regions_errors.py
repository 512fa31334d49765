"""`pagemap regions`: what cannot be had, understood or read, and readers that leave."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests import workloads

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap
    from tests.conftest import Start

TITLES = ["START", "END", "SIZE", "CATEGORIES"]
MIB = 1 << 20


@pytest.mark.parametrize("can_scan", ["without"], indirect=True)
@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_a_category_that_is_not_to_be_had(
    pagemap: Pagemap, can_scan: bool, form: list[str]
) -> None:
    said = (
        "pagemap: this kernel cannot find pages by the category huge: "
        "PAGEMAP_SCAN has it since Linux 6.7"
    )
    assert pagemap("regions", "self", "--only", "huge", *form) == (69, b"", [said])
    assert pagemap("regions", "self", "--without", "huge", *form) == (69, b"", [said])
    assert pagemap("regions", "self", "--tell", "huge", *form) == (69, b"", [said])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--only presnt", "--only knows no 'presnt'; did you mean present? choose from "),
        ("--without exclusive", "--without knows no 'exclusive'; "),
        ("--only ,", "--only has an empty word; separate words by commas"),
        ("--only present,~present", "no page is both present and not present"),
        ("--tell x", "--tell knows no 'x'; choose from wpallowed"),
        ("--max-pages 0", "--max-pages needs a number from 1 on, not '0'"),
        ("--range 2000-1000", "empty range '2000-1000': START must be below END"),
        ("--json --csv", "argument --csv: not allowed with argument --json"),
    ],
)
def test_what_cannot_be_understood(pagemap: Pagemap, unused_pid: int, line: str, said: str) -> None:
    code, out, err = pagemap("regions", unused_pid, *line.split())
    assert (code, out) == (2, b"")
    assert err[0].startswith(f"pagemap: {said}")


def test_a_kernel_thread(pagemap: Pagemap, kernel_thread: int) -> None:
    said = [f"pagemap: process {kernel_thread} is a kernel thread: it has no mappings"]
    code, out, err = pagemap("regions", kernel_thread)
    assert (code, out.decode().split()[:4], err) == (0, TITLES, said)
    code, out, err = pagemap("regions", kernel_thread, "--json")
    assert (code, json.loads(out)["rows"], err) == (0, [], said)
    assert pagemap("regions", kernel_thread, "--csv")[:2] == (0, b"pid,start,end,size,categories\n")


def test_targets_that_cannot_be_read(
    pagemap: Pagemap, pagemap_as_nobody: Pagemap, zombie: int, unused_pid: int
) -> None:
    assert pagemap("regions", zombie)[:2] == (66, b"")
    assert pagemap("regions", unused_pid, "--json")[:2] == (66, b"")
    code, out, err = pagemap_as_nobody("regions", os.getpid())
    assert (code, out, len(err)) == (77, b"", 1)
    assert "CAP_SYS_PTRACE" in err[0]


@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]])
def test_stdout_closed_early(
    pagemap: Pagemap, start: Start, can_scan: bool, form: list[str]
) -> None:
    """Every second page a region of its own: more rows than a pipe holds."""
    target = start(workloads.guard(64 * MIB))
    process = pagemap.start("regions", target.pid, *form)
    with process:
        assert process.stdout
        assert process.stderr
        assert os.read(process.stdout.fileno(), 10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 141
