"""Writes of programs as people run them, tracked from outside: none of them is missed.

What was written is found without the kernel's help: by the contents of all pages, before and after,
while the program is stopped. Pages that were written with what they had do not show in that; so
each page that changed must be among those that the tracker has, which may be more.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import oracle
from tests.live.test_injection_runtimes import NAMES, command_of, serving, squares, talking

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("need_own_tracking")

PAGE = os.sysconf("SC_PAGESIZE")
POPULATED, FILE = 0b11 << 62, 1 << 61
TURNS = 5


def populated(pid: int) -> Iterator[tuple[int, int]]:
    """The runs of pages that are there, of mappings that may be written to."""
    for mapping in oracle.maps(pid):
        if "w" not in mapping.perms:
            continue
        start = None
        for number, entry in enumerate([*oracle.entries(pid, mapping.start, mapping.end), 0]):
            address = mapping.start + number * PAGE
            if entry & POPULATED and start is None:
                start = address
            elif not entry & POPULATED and start is not None:
                yield start, address
                start = None


def contents(pid: int) -> dict[int, int]:
    """What is in each page that is there, in short."""
    found = {}
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end in populated(pid):
            memory.seek(start)
            data = memory.read(end - start)
            for offset in range(0, len(data), PAGE):
                found[start + offset] = hash(data[offset : offset + PAGE])
    return found


def stop(pid: int) -> None:
    """Stop a child of ours, all its threads."""
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED)


def tracked_still(pid: int) -> list[int]:
    """Where its mappings begin that a userfaultfd has."""
    smaps = oracle.parse_smaps(Path(f"/proc/{pid}/smaps").read_bytes())
    return [each.start for each in smaps if each.flags & {"uw", "um", "ui"}]


@pytest.mark.parametrize("name", NAMES)
def test_no_page_is_missed(name: str, tmp_path: Path) -> None:
    with talking(*command_of(name, tmp_path)) as (pid, ask), pagemap.Process(pid) as process:
        stop(pid)
        before = contents(pid)
        with pagemap.track(process, inject=True) as tracker:
            seen: set[int] = set()
            for turn in range(TURNS):
                os.kill(pid, signal.SIGCONT)
                assert ask(1000 + turn) == squares(1000 + turn)
                if turn == TURNS - 1:
                    stop(pid)
                for row in tracker.collect():
                    seen.update(range(row.start, row.end, PAGE))
            after = contents(pid)
        # what was not there before may have come by being read: of a file, or as zeros
        changed = {page for page in before.keys() & after.keys() if before[page] != after[page]}
        # what was not there before may have come by being read: of a file, or as zeros
        for page in after.keys() - before.keys():
            if (
                after[page] != hash(bytes(PAGE))
                and not oracle.entries(pid, page, page + 1)[0] & FILE
            ):
                changed.add(page)
        assert len(changed) > 10
        assert changed <= seen
        assert after.keys() - seen, "everything counts as written, which says nothing"
        os.kill(pid, signal.SIGCONT)
        assert ask(50_000) == squares(50_000)
        assert tracked_still(pid) == []


def test_nginx_is_tracked(tmp_path: Path) -> None:
    """Its workers, which wait in epoll_wait, each write into their heap for a request."""
    with serving(tmp_path) as (pids, get):
        for pid in pids[1:]:
            with pagemap.Process(pid) as process, pagemap.track(process, inject=True) as tracker:
                tracker.collect()
                for turn in range(20):
                    assert get(str(turn)) == str(turn).encode()
                tracker.collect()
            assert tracked_still(pid) == []
        with pagemap.Process(pids[1]) as one, pagemap.Process(pids[2]) as two:
            with (
                pagemap.track(one, inject=True) as first,
                pagemap.track(two, inject=True) as second,
            ):
                assert get("7") == b"7"
                written = [first.collect(), second.collect()]
            # one of the two has answered
            assert any(row.path == "[heap]" for table in written for row in table)
