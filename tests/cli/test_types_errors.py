"""`pagemap types` that cannot be done: what it says, and how it ends."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import oracle

if TYPE_CHECKING:
    from tests.cli.conftest import Pagemap

PAGE = oracle.PAGE
MIB = 1 << 20


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("self --only anonymos", "--only knows no 'anonymos'; did you mean anonymous?"),
        ("self --only re", "--only: 're' may be referenced, reclaim, reserved, readahead; write"),
        (
            "self --only reserved",
            "reserved: internal to the kernel, and only among raw flags",
        ),
        ("self --only lru=dirty", "--only 'lru=dirty' matches nothing: dirty is not before the ="),
        ("--describe x", "--describe knows no 'x'; "),
        ("--describe 0xfffffffffffffffff", "--describe: '0xfffffffffffffffff' has more than 64"),
        ("--pfn x", "malformed PFN 'x'"),
        ("--pfn 20-10", "empty range '20-10'"),
        ("--pfn 424242", "PFN '424242' can be read in two ways: write 0x424242 if it is"),
        ("--pfn 10-20", "range '10-20' can be read in two ways: write 0x10-0x20 if it is"),
        ("self --pfn 1", "TARGET and --pfn cannot be combined"),
        ("self --file /", "TARGET and --file cannot be combined"),
        ("--range 1000-2000", "--range needs exactly one TARGET"),
        ("1 2 --range 1000-2000", "--range needs exactly one TARGET"),
        ("self --columns mapcount", "--columns knows no 'mapcount'; "),
        ("self --list-each --columns pages", "--columns knows no 'pages'; "),
        ("self --only present,~present", "no page is both present and not present"),
        ("self --only lru --without 0x20", "no page is both lru and not lru"),
        ("--only present", "memory has no page table: select its pages by the flags"),
        ("self --threads 0", "--threads needs a number from 1 on, not '0'"),
        ("self --list --list-each", "argument --list-each: not allowed with argument --list"),
        ("self --json --csv", "argument --csv: not allowed with argument --json"),
        ("--file=", "--file is empty"),
    ],
)
def test_what_cannot_be_understood(pagemap: Pagemap, line: str, said: str) -> None:
    if line == "--only present" and not oracle.may_read("/proc/kpageflags"):
        pytest.skip("/proc/kpageflags may not be read: needs CAP_DAC_READ_SEARCH")
    code, out, err = pagemap("types", *line.split())
    assert (code, out) == (2, b"")
    assert err[0].startswith(f"pagemap: {said}")


def test_without_rights(unprivileged: Pagemap, tmp_path: Path) -> None:
    said = (
        "pagemap: cannot read /proc/kpageflags: permission denied; only root may read it: run with "
        "sudo (CAP_DAC_READ_SEARCH)"
    )
    hint = (
        "; 'pagemap maps' and 'pagemap regions' do not need this, and "
        "show what is present, swapped, of files and huge"
    )
    for line in (["self"], ["self", "--list"]):
        assert unprivileged("types", *line) == (77, b"", [said + hint])
    for line in ([], ["--file", "/etc"], ["--file", "/etc", "--list"]):  # these cannot tell that
        assert unprivileged("types", *line) == (77, b"", [said])


def test_a_range_of_several_by_one_name(pagemap: Pagemap, namesakes: list[int]) -> None:
    """It was a traceback: too many values to unpack."""
    name = Path(f"/proc/{namesakes[0]}/comm").read_text().strip()
    code, out, err = pagemap("types", name, "--range", "0x0-0x1000")
    assert (code, out) == (2, b"")
    assert err == ["pagemap: --range selects addresses of one process; give its pid"]


@pytest.mark.parametrize("command", ["types", "regions", "segments"])
def test_a_range_without_a_mapping(pagemap: Pagemap, need_frames: None, command: str) -> None:
    """The zeros stand, and it is said, as for --map of nothing; two commands said nothing."""
    pid = os.getpid()
    said = [f"pagemap: no mapping of process {pid} is in the given ranges"]
    code, out, err = pagemap(command, pid, "--range", "0x0-0x1000", "--json")
    assert (code, json.loads(out)["rows"], err) == (1, [], said)
    start = next(each.start for each in oracle.maps(pid))
    code, _, err = pagemap(command, pid, "--range", f"{start:#x}-{start + 1:#x}", "--csv")
    assert (code, err) == (0, [])


def test_a_kernel_thread(pagemap: Pagemap, kernel_thread: int, need_frames: None) -> None:
    reason = "a kernel thread has no memory of its own"
    said = [f"pagemap: process {kernel_thread} is left out: {reason}"]
    code, out, err = pagemap("types", kernel_thread, "--json")
    told = json.loads(out)
    assert (code, told["rows"], err) == (0, [], said)
    (left_out,) = told["about"]["left_out"]
    assert (left_out["pid"], left_out["reason"]) == (kernel_thread, reason)
    assert pagemap("types", kernel_thread, "--csv") == (
        0,
        b"flags,pages,frames,size,letters,names\n",
        said,
    )


def test_targets_that_are_not_there(
    pagemap: Pagemap, zombie: int, unused_pid: int, need_frames: None
) -> None:
    assert pagemap("types", zombie)[:2] == (66, b"")
    assert pagemap("types", unused_pid, "--list")[:2] == (66, b"")


def test_stdout_closed_early(pagemap: Pagemap, need_frames: None) -> None:
    with pagemap.start("types", "--list-each") as process:
        assert process.stdout
        assert process.stderr
        assert os.read(process.stdout.fileno(), 10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=120) == 141


@pytest.mark.parametrize("words", ["types", "footprint", "huge"])
def test_a_cgroup_that_is_not_there(pagemap: Pagemap, tmp_path: Path, words: str) -> None:
    """It was exit 2 of types, and 66 of footprint."""
    if words == "huge" and not oracle.may_read("/proc/kpageflags"):
        pytest.skip("/proc/kpageflags may not be read: needs CAP_DAC_READ_SEARCH")
    option = "--charged-to" if words == "types" else "--cgroup"
    code, out, err = pagemap(*words.split(), option, str(tmp_path / "none"))
    assert (code, out) == (66, b"")
    assert err[-1].startswith(f"pagemap: there is no cgroup '{tmp_path / 'none'}'")
