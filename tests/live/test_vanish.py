"""Targets that exit, exec or lose their memory midway: what was read stands, and nothing foreign.

Nothing here hopes for a race: the target is told what to do between two writes of the dump.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pagemap
from tests import oracle, workloads

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Start

PAGE = oracle.PAGE
# Rows of many pieces, so that the first write comes long before the last read.
MANY_PAGES = 400_000 * PAGE
HEADER = b"addr pfn soft-dirty file/shared swapped present library\n"


class Interrupted(io.BytesIO):
    """A file that does something once it has taken so many bytes of rows."""

    def __init__(self, act: Callable[[], None], after: int = 1) -> None:
        super().__init__()
        self._act: Callable[[], None] | None = act
        self._after = len(HEADER) + after

    def write(self, data: object, /) -> int:
        took = super().write(data)  # type: ignore[arg-type]
        if self._act and self.tell() >= self._after:
            act, self._act = self._act, None
            act()
        return took


def kill(target: workloads.Target) -> None:
    """Kill it and wait until it is gone, its memory with it."""
    target.kill()


def exec_another(target: workloads.Target) -> None:
    """Have it replace itself by another program, and wait until that runs."""
    target.tell("e")
    target.wait_ready()


def expected(target: workloads.Target, *, visible: bool) -> bytes:
    table = oracle.textbook(target.pid)
    return table if visible else oracle.hide_pfns(table)


@pytest.mark.parametrize("end", [kill, exec_another])
@pytest.mark.parametrize("threads", [1, 2])
def test_rows_read_so_far_stand(
    end: Callable[[workloads.Target], None], threads: int, start: Start, pfns_visible: bool
) -> None:
    target = start(workloads.sparse(MANY_PAGES, 64 * PAGE))
    whole = expected(target, visible=pfns_visible)
    file = Interrupted(lambda: end(target))
    with pytest.raises(pagemap.TargetVanished) as caught:
        pagemap.dump(target.pid, file, threads=threads)
    assert caught.value.pid == target.pid
    got = file.getvalue()
    assert len(HEADER) < len(got) < len(whole)
    assert got.endswith(b"\n")
    same = whole.startswith(got)
    assert same, "the rows are not those of the target before it ended"


@pytest.mark.parametrize("end", [kill, exec_another])
def test_a_document_stays_whole(end: Callable[[workloads.Target], None], start: Start) -> None:
    target = start(workloads.dense(20_000 * PAGE))
    area = target.first
    file = Interrupted(lambda: end(target), after=1000)
    with pytest.raises(pagemap.TargetVanished):
        pagemap.dump(target.pid, file, format="json", ranges=[(area.start, area.end)], threads=1)
    document = json.loads(file.getvalue())
    assert document["schema"] == "pagemap.pages"
    assert 0 < len(document["rows"]) < 20_000
    assert document["rows"][0]["address"] == hex(area.start)


@pytest.mark.parametrize(
    ("letter", "how"), [("x", "exited"), ("e", "replaced itself by exec")], ids=["exit", "exec"]
)
def test_open_process(letter: str, how: str, start: Start) -> None:
    target = start(workloads.dense(16 * PAGE))
    area = target.first
    with pagemap.Process(target.pid) as process:
        process.check()
        target.tell(letter)
        if letter == "x":
            os.waitid(os.P_PID, target.pid, os.WEXITED | os.WNOWAIT)
        else:
            target.wait_ready()
        calls: list[Callable[[], object]] = [
            process.check,
            process.maps,
            lambda: process.pages((area.start, area.end)),
            lambda: process.pages_of([(area.start, area.end)]),
            lambda: process.read_into(bytearray(64), area.start),
            lambda: process.virt_to_phys(area.start),
            lambda: process.entry(area.start),
        ]
        for call in calls:
            with pytest.raises(pagemap.TargetVanished, match=how):
                call()
        file = io.BytesIO()
        with pytest.raises(pagemap.TargetVanished):
            pagemap.dump(process, file)
        assert file.getvalue() in (b"", HEADER)


def test_reaped_process(start: Start) -> None:
    """Not even a zombie is left."""
    target = start(workloads.dense(16 * PAGE))
    with pagemap.Process(target.pid) as process:
        target.kill()
        with pytest.raises(pagemap.TargetVanished, match="exited"):
            process.maps()
        with pytest.raises(pagemap.TargetVanished, match="exited"):
            process.virt_to_phys(target.first.start)


def next_pid_is(pid: int) -> None:
    """Have the kernel hand out `pid` next, unless somebody else is quicker."""
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))


def test_reused_pid(start: Start, need_root: None) -> None:
    """Another process under the same number is never taken for the target."""
    for _ in range(50):
        target = start(workloads.dense(16 * PAGE))
        process = pagemap.Process(target.pid)
        target.kill()
        try:
            next_pid_is(target.pid)
        except OSError as error:
            pytest.skip(f"cannot steer pids: ns_last_pid: {error.strerror}")
        other = start(workloads.dense(16 * PAGE))
        if other.pid != target.pid:
            process.close()
            continue
        with process:
            with pytest.raises(pagemap.TargetVanished):
                process.maps()
            with pytest.raises(pagemap.TargetVanished):
                process.virt_to_phys(other.first.start)
            file = io.BytesIO()
            with pytest.raises(pagemap.TargetVanished):
                pagemap.dump(process, file)
            assert file.getvalue() in (b"", HEADER)
        return
    pytest.fail("the kernel never gave the pid again")


def test_a_vforked_child_that_execs(start: Start) -> None:
    """Its old address space lives on as its parent's, and must not be given out as its own."""
    target = start(workloads.dense(16 * PAGE))
    area = target.first
    child = target.ask("v")
    with pagemap.Process(child) as process:
        process.check()
        assert process.pages((area.start, area.end)).count("present") == 16
        target.tell("e")
        target.wait_ready()
        with pytest.raises(pagemap.TargetVanished, match="exec"):
            process.check()
        with pytest.raises(pagemap.TargetVanished, match="exec"):
            process.maps()
        file = io.BytesIO()
        with pytest.raises(pagemap.TargetVanished, match="exec"):
            pagemap.dump(process, file)
        # The maps are the new program's and the page table is the parent's: no row can be true.
        assert file.getvalue() in (b"", HEADER)
    os.kill(child, signal.SIGKILL)


def test_a_vforked_child_that_ends(start: Start) -> None:
    """It shares its parent's address space, which lives on; the child is gone all the same."""
    target = start(workloads.dense(16 * PAGE))
    child = target.ask("v")
    with pagemap.Process(child) as process:
        os.kill(child, signal.SIGKILL)
        workloads.wait_until(lambda: b") Z " in Path(f"/proc/{child}/stat").read_bytes())
        with pytest.raises(pagemap.TargetVanished):
            process.maps()
        file = io.BytesIO()
        with pytest.raises(pagemap.TargetVanished):
            pagemap.dump(process, file)
        assert file.getvalue() in (b"", HEADER)


def test_memory_that_is_unmapped_midway(start: Start) -> None:
    """The target lives on: a dump of it ends well, its rows in order and each address once."""
    target = start(workloads.sparse(MANY_PAGES, 64 * PAGE))

    def unmap() -> None:
        target.tell("u")
        assert target.read_line() == "unmapped"

    file = Interrupted(unmap)
    pagemap.dump(target.pid, file)
    addresses = [int(row.split(b" ", 1)[0], 16) for row in file.getvalue().splitlines()[1:]]
    assert addresses == sorted(set(addresses))


@pytest.mark.parametrize("end", [kill, exec_another])
def test_command(
    end: Callable[[workloads.Target], None], start: Start, pfns_visible: bool, command: list[str]
) -> None:
    target = start(workloads.sparse(MANY_PAGES, 64 * PAGE))
    whole = expected(target, visible=pfns_visible)
    words = [*command, "dump", str(target.pid)]
    # Unbuffered: communicate() would lose what a buffer holds.
    with subprocess.Popen(words, bufsize=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as dump:
        assert dump.stdout is not None
        # What is not read fills the pipe, and the dump waits in the middle of its rows.
        got = b""
        while len(got) <= len(HEADER) and (piece := dump.stdout.read(4096)):
            got += piece
        end(target)
        rest, errors = dump.communicate(timeout=120)
    assert dump.returncode == 75, errors.decode()
    assert b"Traceback" not in errors
    assert str(target.pid).encode() in errors
    got += rest
    assert len(got) < len(whole)
    same = whole.startswith(got)
    assert same, "the rows are not those of the target before it ended"
